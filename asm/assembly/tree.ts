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
  depth = 0;
  count = 0;
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
  node.offset = <u32>(p - frame);
  node.length = <u32>least(length, end - p);
  node.value = value;
}

/** A node whose fields follow until close(). */
export function open(field: u32, p: usize, length: usize, value: u32 = 0): void {
  leaf(field, p, length, value);
  depth++;
}

export function close(): void {
  depth--;
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
