// The packet tree as flat records in NODES: a decoder built for Tree emits them, one built for Scan
// compiles to nothing here. Bounded: past NODE_MAX nodes nothing more is recorded.

import { least } from './cursor';
import { NODE_MAX, NODES_BASE, Node } from './layout';

/** Decoders take a mode as type argument; the compiler builds each twice. */
export type Scan = u8;
export type Tree = u16;

let frame: usize = 0;
let end: usize = 0;
let depth: u32 = 0;
let count: u32 = 0;

@inline
export function isTree<M>(): bool {
  return sizeof<M>() == sizeof<Tree>();
}

export function treeBegin(p: usize, limit: usize): void {
  frame = p;
  end = limit;
  made = limit;
  depth = 0;
  count = 0;
  moves = 0;
}

/** Most stretches of made bytes. */
export const MOVED_MAX: u32 = 64;
/** Rows of three u32: address of made bytes, address in the frame, length. */
const MOVED: usize = memory.data(768, 8);
let moves: u32 = 0;
/** Where the bytes made by a decoder start. */
let made: usize = 0;

/** Bytes between the frame and what is made of it, so that a read past the frame's end is seen (test/asm/fuzz). */
const MADE_GAP: usize = 64;

/** Where a decoder may put bytes together from fragments: behind the frame. */
export function treeMade(): usize {
  return end + MADE_GAP;
}

/** Made bytes end here: nodes may lie in them. treeMoved() has said where each stretch came from. */
export function treeExtend(to: usize): void {
  end = to;
}

export function treeMoved(to: usize, from: usize, length: usize): void {
  if (moves >= MOVED_MAX) return;
  const row = MOVED + <usize>(moves++) * 12;
  store<u32>(row, <u32>to);
  store<u32>(row + 4, <u32>from);
  store<u32>(row + 8, <u32>length);
}

/** Sets the frame's range a node in made bytes came from: of several stretches, from the first to the last. */
function origin(node: Node, p: usize, length: usize): void {
  let low: u32 = 0xffffffff;
  let high: u32 = 0;
  for (let row = MOVED; row < MOVED + <usize>moves * 12; row += 12) {
    const to: usize = load<u32>(row);
    const stop = least(p + length, to + load<u32>(row, 8));
    const start = p > to ? p : to;
    if (start >= stop) continue;
    const from = <u32>(<usize>load<u32>(row, 4) + start - to - frame);
    low = min(low, from);
    high = max(high, from + <u32>(stop - start));
  }
  node.offset = low == 0xffffffff ? 0 : low;
  node.length = low == 0xffffffff ? 0 : high - low;
}

export function treeCount(): u32 {
  return count;
}

/** One field: the bytes it came from (clipped to the frame) and its raw value. */
export function leaf(field: u32, p: usize, length: usize, value: u32): void {
  if (count >= NODE_MAX || p > end) return;
  const node = changetype<Node>(NODES_BASE + <usize>(count++) * offsetof<Node>());
  node.field = <u16>field;
  node.depth = <u16>depth;
  length = least(length, end - p);
  node.offset = <u32>(p - frame);
  node.length = <u32>length;
  node.value = value;
  node.at = node.offset;
  node.size = node.length;
  if (moves && p >= made) origin(node, p, length);
}

/** A node whose fields follow until close(). */
export function open(field: u32, p: usize, length: usize, value: u32 = 0): void {
  leaf(field, p, length, value);
  depth++;
}

export function close(): void {
  depth--;
}

/** The bytes at p alone. */
export function bytes(field: u32, p: usize, length: usize): void {
  leaf(field, p, length, 0);
}

/** A DNS name, of the message at `start`, which its compression pointers count from. */
export function name(field: u32, p: usize, length: usize, start: usize): void {
  leaf(field, p, length, <u32>(start - frame));
}

/** Three bytes in big-endian order. */
export function leaf24(field: u32, p: usize): void {
  leaf(field, p, 3, (<u32>load<u8>(p) << 16) | bswap<u16>(load<u16>(p + 1)));
}

/** Fields in big-endian order, loaded here; the caller has checked the bounds. */
export function leaf8(field: u32, p: usize): void {
  leaf(field, p, 1, load<u8>(p));
}

export function leaf16(field: u32, p: usize): void {
  leaf(field, p, 2, bswap<u16>(load<u16>(p)));
}

export function leaf32(field: u32, p: usize): void {
  leaf(field, p, 4, bswap<u32>(load<u32>(p)));
}
