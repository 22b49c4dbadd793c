/**
 * `ringtap count -f` against tcpdump reading the same file with the same filter, against copying the file
 * into memory, and two threads against one.
 */
import { captureFiles, ringtap } from './files.js';
import { type Benchmark, compare, type Row, race } from './harness.js';

const EXPRESSIONS = ['tcp port 443', 'host 10.1.0.1 and udp', 'ip6 or arp'];

async function run({ quick }: { quick: boolean }): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { file, bytes, label } of captureFiles(quick))
    for (const expression of EXPRESSIONS) {
      const count = (threads: number) => ['count', '--threads', `${threads}`, '-f', expression, file];
      const results = race(
        [
          ringtap('ringtap, one thread', count(1)),
          { name: 'tcpdump', command: 'tcpdump', args: ['-n', '-r', file, '-w', '/dev/null', expression] },
          {
            name: 'dd (copies the file into memory)',
            command: 'dd',
            args: [`if=${file}`, 'of=/dev/null', 'bs=1M'],
          },
          ringtap('ringtap, two threads', count(2)),
        ],
        quick ? 1 : 5,
      );
      const metric = {
        name: 'scan',
        unit: 'GB/s',
        better: 'higher',
        of: ({ seconds }: { seconds: number }) => bytes / seconds / 1e9,
      } as const;
      const [one, tcpdump, copy, two] = [...results];
      if (!one || !tcpdump || !copy || !two) throw new Error('the race lost a contestant');
      rows.push(...compare(`${label}, ${expression}`, new Map([one, tcpdump, copy]), metric));
      rows.push(...compare(`${label}, ${expression}, two threads`, new Map([two, one]), metric));
    }
  return rows;
}

export const filter: Benchmark = {
  name: 'filter',
  about: 'filter scan against tcpdump -r, against copying the file, and two threads against one',
  run,
};
