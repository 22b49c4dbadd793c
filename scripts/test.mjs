#!/usr/bin/env node
// Runs every compiled test file in a process of its own and adds up what uvu reports.
//
// uvu alone exits 0 on a throwing `before`, a thrown non-Error or a forgotten .run(): so a file passes
// only if it exited 0, reported at least one test, and passed = total. Ends with `N passed, N failed`.
// Usage: node scripts/test.mjs [PATTERN...] [--no-check] [--no-lts]
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const FILE_TIMEOUT_MS = 600_000;
/** Rooms whose tests run again on the newest LTS: all that need no probe and no browser. */
const PORTABLE = ['proto', 'asm', 'server', 'web'];
const LTS_NODE = join(root, 'build', 'lts', 'node_modules', 'node-lts', 'bin', 'node');

/** What uvu printed, or why the file cannot be trusted. Pure, so that it can be tested. */
export function verdict(output, exitCode, timedOut = false) {
  const number = (name) =>
    [...output.matchAll(new RegExp(`^\\s*${name}:\\s+(\\d+)`, 'gm'))].map((m) => Number(m[1]));
  const add = (values) => values.reduce((sum, value) => sum + value, 0);
  const total = add(number('Total'));
  const passed = add(number('Passed'));
  const skipped = add(number('Skipped'));
  let reason = '';
  if (timedOut) reason = `still running after ${FILE_TIMEOUT_MS / 1000} s`;
  else if (exitCode !== 0) reason = `exit code ${exitCode}`;
  else if (total === 0) reason = 'ran no test';
  else if (passed + skipped !== total) reason = `passed ${passed} of ${total}`;
  // A file that could not be trusted is at least one failure, whatever it counted.
  const failed = reason ? Math.max(1, total - passed - skipped) : 0;
  return { total, passed, skipped, failed, reason };
}

/** Compiled tests below a folder, in a stable order. */
function testFiles(directory) {
  return readdirSync(directory, { recursive: true })
    .filter((name) => name.endsWith('.test.js'))
    .sort()
    .map((name) => join(directory, name));
}

/** A compiled test whose source is gone is left over from an earlier build. */
function hasSource(file) {
  return existsSync(join(root, relative(join(root, 'build'), file).replace(/\.js$/, '.ts')));
}

function execute(node, args) {
  return new Promise((resolve) => {
    const child = spawn(node, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FORCE_COLOR: '0' },
    });
    let output = '';
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, FILE_TIMEOUT_MS);
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ output, code: code ?? 1, timedOut });
    });
  });
}

async function runFile(node, file, label, sums) {
  const started = Date.now();
  const { output, code, timedOut } = await execute(node, [file]);
  const result = verdict(output, code, timedOut);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  const name = relative(join(root, 'build', 'test'), file).replace(/\.test\.js$/, '');
  for (const line of output.split('\n'))
    if (/^\s*SKIP\b/.test(line)) process.stdout.write(`     ${line.trim()}\n`);
  process.stdout.write(
    `${result.reason ? 'FAIL' : 'ok  '} ${name}${label}: ${result.passed} of ${result.total} in ${seconds} s\n`,
  );
  if (result.reason) process.stdout.write(`${output.replace(/^/gm, '     | ')}\n     ${result.reason}\n`);
  sums.passed += result.passed;
  sums.failed += result.failed;
  sums.skipped += result.skipped;
}

async function runChecks(sums) {
  const { output, code } = await execute(process.execPath, [join(root, 'scripts', 'check.mjs')]);
  process.stdout.write(code === 0 ? 'ok   static checks\n' : `FAIL static checks\n${output}\n`);
  sums[code === 0 ? 'passed' : 'failed'] += 1;
}

/** The same unit tests on the newest LTS, if it is another Node than this one. */
async function runOnLts(files, sums) {
  const { output, code } = existsSync(LTS_NODE)
    ? await execute(LTS_NODE, ['--version'])
    : { output: '', code: 1 };
  const version = output.trim();
  if (code !== 0)
    return void process.stdout.write(
      'SKIP current LTS: it is not installed here (npm run setup -- --test)\n',
    );
  if (version === process.version)
    return void process.stdout.write(`SKIP current LTS: ${version} it was all along\n`);
  const portable = files.filter((file) =>
    PORTABLE.includes(relative(join(root, 'build', 'test'), file).split('/')[0]),
  );
  const units = portable.filter((file) => !file.endsWith('page.test.js'));
  for (const file of units) await runFile(LTS_NODE, file, ` (Node ${version})`, sums);
}

async function main() {
  const flags = process.argv.slice(2).filter((word) => word.startsWith('--'));
  const patterns = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  const wanted = (file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern));
  const files = testFiles(join(root, 'build', 'test'))
    .filter(hasSource)
    .filter(wanted);
  const sums = { passed: 0, failed: 0, skipped: 0 };
  process.stdout.write(`${files.length} test files on Node ${process.version}\n`);
  if (patterns.length === 0 && !flags.includes('--no-check')) await runChecks(sums);
  for (const file of files) await runFile(process.execPath, file, '', sums);
  if (!flags.includes('--no-lts')) await runOnLts(files, sums);
  if (files.length === 0) sums.failed += 1;
  const skipped = sums.skipped ? `, ${sums.skipped} skipped` : '';
  process.stdout.write(`\n${sums.passed} passed, ${sums.failed} failed${skipped}\n`);
  process.exit(sums.failed ? 1 : 0);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
