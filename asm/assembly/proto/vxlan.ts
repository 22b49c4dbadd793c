// VXLAN (RFC 7348).

import { be16, be32, OK } from '../cursor';
import * as F from '../fields';
import { mark, SEEN_VXLAN } from '../state';
import { close, isTree, leaf, leaf16, open } from '../tree';
import { unknown } from './dispatch';
import { ethernet } from './ethernet';

const HEADER: usize = 8;

export function vxlan<M>(p: usize, cap: usize, wire: usize): u32 {
  if (cap - p < HEADER || !(load<u8>(p) & 8)) return unknown<M>(p, cap, OK);
  mark(SEEN_VXLAN);
  if (isTree<M>()) {
    open(F.VXLAN, p, HEADER);
    open(F.VXLAN_FLAGS, p, 2, be16(p));
    leaf16(F.VXLAN_FLAG_G, p);
    leaf16(F.VXLAN_FLAG_I, p);
    close();
    leaf16(F.VXLAN_GBP, p + 2);
    leaf(F.VXLAN_VNI, p + 4, 3, be32(p + 4) >> 8);
    close();
  }
  return ethernet<M>(p + HEADER, cap, wire);
}
