/** `ringtap count -f` against tcpdump reading the same file with the same filter. */
import { type Benchmark, compare, type Row, race } from './harness.js';
import { traffic } from './traffic.js';

const EXPRESSIONS = ['tcp port 443', 'host 10.0.0.1 and udp', 'ip6 or arp'];

async function run({ quick }: { quick: boolean }): Promise<Row[]> {
  const scale = quick ? 1 : 5;
  const files = [
    traffic('64 B', { size: '64', flows: 100_000, packets: 2_000_000 * scale }),
    traffic('mix', { size: 'mix', flows: 100_000, packets: 400_000 * scale }),
  ];
  const rows: Row[] = [];
  for (const { file, bytes, label } of files)
    for (const expression of EXPRESSIONS) {
      const results = race(
        [
          {
            name: 'ringtap',
            command: process.execPath,
            args: ['build/server/cli/main.js', 'count', '-f', expression, file],
          },
          { name: 'tcpdump', command: 'tcpdump', args: ['-n', '-r', file, '-w', '/dev/null', expression] },
          { name: 'dd (reads the file only)', command: 'dd', args: [`if=${file}`, 'of=/dev/null', 'bs=1M'] },
        ],
        quick ? 3 : 5,
      );
      rows.push(
        ...compare(`${label}, ${expression}`, results, {
          name: 'scan',
          unit: 'GB/s',
          better: 'higher',
          of: ({ seconds }) => bytes / seconds / 1e9,
        }),
      );
    }
  return rows;
}

export const filter: Benchmark = { name: 'filter', about: 'filter scan against tcpdump -r', run };
