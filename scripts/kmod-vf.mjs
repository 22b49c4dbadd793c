#!/usr/bin/env node
// Prepares the guest whose NIC has a true SR-IOV virtual function: QEMU 10 emulates the 82576 (igb), and comes
// from Debian's backports; the PF's driver comes with Debian's ordinary kernel, not with the cloud one. All of it
// is unpacked below build/kmod, nothing is installed and apt's own sources stay as they are.
// Prints one JSON line: {qemu: {program, share, modules}, kernel, moduleDirectory, module, tap of kmod.mjs}.
// Exit 2 with one line on stderr: packages cannot be had here. Exit 1: the build failed.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  buildModule,
  capture,
  directoryOf,
  headers,
  must,
  out,
  root,
  Unavailable,
  unpack,
  versions,
} from './kmod-common.mjs';

const FLAVOUR = 'amd64';
const STABLE = /^linux-headers-(6\.1\.0-\d+)-amd64$/;
const QEMU_PACKAGES = ['qemu-system-x86', 'qemu-system-common', 'qemu-system-data', 'seabios'];
const QEMU_MAJOR = 10;

/** The mirror apt already uses, asked for another suite through lists of our own. */
function backports() {
  const directory = join(out, 'backports');
  const list = join(directory, 'sources.list');
  const options = [
    ...['-o', `Dir::Etc::SourceList=${list}`, '-o', 'Dir::Etc::SourceParts=-'],
    ...['-o', `Dir::State::Lists=${join(directory, 'lists')}`, '-o', 'APT::Sandbox::User=root'],
    ...['-o', `Dir::Cache::pkgcache=`, '-o', `Dir::Cache::srcpkgcache=`],
  ];
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const format = '$(REPO_URI) $(RELEASE)';
  const targets = capture('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']).stdout;
  const main = targets.split('\n').find((line) => line.split(' ')[1] === codename);
  if (!codename || !main)
    throw new Unavailable('apt has no source of this Debian release to ask for backports');
  const [uri] = main.split(' ');
  mkdirSync(join(directory, 'lists', 'partial'), { recursive: true });
  writeFileSync(
    list,
    `deb ${uri} ${codename}-backports main
`,
  );
  if (!existsSync(join(directory, '.updated'))) {
    if (capture('apt-get', [...options, 'update', '-qq']).status !== 0)
      throw new Unavailable(`${codename}-backports cannot be read`);
    writeFileSync(join(directory, '.updated'), '');
  }
  return options;
}

function qemu() {
  const directory = join(out, 'qemu');
  if (!unpack(QEMU_PACKAGES, directory, backports()))
    throw new Unavailable('no QEMU can be fetched from backports');
  const program = join(directory, 'usr', 'bin', 'qemu-system-x86_64');
  const modules = join(directory, 'usr', 'lib', 'x86_64-linux-gnu', 'qemu');
  const { stdout, output, status } = capture(program, ['--version']);
  if (status !== 0) throw new Unavailable(`QEMU from backports does not start: ${output.trim()}`);
  const major = Number(/version (\d+)/.exec(stdout)?.[1]);
  if (!(major >= QEMU_MAJOR)) throw new Unavailable(`QEMU ${major} has no igb, ${QEMU_MAJOR} is needed`);
  return {
    program,
    share: [join(directory, 'usr/share/qemu'), join(directory, 'usr/share/seabios')],
    modules,
  };
}

function guest() {
  for (const version of versions(STABLE).slice(0, 4)) {
    const tree = headers(version, FLAVOUR);
    const image = join(directoryOf(version, FLAVOUR), 'image');
    if (!tree || !unpack([`linux-image-${version}-${FLAVOUR}`], image)) continue;
    const module = buildModule(version, tree, FLAVOUR);
    return {
      kernel: join(image, 'boot', `vmlinuz-${version}-${FLAVOUR}`),
      moduleDirectory: join(image, 'lib', 'modules', `${version}-${FLAVOUR}`, 'kernel'),
      modules: [module],
    };
  }
  throw new Unavailable('no linux-image and linux-headers 6.1 amd64 packages can be fetched by apt');
}

try {
  mkdirSync(out, { recursive: true });
  const { tap } = JSON.parse(must(process.execPath, [join(root, 'scripts', 'kmod.mjs')]));
  process.stdout.write(`${JSON.stringify({ ...guest(), tap, qemu: qemu() })}\n`);
} catch (error) {
  process.stderr.write(`kmod: ${error.message}\n`);
  process.exit(error instanceof Unavailable ? 2 : 1);
}
