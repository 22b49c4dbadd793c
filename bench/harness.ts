/**
 * What every benchmark shares: interleaved runs of us and the peer in one go, medians, ratios, and the
 * report. A peer that could not run is named with its reason, never left out.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

export interface Row {
  case: string;
  metric: string;
  unit: string;
  ours: number;
  peerName: string;
  peer: number | null;
  /** ours ÷ peer; null without a peer. */
  ratio: number | null;
  better: 'higher' | 'lower';
  reason?: string;
}

export interface Benchmark {
  name: string;
  about: string;
  run(options: { quick: boolean }): Promise<Row[]>;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export interface Contestant {
  name: string;
  command: string;
  args: string[];
}

export interface Timing {
  seconds: number;
  cpuSeconds: number;
}

/** One run of a command to its end, wall and CPU time; throws when it is missing or fails. */
function once({ name, command, args }: Contestant): Timing {
  const cpuBefore = childCpuSeconds();
  const started = process.hrtime.bigint();
  const { status, error, stderr } = spawnSync(command, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  if (error) throw new Error(`${name} is not installed or cannot start`);
  if (status !== 0) throw new Error(`${name} failed: ${stderr.trim().split('\n').at(-1) ?? status}`);
  return { seconds, cpuSeconds: childCpuSeconds() - cpuBefore };
}

/** User + system time of children already waited for: fields cutime and cstime of proc(5) stat. */
function childCpuSeconds(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** Runs all contestants `rounds` times, taking turns, after one unmeasured round that warms caches. */
export function race(contestants: Contestant[], rounds: number): Map<string, Timing | Error> {
  const results = new Map<string, Timing[] | Error>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const contestant of contestants) {
      const timings = results.get(contestant.name);
      if (!Array.isArray(timings)) continue;
      try {
        const timing = once(contestant);
        if (round > 0) timings.push(timing);
      } catch (error) {
        results.set(contestant.name, error as Error);
      }
    }
  }
  const summarize = (value: Timing[] | Error): Timing | Error =>
    Array.isArray(value)
      ? { seconds: median(value.map((t) => t.seconds)), cpuSeconds: median(value.map((t) => t.cpuSeconds)) }
      : value;
  return new Map([...results].map(([name, value]) => [name, summarize(value)]));
}

/** Rows comparing the first contestant with each other one; `scale` turns seconds into the metric. */
export function compare(
  label: string,
  results: Map<string, Timing | Error>,
  metric: { name: string; unit: string; better: 'higher' | 'lower'; of: (timing: Timing) => number },
): Row[] {
  const [first, ...peers] = [...results];
  if (!first || first[1] instanceof Error) throw first?.[1] ?? new Error('nothing to compare');
  const ours = metric.of(first[1]);
  return peers.map(([peerName, result]) => {
    const base = {
      case: label,
      metric: metric.name,
      unit: metric.unit,
      ours,
      peerName,
      better: metric.better,
    };
    if (result instanceof Error) return { ...base, peer: null, ratio: null, reason: result.message };
    const peer = metric.of(result);
    return { ...base, peer, ratio: ours / peer };
  });
}

export function machine(): Record<string, unknown> {
  const kernel = readFileSync('/proc/version', 'utf8').split(' ').slice(0, 3).join(' ');
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel,
    node: process.version,
  };
}

/** The table on stdout, and the JSON document of DESIGN 9 where asked. */
export function report(bench: string, rows: Row[], jsonFile: string | undefined): void {
  const number = (value: number | null) => (value === null ? '—' : value.toPrecision(4));
  for (const row of rows) {
    const ratio =
      row.ratio === null
        ? `no ratio: ${row.reason}`
        : `ratio ${row.ratio.toFixed(2)} (${row.better} is better)`;
    process.stdout.write(
      `${row.case}: ${row.metric} ${number(row.ours)} ${row.unit}, ${row.peerName} ${number(row.peer)}, ${ratio}\n`,
    );
  }
  if (jsonFile)
    writeFileSync(
      jsonFile,
      `${JSON.stringify({ bench, date: new Date().toISOString(), machine: machine(), rows }, null, 2)}\n`,
    );
}
