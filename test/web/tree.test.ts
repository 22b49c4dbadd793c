/** The decode tree: reading order, folding, and the way from a byte to its innermost field. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TreeNode } from '../../asm/host/types.js';
import { nodeAt, nodesOn, treeRows } from '../../web/data/tree.js';

const node = (field: string, offset: number, length: number, children: TreeNode[] = []): TreeNode => ({
  field,
  label: field,
  value: '',
  offset,
  length,
  children,
});
const tree = [
  node('eth', 0, 14, [node('eth.dst', 0, 6), node('eth.src', 6, 6), node('eth.type', 12, 2)]),
  node('ip', 14, 20, [node('ip.flags', 20, 2, [node('ip.flags.df', 20, 1), node('ip.frag', 20, 2)])]),
];

test('rows follow what is expanded', () => {
  const paths = (open: (field: string) => boolean) =>
    treeRows(tree, ({ field }) => open(field)).map((row) => row.path);
  assert.equal(
    paths(() => false),
    ['0', '1'],
  );
  assert.equal(
    paths((field) => field === 'ip'),
    ['0', '1', '1.0'],
  );
  assert.equal(
    paths(() => true),
    ['0', '0.0', '0.1', '0.2', '1', '1.0', '1.0.0', '1.0.1'],
  );
  const [, , source] = treeRows(tree, () => true);
  assert.equal([source!.depth, source!.position, source!.siblings, source!.expanded], [1, 2, 3, false]);
});

test('a byte leads to its innermost field', () => {
  assert.is(nodeAt(tree, 7), '0.1');
  assert.is(nodeAt(tree, 21), '1.0.1');
  assert.is(nodeAt(tree, 30), '1');
  assert.is(nodeAt(tree, 34), null);
  assert.is(nodeAt([], 0), null);
});

test('a path leads to its nodes, and one of another packet to none', () => {
  assert.equal(
    nodesOn(tree, '1.0.0')?.map(({ field }) => field),
    ['ip', 'ip.flags', 'ip.flags.df'],
  );
  assert.is(nodesOn(tree, '1.5'), null);
  assert.is(nodesOn([], '0'), null);
});

test.run();
