// Every linktype, and the headers between ethertypes: what is counted, the tree, and every prefix.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TreeNode } from '../../asm/host/index.js';
import { PROTOCOLS } from '../../asm/host/index.js';
import { newEngine, pcap } from './captures.js';
import { LINKS } from './links.js';

const engine = await newEngine();
const flat = (nodes: readonly TreeNode[]): TreeNode[] =>
  nodes.flatMap((node) => [node, ...flat(node.children)]);

for (const { name, linktype, bytes, seen, fields } of LINKS)
  test(name, () => {
    engine.reset();
    engine.push(pcap([{ bytes }], { linktype }));
    assert.is(engine.end(), null);
    const { protocolCounts, unsupported, malformed, truncated } = engine.totals();
    assert.is(PROTOCOLS.filter((protocol) => protocolCounts[protocol]).join(' '), seen);
    assert.equal([unsupported, malformed, truncated], [0, 0, 0]);
    const nodes = flat(engine.decode(linktype, bytes));
    for (const [field, want] of Object.entries(fields))
      assert.is(
        nodes
          .filter((node) => node.field === field)
          .map(({ value }) => value)
          .join('|'),
        want,
        field,
      );
    for (const { field, offset, length, label } of nodes) {
      assert.ok(offset >= 0 && offset + length <= bytes.length, `${field} leaves the frame`);
      assert.not.match(label, /undefined|NaN/);
    }
    for (let length = 0; length < bytes.length; length++)
      for (const node of flat(engine.decode(linktype, bytes.subarray(0, length), bytes.length)))
        if (node.offset + node.length > length) assert.unreachable(`${node.field} of ${length} bytes`);
  });

test('a linktype without a decoder counts as unsupported, and says nothing else', () => {
  engine.reset();
  engine.push(pcap([{ bytes: LINKS[0]!.bytes }], { linktype: 147 }));
  engine.end();
  const { packets, unsupported, protocolCounts } = engine.totals();
  assert.equal([packets, unsupported], [1, 1]);
  assert.ok(Object.values(protocolCounts).every((count) => count === 0));
});

test.run();
