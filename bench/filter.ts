/**
 * `ringtap count -f` against tcpdump reading the same file with the same filter, against copying the file
 * into memory, and two threads against one. Whole processes; and the same without what a process costs on
 * an all but empty file, since a second of scanning cannot make up for how long a program takes to start.
 */
import { type Capture, captureFiles, ringtap, startFile } from './files.js';
import { type Benchmark, type Contestant, compare, type Row, race, type Timing } from './harness.js';

const EXPRESSIONS = ['tcp port 443', 'host 10.1.0.1 and udp', 'ip6 or arp'];
const ONE = 'ringtap, one thread';
const TWO = 'ringtap, two threads';
const COPY = 'copied into memory (read() into one buffer)';

const contestants = (expression: string, file: string): Contestant[] => [
  ringtap(ONE, ['count', '--threads', '1', '-f', expression, file]),
  ringtap(TWO, ['count', '--threads', '2', '-f', expression, file]),
  { name: 'tcpdump', command: 'tcpdump', args: ['-n', '-r', file, '-w', '/dev/null', expression] },
  { name: COPY, command: 'dd', args: [`if=${file}`, 'of=/dev/null', 'bs=1M'] },
];

type Results = Map<string, Timing | Error>;

function pick(results: Results, ...names: string[]): Results {
  return new Map(
    names.map((name) => [name, results.get(name) ?? new Error(`the race lost ${name}`)] as const),
  );
}

/** What is left of each time without that of the run on a file of one packet. */
function without(results: Results, start: Results): Results {
  return new Map(
    [...results].map(([name, timing]) => {
      const idle = start.get(name);
      if (timing instanceof Error || !idle || idle instanceof Error) return [name, timing] as const;
      const seconds = timing.seconds - idle.seconds;
      return [name, seconds > 0 ? { ...timing, seconds } : new Error('all of it is start-up')] as const;
    }),
  );
}

function rowsOf({ bytes, label }: Capture, expression: string, metric: string, results: Results): Row[] {
  const rate = {
    name: metric,
    unit: 'GB/s',
    better: 'higher',
    of: ({ seconds }: Timing) => bytes / seconds / 1e9,
  } as const;
  const name = `${label}, ${expression}`;
  return [
    ...compare(name, pick(results, ONE, 'tcpdump', COPY), rate),
    ...compare(`${name}, two threads`, pick(results, TWO, ONE), rate),
  ];
}

async function run({ quick }: { quick: boolean }): Promise<Row[]> {
  const rounds = quick ? 3 : 7;
  const start = race(contestants(EXPRESSIONS[0] as string, startFile().file), rounds);
  return captureFiles(quick).flatMap((capture) =>
    EXPRESSIONS.flatMap((expression) => {
      const results = race(contestants(expression, capture.file), rounds);
      return [
        ...rowsOf(capture, expression, 'scan', results),
        ...rowsOf(capture, expression, 'scan without start-up', without(results, start)),
      ];
    }),
  );
}

export const filter: Benchmark = {
  name: 'filter',
  about: 'filter scan against tcpdump -r, against copying the file, and two threads against one',
  run,
};
