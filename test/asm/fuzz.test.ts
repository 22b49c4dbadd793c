// Hostile bytes: mutated captures and frames never trap, hang, throw or report more than they held.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TreeNode } from '../../asm/host/index.js';
import { FRAMES, join, newEngine, pcap, random, runSeed } from './captures.js';
import { FILES } from './fuzz/seeds.js';
import { VECTORS } from './vectors.js';

const ROUNDS = Number(process.env.RINGTAP_FUZZ_ROUNDS ?? 3000);
const LINKTYPES = [0, 1, 9, 50, 51, 101, 104, 105, 108, 113, 127, 147, 228, 229, 276];
const PACKETS = [...FRAMES, ...VECTORS];
const seed = runSeed('fuzz');
const engine = await newEngine({ maxFlows: 1024, seed: 5n });

/** Changes bytes, drops, doubles or swaps stretches; interesting values are preferred. */
function mutate(bytes: Uint8Array, next: (below: number) => number): Uint8Array {
  let out: Uint8Array = bytes.slice();
  for (let n = 1 + next(8); n > 0 && out.length > 4; n--) {
    const at = next(out.length);
    const size = Math.min(out.length - at, 1 + next(16));
    switch (next(6)) {
      case 0:
        out[at] = next(256);
        break;
      case 1:
        out[at] = [0, 1, 4, 0x45, 0x60, 0x7f, 0x80, 0xff][next(8)]!;
        break;
      case 2:
        out.fill(next(2) * 255, at, at + size);
        break;
      case 3:
        out = join(out.subarray(0, at), out.subarray(at + size));
        break;
      case 4:
        out = join(out.subarray(0, at + size), out.subarray(at));
        break;
      default:
        out = out.subarray(0, at + 1).slice();
    }
  }
  return out;
}

function checkTree(nodes: readonly TreeNode[], length: number): number {
  let amount = 0;
  for (const node of nodes) {
    if (node.offset < 0 || node.length < 0 || node.offset + node.length > length)
      assert.unreachable(`${node.field} leaves the frame`);
    if (/undefined|NaN/.test(node.label)) assert.unreachable(node.label);
    amount += 1 + checkTree(node.children, length);
  }
  return amount;
}

test(`${ROUNDS} mutated captures`, () => {
  const next = random(seed);
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = mutate(FILES[next(FILES.length)]!, next);
    const largest = 1 + next(bytes.length);
    engine.reset();
    engine.setFilter(['tcp port 80', 'vlan and ip', 'tcp[13] & 2 != 0', null][next(4)]!);
    let rowsSeen = 0;
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + next(largest);
      engine.push(bytes.subarray(at, at + size), (rows) => {
        for (let i = 0; i < rows.length; i++, rowsSeen++) {
          if (rows.bytes(i).length !== rows.caplen(i)) assert.unreachable('row outside memory');
          if (rowsSeen < 4) rows.line(i);
        }
      });
      at += size;
    }
    engine.end();
    const totals = engine.totals();
    const bounded = totals.packets * 12 <= bytes.length && totals.capturedBytes <= bytes.length;
    if (!bounded || rowsSeen !== totals.packets || engine.matched > totals.packets)
      assert.unreachable(`round ${round}: more than was there`);
    if (engine.flowCount > 1024 || engine.series().length > 4096) assert.unreachable('unbounded');
    engine.flows({ limit: 3 });
  }
});

test(`${ROUNDS} mutated frames in every linktype: trees stay within the frame`, () => {
  const next = random(seed + 1);
  let nodes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = mutate(PACKETS[next(PACKETS.length)]!.bytes, next);
    const linktype = LINKTYPES[next(LINKTYPES.length)]!;
    const wirelen = next(2) ? bytes.length : next(0x100000000);
    nodes = Math.max(nodes, checkTree(engine.decode(linktype, bytes, wirelen), bytes.length));
    engine.describe(linktype, bytes, wirelen);
  }
  assert.ok(nodes > 20 && nodes <= 4096, `${nodes}`);
});

test('every prefix of every frame, in every linktype', () => {
  for (const { bytes } of FRAMES)
    for (let length = 0; length <= bytes.length; length++)
      for (const linktype of LINKTYPES)
        checkTree(engine.decode(linktype, bytes.subarray(0, length), bytes.length), length);
});

test('every prefix of every vector, as a tree and read from a capture that kept no more', () => {
  for (const { name, bytes } of VECTORS) {
    const records = [];
    for (let length = 0; length <= bytes.length; length++) {
      checkTree(engine.decode(1, bytes.subarray(0, length), bytes.length), length);
      records.push({ bytes: bytes.subarray(0, length), wirelen: bytes.length });
    }
    engine.reset();
    engine.push(pcap(records));
    assert.is(engine.end(), null, name);
    const { packets, truncated } = engine.totals();
    assert.equal([packets, truncated], [bytes.length + 1, bytes.length], name);
  }
});

test('the longest frame allowed, of options and labels without end', () => {
  for (const fill of [0, 1, 0x45, 0x81, 0xff]) {
    const bytes = new Uint8Array(300_000).fill(fill);
    for (const linktype of LINKTYPES) checkTree(engine.decode(linktype, bytes), 262144);
    bytes.set([0x88, 0x47], 12);
    assert.ok(checkTree(engine.decode(1, bytes), 262144) <= 4096);
  }
});

test.run();
