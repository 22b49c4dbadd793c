/** `ringtap summary` (decode, protocols, flow table) against tools that do part or all of it. */
import { type Benchmark, compare, type Row, race } from './harness.js';
import { traffic } from './traffic.js';

async function run({ quick }: { quick: boolean }): Promise<Row[]> {
  const scale = quick ? 1 : 5;
  const files = [
    traffic('64 B', { size: '64', flows: 100_000, packets: 2_000_000 * scale }),
    traffic('mix', { size: 'mix', flows: 100_000, packets: 400_000 * scale }),
  ];
  return files.flatMap(({ file, packets, label }) => {
    const results = race(
      [
        {
          name: 'ringtap',
          command: process.execPath,
          args: ['build/server/cli/main.js', 'summary', '--json', file],
        },
        { name: 'capinfos -c (counts only)', command: 'capinfos', args: ['-c', file] },
        {
          name: 'tshark conversations',
          command: 'tshark',
          args: ['-q', '-n', '-r', file, '-z', 'conv,tcp', '-z', 'conv,udp'],
        },
      ],
      quick ? 1 : 3,
    );
    return compare(label, results, {
      name: 'summary',
      unit: 'Mpps',
      better: 'higher',
      of: ({ seconds }) => packets / seconds / 1e6,
    });
  });
}

export const parse: Benchmark = { name: 'parse', about: 'parse and flows against capinfos and tshark', run };
