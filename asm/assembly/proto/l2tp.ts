// L2TP version 2 over UDP (RFC 2661). Data messages carry PPP, whose protocols and flow are counted.

import { be16, lack, least, OK } from '../cursor';
import * as F from '../fields';
import { close, isTree, leaf16, open } from '../tree';
import { unknown } from './dispatch';
import { ppp } from './ppp';

const CONTROL: u32 = 0x8000;
const HAS_LENGTH: u32 = 0x4000;
const HAS_SEQUENCE: u32 = 0x0800;
const HAS_OFFSET: u32 = 0x0200;

export function l2tp<M>(p: usize, cap: usize, wire: usize): u32 {
  if (cap - p < 6 || (be16(p) & 15) != 2) return unknown<M>(p, cap, OK);
  const flags = be16(p);
  let size: usize = 6;
  if (flags & HAS_LENGTH) size += 2;
  if (flags & HAS_SEQUENCE) size += 4;
  if (flags & HAS_OFFSET) size += 2;
  if (cap - p < size) return unknown<M>(p, cap, OK);
  if (flags & HAS_LENGTH) {
    wire = least(wire, p + be16(p + 2));
    cap = least(cap, wire);
    if (cap - p < size || cap < p) return unknown<M>(p, cap < p ? p : cap, OK);
  }
  if (flags & HAS_OFFSET) size += be16(p + size - 2);
  if (isTree<M>()) fields(flags, p, size);
  const status = lack(p, size, cap, wire);
  if (status) return OK; // the offset runs past the message: padding of nothing
  p += size;
  if (flags & CONTROL || p == cap) return unknown<M>(p, cap, OK);
  return ppp<M>(p, cap, wire);
}

function fields(flags: u32, p: usize, size: usize): void {
  open(F.L2TP, p, size);
  leaf16(F.L2TP_TYPE, p);
  leaf16(F.L2TP_LENGTH_BIT, p);
  leaf16(F.L2TP_SEQ_BIT, p);
  leaf16(F.L2TP_OFFSET_BIT, p);
  leaf16(F.L2TP_PRIORITY, p);
  leaf16(F.L2TP_VERSION, p);
  p += 2;
  if (flags & HAS_LENGTH) {
    leaf16(F.L2TP_LENGTH, p);
    p += 2;
  }
  leaf16(F.L2TP_TUNNEL, p);
  leaf16(F.L2TP_SESSION, p + 2);
  p += 4;
  if (flags & HAS_SEQUENCE) {
    leaf16(F.L2TP_NS, p);
    leaf16(F.L2TP_NR, p + 2);
    p += 4;
  }
  if (flags & HAS_OFFSET) leaf16(F.L2TP_OFFSET, p);
  close();
}
