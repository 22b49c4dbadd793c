// Local networks other than Ethernet, down to LLC or IP: FDDI, Token Ring (IEEE 802.5), ARCNET (RFC 1051 and
// RFC 1201), Frame Relay (RFC 2427, and Cisco's with an ethertype), ATM with LLC (RFC 2684, and SunATM's header).

import { be16, byte, lack, MALFORMED, OK, UNSUPPORTED } from '../cursor';
import * as F from '../fields';
import { close, isTree, leaf, leaf8, leaf16, open } from '../tree';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, etherType, unknown } from './dispatch';
import { llc } from './ethernet';

const NLPID_IPV4: u32 = 0xcc;
const NLPID_IPV6: u32 = 0x8e;
const NLPID_SNAP: u32 = 0x80;

export function fddi<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 13, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.FDDI, p, 13);
    leaf8(F.FDDI_FC, p);
    leaf(F.FDDI_DST, p + 1, 6, 0);
    leaf(F.FDDI_SRC, p + 7, 6, 0);
    close();
  }
  // Frame control CLFFZZZZ: only asynchronous LLC frames carry what is looked for.
  if ((byte(p) & 0xf0) != 0x50 && (byte(p) & 0xf0) != 0xd0) return unknown<M>(p + 13, cap, OK);
  return llc<M>(p + 13, cap, wire);
}

export function tokenRing<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 14, cap, wire);
  if (status) return status;
  let size: usize = 14;
  if (byte(p + 8) & 0x80) {
    // Source routed: the route's length is in its first byte.
    status = lack(p, 16, cap, wire);
    if (status) return status;
    size += byte(p + 14) & 0x1f;
    status = lack(p, size, cap, wire);
    if (status) return status;
  }
  if (isTree<M>()) {
    open(F.TR, p, size);
    leaf8(F.TR_FC, p + 1);
    leaf(F.TR_DST, p + 2, 6, 0);
    leaf(F.TR_SRC, p + 8, 6, 0);
    close();
  }
  if ((byte(p + 1) & 0xc0) != 0x40) return unknown<M>(p + size, cap, OK);
  return llc<M>(p + size, cap, wire);
}

/** As Linux captures it: source, destination, two bytes of offset, protocol. */
export function arcnet<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 8, cap, wire);
  if (status) return status;
  const protocol = byte(p + 4);
  // RFC 1201 adds a split flag and a sequence number, and four bytes more where the length would be ambiguous.
  const later = protocol == 212 || protocol == 213 || protocol == 214 || protocol == 196;
  const size: usize = later ? (byte(p + 5) == 0xff ? 12 : 8) : 5;
  if (isTree<M>()) {
    open(F.ARCNET, p, size);
    leaf8(F.ARCNET_SRC, p);
    leaf8(F.ARCNET_DST, p + 1);
    leaf8(F.ARCNET_PROT_ID, p + 4);
    close();
  }
  if (cap - p < size) return unknown<M>(p, cap, OK);
  p += size;
  if (protocol == 240 || protocol == 212) return etherType<M>(ETHERTYPE_IPV4, p, cap, wire);
  if (protocol == 241 || protocol == 213 || protocol == 214) return etherType<M>(ETHERTYPE_ARP, p, cap, wire);
  if (protocol == 196) return etherType<M>(ETHERTYPE_IPV6, p, cap, wire);
  return unknown<M>(p, cap, UNSUPPORTED);
}

/** Q.922 address of 2 to 4 bytes, the last of which is odd; then control and NLPID, or an ethertype. */
export function frameRelay<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 4, cap, wire);
  if (status) return status;
  const start = p;
  let size: usize = 1;
  while (size < 4 && !(byte(p + size - 1) & 1)) size++;
  if (size < 2) return MALFORMED;
  status = lack(p, size + 2, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.FR, start, size);
    leaf16(F.FR_DLCI, start);
    close();
  }
  p += size;
  if (byte(p) != 3) return etherType<M>(be16(p), p + 2, cap, wire);
  p++;
  if (byte(p) == 0 && cap - p > 1) p++; // padding to an even length
  const nlpid = byte(p);
  if (isTree<M>()) leaf8(F.FR_NLPID, p);
  p++;
  if (nlpid == NLPID_IPV4) return etherType<M>(ETHERTYPE_IPV4, p, cap, wire);
  if (nlpid == NLPID_IPV6) return etherType<M>(ETHERTYPE_IPV6, p, cap, wire);
  if (nlpid != NLPID_SNAP) return unknown<M>(p, cap, UNSUPPORTED);
  status = lack(p, 5, cap, wire);
  if (status) return status;
  if (be16(p) != 0 || byte(p + 2) != 0) return unknown<M>(p + 5, cap, UNSUPPORTED);
  return etherType<M>(be16(p + 3), p + 5, cap, wire);
}

/** Direction and traffic type, VPI, VCI; type 2 is LLC. */
export function sunAtm<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 4, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.ATM, p, 4);
    leaf8(F.ATM_VPI, p + 1);
    leaf16(F.ATM_VCI, p + 2);
    close();
  }
  if ((byte(p) & 15) != 2) return unknown<M>(p + 4, cap, UNSUPPORTED);
  return llc<M>(p + 4, cap, wire);
}
