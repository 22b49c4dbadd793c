// QUIC's variable-length integers (RFC 9000 section 16).
import { byte } from '../cursor';

let value: usize = 0;

/** Value of the last varint(); what does not fit 32 bits is longer than any packet anyway. */
export function varintValue(): usize {
  return value;
}

/** Reads the number at p: where it ends, 0 when it is cut. */
export function varint(p: usize, cap: usize): usize {
  value = 0;
  if (p >= cap) return 0;
  const size: usize = 1 << (byte(p) >> 6);
  if (cap - p < size) return 0;
  let wide: u64 = byte(p) & 63;
  for (let i: usize = 1; i < size; i++) wide = (wide << 8) | byte(p + i);
  value = wide > 0xffffffff ? 0xffffffff : <usize>wide;
  return p + size;
}
