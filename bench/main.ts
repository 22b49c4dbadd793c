/** `npm run bench -- NAME [--quick] [--json FILE]`: us and the peers, side by side in one run. */
import { parseArgs } from 'node:util';
import { capture } from './capture.js';
import { disk } from './disk.js';
import { filter } from './filter.js';
import { flows } from './flows.js';
import { type Benchmark, report } from './harness.js';
import { kmod } from './kmod.js';
import { parse } from './parse.js';
import { queries } from './query.js';
import { soakBenchmark } from './soak.js';

const BENCHMARKS: Benchmark[] = [capture, disk, filter, flows, kmod, parse, queries, soakBenchmark];

function usage(): string {
  const list = BENCHMARKS.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join('\n');
  return `usage: npm run bench -- NAME [--quick] [--json FILE]\n\n${list}\n`;
}

async function main(): Promise<number> {
  let parsed: { values: { json?: string; quick?: boolean; help?: boolean }; positionals: string[] };
  try {
    const options = {
      json: { type: 'string' },
      quick: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    } as const;
    parsed = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n${usage()}`);
    return 2;
  }
  if (parsed.values.help) {
    process.stdout.write(usage());
    return 0;
  }
  const bench = BENCHMARKS.find(({ name }) => name === parsed.positionals[0]);
  if (!bench || parsed.positionals.length !== 1) {
    process.stderr.write(`bench: name one benchmark\n${usage()}`);
    return 2;
  }
  try {
    report(bench.name, await bench.run({ quick: parsed.values.quick ?? false }), parsed.values.json);
    return 0;
  } catch (error) {
    process.stderr.write(`bench ${bench.name}: ${(error as Error).message}\n`);
    return 1;
  }
}

process.exitCode = await main();
