// Spanning tree BPDUs (IEEE 802.1D, 802.1w), for the tree.

import { OK } from '../cursor';
import * as F from '../fields';
import { bytes, close, isTree, leaf8, leaf16, leaf32, open } from '../tree';
import { unknown } from './dispatch';

const TOPOLOGY_CHANGE: u8 = 0x80;

export function stp<M>(p: usize, cap: usize): u32 {
  if (!isTree<M>()) return OK;
  if (cap - p < 4 || load<u16>(p) != 0) return unknown<u16>(p, cap, OK);
  open(F.STP, p, cap - p);
  leaf16(F.STP_PROTOCOL, p);
  leaf8(F.STP_VERSION, p + 2);
  leaf8(F.STP_TYPE, p + 3);
  if (load<u8>(p + 3) != TOPOLOGY_CHANGE && cap - p >= 35) configuration(p);
  close();
  return OK;
}

function configuration(p: usize): void {
  leaf8(F.STP_FLAGS, p + 4);
  leaf16(F.STP_ROOT_PRIO, p + 5);
  leaf16(F.STP_ROOT_EXT, p + 5);
  bytes(F.STP_ROOT_HW, p + 7, 6);
  leaf32(F.STP_ROOT_COST, p + 13);
  leaf16(F.STP_BRIDGE_PRIO, p + 17);
  leaf16(F.STP_BRIDGE_EXT, p + 17);
  bytes(F.STP_BRIDGE_HW, p + 19, 6);
  leaf16(F.STP_PORT, p + 25);
  leaf16(F.STP_MSG_AGE, p + 27);
  leaf16(F.STP_MAX_AGE, p + 29);
  leaf16(F.STP_HELLO, p + 31);
  leaf16(F.STP_FORWARD, p + 33);
}
