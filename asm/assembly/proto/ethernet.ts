// Ethernet II and IEEE 802.3 with LLC/SNAP (IEEE 802.2).

import { be16, byte, lack, least, MALFORMED, UNSUPPORTED } from '../cursor';
import * as F from '../fields';
import { descend, mark, SEEN_ETH } from '../state';
import { close, isTree, leaf, leaf8, leaf16, open } from '../tree';
import { ETHERTYPE_IPV4, etherType, unknown } from './dispatch';
import { stp } from './stp';

const HEADER: usize = 14;
const TYPE_MIN: u32 = 0x600;
const LENGTH_MAX: u32 = 1500;
const SAP_IP: u32 = 0x06;
const SAP_STP: u32 = 0x42;
const SAP_SNAP: u32 = 0xaa;

export function ethernet<M>(p: usize, cap: usize, wire: usize): u32 {
  if (!descend()) return MALFORMED;
  mark(SEEN_ETH);
  const status = lack(p, HEADER, cap, wire);
  if (status) return status;
  const type = be16(p + 12);
  if (isTree<M>()) {
    open(F.ETH, p, HEADER);
    leaf(F.ETH_DST, p, 6, 0);
    leaf(F.ETH_SRC, p + 6, 6, 0);
    leaf16(type < TYPE_MIN ? F.ETH_LEN : F.ETH_TYPE, p + 12);
    close();
  }
  p += HEADER;
  if (type >= TYPE_MIN) return etherType<M>(type, p, cap, wire);
  if (type > LENGTH_MAX) return unknown<M>(p, cap, UNSUPPORTED);
  wire = least(wire, p + type);
  return llc<M>(p, least(cap, wire), wire);
}

export function llc<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 3, cap, wire);
  if (status) return status;
  const dsap = byte(p);
  const snap = dsap == SAP_SNAP && byte(p + 1) == SAP_SNAP && byte(p + 2) == 3;
  if (isTree<M>()) {
    open(F.LLC, p, snap ? 8 : 3);
    leaf8(F.LLC_DSAP, p);
    leaf8(F.LLC_SSAP, p + 1);
    leaf8(F.LLC_CONTROL, p + 2);
    if (snap && cap - p >= 8) {
      leaf(F.LLC_OUI, p + 3, 3, be16(p + 4) | (byte(p + 3) << 16));
      leaf16(F.LLC_TYPE, p + 6);
    }
    close();
  }
  if (snap) return snapType<M>(p, cap, wire);
  if (dsap == SAP_STP) return stp<M>(p + 3, cap);
  if (dsap == SAP_IP) return etherType<M>(ETHERTYPE_IPV4, p + 3, cap, wire);
  return unknown<M>(p + 3, cap, UNSUPPORTED);
}

/** RFC 1042 (OUI 0) and IEEE 802.1H bridge tunnels (00-00-f8) carry an ethertype. */
function snapType<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 8, cap, wire);
  if (status) return status;
  const oui = be16(p + 4) | (byte(p + 3) << 16);
  if (oui != 0 && oui != 0xf8) return unknown<M>(p + 8, cap, UNSUPPORTED);
  return etherType<M>(be16(p + 6), p + 8, cap, wire);
}
