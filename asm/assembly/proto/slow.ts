// Slow protocols (IEEE 802.3 annex 57A), of them LACP (IEEE 802.1AX), for the tree.

import { OK } from '../cursor';
import * as F from '../fields';
import { bytes, close, isTree, leaf8, leaf16, open } from '../tree';
import { unknown } from './dispatch';

const LACP: u8 = 1;
/** Subtype, version, and the actor's and partner's TLVs of 20 bytes. */
const LACP_SIZE: usize = 42;

export function slow<M>(p: usize, cap: usize): u32 {
  if (!isTree<M>()) return OK;
  if (cap - p < 1) return OK;
  open(F.SLOW, p, 1);
  leaf8(F.SLOW_SUBTYPE, p);
  close();
  if (load<u8>(p) != LACP || cap - p < LACP_SIZE) return unknown<u16>(p + 1, cap, OK);
  open(F.LACP, p + 1, cap - p - 1);
  leaf8(F.LACP_VERSION, p + 1);
  leaf16(F.LACP_ACTOR_SYS_PRIORITY, p + 4);
  bytes(F.LACP_ACTOR_SYSID, p + 6, 6);
  leaf16(F.LACP_ACTOR_KEY, p + 12);
  leaf16(F.LACP_ACTOR_PORT_PRIORITY, p + 14);
  leaf16(F.LACP_ACTOR_PORT, p + 16);
  leaf8(F.LACP_ACTOR_STATE, p + 18);
  leaf16(F.LACP_PARTNER_SYS_PRIORITY, p + 24);
  bytes(F.LACP_PARTNER_SYSID, p + 26, 6);
  leaf16(F.LACP_PARTNER_KEY, p + 32);
  leaf16(F.LACP_PARTNER_PORT_PRIORITY, p + 34);
  leaf16(F.LACP_PARTNER_PORT, p + 36);
  leaf8(F.LACP_PARTNER_STATE, p + 38);
  close();
  return OK;
}
