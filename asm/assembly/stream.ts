// The stream: bytes come in chunks cut anywhere; a record cut by a chunk's end is moved in front of
// the next chunk, so readers always see whole records in one piece. Also the stream's error, of
// which there is at most one: after it nothing more is read.
import { CARRY_BASE, CHUNK_BASE } from './layout';

// Kinds of error, StreamError.kind in the host's types.ts.
export const KIND_TRUNCATED: u32 = 1;
export const KIND_DAMAGED: u32 = 2;
export const KIND_UNSUPPORTED: u32 = 3;
export const KIND_NOT_A_CAPTURE: u32 = 4;

// What is wrong; the host has a sentence for each.
export const E_NOT_A_CAPTURE: u32 = 1;
export const E_CUT_HEADER: u32 = 2;
export const E_CUT_RECORD: u32 = 3;
export const E_PACKET_TOO_BIG: u32 = 4;
export const E_PCAP_VERSION: u32 = 5;
export const E_LINKTYPE_RESERVED: u32 = 6;
export const E_BLOCK_TOO_SMALL: u32 = 7;
export const E_BLOCK_TOO_BIG: u32 = 8;
export const E_BLOCK_TRAILER: u32 = 9;
export const E_BYTE_ORDER: u32 = 10;
export const E_SECTION_VERSION: u32 = 11;
export const E_NO_SUCH_INTERFACE: u32 = 12;
export const E_TOO_MANY_INTERFACES: u32 = 13;
export const E_PACKET_PAST_BLOCK: u32 = 14;
export const E_EMPTY: u32 = 15;

/** Unread bytes: [cur, limit). Readers advance cur. */
export let cur: usize = CHUNK_BASE;
export let limit: usize = CHUNK_BASE;
/** Bytes of the stream still to be passed over before the next record. */
let skip: u32 = 0;
/** Length that the trailer of the block passed over must repeat; 0 when none is due. */
let trailer: u32 = 0;
let trailerOrder: bool = false;
let blockOffset: u64 = 0;
/** Position in the stream of CHUNK_BASE. */
let chunkOffset: u64 = 0;

export let errorKind: u32 = 0;
export let errorCode: u32 = 0;
export let errorOffset: u64 = 0;
export let errorA: u32 = 0;
export let errorB: u32 = 0;

export function streamReset(): void {
  cur = CHUNK_BASE;
  limit = CHUNK_BASE;
  skip = 0;
  trailer = 0;
  chunkOffset = 0;
  errorKind = 0;
  errorCode = 0;
}

/** Moves what is unread in front of the chunk area. Pointers into the last chunk are void afterwards. */
export function makeRoom(): void {
  const rest = limit - cur;
  if (rest > CHUNK_BASE - CARRY_BASE) unreachable(); // the host pushed on without resume()
  chunkOffset += limit - CHUNK_BASE;
  memory.copy(CHUNK_BASE - rest, cur, rest);
  cur = CHUNK_BASE - rest;
  limit = CHUNK_BASE;
}

export function extend(length: usize): void {
  limit += length;
}

/** Passes over what is left of a block; false while it goes on beyond the chunk, or ends wrongly. */
@inline
export function settle(): bool {
  return (!skip && !trailer) || pass();
}

function pass(): bool {
  const step = min<usize>(skip, limit - cur);
  cur += step;
  skip -= <u32>step;
  if (skip || !trailer) return skip == 0;
  if (limit - cur < 4) return false;
  const second = word(cur, trailerOrder);
  const first = trailer;
  trailer = 0;
  if (first != second) {
    fail(KIND_DAMAGED, E_BLOCK_TRAILER, first, second);
    errorOffset = blockOffset;
    return false;
  }
  cur += 4;
  return true;
}

@inline
export function left(): usize {
  return limit - cur;
}

/** Ends all records before `p`, which is here. */
@inline
export function moveTo(p: usize): void {
  cur = p;
}

/** Ends a record of `length` bytes, of which some may not be here yet. */
@inline
export function advance(length: u32): void {
  if (limit - cur >= length) {
    cur += length;
    return;
  }
  skip = length - <u32>(limit - cur);
  cur = limit;
}

/** Ends a block of `total` bytes whose last four must repeat `stated`, once they are here. */
export function advanceUnchecked(total: u32, stated: u32, swapped: bool): void {
  blockOffset = offset();
  trailer = stated;
  trailerOrder = swapped;
  advance(total - 4);
}

export function offset(): u64 {
  return chunkOffset + cur - CHUNK_BASE;
}

export function fail(kind: u32, code: u32, a: u32 = 0, b: u32 = 0): void {
  errorKind = kind;
  errorCode = code;
  errorOffset = offset();
  errorA = a;
  errorB = b;
  cur = limit;
  skip = 0;
  trailer = 0;
}

/** True when the input ended between records. */
export function whole(): bool {
  return skip == 0 && trailer == 0 && cur == limit;
}

/** A load in the byte order of the file or section. */
@inline
export function word(p: usize, swapped: bool): u32 {
  return swapped ? bswap<u32>(load<u32>(p)) : load<u32>(p);
}

@inline
export function half(p: usize, swapped: bool): u32 {
  return swapped ? bswap<u16>(load<u16>(p)) : load<u16>(p);
}
