// GTPv1 (3GPP TS 29.281, TS 29.060). A G-PDU carries an IP packet, whose protocols and flow are counted.

import { byte, lack, OK } from '../cursor';
import * as F from '../fields';
import { mark, SEEN_GTP } from '../state';
import { close, isTree, leaf8, leaf16, leaf32, open } from '../tree';
import { unknown } from './dispatch';
import { raw } from './raw';

const GPDU: u32 = 255;

export function gtp<M>(p: usize, cap: usize, wire: usize): u32 {
  if (cap - p < 8 || byte(p) >> 5 != 1 || !(byte(p) & 0x10)) return unknown<M>(p, cap, OK); // v1, not GTP'
  mark(SEEN_GTP);
  const flags = byte(p);
  if (isTree<M>()) {
    open(F.GTP, p, 8);
    leaf8(F.GTP_FLAGS, p);
    leaf8(F.GTP_MESSAGE, p + 1);
    leaf16(F.GTP_LENGTH, p + 2);
    leaf32(F.GTP_TEID, p + 4);
    close();
  }
  if (byte(p + 1) != GPDU) return unknown<M>(p + 8, cap, OK);
  p += 8;
  if (flags & 7) {
    const status = lack(p, 4, cap, wire); // sequence number, N-PDU number, next extension header
    if (status) return status;
    let next: u32 = flags & 4 ? byte(p + 3) : 0;
    p += 4;
    while (next) {
      let bad = lack(p, 4, cap, wire);
      if (bad) return bad;
      const size: usize = byte(p) << 2;
      if (!size) return unknown<M>(p, cap, OK);
      bad = lack(p, size, cap, wire);
      if (bad) return bad;
      next = byte(p + size - 1);
      p += size;
    }
  }
  return p < cap ? raw<M>(p, cap, wire) : OK;
}
