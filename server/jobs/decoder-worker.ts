/**
 * The decoding thread: an engine per session, fed with packets of answers. Runs at a lower priority than
 * ingest. It may crash: the gateway starts another, and the questions it was at fail.
 */
import { readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { Engine, type Flow, type PacketRows, TALKER_KINDS } from '../../asm/host/index.js';
import type {
  Answers,
  Ask,
  DecoderData,
  FromDecoder,
  ToDecoder,
  Want,
  WantedFlow,
} from './decoder-messages.js';
import { transportOf } from './transport.js';

const NICE = 5;
/** Flows a session tells apart: enough for a group of packets several times over. */
const FLOWS_MAX = 65_536;
/** Names of flows that ended are forgotten beyond this many. */
const NAMES_MAX = 262_144;

interface Session {
  engine: Engine;
  wanted: Map<string, WantedFlow[]> | null;
  /** Community ID by flow id. */
  names: Map<number, string>;
}

const { wasmFile } = workerData as DecoderData;
const module = new WebAssembly.Module(readFileSync(wasmFile));
const sessions = new Map<number, Session>();
const plain = Engine.load(module, { maxFlows: 16 });

async function open(session: number, wanted: WantedFlow[] | null): Promise<null> {
  const engine = await Engine.load(module, { maxFlows: FLOWS_MAX, exportFlows: true });
  engine.begin();
  let byCommunity: Session['wanted'] = null;
  if (wanted) {
    byCommunity = new Map();
    for (const flow of wanted) {
      const known = byCommunity.get(flow.community);
      if (known) known.push(flow);
      else byCommunity.set(flow.community, [flow]);
    }
  }
  sessions.set(session, { engine, wanted: byCommunity, names: new Map() });
  return null;
}

function feed(session: Session, bytes: Uint8Array, want: Want): Answers[Want] {
  const { engine } = session;
  if (want === 'lines') {
    const lines: Answers['lines'] = [];
    engine.scan(bytes, (rows) => {
      for (let i = 0; i < rows.length; i++) lines.push(rows.line(i));
    });
    return lines;
  }
  if (want === 'nothing') {
    engine.push(bytes);
    engine.drainFlows();
    return null;
  }
  return perFlow(session, bytes, want);
}

interface Seen {
  flow: number;
  ts_ns: bigint;
}

function perFlow(session: Session, bytes: Uint8Array, want: 'communities' | 'matches' | 'segments') {
  const { engine } = session;
  const seen: Seen[] = [];
  const segments: Answers['segments'] = [];
  const take = (rows: PacketRows, i: number) => {
    seen.push({ flow: rows.flowId(i), ts_ns: rows.tsNs(i) ?? 0n });
    if (want === 'segments')
      segments.push(transportOf(engine, rows.linktype(i), rows.bytes(i).slice(), rows.wirelen(i)));
  };
  engine.push(bytes, (rows) => {
    for (let i = 0; i < rows.length; i++) take(rows, i);
  });
  name(session, seen);
  if (want === 'communities') return seen.map(({ flow }) => session.names.get(flow) ?? null);
  const mine = seen.map((packet) => belongs(session, packet));
  if (want === 'segments') return segments.map((segment, i) => (mine[i] ? segment : null));
  return mine.flatMap((is, i) => (is ? [i] : []));
}

/** Learns the names of flows met for the first time; the engine tells them only as a list. */
function name({ engine, names }: Session, seen: readonly Seen[]): void {
  const learn = (flows: readonly Flow[]) => {
    for (const { id, communityId } of flows) names.set(id, communityId);
  };
  learn(engine.drainFlows());
  if (seen.every(({ flow }) => flow === -1 || names.has(flow))) return;
  if (names.size > NAMES_MAX) names.clear();
  learn(engine.flows({ sort: 'last' }));
}

function belongs({ wanted, names }: Session, { flow, ts_ns }: Seen): boolean {
  if (!wanted) return true;
  const flows = wanted.get(names.get(flow) ?? '');
  return flows?.some(({ fromNs, toNs }) => ts_ns >= fromNs && ts_ns <= toNs) ?? false;
}

function known(session: number): Session {
  const found = sessions.get(session);
  if (!found) throw new Error(`no decoding session ${session}`);
  return found;
}

async function answer(ask: Ask): Promise<Extract<FromDecoder, { answer: unknown }>['answer']> {
  switch (ask.op) {
    case 'open':
      return open(ask.session, ask.wanted);
    case 'feed':
      return feed(known(ask.session), ask.bytes, ask.want);
    case 'summary': {
      const { engine } = known(ask.session);
      const talkers = TALKER_KINDS.map((by) => engine.topTalkers({ by, k: ask.talkers }));
      return { totals: engine.totals(), talkers, distinct: engine.distinct() };
    }
    case 'close':
      sessions.delete(ask.session);
      return null;
    default:
      return (await plain).decode(ask.linktype, ask.bytes, ask.wirelen);
  }
}

setPriority(NICE); // of this thread: Linux takes 0 as the caller
parentPort?.on('message', async ({ id, ...ask }: ToDecoder) => {
  let message: FromDecoder;
  try {
    message = { id, answer: await answer(ask) };
  } catch (error) {
    message = { id, failure: (error as Error).message };
  }
  parentPort?.postMessage(message);
});
