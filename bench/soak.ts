/**
 * The recorder for a long time at 80 % of the highest rate at which it lost nothing just before: ends with nothing
 * unaccounted and with the memory it had soon after its start. RINGTAP_SOAK sets the seconds (600, quick 20),
 * RINGTAP_SOAK_PPS a rate of one's own choice. Files are rotated and the oldest thrown away, so that the drive does
 * not fill.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { once } from './capture.js';
import { atExit, emptyDirectory, workDirectory } from './cleanup.js';
import type { Benchmark, Row } from './harness.js';
import { PROBE, RECORDERS } from './recorders.js';
import { RECEIVER, Veth, vethObstacle } from './veth.js';

const SIZE = 'mix';
const FIRST_PPS = 100_000;
const STEP = 1.25;
const MOST_PPS = 4_000_000;
const LOSSLESS = 99.999;
const GROWTH_KIB_MAX = 4096;

interface Ledger {
  ring_received: number;
  stored: number;
  ring_drops: number;
  pool_drops: number;
  store_drops: number;
  unaccounted: number;
  final: boolean;
}

/** Steps up until the same rate loses frames twice; the last one that did not. */
async function highestLossless(dir: string, seconds: number): Promise<number> {
  const veth = new Veth();
  const ours = RECORDERS[0]!;
  let highest = 0;
  try {
    for (let pps = FIRST_PPS; pps <= MOST_PPS; pps *= STEP) {
      const tries = [await once(veth, ours, { size: SIZE, pps }, seconds, dir)];
      if (tries[0]!.kept < LOSSLESS) tries.push(await once(veth, ours, { size: SIZE, pps }, seconds, dir));
      const best = Math.max(...tries.map(({ kept }) => kept));
      process.stderr.write(`bench: soak: ${(pps / 1e6).toFixed(2)} Mpps: ${best.toFixed(3)} % kept\n`);
      if (best < LOSSLESS) break;
      highest = pps;
    }
  } finally {
    veth.remove();
  }
  if (!highest) throw new Error(`frames were lost at ${FIRST_PPS} packets/s already; is the machine busy?`);
  return highest;
}

function residentKib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

function ledgers(file: string): Ledger[] {
  if (!existsSync(file)) return [];
  const whole = readFileSync(file, 'utf8');
  return whole
    .slice(0, whole.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Ledger);
}

interface Soak {
  sent: number;
  memory_kib: number[];
  ledgers: Ledger[];
}

async function soak(pps: number, seconds: number, dir: string): Promise<Soak> {
  const veth = new Veth();
  emptyDirectory(dir);
  veth.rebuild();
  const stats = join(dir, 'ledger.json');
  const args = [
    PROBE,
    '-i',
    RECEIVER,
    '--store',
    join(dir, 'store'),
    '-C',
    '1000',
    '-W',
    '4',
    '--stats',
    stats,
  ];
  const [command, ...rest] = veth.onRecorderCore(args);
  const child = spawn(command!, rest, { stdio: ['ignore', 'ignore', 'inherit'] });
  const forget = atExit(() => child.kill('SIGKILL'));
  const gone = new Promise((done) => child.on('close', done));
  try {
    await sleep(1000);
    const sending = { over: false };
    const offered = veth.send(Math.round(pps * seconds), pps, SIZE).finally(() => {
      sending.over = true;
    });
    const memory_kib: number[] = [];
    while (!sending.over) {
      memory_kib.push(residentKib(child.pid!));
      await sleep(1000);
    }
    const { sent } = await offered;
    await sleep(1500);
    memory_kib.push(residentKib(child.pid!));
    child.kill('SIGINT');
    await gone;
    return { sent, memory_kib, ledgers: ledgers(stats) };
  } finally {
    child.kill('SIGKILL');
    await gone;
    forget();
    veth.remove();
    emptyDirectory(dir);
  }
}

/** After a tenth of the time everything the recorder needs has been touched once. */
function growthKib(memory_kib: number[]): number {
  const settled = Math.max(...memory_kib.slice(0, Math.max(2, Math.ceil(memory_kib.length / 10))));
  return memory_kib.at(-1)! - settled;
}

async function run({ quick }: { quick: boolean }): Promise<Row[]> {
  const obstacle = await vethObstacle();
  if (obstacle) throw new Error(`no veth pair to measure on: ${obstacle}`);
  const seconds = Number(process.env.RINGTAP_SOAK ?? (quick ? 20 : 600));
  const dir = workDirectory('soak');
  const chosen = Number(process.env.RINGTAP_SOAK_PPS ?? 0);
  const pps = chosen || 0.8 * (await highestLossless(dir, quick ? 1 : 2));
  const { sent, memory_kib, ledgers: all } = await soak(pps, seconds, dir);
  const last = all.at(-1);
  if (!last?.final) throw new Error('the recorder did not end as it should: no final ledger');
  const unaccounted = Math.max(...all.map((ledger) => Math.abs(ledger.unaccounted)));
  const label = `${seconds} s of ${(pps / 1e6).toFixed(2)} Mpps, ${SIZE}`;
  const row = (metric: string, unit: string, ours: number, reason: string): Row => ({
    ...{
      case: label,
      metric,
      unit,
      ours,
      peerName: 'required',
      peer: null,
      ratio: null,
      better: 'lower',
      reason,
    },
  });
  const rows = [
    row('unaccounted at any moment', 'packets', unaccounted, 'must be 0'),
    row('memory grown', 'KiB', growthKib(memory_kib), `must stay below ${GROWTH_KIB_MAX}`),
    row('lost', 'packets', sent - last.stored, `of ${sent} sent; a busy machine loses some before the ring`),
  ];
  if (unaccounted || growthKib(memory_kib) > GROWTH_KIB_MAX) throw new Error(JSON.stringify(rows));
  return rows;
}

export const soakBenchmark: Benchmark = {
  name: 'soak',
  about: 'ten minutes (RINGTAP_SOAK seconds) at 80 % of the highest lossless rate: accounts and memory',
  run,
};
