// Tunnels over UDP that add little: GRE (RFC 8086), Teredo (RFC 4380), AYIYA. Their packets and flows count
// as those of any tunnel. A payload that is none is shown as data.

import { be16, byte, OK } from '../cursor';
import { unknown } from './dispatch';
import { gre } from './gre';
import { ipv4 } from './ipv4';
import { ipv6 } from './ipv6';

export function greUdp<M>(p: usize, cap: usize, wire: usize): u32 {
  // Version 0 without routing, and a known payload: the port is used for other things too.
  if (cap - p < 8 || be16(p) & 0x4fff || (be16(p + 2) != 0x800 && be16(p + 2) != 0x86dd && be16(p + 2) != 0x6558))
    return unknown<M>(p, cap, OK);
  return gre<M>(p, cap, wire);
}

/** Authentication (00 01) and origin (00 00, 8 bytes) may precede the IPv6 packet. */
export function teredo<M>(p: usize, cap: usize, wire: usize): u32 {
  const start = p;
  if (cap - p >= 13 && be16(p) == 1) {
    const size: usize = 13 + byte(p + 2) + byte(p + 3);
    if (cap - p < size) return unknown<M>(start, cap, OK);
    p += size;
  }
  if (cap - p >= 8 && be16(p) == 0) p += 8;
  if (cap - p < 40 || byte(p) >> 4 != 6) return unknown<M>(start, cap, OK);
  return ipv6<M>(p, cap, wire);
}

/** Identity and signature, whose lengths stand in the first bytes; operation 1 forwards (draft-massar-v6ops-ayiya). */
export function ayiya<M>(p: usize, cap: usize, wire: usize): u32 {
  if (cap - p < 8 || (byte(p + 2) & 15) != 1) return unknown<M>(p, cap, OK);
  const next = byte(p + 3);
  const size: usize = 8 + (<usize>1 << (byte(p) >> 4)) + ((byte(p + 1) >> 4) << 2);
  if (cap - p <= size || (next != 41 && next != 4)) return unknown<M>(p, cap, OK);
  return next == 41 ? ipv6<M>(p + size, cap, wire) : ipv4<M>(p + size, cap, wire);
}
