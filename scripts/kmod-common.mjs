// What the scripts that prepare test guests share: packages unpacked below build/kmod, never installed, and the
// kernel module built against them. Idempotent.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const out = join(root, 'build', 'kmod');

export class Unavailable extends Error {}

export function capture(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options });
  if (result.error) throw new Unavailable(`${command} could not be started: ${result.error.message}`);
  return { ...result, output: result.stdout + result.stderr };
}

export function must(command, args, options) {
  const result = capture(command, args, options);
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${result.output}`);
  return result.stdout;
}

/** Versions whose headers apt knows, newest first. */
export function versions(pattern) {
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
function headerPackages(version, flavour) {
  const name = `linux-headers-${version}-${flavour}`;
  const depends = must('apt-cache', ['depends', name]).matchAll(/Depends: (linux-(?:headers|kbuild)-\S+)/g);
  return [name, ...[...depends].map((match) => match[1])];
}

/** Downloads and unpacks packages into a directory, once; false when one cannot be had. */
export function unpack(packages, directory, aptOptions = []) {
  const stamp = join(directory, '.unpacked');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === packages.join(' ')) return true;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  process.stderr.write(`kmod: fetching ${packages.join(' ')}\n`);
  if (capture('apt-get', [...aptOptions, 'download', ...packages], { cwd: directory }).status !== 0)
    return false;
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.deb'))) {
    must('dpkg-deb', ['-x', file, '.'], { cwd: directory });
    rmSync(join(directory, file));
  }
  writeFileSync(stamp, packages.join(' '));
  return true;
}

/** Where everything of one kernel lies. */
export function directoryOf(version, flavour = 'cloud-amd64') {
  return join(out, flavour === 'cloud-amd64' ? version : `${version}-${flavour}`);
}

/** A tree of headers to build against; its one absolute path is made to point into the tree. */
export function headers(version, flavour = 'cloud-amd64') {
  const tree = join(directoryOf(version, flavour), 'headers');
  if (!unpack(headerPackages(version, flavour), tree)) return null;
  const directory = join(tree, 'usr', 'src', `linux-headers-${version}-${flavour}`);
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

export function fingerprint(files, extra) {
  const hash = createHash('sha256').update(extra);
  for (const file of files) hash.update(file).update(readFileSync(file));
  return hash.digest('hex');
}

/** Runs `make` unless the inputs are as they were; returns what it had to say. */
export function cached(stamp, print, make) {
  if (existsSync(stamp)) {
    const [old, ...log] = readFileSync(stamp, 'utf8').split('\n');
    if (old === print) return log.join('\n');
  }
  const log = make();
  writeFileSync(stamp, `${print}\n${log}`);
  return log;
}

/** Builds ringtap.ko with sparse (C=2), out of the source tree. Warnings are reported, not hidden. */
export function buildModule(version, directory, flavour = 'cloud-amd64') {
  const work = join(directoryOf(version, flavour), 'module');
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
