// IEEE 802.11 data frames down to LLC, with or without a radiotap header. Encrypted frames and
// aggregates end here.

import { byte, lack, MALFORMED, OK, TRUNCATED } from '../cursor';
import * as F from '../fields';
import { close, isTree, leaf, leaf8, open } from '../tree';
import { unknown } from './dispatch';
import { llc } from './ethernet';

const FLAG_FCS: u32 = 0x10;
const FLAG_PAD: u32 = 0x20;
const PRESENT_TSFT: u32 = 1;
const PRESENT_FLAGS: u32 = 2;

export function radiotap<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 8, cap, wire);
  if (status) return status;
  const size: usize = load<u16>(p + 2);
  if (size < 8) return MALFORMED;
  status = lack(p, size, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.RADIOTAP, p, size);
    leaf8(F.RADIOTAP_VERSION, p);
    leaf(F.RADIOTAP_LENGTH, p + 2, 2, <u32>size);
    leaf(F.RADIOTAP_PRESENT_WORD, p + 4, 4, load<u32>(p + 4));
    close();
  }
  const flags = radiotapFlags(p, size);
  p += size;
  if (flags & FLAG_FCS && wire - p >= 4) {
    wire -= 4;
    if (cap > wire) cap = wire;
  }
  return frame80211<M>(flags & FLAG_PAD, p, cap, wire);
}

/** Flags come right after the present words and, when there is one, the 8-byte aligned TSFT. */
function radiotapFlags(p: usize, size: usize): u32 {
  const present = load<u32>(p + 4);
  if (!(present & PRESENT_FLAGS)) return 0;
  let at: usize = 4;
  while (at + 8 <= size && load<u32>(p + at) & 0x80000000) at += 4;
  at += 4;
  if (present & PRESENT_TSFT) at = ((at + 7) & ~7) + 8;
  return at < size ? byte(p + at) : 0;
}

export function ieee80211<M>(p: usize, cap: usize, wire: usize): u32 {
  return frame80211<M>(0, p, cap, wire);
}

function frame80211<M>(padded: u32, p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 10, cap, wire); // the shortest control frames
  if (status) return status;
  const type = byte(p);
  const flags = byte(p + 1);
  const qos = (type & 0x8c) == 0x88;
  let size: usize = (type & 0x0c) == 4 ? 10 : 24;
  if ((type & 0x0c) == 8) {
    if ((flags & 3) == 3) size += 6;
    if (qos) size += flags & 0x80 ? 6 : 2; // HT control follows the QoS control
  }
  if (isTree<M>()) header(p, size, cap);
  if ((type & 0x4c) != 8) return unknown<M>(p + (size < cap - p ? size : cap - p), cap, OK); // no payload
  status = lack(p, size, cap, wire);
  if (status) return status;
  const aggregate = qos && byte(p + size - (flags & 0x80 ? 6 : 2)) & 0x80;
  if (padded) size = (size + 3) & ~3;
  status = lack(p, size, cap, wire);
  if (status) return status;
  p += size;
  if (flags & 0x40 || aggregate || cap == p) return unknown<M>(p, cap, OK);
  status = llc<M>(p, cap, wire);
  return status == TRUNCATED || status == MALFORMED ? status : OK;
}

function header(p: usize, size: usize, cap: usize): void {
  open(F.WLAN, p, size);
  leaf8(F.WLAN_FC_TYPE, p);
  leaf8(F.WLAN_FC_SUBTYPE, p);
  leaf(F.WLAN_FLAGS, p + 1, 1, byte(p + 1));
  leaf(F.WLAN_RA, p + 4, 6, 0);
  if (size >= 24 && cap - p >= 24) {
    leaf(F.WLAN_TA, p + 10, 6, 0);
    leaf(F.WLAN_ADDR3, p + 16, 6, 0);
  }
  close();
}
