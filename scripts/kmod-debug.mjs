#!/usr/bin/env node
// Builds two debug kernels from Debian's linux-source-6.1 and the module for each, below build/kmod/debug:
// `kasan` (KASAN, kmemleak) and `lockdep` (lock, RCU and object checkers). 10 to 30 minutes the first time,
// nothing after that. Also runs checkpatch.pl, which comes with the source only.
// Prints one JSON line: {kernels: [{name, kernel, ko}], checkpatch: [complaint...]}.
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, 'build', 'kmod', 'debug');
const PACKAGES = ['flex', 'bison', 'bc', 'libelf-dev', 'xz-utils'];
const FLAVOURS = {
  kasan: ['KASAN=y', 'KASAN_GENERIC=y', 'KASAN_VMALLOC=y', 'DEBUG_KMEMLEAK=y', 'DEBUG_KMEMLEAK_AUTO_SCAN=n'],
  lockdep: [
    ...['PROVE_LOCKING=y', 'PROVE_RCU=y', 'DEBUG_OBJECTS=y', 'DEBUG_OBJECTS_FREE=y'],
    ...['DEBUG_OBJECTS_TIMERS=y', 'DEBUG_OBJECTS_WORK=y'],
  ],
};
// Out of tree: the version checks are the point of compat.h, and headers name themselves.
const CHECKPATCH = ['--no-tree', '--terse', '--no-summary', '--max-line-length=120'];
const CHECKPATCH_IGNORE =
  'LINUX_VERSION_CODE,CONSTANT_COMPARISON,NEW_TYPEDEFS,SPDX_LICENSE_TAG,EMBEDDED_FILENAME';

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options });
  if (result.error || result.status !== 0)
    throw new Error(
      `${command} ${args.join(' ')} failed:\n${result.stdout}${result.stderr}${result.error ?? ''}`,
    );
  return result.stdout;
}

function fetchSource() {
  const source = join(out, 'linux-source-6.1');
  if (existsSync(join(source, '.complete'))) return source;
  process.stderr.write('kmod: fetching linux-source-6.1\n');
  if (process.getuid?.() === 0)
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...PACKAGES]);
  run('apt-get', ['download', 'linux-source-6.1'], { cwd: out });
  const deb = readdirSync(out).find((name) => name.startsWith('linux-source-6.1_'));
  run('sh', ['-c', `dpkg-deb --fsys-tarfile ${deb} | tar -xO ./usr/src/linux-source-6.1.tar.xz | tar -xJ`], {
    cwd: out,
  });
  rmSync(join(out, deb));
  appendFileSync(join(source, '.complete'), '');
  return source;
}

function buildKernel(source, name) {
  const tree = join(out, name);
  const kernel = join(tree, 'arch', 'x86', 'boot', 'bzImage');
  if (existsSync(join(tree, 'Module.symvers')) && existsSync(kernel)) return kernel;
  process.stderr.write(`kmod: building the ${name} kernel (10 minutes or so)\n`);
  mkdirSync(tree, { recursive: true });
  const make = (...args) => run('nice', ['make', '-s', '-C', source, `O=${tree}`, '-j2', ...args]);
  make('tinyconfig');
  appendFileSync(join(tree, '.config'), readFileSync(join(root, 'scripts', 'kmod-debug.config')));
  appendFileSync(join(tree, '.config'), FLAVOURS[name].map((line) => `CONFIG_${line}\n`).join(''));
  make('olddefconfig');
  const config = readFileSync(join(tree, '.config'), 'utf8');
  for (const line of FLAVOURS[name].filter((option) => option.endsWith('=y')))
    if (!config.includes(`CONFIG_${line}`)) throw new Error(`the ${name} kernel refused CONFIG_${line}`);
  make('bzImage');
  make('modules_prepare');
  copyFileSync(join(tree, 'vmlinux.symvers'), join(tree, 'Module.symvers'));
  return kernel;
}

function buildModule(name) {
  const work = join(out, `${name}-module`);
  rmSync(work, { recursive: true, force: true });
  cpSync(join(root, 'kmod'), work, { recursive: true, filter: (from) => !from.endsWith('/test') });
  run('make', ['-s', '-C', join(out, name), `M=${work}`, 'modules']);
  return join(work, 'ringtap.ko');
}

function checkpatch(source) {
  const directory = join(root, 'kmod');
  const names = [...readdirSync(directory), 'uapi/ringtap_uapi.h'].filter((file) => /\.[ch]$/.test(file));
  const args = [...CHECKPATCH, `--ignore=${CHECKPATCH_IGNORE}`, '-f', ...names];
  const result = spawnSync('perl', [join(source, 'scripts', 'checkpatch.pl'), ...args], {
    cwd: directory,
    encoding: 'utf8',
  });
  return result.stdout.split('\n').filter((line) => line);
}

mkdirSync(out, { recursive: true });
try {
  const source = fetchSource();
  const kernels = Object.keys(FLAVOURS).map((name) => ({
    name,
    kernel: buildKernel(source, name),
    ko: buildModule(name),
  }));
  process.stdout.write(`${JSON.stringify({ kernels, checkpatch: checkpatch(source) })}\n`);
} catch (error) {
  process.stderr.write(`kmod: ${error.message}\n`);
  process.exit(1);
}
