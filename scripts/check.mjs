#!/usr/bin/env node
// Static checks, warnings are errors: generated files are fresh, lint and format, types.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, 'node_modules', '.bin', name);
const checks = [
  ['generated files', process.execPath, ['proto/generate.mjs', '--check']],
  ['lint and format', bin('biome'), ['ci', '--colors=off', '--error-on-warnings', '.']],
  ['types', bin('tsc'), ['-p', 'tsconfig.json', '--noEmit']],
];

let failed = 0;
for (const [name, command, args] of checks) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status === 0) process.stdout.write(`check ok   ${name}\n`);
  else process.stdout.write(`check FAIL ${name}\n`);
  failed += status === 0 ? 0 : 1;
}
process.exit(failed ? 1 : 0);
