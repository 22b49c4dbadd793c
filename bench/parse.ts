/**
 * `ringtap summary` (decode, protocols, flow table) on one thread against the same module as native code
 * (wasm2c, see examples/c) and against tools that do part or all of it.
 */
import { spawnSync } from 'node:child_process';
import { captureFiles, ringtap } from './files.js';
import { type Benchmark, compare, type Row, race } from './harness.js';

const NATIVE = 'examples/c/build/top_flows';

async function run({ quick }: { quick: boolean }): Promise<Row[]> {
  // Without wasm2c this fails, and the race names the contestant as missing.
  spawnSync('make', ['-s', '-C', 'examples/c'], { stdio: ['ignore', 'ignore', 2] });
  return captureFiles(quick).flatMap(({ file, packets, bytes, label }) => {
    const results = race(
      [
        ringtap('ringtap', ['summary', '--json', '--threads', '1', file]),
        { name: 'the same module in C (wasm2c)', command: NATIVE, args: [file] },
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
  });
}

export const parse: Benchmark = {
  name: 'parse',
  about: 'decode and flow table against the same module in C, capinfos and tshark',
  run,
};
