/**
 * Coverage-guided fuzzing of the engine under AddressSanitizer (see harness.c). As a program:
 * `npm run fuzz -- SECONDS` keeps its corpus in build/fuzz/corpus, prints what it did, exits 1 on a finding.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seeds } from './seeds.js';

export const FUZZER = 'build/fuzz/fuzz';
/** Inputs that once broke something. */
const FOUND = 'test/asm/fuzz/found';

export interface FuzzResult {
  executions: number;
  /** Edges of the translated engine that were reached. */
  coverage: number;
  edges: number;
  /** Null, or what the sanitizer or the harness said. */
  finding: string | null;
}

const installed = (command: string): boolean => spawnSync(command, ['--version']).error === undefined;

/** Null, or why the engine cannot be fuzzed here. */
export function withoutFuzzer(): string | null {
  for (const command of ['clang-14', 'wasm2c', 'make'])
    if (!installed(command)) return `${command} is not installed`;
  return null;
}

export function buildFuzzer(): void {
  const { status, stderr } = spawnSync('make', ['-s', '-C', 'test/asm/fuzz'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the fuzzer does not build:\n${stderr}`);
}

export interface FuzzLimits {
  seconds: number;
  seed: number;
  corpus: string;
}

/** Runs until the time is over or something broke; the input that broke it is left in build/fuzz/found-*. */
export function fuzz({ seconds, seed, corpus }: FuzzLimits): FuzzResult {
  mkdirSync(corpus, { recursive: true });
  for (const [name, bytes] of seeds()) writeFileSync(join(corpus, name), bytes);
  const args = [corpus, FOUND, `-seed=${seed}`, `-max_total_time=${seconds}`, '-max_len=8192', '-timeout=10'];
  args.push('-rss_limit_mb=2048', '-print_final_stats=1', '-artifact_prefix=build/fuzz/found-');
  const { status, stderr } = spawnSync(FUZZER, args, {
    encoding: 'utf8',
    timeout: (seconds + 120) * 1000,
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const last = (pattern: RegExp): number => Number([...stderr.matchAll(pattern)].at(-1)?.[1] ?? Number.NaN);
  return {
    executions: last(/number_of_executed_units:\s*(\d+)/g),
    coverage: last(/ cov: (\d+)/g),
    edges: last(/Loaded 1 PC tables \((\d+) PCs\)/g),
    finding: status === 0 ? null : explain(stderr),
  };
}

/** The report without the run's progress. */
function explain(stderr: string): string {
  const lines = stderr.split('\n');
  const start = lines.findIndex((line) => /ERROR|broken promise|^trap/.test(line));
  return (start < 0 ? lines.slice(-30) : lines.slice(start, start + 40)).join('\n');
}

function main(): void {
  const seconds = Number(process.argv[2] ?? 900);
  if (!(seconds > 0)) {
    process.stderr.write('usage: npm run fuzz -- [SECONDS]\n');
    process.exit(2);
  }
  const missing = withoutFuzzer();
  if (missing) throw new Error(missing);
  buildFuzzer();
  const seed = Number(process.env.RINGTAP_SEED ?? Date.now() % 1_000_000_000);
  process.stderr.write(`fuzz: RINGTAP_SEED=${seed}, ${seconds} s\n`);
  const result = fuzz({ seconds, seed, corpus: 'build/fuzz/corpus' });
  const corpus = readdirSync('build/fuzz/corpus').length;
  console.log(
    `${result.executions} executions, ${result.coverage} of ${result.edges} edges, ${corpus} inputs kept, ${result.finding ? 'BROKEN' : 'no finding'}`,
  );
  if (result.finding) console.log(result.finding);
  process.exit(result.finding ? 1 : 0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
