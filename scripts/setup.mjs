#!/usr/bin/env node
// Brings a fresh clone to a runnable state: Debian packages, npm packages, build. Idempotent; when
// nothing is to do it takes moments. Everything it says goes to stderr.
// Usage: node scripts/setup.mjs [--quiet] [--test]   (--test adds what only the tests need)
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const quiet = process.argv.includes('--quiet');
const forTests = process.argv.includes('--test');
const NODE_MAJOR_MIN = 20;
/** The current LTS, for running the tests on it too: npm's own repackaging of the official binary. */
const NODE_LTS = '26.10.0';

/** What the probe links with. */
const BUILD_PACKAGES = [
  'gcc',
  'make',
  'pkg-config',
  'libc6-dev',
  'libpcap-dev',
  'liburing-dev',
  'libwebsockets-dev',
  'libprotobuf-c-dev',
  'libseccomp-dev',
  'protobuf-c-compiler',
  'libxdp-dev',
  'libbpf-dev',
];
/** Independent judges and hosts for the tests. */
const TEST_PACKAGES = [
  ...['tshark', 'tcpdump', 'iproute2', 'e2fsprogs', 'chromium'],
  // The kernel module's guest, and the checkers of its source and protocol.
  ...['qemu-system-x86', 'busybox-static', 'cpio', 'libelf1', 'sparse', 'spin'],
  // DPDK, its virtual devices included: the probe's optional source.
  'libdpdk-dev',
  // The engine as plain C, for the example, and under AddressSanitizer.
  ...['wabt', 'clang-14', 'libclang-rt-14-dev'],
];

function fail(message) {
  process.stderr.write(`setup: ${message}\n`);
  process.exit(1);
}

function say(message) {
  if (!quiet) process.stderr.write(`setup: ${message}\n`);
}

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...env },
  });
  if (error) fail(`${command} could not be started: ${error.message}`);
  return status === 0;
}

/** Names from `packages` that dpkg does not report as installed. */
function missingPackages(packages) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own format language
  const { stdout, error } = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${Status}\n', ...packages], {
    encoding: 'utf8',
  });
  if (error) return []; // not Debian: the compiler will name what is missing
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return packages.filter((name) => !installed.has(name));
}

function installPackages() {
  const missing = missingPackages(forTests ? [...BUILD_PACKAGES, ...TEST_PACKAGES] : BUILD_PACKAGES);
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0)
    fail(`Debian packages are missing. Run this once, then try again:\n  sudo ${command}`);
  process.stderr.write(`setup: installing ${missing.join(' ')}\n`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const install = () => run('apt-get', command.split(' ').slice(1), env);
  // Package lists may be missing or stale: update them first; a failed update alone is not fatal.
  if (!run('apt-get', ['update', '-qq'], env))
    process.stderr.write('setup: apt-get update failed, going on\n');
  if (!install()) fail(`"${command}" failed: see apt's message above`);
}

function installModules() {
  const stamp = join(root, 'node_modules', '.ringtap-lock');
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  process.stderr.write('setup: installing npm packages\n');
  if (!run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']))
    fail('npm ci failed: see its message above');
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, lock);
}

/**
 * Kept out of node_modules: its `bin` would put this Node first in the PATH of every npm script. Its
 * absence only skips tests, so a failure is said and not fatal.
 */
function installLts() {
  const stamp = join(root, 'build', 'lts', `.node-${NODE_LTS}`);
  if (existsSync(stamp)) return;
  process.stderr.write(`setup: fetching Node ${NODE_LTS} for the tests\n`);
  const name = `node-${process.platform}-${process.arch}@${NODE_LTS}`;
  mkdirSync(dirname(stamp), { recursive: true });
  const flags = ['--prefix', dirname(stamp), '--no-save', '--no-package-lock', '--no-audit', '--no-fund'];
  if (run('npm', ['install', ...flags, '--loglevel=error', `node-lts@npm:${name}`])) writeFileSync(stamp, '');
  else process.stderr.write(`setup: no Node ${NODE_LTS}: the tests will run on ${process.version} only\n`);
}

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN)
  fail(`Node ${process.versions.node} is too old: install Node ${NODE_MAJOR_MIN} or newer`);
installPackages();
installModules();
if (forTests) installLts();
if (!run(process.execPath, ['scripts/build.mjs', ...(quiet ? ['--quiet'] : [])])) process.exit(1);
say('ready');
