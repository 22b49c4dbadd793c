// Linux "cooked" captures, versions 1 and 2.

import { be16, byte, lack, least, UNSUPPORTED } from '../cursor';
import * as F from '../fields';
import { close, isTree, leaf, leaf8, leaf16, leaf32, open } from '../tree';
import { etherType, unknown } from './dispatch';
import { llc } from './ethernet';
import { radiotap } from './ieee80211';

const ARPHRD_IPGRE: u32 = 778;
const ARPHRD_NETLINK: u32 = 824;
const ARPHRD_RADIOTAP: u32 = 803;

export function sll<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 16, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.SLL, p, 16);
    leaf16(F.SLL_PKTTYPE, p);
    leaf16(F.SLL_HATYPE, p + 2);
    leaf16(F.SLL_HALEN, p + 4);
    address(be16(p + 4), p + 6);
    leaf16(F.SLL_ETYPE, p + 14);
    close();
  }
  return payload<M>(be16(p + 2), be16(p + 14), p + 16, cap, wire);
}

export function sll2<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 20, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.SLL, p, 20);
    leaf16(F.SLL_ETYPE, p);
    leaf32(F.SLL_IFINDEX, p + 4);
    leaf16(F.SLL_HATYPE, p + 8);
    leaf8(F.SLL_PKTTYPE, p + 10);
    leaf8(F.SLL_HALEN, p + 11);
    address(byte(p + 11), p + 12);
    close();
  }
  return payload<M>(be16(p + 8), be16(p), p + 20, cap, wire);
}

function address(size: usize, p: usize): void {
  if (size == 6) leaf(F.SLL_SRC_ETH, p, 6, 0);
  else if (size) leaf(F.SLL_SRC_OTHER, p, least(size, 8), 0);
}

/** The protocol field's meaning depends on the device's ARPHRD type. */
function payload<M>(hatype: u32, type: u32, p: usize, cap: usize, wire: usize): u32 {
  if (hatype == ARPHRD_RADIOTAP) return radiotap<M>(p, cap, wire);
  if (hatype == ARPHRD_NETLINK) return unknown<M>(p, cap, UNSUPPORTED);
  if (hatype == ARPHRD_IPGRE) return etherType<M>(type, p, cap, wire);
  if (type == 4) return llc<M>(p, cap, wire); // LINUX_SLL_P_802_2
  if (type < 0x600) return unknown<M>(p, cap, UNSUPPORTED);
  return etherType<M>(type, p, cap, wire);
}
