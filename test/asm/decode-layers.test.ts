// Every protocol's vector: fields, ranges and info text; every prefix of it, and mutations of it, stay sane.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TreeNode } from '../../asm/host/index.js';
import { newEngine, random, runSeed } from './captures.js';
import { VECTORS } from './vectors.js';

const ROUNDS = Number(process.env.RINGTAP_FUZZ_ROUNDS ?? 3000);
const seed = runSeed('decode-layers');
const engine = await newEngine();

const flat = (nodes: readonly TreeNode[]): TreeNode[] =>
  nodes.flatMap((node) => [node, ...flat(node.children)]);

/** Every node within its parent, every text made of something. */
function check(nodes: readonly TreeNode[], from: number, to: number, what: string): void {
  for (const { field, label, offset, length, children } of nodes) {
    if (offset < from || offset + length > to)
      assert.unreachable(`${what}: ${field} ${offset}+${length} leaves ${from}..${to}`);
    if (/undefined|NaN|null/.test(label)) assert.unreachable(`${what}: ${label}`);
    check(children, offset, offset + length, what);
  }
}

for (const { name, bytes, fields, protocol, info } of VECTORS)
  test(name, () => {
    const tree = engine.decode(1, bytes);
    check(tree, 0, bytes.length, name);
    const nodes = flat(tree);
    for (const [field, want] of Object.entries(fields)) {
      const values = nodes.filter((node) => node.field === field).map(({ value }) => value);
      assert.is(values.join('|'), want, field);
    }
    const line = engine.describe(1, bytes);
    assert.equal([line.protocol, line.info], [protocol, info]);
  });

test('every prefix of every vector', () => {
  for (const { name, bytes } of VECTORS)
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      check(engine.decode(1, cut, bytes.length), 0, length, `${name} cut to ${length}`);
      check(engine.decode(1, cut), 0, length, `${name} of ${length}`);
      engine.describe(1, cut, bytes.length);
      engine.keyFields(1, cut);
    }
});

test(`${ROUNDS} mutated vectors`, () => {
  const next = random(seed);
  for (let round = 0; round < ROUNDS; round++) {
    const { name, bytes } = VECTORS[next(VECTORS.length)]!;
    const mutated = bytes.slice();
    for (let n = 1 + next(6); n > 0; n--)
      mutated[14 + next(mutated.length - 14)] = [0, 1, 0x7f, 0x80, 0xc0, 0xff, next(256), next(256)][
        next(8)
      ]!;
    check(engine.decode(1, mutated), 0, mutated.length, `${name}, round ${round}`);
    engine.describe(1, mutated);
    engine.keyFields(1, mutated);
  }
});

test.run();
