/**
 * `ringtap summary` (decode, protocols, flow table) on one thread against the same module as native code
 * (wasm2c and gcc -O3, see examples/c) and against tools that do part or all of it; and what the engine does
 * by itself, chunk by chunk from the page cache, without a process's start and its first, unoptimised calls.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { Engine } from '../asm/host/index.js';
import { type Capture, captureFiles, largeFrames, ringtap } from './files.js';
import { type Benchmark, compare, median, type Row, race } from './harness.js';

const NATIVE = 'examples/c/build/top_flows';
const ENGINE_ROUNDS = 5;
/** DESIGN 10 and issue 3: what the engine is to reach on a quiet machine of 2026, per core. */
const REACH = { 'packets in the engine': 20, 'bytes in the engine': 5 } as const;

function processes({ file, packets, bytes, label }: Capture, quick: boolean): Row[] {
  const results = race(
    [
      ringtap('ringtap', ['summary', '--json', '--threads', '1', file]),
      { name: 'the same module in C (wasm2c, gcc -O3)', command: NATIVE, args: ['-c', file] },
      { name: 'capinfos -c (counts only)', command: 'capinfos', args: ['-c', file] },
      {
        name: 'tshark conversations',
        command: 'tshark',
        args: ['-q', '-n', '-r', file, '-z', 'conv,tcp', '-z', 'conv,udp'],
      },
    ],
    quick ? 1 : 3,
  );
  const metric = (name: string, unit: string, amount: number) =>
    compare(label, results, { name, unit, better: 'higher', of: ({ seconds }) => amount / seconds });
  return [...metric('packets', 'Mpps', packets / 1e6), ...metric('bytes', 'GB/s', bytes / 1e9)];
}

/** Seconds of CPU that one pass over the file takes an engine that has warmed up, reading included. */
async function engineSeconds(file: string): Promise<number> {
  const engine = await Engine.load(readFileSync('build/asm/ringtap.wasm'), { forgetFlows: true });
  const times: number[] = [];
  for (let round = 0; round <= ENGINE_ROUNDS; round++) {
    engine.reset();
    const before = process.cpuUsage();
    const fd = openSync(file, 'r');
    for (;;) {
      const room = engine.room();
      const length = readSync(fd, room);
      if (length === 0) break;
      engine.push(room.subarray(0, length));
    }
    closeSync(fd);
    const { user, system } = process.cpuUsage(before);
    if (round > 0) times.push((user + system) / 1e6);
  }
  return median(times);
}

async function alone({ file, packets, bytes, label }: Capture): Promise<Row[]> {
  const seconds = await engineSeconds(file);
  const row = (metric: keyof typeof REACH, unit: string, ours: number): Row => ({
    case: label,
    metric,
    unit,
    ours,
    peerName: 'to be reached per core',
    peer: REACH[metric],
    ratio: ours / REACH[metric],
    better: 'higher',
  });
  return label === '64 B'
    ? [row('packets in the engine', 'Mpps', packets / seconds / 1e6)]
    : [row('bytes in the engine', 'GB/s', bytes / seconds / 1e9)];
}

async function run({ quick }: { quick: boolean }): Promise<Row[]> {
  // Without wasm2c this fails, and the race names the contestant as missing.
  spawnSync('make', ['-s', '-B', '-C', 'examples/c', 'CFLAGS=-O3'], { stdio: ['ignore', 'ignore', 2] });
  const rows: Row[] = [];
  for (const capture of [...captureFiles(quick), largeFrames(quick)])
    rows.push(...processes(capture, quick), ...(await alone(capture)));
  return rows;
}

export const parse: Benchmark = {
  name: 'parse',
  about: 'decode and flow table against the same module in C, capinfos and tshark',
  run,
};
