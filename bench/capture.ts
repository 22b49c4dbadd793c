/**
 * Capture to disk under the same offered load, us and the peers in turns: frames kept (numbered by the generator
 * and counted in the files, because ring counters miss losses) and CPU time per frame kept, of the recorder and of
 * the kernel thread that receives for it; the kernel's writing back of buffered files is not in it. Losses before
 * the recorder's ring are in the share as well: they come from the same core being too busy to receive.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { atExit, emptyDirectory, workDirectory } from './cleanup.js';
import { type Benchmark, median, type Row } from './harness.js';
import { RECORDERS, type Recorder } from './recorders.js';
import { countNumbers, cpuTimeNs, Veth, vethObstacle } from './veth.js';

const READY_MS = 600;
const EXIT_MS = 5000;

interface Step {
  size: string;
  pps: number;
}

interface Run {
  /** Of the frames sent, in percent. */
  kept: number;
  /** CPU time per frame kept. */
  cost_ns: number;
  pps: number;
  unaccounted: number | null;
}

const QUICK: Step[] = [
  { size: '64', pps: 500_000 },
  { size: 'mix', pps: 300_000 },
];
const FULL: Step[] = [
  ...[500_000, 1_000_000, 1_500_000].map((pps) => ({ size: '64', pps })),
  ...[500_000, 1_000_000].map((pps) => ({ size: '256', pps })),
  ...[500_000, 1_000_000].map((pps) => ({ size: '1024', pps })),
  ...[300_000, 700_000].map((pps) => ({ size: '1514', pps })),
  ...[300_000, 600_000, 1_200_000].map((pps) => ({ size: 'mix', pps })),
];

function filesUnder(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

function unaccountedOf(dir: string): number | null {
  const ledger = join(dir, 'ledger.json');
  if (!existsSync(ledger)) return null;
  const line = readFileSync(ledger, 'utf8').trim().split('\n').at(-1);
  return line ? (JSON.parse(line) as { unaccounted: number }).unaccounted : null;
}

/** Ends a recorder, hard if it does not end in time. Children of `ip netns exec` are the recorder itself. */
async function end(child: ReturnType<typeof spawn>, gone: Promise<unknown>, signal: NodeJS.Signals) {
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), EXIT_MS);
  await gone;
  clearTimeout(late);
}

