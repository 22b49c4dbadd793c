/**
 * The analysis thread: one engine per probe, fed with the payloads of its batches. Runs at a lower
 * priority than ingest. It may crash: the gateway starts another and goes on.
 */
import { readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { Engine } from '../../asm/host/index.js';
import type { ProbeSummary } from '../probes/registry.js';
import type { AnalysisData, FromAnalysis, ToAnalysis } from './messages.js';

const NICE = 10;
const { wasmFile, summary_interval_ms, max_flows } = workerData as AnalysisData;
const post = (message: FromAnalysis) => parentPort?.postMessage(message);

interface Analysed {
  run: number;
  section: Uint8Array;
  /** Null while the engine is being made; payloads wait in `early`. */
  engine: Engine | null;
  early: Uint8Array[];
  batches: number;
}
const probes = new Map<number, Analysed>();
const module = new WebAssembly.Module(readFileSync(wasmFile));

/** A new stream of the same run: what was counted stays. */
function restart(engine: Engine, section: Uint8Array): void {
  engine.begin();
  engine.push(section);
}

async function open(probe: number, run: number, section: Uint8Array): Promise<void> {
  const analysed: Analysed = { run, section, engine: null, early: [], batches: 0 };
  probes.set(probe, analysed);
  const engine = await Engine.load(module, { maxFlows: max_flows });
  restart(engine, section);
  analysed.engine = engine;
  for (const payload of analysed.early.splice(0)) parse(probe, analysed, engine, payload);
}

function batch(probe: number, payload: Uint8Array): void {
  const analysed = probes.get(probe);
  if (!analysed) post({ type: 'took', bytes: payload.length, damaged: null, probe });
  else if (analysed.engine) parse(probe, analysed, analysed.engine, payload);
  else analysed.early.push(payload);
}

function parse(probe: number, analysed: Analysed, engine: Engine, payload: Uint8Array): void {
  engine.push(payload);
  analysed.batches++;
  const damaged = engine.error?.message ?? null;
  if (damaged !== null) restart(engine, analysed.section);
  post({ type: 'took', bytes: payload.length, damaged, probe });
}

function summarize({ engine, batches }: Analysed): ProbeSummary {
  const totals = (engine as Engine).totals();
  return {
    packets: totals.packets,
    wireBytes: totals.originalBytes,
    malformed: totals.malformed,
    flows: (engine as Engine).flowCount,
    batches,
    protocols: totals.protocolCounts,
  };
}

setPriority(NICE); // of this thread: Linux takes 0 as the caller
parentPort?.on('message', (message: ToAnalysis) => {
  if (message.type === 'open') void open(message.probe, message.run, message.section);
  else if (message.type === 'batch') batch(message.probe, message.payload);
  else probes.delete(message.probe);
});
setInterval(() => {
  const ready = [...probes].filter(([, analysed]) => analysed.engine);
  if (ready.length) {
    const summaries = ready.map(([probe, analysed]) => [probe, analysed.run, summarize(analysed)] as const);
    post({ type: 'summaries', summaries });
  }
}, summary_interval_ms);
