/**
 * Storing alone: synthetic frames, made ready beforehand, through the recorder to files, beside fio with the same
 * block size and flags; over several directories of the one disk there is; and to no file at all, beside memcpy.
 * Rates are taken between ledger lines, so that neither side's start-up counts.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { emptyDirectory, workDirectory } from './cleanup.js';
import { type Benchmark, median, type Row } from './harness.js';
import { PROBE } from './recorders.js';

const FRAME_BYTES = 1514;
const EPB_BYTES = 1548;
const READY_FRAMES = 4096;
const BLOCK = '4M';
const DEPTHS = [1, 4];

interface LedgerLine {
  ts_ns: string;
  stored: number;
  store_drops: number;
  pool_drops: number;
  received_bytes: number;
  stored_bytes: number;
  unaccounted: number;
}

/** Runs the probe over `bytes` of synthetic frames; bytes a second of a ledger field while it was at it. */
function probeRate(
  store: string,
  bytes: number,
  field: 'stored_bytes' | 'received_bytes',
  dir: string,
): number {
  const stats = join(dir, 'ledger.json');
  const ready = has('ready=') ? `,ready=${READY_FRAMES}` : '';
  const synth = `seed=1,size=${FRAME_BYTES},flows=64,pps=0,count=${Math.round(bytes / EPB_BYTES)}${ready}`;
  const args = ['--ring=synth', '--synth', synth, '--store', store, '--block-size', BLOCK];
  const { status, stderr } = spawnSync(PROBE, [...args, '--stats', stats, '--stats-interval', '0.1'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`ringtapd failed: ${stderr.trim().split('\n').at(-1)}`);
  const lines = readFileSync(stats, 'utf8').trim().split('\n');
  const ledgers = lines.map((line) => JSON.parse(line) as LedgerLine).filter((ledger) => ledger[field] > 0);
  const last = ledgers.at(-1)!;
  if (last.unaccounted || last.store_drops || last.pool_drops)
    throw new Error(`not everything was stored: ${lines.at(-1)}`);
  const first = ledgers[0]!;
  const seconds = Number(BigInt(last.ts_ns) - BigInt(first.ts_ns)) / 1e9;
  if (seconds < 0.3) throw new Error('over too soon to be measured; more bytes are needed');
  return (last[field] - first[field]) / seconds;
}

/** Does this build of the probe know the word? */
function has(word: string): boolean {
  return spawnSync(PROBE, ['--help'], { encoding: 'utf8' }).stdout.includes(word);
}

/** Files grow as ours do: nothing is allocated beforehand, and the end is synced. */
function fioRate(depth: number, bytes: number, dir: string): number {
  const flags = ['--rw=write', '--direct=1', '--ioengine=io_uring', '--fallocate=none', '--end_fsync=1'];
  const amount = [`--bs=${BLOCK}`, `--iodepth=${depth}`, `--size=${bytes}`, `--directory=${dir}`];
  const { status, stdout, stderr, error } = spawnSync(
    'fio',
    ['--name=ringtap', ...flags, ...amount, '--output-format=json'],
    { encoding: 'utf8' },
  );
  if (error) throw new Error('fio is not installed');
  if (status !== 0) throw new Error(`fio failed: ${stderr.trim().split('\n').at(-1)}`);
  return (JSON.parse(stdout.slice(stdout.indexOf('{'))) as { jobs: { write: { bw_bytes: number } }[] })
    .jobs[0]!.write.bw_bytes;
}

function copyRate(seconds: number): number {
  const args = [String(FRAME_BYTES), String(READY_FRAMES), String(seconds)];
  const { status, stdout } = spawnSync('build/native/rtcopy', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error('rtcopy is not built: make -C native bench');
  return Number(stdout);
}

type Contestant = [name: string, rate: (dir: string) => number];

/** All in turns, each in a directory of its own that is gone afterwards; medians or the first error. */
function medians(contestants: Contestant[], rounds: number): Map<string, number | Error> {
  const dir = workDirectory('disk');
  const results = new Map<string, number[] | Error>(contestants.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const [name, rate] of contestants) {
      const rates = results.get(name);
      if (!Array.isArray(rates)) continue;
      try {
        rates.push(rate(dir));
        process.stderr.write(`bench: ${name}: ${(rates.at(-1)! / 1e9).toFixed(2)} GB/s\n`);
      } catch (error) {
        results.set(name, error as Error);
      } finally {
        emptyDirectory(dir);
      }
    }
  return new Map([...results].map(([name, rates]) => [name, Array.isArray(rates) ? median(rates) : rates]));
}

function rows(label: string, metric: string, results: Map<string, number | Error>): Row[] {
  const [[, ours], ...peers] = [...results] as [[string, number | Error], ...[string, number | Error][]];
  if (ours instanceof Error) throw ours;
  return peers.map(([peerName, rate]) => {
    const base = { case: label, metric, unit: 'GB/s', ours: ours / 1e9, peerName, better: 'higher' as const };
    if (rate instanceof Error) return { ...base, peer: null, ratio: null, reason: rate.message };
    return { ...base, peer: rate / 1e9, ratio: ours / rate };
  });
}

async function run({ quick }: { quick: boolean }): Promise<Row[]> {
  execFileSync('make', ['-s', '-C', 'native', 'bench'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const rounds = quick ? 1 : 5;
  const bytes = quick ? 2e9 : 8e9;
  const several = (count: number) => (dir: string) => {
    if (!has('DIR[,DIR]')) throw new Error('this build stores into one directory only');
    const dirs = Array.from({ length: count }, (_, i) => join(dir, `drive${i}`));
    return probeRate(dirs.join(','), bytes, 'stored_bytes', dir);
  };
  const disk = medians(
    [
      ['ringtapd, one directory', (dir) => probeRate(join(dir, 'store'), bytes, 'stored_bytes', dir)],
      ...DEPTHS.map((depth): Contestant => [`fio ${BLOCK} × ${depth}`, (dir) => fioRate(depth, bytes, dir)]),
      ['ringtapd, two directories', several(2)],
      ['ringtapd, four directories', several(4)],
    ],
    rounds,
  );
  const nowhere = (dir: string) => {
    if (!has('null')) throw new Error('this build has no --store null');
    return probeRate('null', bytes * 3, 'received_bytes', dir);
  };
  const memory = medians(
    [
      ['ringtapd --store null', nowhere],
      ['memcpy alone', () => copyRate(2)],
    ],
    rounds,
  );
  const limit = memory.get('ringtapd --store null');
  if (limit instanceof Error) process.stderr.write(`bench: copy limit: ${limit.message}\n`);
  return [
    ...rows(`${BLOCK} blocks, O_DIRECT, one disk`, 'written', disk),
    ...(limit instanceof Error ? [] : rows(`synth of ${FRAME_BYTES} B to memory`, 'copied', memory)),
  ];
}

export const disk: Benchmark = {
  name: 'disk',
  about:
    'storing alone beside fio (same block size, O_DIRECT, io_uring), over directories, and beside memcpy',
  run,
};
