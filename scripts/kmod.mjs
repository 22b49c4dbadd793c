#!/usr/bin/env node
// Builds the kernel module, its guest tool and what a test guest boots, all below build/kmod: against
// Debian's stable kernel (6.1, which the guest runs) and the newest headers Debian offers. Kernel packages
// are downloaded and unpacked there, never installed. Idempotent; a second run takes moments.
// Prints one JSON line: {kernel, moduleDirectory, modules: [{version, headers, ko, sparse, warnings}], tap}.
// Exit 2 with one line on stderr: packages cannot be had here. Exit 1: the build failed.
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  buildModule,
  cached,
  fingerprint,
  headers,
  must,
  out,
  root,
  Unavailable,
  unpack,
  versions,
} from './kmod-common.mjs';

const STABLE = /^linux-headers-(6\.1\.0-\d+)-cloud-amd64$/;
const NEWEST = /^linux-headers-(\d+\.\d+\.\d+\+[\w.]+)-cloud-amd64$/;

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
