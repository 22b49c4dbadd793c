/** The module builds without a complaint, on Debian's stable kernel and the newest; its contracts hold. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { prepare } from './guest.js';

const prepared = prepare();
const work = mkdtempSync(join(tmpdir(), 'ringtap-build-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

test('no warning from gcc (W=1) or sparse (C=2), on every kernel', () => {
  if (!prepared.modules.every((module) => module.sparse))
    process.stdout.write('SKIP sparse: not installed\n');
  for (const module of prepared.modules) assert.equal(module.warnings, [], module.version);
  if (prepared.modules.length < 2)
    process.stdout.write('SKIP newest kernel: no newer headers can be fetched\n');
});

test('the module claims no device by itself, and says under which licence it comes', () => {
  const ko = readFileSync(prepared.modules[0]!.ko, 'latin1');
  assert.match(ko, 'license=GPL');
  assert.not.match(ko, /alias=pci:/, 'loading would take NICs nobody named');
});

test('versions agree: module, DKMS, package', () => {
  const version = JSON.parse(readFileSync('package.json', 'utf8')).version;
  assert.match(readFileSync('kmod/main.c', 'utf8'), `MODULE_VERSION("${version}")`);
  assert.match(readFileSync('kmod/dkms.conf', 'utf8'), `PACKAGE_VERSION="${version}"`);
});

test('the module writes blocks as the recorder defines them', () => {
  const constants = JSON.parse(readFileSync('proto/constants.json', 'utf8'));
  const uapi = readFileSync('kmod/uapi/ringtap_uapi.h', 'utf8');
  const value = (name: string) => Number(new RegExp(`#define ${name} (\\S+)`).exec(uapi)?.[1]);
  for (const [ours, theirs] of [
    ['RINGTAP_BT_ISB', 'BT_ISB'],
    ['RINGTAP_BT_EPB', 'BT_EPB'],
    ['RINGTAP_BT_PAD', 'BT_PAD'],
    ['RINGTAP_OPT_BLOCK_HEADER', 'OPT_BLOCK_HEADER'],
    ['RINGTAP_BLOCK_ALIGN_BYTES', 'BLOCK_ALIGN_BYTES'],
  ] as const)
    assert.is(value(ours), Number(constants[theirs].value), ours);
  if (!existsSync('native/src/block.h')) return;
  const fields = ['version', 'crc32c', 'block_seq', 'first_ts_ns', 'last_ts_ns', 'packets', 'bytes'];
  fields.push('ring_drops', 'pool_drops', 'store_drops', 'block_bytes', 'used_bytes');
  const checks = fields.map(
    (field) =>
      `_Static_assert(offsetof(struct rt_block_header, ${field}) == offsetof(struct block_header, ${field}), "");`,
  );
  const source = join(work, 'layout.c');
  writeFileSync(
    source,
    `#include "${resolve('native/src/block.h')}"
#include "${resolve('kmod/block.h')}"
${checks.join('\n')}
_Static_assert(RT_HEADER_BYTES == ISB_BYTES, "");
_Static_assert(RINGTAP_UNKNOWN == BLOCK_UNKNOWN, "");`,
  );
  const include = ['native/src', 'proto/gen', 'kmod/uapi'].map((directory) => `-I${directory}`);
  const { status, stderr } = spawnSync('gcc', ['-std=gnu11', '-fsyntax-only', ...include, source], {
    encoding: 'utf8',
  });
  assert.is(status, 0, stderr);
});

test('what DKMS takes is complete: the copied sources build by its own make line', () => {
  execFileSync('make', ['-s', '-C', 'kmod', `DESTDIR=${work}`, 'dkms-source']);
  const version = JSON.parse(readFileSync('package.json', 'utf8')).version;
  const copy = join(work, 'usr', 'src', `ringtap-${version}`);
  const tree = join(work, 'tree', 'ringtap', version);
  execFileSync('mkdir', ['-p', tree]);
  execFileSync('cp', ['-r', copy, join(tree, 'build')]);
  const line = /^MAKE\[0\]="(.*)"$/m.exec(readFileSync('kmod/dkms.conf', 'utf8'))?.[1] ?? '';
  const env = {
    ...process.env,
    kernel_source_dir: prepared.modules[0]!.headers,
    dkms_tree: join(work, 'tree'),
    PACKAGE_NAME: 'ringtap',
    PACKAGE_VERSION: version,
  };
  const { status, stderr } = spawnSync('sh', ['-c', line], { env, encoding: 'utf8' });
  assert.is(status, 0, stderr);
  assert.ok(existsSync(join(tree, 'build', 'ringtap.ko')));
});

test.run();
