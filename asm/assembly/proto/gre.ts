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
    fields(flags, p);
    close();
  }
  p += size;
  if (p == cap) return OK;
  if (type == PROTOCOL_PPP) return ppp<M>(p, cap, wire);
  if (type == PROTOCOL_ERSPAN || type == PROTOCOL_ERSPAN3) return erspan<M>(type, flags, p, cap, wire);
  if (flags & HAS_ROUTING) return unknown<M>(p, cap, UNSUPPORTED);
  return etherType<M>(type, p, cap, wire);
}

/** The optional fields follow in this order; PPTP's key is a length and a call (RFC 2637 section 4.1). */
function fields(flags: u32, p: usize): void {
  open(F.GRE_FLAGS_AND_VERSION, p, 2, flags);
  leaf16(F.GRE_FLAGS_CHECKSUM, p);
  leaf16(F.GRE_FLAGS_ROUTING, p);
  leaf16(F.GRE_FLAGS_KEY, p);
  leaf16(F.GRE_FLAGS_SEQUENCE_NUMBER, p);
  if ((flags & 7) == 1) leaf16(F.GRE_FLAGS_ACK, p);
  leaf16(F.GRE_FLAGS_VERSION, p);
  close();
  leaf16(F.GRE_PROTO, p + 2);
  p += 4;
  if (flags & (HAS_CHECKSUM | HAS_ROUTING)) {
    leaf16(F.GRE_CHECKSUM, p);
    leaf16(F.GRE_OFFSET, p + 2);
    p += 4;
  }
  if (flags & HAS_KEY) {
    if ((flags & 7) == 1) {
      leaf16(F.GRE_KEY_PAYLOAD_LENGTH, p);
      leaf16(F.GRE_KEY_CALL_ID, p + 2);
    } else leaf32(F.GRE_KEY, p);
    p += 4;
  }
  if (flags & HAS_SEQUENCE) {
    leaf32(F.GRE_SEQUENCE_NUMBER, p);
    p += 4;
  }
  if ((flags & 7) == 1 && flags & HAS_ACK) leaf32(F.GRE_ACK_NUMBER, p);
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
    if (cap - p < size) return unknown<M>(p, cap, OK);
    if (isTree<M>() && size) erspanFields(p, size);
    return ethernet<M>(p + size, cap, wire);
  }
  const status = lack(p, 12, cap, wire);
  if (status) return status;
  const size: usize = be16(p + 10) & 1 ? 20 : 12;
  if (cap - p < size) return unknown<M>(p, cap, OK);
  if (isTree<M>()) erspanFields(p, size);
  return ethernet<M>(p + size, cap, wire);
}

/** Types II and III share the first word; the second is an index or a time. */
function erspanFields(p: usize, size: usize): void {
  open(F.ERSPAN, p, size);
  leaf16(F.ERSPAN_VERSION, p);
  leaf16(F.ERSPAN_VLAN, p);
  leaf16(F.ERSPAN_COS, p + 2);
  leaf16(F.ERSPAN_SPANID, p + 2);
  leaf32(size == 8 ? F.ERSPAN_INDEX : F.ERSPAN_TIMESTAMP, p + 4);
  close();
}