/** One run of one recorder: a new veth pair, frames for `seconds`, and what its files hold in the end. */
export async function once(
  veth: Veth,
  recorder: Recorder,
  { size, pps }: Step,
  seconds: number,
  dir: string,
): Promise<Run> {
  emptyDirectory(dir);
  veth.rebuild();
  recorder.prepare?.(dir);
  const [command, ...args] = veth.onRecorderCore(recorder.command(dir));
  let said = '';
  const child = spawn(command!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.on('data', (data: Buffer) => {
    said = (said + data.toString()).slice(-2000);
  });
  const forget = atExit(() => child.kill('SIGKILL'));
  const gone = new Promise((resolve) => child.on('close', resolve));
  try {
    await sleep(READY_MS);
    if (child.exitCode !== null)
      throw new Error(said.trim().split('\n').at(-1) || `ended with ${child.exitCode}`);
    const cpuNs = () => cpuTimeNs(child.pid!) + cpuTimeNs(veth.poller);
    const before_ns = cpuNs();
    const offered = await veth.send(Math.round(pps * seconds), pps, size);
    await sleep(recorder.drain_ms);
    const spent_ns = cpuNs() - before_ns;
    await end(child, gone, recorder.signal);
    const files = filesUnder(dir).filter((file) => !file.endsWith('.json'));
    const distinct = countNumbers(files);
    if (distinct === 0) throw new Error(`recorded nothing: ${said.trim().split('\n').at(-1)}`);
    return {
      kept: (distinct / offered.sent) * 100,
      cost_ns: spent_ns / distinct,
      pps: offered.pps,
      unaccounted: unaccountedOf(dir),
    };
  } finally {
    child.kill('SIGKILL');
    await gone;
    forget();
    emptyDirectory(dir);
  }
}

const label = ({ size, pps }: Step) =>
  `${size === 'mix' ? 'mix of 756 B' : `${size} B`}, ${(pps / 1e6).toFixed(1)} Mpps`;

/** The row that decides: against whichever peer did best at this step. */
function bestPeer(rows: Row[]): Row[] {
  const ran = rows.filter(({ peer }) => peer !== null);
  if (ran.length === 0) return [];
  const best = ran.reduce((a, b) =>
    (b.better === 'higher' ? b.peer! > a.peer! : b.peer! < a.peer!) ? b : a,
  );
  return [{ ...best, peerName: `best peer (${best.peerName})` }];
}

/** Rows of one step: each of our rings against each peer. */
function rowsOf(step: Step, results: Map<Recorder, Run[] | Error>): Row[] {
  const rows: Row[] = [];
  const metrics = [
    { metric: 'frames kept', unit: '%', better: 'higher', of: (run: Run) => run.kept },
    { metric: 'CPU per frame kept', unit: 'ns', better: 'lower', of: (run: Run) => run.cost_ns },
  ] as const;
  const all = [...results];
  for (const [recorder, runs] of all.filter(([{ ours }]) => ours)) {
    if (runs instanceof Error) continue;
    for (const { of, ...metric } of metrics) {
      const beside: Row[] = [];
      for (const [peer, theirs] of all.filter(([{ ours }]) => !ours)) {
        const ours = median(runs.map(of));
        const base = { case: `${label(step)}, ${recorder.name}`, ...metric, ours, peerName: peer.name };
        if (theirs instanceof Error)
          beside.push({ ...base, peer: null, ratio: null, reason: theirs.message });
        else beside.push({ ...base, peer: median(theirs.map(of)), ratio: ours / median(theirs.map(of)) });
      }
      rows.push(...beside, ...bestPeer(beside));
    }
  }
  return rows;
}

/** All recorders in turns; one that fails is not tried again in this step. */
async function measure(step: Step, rounds: number, seconds: number, dir: string): Promise<Row[]> {
  const veth = new Veth();
  const results = new Map<Recorder, Run[] | Error>();
  for (const recorder of RECORDERS) {
    const why = recorder.obstacle();
    results.set(recorder, why ? new Error(why) : []);
  }
  try {
    for (let round = 0; round < rounds; round++)
      for (const recorder of RECORDERS) {
        const runs = results.get(recorder);
        if (!Array.isArray(runs)) continue;
        try {
          const run = await once(veth, recorder, step, seconds, dir);
          runs.push(run);
          if (run.unaccounted) throw new Error(`${recorder.name}: ${run.unaccounted} packets unaccounted`);
          const rate = `${(run.pps / 1e6).toFixed(2)} Mpps offered`;
          process.stderr.write(
            `bench: ${label(step)}, ${recorder.name}: ${run.kept.toFixed(2)} % at ${run.cost_ns.toFixed(0)} ns, ${rate}\n`,
          );
        } catch (error) {
          results.set(recorder, error as Error);
          process.stderr.write(`bench: ${label(step)}, ${recorder.name}: ${(error as Error).message}\n`);
          if (recorder.ours && recorder.name.endsWith('afpacket')) throw error;
        }
      }
  } finally {
    veth.remove();
  }
  return rowsOf(step, results);
}

async function run({ quick }: { quick: boolean }): Promise<Row[]> {
  const obstacle = await vethObstacle();
  if (obstacle) throw new Error(`no veth pair to measure on: ${obstacle}`);
  const dir = workDirectory('capture');
  const rows: Row[] = [];
  for (const step of quick ? QUICK : FULL) rows.push(...(await measure(step, quick ? 1 : 3, 1, dir)));
  return rows;
}

export const capture: Benchmark = {
  name: 'capture',
  about:
    'frames kept and CPU per frame under stepped loads, to disk, beside tcpdump, dumpcap, netsniff-ng, stenotype',
  run,
};
