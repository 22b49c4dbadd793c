#!/usr/bin/env node
// Builds the kernel module, its guest tool and what a test guest boots, all below build/kmod: against
// Debian's stable kernel (6.1, which the guest runs) and the newest headers Debian offers. Kernel packages
// are downloaded and unpacked there, never installed. Idempotent; a second run takes moments.
// Prints one JSON line: {kernel, moduleDirectory, modules: [{version, headers, ko, sparse, warnings}], tap}.
// Exit 2 with one line on stderr: packages cannot be had here. Exit 1: the build failed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
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
const out = join(root, 'build', 'kmod');
const STABLE = /^linux-headers-(6\.1\.0-\d+)-cloud-amd64$/;
const NEWEST = /^linux-headers-(\d+\.\d+\.\d+\+[\w.]+)-cloud-amd64$/;

class Unavailable extends Error {}

function capture(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options });
  if (result.error) throw new Unavailable(`${command} could not be started: ${result.error.message}`);
  return { ...result, output: result.stdout + result.stderr };
}

function must(command, args, options) {
  const result = capture(command, args, options);
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${result.output}`);
  return result.stdout;
}

/** Versions whose headers apt knows, newest first. */
function versions(pattern) {
  const names = () => capture('apt-cache', ['pkgnames', 'linux-headers-']).stdout.split('\n');
  let found = names();
  if (!found.some((name) => pattern.test(name)) && process.getuid?.() === 0) {
    capture('apt-get', ['update', '-qq']);
    found = names();
  }
  return found
    .map((name) => pattern.exec(name)?.[1])
    .filter((version) => version)
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
}

/** The packages of one version's headers, by their own dependencies. */
function headerPackages(version) {
  const name = `linux-headers-${version}-cloud-amd64`;
  const depends = must('apt-cache', ['depends', name]).matchAll(/Depends: (linux-(?:headers|kbuild)-\S+)/g);
  return [name, ...[...depends].map((match) => match[1])];
}

/** Downloads and unpacks packages into a directory, once; false when one cannot be had. */
function unpack(packages, directory) {
  const stamp = join(directory, '.unpacked');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === packages.join(' ')) return true;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  process.stderr.write(`kmod: fetching ${packages.join(' ')}\n`);
  if (capture('apt-get', ['download', ...packages], { cwd: directory }).status !== 0) return false;
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.deb'))) {
    must('dpkg-deb', ['-x', file, '.'], { cwd: directory });
    rmSync(join(directory, file));
  }
  writeFileSync(stamp, packages.join(' '));
  return true;
}

/** A tree of headers to build against; its one absolute path is made to point into the tree. */
function headers(version) {
  const tree = join(out, version, 'headers');
  if (!unpack(headerPackages(version), tree)) return null;
  const directory = join(tree, 'usr', 'src', `linux-headers-${version}-cloud-amd64`);
  const makefile = join(directory, 'Makefile');
  const text = readFileSync(makefile, 'utf8').replaceAll(/include \/usr\/src/g, `include ${tree}/usr/src`);
  writeFileSync(makefile, text);
  return directory;
}

function sources() {
  const directory = join(root, 'kmod');
  const names = [...readdirSync(directory), 'uapi/ringtap_uapi.h'];
  return names.filter((name) => /\.[ch]$|^Kbuild$/.test(name)).map((name) => join(directory, name));
}

function fingerprint(files, extra) {
  const hash = createHash('sha256').update(extra);
  for (const file of files) hash.update(file).update(readFileSync(file));
  return hash.digest('hex');
}

/** Runs `make` unless the inputs are as they were; returns what it had to say. */
function cached(stamp, print, make) {
  if (existsSync(stamp)) {
    const [old, ...log] = readFileSync(stamp, 'utf8').split('\n');
    if (old === print) return log.join('\n');
  }
  const log = make();
  writeFileSync(stamp, `${print}\n${log}`);
  return log;
}

/** Builds ringtap.ko with sparse (C=2), out of the source tree. Warnings are reported, not hidden. */
function buildModule(version, directory) {
  const work = join(out, version, 'module');
  const files = sources();
  const sparse = capture('sh', ['-c', 'command -v sparse']).status === 0;
  mkdirSync(join(work, 'uapi'), { recursive: true });
  const print = fingerprint(files, `${version} ${sparse}`);
  const ko = join(work, 'ringtap.ko');
  const log = cached(join(work, '.built'), print, () => {
    for (const file of readdirSync(work)) if (/\.[ch]$/.test(file)) rmSync(join(work, file));
    for (const file of files) copyFileSync(file, join(work, relative(join(root, 'kmod'), file)));
    const args = ['-s', '-C', directory, `M=${work}`, 'W=1', ...(sparse ? ['C=2'] : []), 'modules'];
    const result = capture('make', args);
    if (result.status !== 0) throw new Error(`the module does not build for ${version}:\n${result.output}`);
    must('objcopy', ['--strip-debug', ko]);
    return result.output;
  });
  const warnings = log.split('\n').filter((line) => /\b(warning|error):/.test(line));
  return { version, headers: directory, ko, sparse, warnings };
}

function buildTap() {
  const directory = join(root, 'kmod', 'test');
  const files = readdirSync(directory).map((name) => join(directory, name));
  const tap = join(out, 'tap');
  const print = fingerprint([...files, join(root, 'kmod', 'uapi', 'ringtap_uapi.h')], 'tap');
  cached(join(out, '.tap'), print, () =>
    must('gcc', [
      ...['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-static', '-pthread', '-o', tap],
      ...files.filter((name) => name.endsWith('.c')),
    ]),
  );
  return tap;
}

/** The newest stable version whose kernel and headers can both be had. */
function stable() {
  for (const version of versions(STABLE).slice(0, 4)) {
    const directory = headers(version);
    const image = join(out, version, 'image');
    if (directory && unpack([`linux-image-${version}-cloud-amd64`], image))
      return { version, directory, image };
  }
  throw new Unavailable('no linux-image and linux-headers 6.1 cloud-amd64 packages can be fetched by apt');
}

function newest() {
  for (const version of versions(NEWEST).slice(0, 2)) {
    const directory = headers(version);
    if (directory) return { version, directory };
  }
  return null;
}

function main() {
  mkdirSync(out, { recursive: true });
  const base = stable();
  const latest = newest();
  const modules = [base, ...(latest ? [latest] : [])].map((k) => buildModule(k.version, k.directory));
  const kernel = join(base.image, 'boot', `vmlinuz-${base.version}-cloud-amd64`);
  const moduleDirectory = join(base.image, 'lib', 'modules', `${base.version}-cloud-amd64`, 'kernel');
  if (!statSync(kernel, { throwIfNoEntry: false })) throw new Unavailable(`${kernel} is not in its package`);
  process.stdout.write(`${JSON.stringify({ kernel, moduleDirectory, modules, tap: buildTap() })}\n`);
}

try {
  main();
} catch (error) {
  process.stderr.write(`kmod: ${error.message}\n`);
  process.exit(error instanceof Unavailable ? 2 : 1);
}
