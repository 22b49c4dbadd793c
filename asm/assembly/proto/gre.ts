// GRE (RFC 2784, 2890), its PPTP variant (RFC 2637), and ERSPAN over it.

import { be16, lack, OK, UNSUPPORTED } from '../cursor';
import * as F from '../fields';
import { mark, SEEN_GRE } from '../state';
import { close, isTree, leaf16, leaf32, open } from '../tree';
import { etherType, unknown } from './dispatch';
import { ethernet } from './ethernet';
import { ppp } from './ppp';

const PROTOCOL_PPP: u32 = 0x880b;
const PROTOCOL_ERSPAN: u32 = 0x88be;
const PROTOCOL_ERSPAN3: u32 = 0x22eb;
const HAS_CHECKSUM: u32 = 0x8000;
const HAS_ROUTING: u32 = 0x4000;
const HAS_KEY: u32 = 0x2000;
const HAS_SEQUENCE: u32 = 0x1000;
const HAS_ACK: u32 = 0x0080;

export function gre<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_GRE);
  let status = lack(p, 4, cap, wire);
  if (status) return status;
  const flags = be16(p);
  const type = be16(p + 2);
  const size = headerSize(flags);
  status = lack(p, size, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.GRE, p, size, type);
    leaf16(F.GRE_FLAGS_AND_VERSION, p);
    leaf16(F.GRE_PROTO, p + 2);
    if (flags & HAS_KEY) leaf32(F.GRE_KEY, p + (flags & (HAS_CHECKSUM | HAS_ROUTING) ? 8 : 4));
    close();
  }
  p += size;
  if (p == cap) return OK;
  if (type == PROTOCOL_PPP) return ppp<M>(p, cap, wire);
  if (type == PROTOCOL_ERSPAN || type == PROTOCOL_ERSPAN3) return erspan<M>(type, flags, p, cap, wire);
  if (flags & HAS_ROUTING) return unknown<M>(p, cap, UNSUPPORTED);
  return etherType<M>(type, p, cap, wire);
}

function headerSize(flags: u32): usize {
  let size: usize = 4;
  if (flags & (HAS_CHECKSUM | HAS_ROUTING)) size += 4;
  if (flags & HAS_KEY) size += 4;
  if (flags & HAS_SEQUENCE) size += 4;
  if ((flags & 7) == 1 && flags & HAS_ACK) size += 4;
  return size;
}

/** Type I has no header of its own (no GRE sequence), type II 8 bytes, type III 12 and 8 more if flagged. */
function erspan<M>(type: u32, flags: u32, p: usize, cap: usize, wire: usize): u32 {
  if (type == PROTOCOL_ERSPAN) {
    const size: usize = flags & HAS_SEQUENCE ? 8 : 0;
    return cap - p < size ? unknown<M>(p, cap, OK) : ethernet<M>(p + size, cap, wire);
  }
  const status = lack(p, 12, cap, wire);
  if (status) return status;
  const size: usize = be16(p + 10) & 1 ? 20 : 12;
  return cap - p < size ? unknown<M>(p, cap, OK) : ethernet<M>(p + size, cap, wire);
}
