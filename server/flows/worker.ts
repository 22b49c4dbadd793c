/**
 * The flow thread: makes flow records segment by segment, one task at a time, reading no faster than it may.
 * Lowest priority: it lags when the machine is busy, and catches up. It may crash: the gateway starts another.
 */
import { readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { FlowFile } from './flow-file.js';
import type { FlowResult, FlowTask, FlowThreadData, ToFlowThread } from './messages.js';
import { SegmentFlows } from './segment-flows.js';

const NICE = 19;
/** Read between two looks at the clock. */
const STEP_BYTES = 8 << 20;
/** Showing a growing segment may take this share of the time. */
const SHOW_SHARE = 0.1;

interface Made {
  /** Stems of the segments it is made from. */
  members: string;
  flows: SegmentFlows;
  file: FlowFile;
  shown_ms: number;
  show_took_ms: number;
}

const { wasmFile, max_flows, read_bytes_per_second } = workerData as FlowThreadData;
const module = new WebAssembly.Module(readFileSync(wasmFile));
/** Segments that grow. */
const growing = new Map<string, Made>();

const stemsOf = (members: FlowTask['members']) => members.map(({ stem }) => stem).join(' ');

async function begin({ members, path }: FlowTask): Promise<Made> {
  const flows = await SegmentFlows.open(module, members, max_flows);
  try {
    return {
      members: stemsOf(members),
      flows,
      file: new FlowFile(path),
      shown_ms: Number.NEGATIVE_INFINITY,
      show_took_ms: 0,
    };
  } catch (error) {
    flows.close();
    throw error;
  }
}

function forget(stem: string): void {
  const made = growing.get(stem);
  growing.delete(stem);
  made?.flows.close();
  made?.file.abandon();
}

async function readAll({ flows, file }: Made, sealed: boolean): Promise<number> {
  for (let total = 0; ; ) {
    const started = performance.now();
    const bytes = flows.advance(sealed, STEP_BYTES);
    file.ended(flows.takeEnded());
    total += bytes;
    if (bytes === 0) return total;
    const earliest = started + (bytes / read_bytes_per_second) * 1000;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, earliest - performance.now())));
  }
}

function show(made: Made): void {
  const started = performance.now();
  made.file.show(made.flows.open());
  made.shown_ms = performance.now();
  made.show_took_ms = made.shown_ms - started;
}

async function work(task: FlowTask): Promise<FlowResult> {
  // A stripe whose segment came later belongs to it: its blocks lie between those read, so it is begun anew.
  if (growing.get(task.stem)?.members !== stemsOf(task.members)) forget(task.stem);
  const made = growing.get(task.stem) ?? (await begin(task));
  growing.set(task.stem, made);
  const bytes = await readAll(made, task.sealed);
  const { flows, file } = made;
  if (task.sealed) {
    file.ended(flows.finish());
    file.finish();
    flows.close();
    growing.delete(task.stem);
  } else if (bytes > 0 && performance.now() - made.shown_ms > made.show_took_ms / SHOW_SHARE) show(made);
  return { stem: task.stem, done: task.sealed, flows: file.rows, damaged: flows.damaged, error: null };
}

setPriority(NICE); // of this thread: Linux takes 0 as the caller
parentPort?.on('message', async (message: ToFlowThread) => {
  if (message.type === 'forget') {
    forget(message.stem);
    return;
  }
  const { task } = message;
  let result: FlowResult;
  try {
    result = await work(task);
  } catch (error) {
    forget(task.stem);
    result = { stem: task.stem, done: false, flows: 0, damaged: 0, error: (error as Error).message };
  }
  parentPort?.postMessage(result);
});
