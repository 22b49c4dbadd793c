// Loads in network byte order and the one bounds check every decoder uses. No state, never traps:
// a decoder asks lack() first and loads only what it was promised.
//
// Decoders see three pointers: `p` where their header starts, `cap` the end of the captured bytes,
// `wire` where the bytes on the wire ended. p <= cap <= wire always holds.

/** Decoded as far as the engine goes. */
export const OK: u32 = 0;
/** A linktype or ethertype without a decoder. */
export const UNSUPPORTED: u32 = 1;
/** The capture kept fewer bytes than the header needs; the wire had them. */
export const TRUNCATED: u32 = 2;
/** A header contradicts itself or runs past the wire length. */
export const MALFORMED: u32 = 3;

@inline
export function be16(p: usize): u32 {
  return bswap<u16>(load<u16>(p));
}

@inline
export function be32(p: usize): u32 {
  return bswap<u32>(load<u32>(p));
}

@inline
export function byte(p: usize): u32 {
  return load<u8>(p);
}

/** 0 when `size` bytes at p were captured, else why not. */
@inline
export function lack(p: usize, size: usize, cap: usize, wire: usize): u32 {
  return cap - p >= size ? OK : wire - p >= size ? TRUNCATED : MALFORMED;
}

@inline
export function least(a: usize, b: usize): usize {
  return a < b ? a : b;
}

/** The graver of two codes. */
@inline
export function worse(a: u32, b: u32): u32 {
  return a > b ? a : b;
}
