#!/usr/bin/env node
// Builds what is stale: proto -> native, asm -> TypeScript -> web. Each step is skipped when its
// inputs (names, sizes, mtimes) are as they were at its last success, so a second run takes moments.
// Usage: node scripts/build.mjs [--quiet] [STEP...]
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const quiet = process.argv.includes('--quiet');
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('-'));

/** Runs a command with its output on stderr, so that stdout stays the caller's. */
function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2] });
  if (error) throw new Error(`${command} could not be started: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`);
}
const bin = (name) => join('node_modules', '.bin', name);

function buildWeb() {
  rmSync('build/web/dist', { recursive: true, force: true });
  mkdirSync('build/web/dist', { recursive: true });
  run(bin('esbuild'), [
    'web/main.ts',
    'web/worker/engine.worker.ts',
    '--bundle',
    '--format=esm',
    '--minify',
    '--sourcemap',
    '--target=es2022',
    '--outdir=build/web/dist',
    '--outbase=web',
    '--log-level=warning',
    '--tsconfig-raw={"compilerOptions":{"useDefineForClassFields":false}}',
  ]);
  cpSync('web/static', 'build/web/dist', { recursive: true });
  cpSync('build/asm/ringtap.wasm', 'build/web/dist/ringtap.wasm');
}

/**
 * The command line as few files instead of a hundred modules: a run on a small capture takes half the time.
 * What it loads on request from other rooms of the server stays as the TypeScript compiler wrote it.
 */
async function bundleCommands() {
  const out = join('build', 'server', 'cli');
  for (const name of readdirSync(out)) if (name.startsWith('bundle-')) rmSync(join(out, name));
  const { build } = await import('esbuild');
  const bundled = ['server/cli', 'server/formats', 'asm/host', 'proto/gen'].map((room) => join(root, room));
  const elsewhere = {
    name: 'elsewhere',
    setup: ({ onResolve }) =>
      onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
        const file = join(resolveDir, path);
        if (bundled.some((room) => file.startsWith(`${room}/`))) return undefined;
        return { path: relative(out, join('build', relative(root, file))), external: true };
      }),
  };
  await build({
    entryPoints: ['server/cli/main.ts', 'server/cli/scan/worker.ts'],
    entryNames: '[name]',
    chunkNames: 'bundle-[name]-[hash]',
    outdir: out,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    target: 'node20',
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [elsewhere],
    logLevel: 'warning',
  });
}

const steps = {
  proto: {
    inputs: [
      'proto/ringtap.proto',
      'proto/constants.json',
      'proto/golden.json',
      'asm/fields.json',
      'proto/generate.mjs',
    ],
    outputs: ['proto/gen/messages.js', 'asm/assembly/constants.ts'],
    run: () => run(process.execPath, ['proto/generate.mjs']),
  },
  native: {
    outputs: ['build/native/ringtapd'],
    inputs: ['native', 'proto/ringtap.proto', 'proto/gen/constants.h'],
    run: () => run('make', ['-s', '-C', 'native', '-j2']),
  },
  asm: {
    inputs: ['asm/assembly', 'asm/asconfig.json'],
    outputs: ['build/asm/ringtap.wasm'],
    run: () => run(bin('asc'), ['--config', 'asm/asconfig.json', '--target', 'release']),
  },
  ts: {
    inputs: ['tsconfig.json', 'scripts/build.mjs', 'proto', 'asm/host', 'server', 'web', 'bench', 'test'],
    outputs: ['build/server/cli/main.js', 'build/server/cli/worker.js', 'build/proto/gen/messages.js'],
    run: async () => {
      run(bin('tsc'), ['-p', 'tsconfig.json']);
      cpSync('proto/gen/messages.js', 'build/proto/gen/messages.js');
      await bundleCommands();
    },
  },
  web: {
    inputs: ['web', 'proto', 'asm/host', 'asm/assembly', 'asm/asconfig.json'],
    outputs: ['build/web/dist/index.html', 'build/web/dist/main.js', 'build/web/dist/ringtap.wasm'],
    run: buildWeb,
  },
};

const unknown = wanted.filter((name) => !(name in steps));
if (unknown.length) {
  process.stderr.write(`build: no step ${unknown.join(', ')}; there are: ${Object.keys(steps).join(', ')}\n`);
  process.exit(2);
}

/** Fingerprint of files below the inputs: cheap, and touched files rebuild. */
function fingerprint(inputs) {
  const hash = createHash('sha256').update(process.version).update(readFileSync('package-lock.json'));
  const visit = (path) => {
    const info = statSync(path, { throwIfNoEntry: false });
    if (!info) return;
    if (info.isDirectory()) {
      for (const name of readdirSync(path).sort()) if (name !== 'build') visit(join(path, name));
    } else hash.update(`${path} ${info.size} ${info.mtimeMs}\n`);
  };
  inputs.forEach(visit);
  return hash.digest('hex');
}

/** Up to date: inputs as at the last success, and what it made still there. */
function isFresh(name, step) {
  const stamp = join('build/.stamps', name);
  return (
    existsSync(stamp) &&
    step.outputs.every((file) => existsSync(file)) &&
    readFileSync(stamp, 'utf8') === fingerprint(step.inputs)
  );
}

async function build(name, step) {
  if (!quiet) process.stderr.write(`building ${name}\n`);
  mkdirSync('build/.stamps', { recursive: true });
  accessSync('build/.stamps', constants.W_OK);
  await step.run();
  writeFileSync(join('build/.stamps', name), fingerprint(step.inputs));
}

for (const [name, step] of Object.entries(steps)) {
  if ((wanted.length && !wanted.includes(name)) || isFresh(name, step)) continue;
  try {
    await build(name, step);
  } catch (error) {
    const foreign = error.code === 'EACCES' || error.code === 'EPERM';
    const why = foreign
      ? 'build/ belongs to another user; build as that user, or in a clone of your own'
      : error.message;
    process.stderr.write(`build: ${name}: ${why}\n`);
    process.exit(1);
  }
}
