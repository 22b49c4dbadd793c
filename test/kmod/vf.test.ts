/**
 * The XL710 VF's admin queue and virtchnl exchange, from the kernel's own headers and the module's own source,
 * against a scripted physical function (vf_peer.c), under sanitizers. No hardware is involved.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { prepare } from './guest.js';

const SCRIPTS = {
  works: ['happy', 'slow', 'events', 'stale', 'foreign', 'huge'],
  fails: [
    'deaf',
    'silent',
    'old',
    'short-version',
    'short-resources',
    'no-vsi',
    'refusing',
    'failing',
    'reset',
  ],
  gone: ['absent'],
};
/** What virtchnl.h takes from the rest of the kernel's headers. */
const KERNEL = ['-DETH_ALEN=6', '-DBIT(n)=(1u << (n))', '-Ds32=int32_t', '-Ds64=int64_t'];
KERNEL.push('-D__be16=uint16_t', '-D__be32=uint32_t');
const prepared = prepare();
const work = mkdtempSync(join(tmpdir(), 'ringtap-vf-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

/** The folder with the virtchnl.h of one kernel version. */
function virtchnl(version: string, headers: string): string {
  return join(dirname(headers), `linux-headers-${version}-common`, 'include', 'linux', 'avf');
}

/** Newer headers include others of the kernel, of which they use no more than KERNEL stands in for. */
function shims(): string {
  const directory = join(work, 'shims');
  const structSize = '#define struct_size(p, member, n) (sizeof(*(p)) + sizeof(*(p)->member) * (n))\n';
  for (const name of ['linux/bitops.h', 'linux/bits.h', 'linux/overflow.h', 'uapi/linux/if_ether.h']) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), name === 'linux/overflow.h' ? structSize : '');
  }
  return directory;
}

/** Builds the peer against the mailbox, changed by `edit`. */
function build(include: string, edit = (text: string) => text): string {
  for (const directory of ['kmod/uapi', 'test/kmod']) mkdirSync(join(work, directory), { recursive: true });
  for (const file of ['kmod/env.h', 'kmod/vf_mailbox.h', 'kmod/uapi/ringtap_uapi.h', 'test/kmod/vf_peer.c'])
    copyFileSync(file, join(work, file));
  writeFileSync(join(work, 'kmod/vf_mailbox.c'), edit(readFileSync('kmod/vf_mailbox.c', 'utf8')));
  const flags = ['-std=gnu11', '-g', '-O1', '-Wall', '-Wextra', '-Werror', '-fsanitize=address,undefined'];
  const binary = join(work, 'vf');
  const sources = ['test/kmod/vf_peer.c', 'kmod/vf_mailbox.c'];
  const includes = ['-include', 'kmod/env.h', `-I${shims()}`, `-I${include}`];
  execFileSync('gcc', [...flags, ...KERNEL, ...includes, '-o', binary, ...sources], {
    cwd: work,
    stdio: 'pipe',
  });
  return binary;
}

for (const { version, headers } of prepared.modules)
  test(`every script ends as it should, with the headers of ${version}`, () => {
    const binary = build(virtchnl(version, headers));
    for (const script of Object.values(SCRIPTS).flat()) {
      const { status, stdout, stderr } = spawnSync(binary, [script], { encoding: 'utf8', timeout: 20_000 });
      assert.is(status, 0, `${script}: ${stdout}${stderr}`);
    }
  });

const MUTANTS: { name: string; script: string; from: string; to: string }[] = [
  {
    name: 'refusals ignored',
    script: 'refusing',
    from: 'message->retval ? -EIO : 0',
    to: '(message->retval & 0) ? -EIO : 0',
  },
  {
    name: 'lengths believed',
    script: 'huge',
    from: 'min_t(u16, d->datalen, VF_BUFFER_BYTES)',
    to: 'd->datalen',
  },
  {
    name: 'any answer taken',
    script: 'stale',
    from: 'message->opcode == opcode',
    to: '(message->opcode | opcode)',
  },
  { name: 'descriptors not renewed', script: 'happy', from: '\tvf_post(m, index);\n', to: '' },
];
for (const { name, script, from, to } of MUTANTS)
  test(`the peer catches: ${name}`, () => {
    const { version, headers } = prepared.modules[0]!;
    const binary = build(virtchnl(version, headers), (text) => {
      assert.ok(text.includes(from), `vf_mailbox.c no longer holds "${from}"`);
      return text.replace(from, to);
    });
    const { status } = spawnSync(binary, [script], { encoding: 'utf8', timeout: 20_000 });
    assert.is.not(status, 0);
  });

test.run();
