/**
 * `ringtap flows` against flow exporters and tshark reading the same file. By wall time and by CPU time:
 * some peers wait for a clock at their end, some use several threads.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { captureFiles, ringtap } from './files.js';
import { type Benchmark, compare, type Row, race, type Timing } from './harness.js';

async function run({ quick }: { quick: boolean }): Promise<Row[]> {
  const records = join('build', 'bench', 'nfpcapd');
  mkdirSync(records, { recursive: true });
  const rows = captureFiles(quick).flatMap(({ file, packets, label }) => {
    const results = race(
      [
        ringtap('ringtap', ['flows', '--format', 'csv', file]),
        { name: 'softflowd', command: 'softflowd', args: ['-d', '-r', file] },
        { name: 'nfpcapd', command: 'nfpcapd', args: ['-r', file, '-w', records] },
        { name: 'argus', command: 'argus', args: ['-r', file, '-w', '/dev/null'] },
        {
          name: 'tshark conversations',
          command: 'tshark',
          args: ['-q', '-n', '-r', file, '-z', 'conv,tcp', '-z', 'conv,udp'],
        },
      ],
      quick ? 1 : 3,
    );
    const metric = (name: string, time: (timing: Timing) => number) =>
      compare(label, results, {
        name,
        unit: 'Mpps',
        better: 'higher',
        of: (timing) => packets / time(timing) / 1e6,
      });
    return [
      ...metric('flows by wall time', ({ seconds }) => seconds),
      ...metric('flows by CPU time', ({ cpuSeconds }) => cpuSeconds),
    ];
  });
  rmSync(records, { recursive: true, force: true });
  return rows;
}

export const flows: Benchmark = {
  name: 'flows',
  about: 'flow records against softflowd, nfpcapd, argus and tshark',
  run,
};
