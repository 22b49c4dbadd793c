import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as constants from '../../proto/gen/constants.js';

const source = JSON.parse(readFileSync('proto/constants.json', 'utf8')) as Record<
  string,
  { value: number | string }
>;

test('generated files are fresh', () => {
  const { status, stderr } = spawnSync(process.execPath, ['proto/generate.mjs', '--check'], {
    encoding: 'utf8',
  });
  assert.is(status, 0, stderr);
});

test('TypeScript has every constant with its value', () => {
  for (const [name, { value }] of Object.entries(source))
    assert.is((constants as Record<string, number>)[name], Number(value), name);
  assert.is(Object.keys(constants).length, Object.keys(source).length);
});

test('C and AssemblyScript have every constant with its value', () => {
  const c = readFileSync('proto/gen/constants.h', 'utf8');
  const assembly = readFileSync('asm/assembly/constants.ts', 'utf8');
  for (const [name, { value }] of Object.entries(source)) {
    assert.match(c, new RegExp(`^#define RT_${name} ${value}u$`, 'm'));
    assert.match(assembly, new RegExp(`^export const ${name}: u32 = ${value};$`, 'm'));
  }
});

test('no two block types, close codes or linktypes share a value', () => {
  for (const prefix of ['BT_', 'CLOSE_', 'LINKTYPE_', 'PCAP_MAGIC']) {
    const values = Object.entries(source)
      .filter(([name]) => name.startsWith(prefix))
      .map(([, { value }]) => Number(value));
    assert.is(new Set(values).size, values.length, prefix);
  }
});

test('field numbers of the envelope are unique within each message', () => {
  const proto = readFileSync('proto/ringtap.proto', 'utf8');
  for (const [, name, body] of proto.matchAll(/message (\w+) \{\n([\s\S]*?)\n\}/g)) {
    const plain = (body ?? '').replace(/enum[\s\S]*?\}/, '').replace(/\/\/.*$/gm, '');
    const numbers = [...plain.matchAll(/= (\d+);/g)].map((match) => match[1]);
    assert.ok(numbers.length > 0, name);
    assert.is(new Set(numbers).size, numbers.length, name);
  }
});

test.run();
