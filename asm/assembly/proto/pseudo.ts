// Headers that a capture program, not the network, put before each packet. They say what follows: PPI, PKTAP
// and Netfilter's log by number, PF's log, OpenBSD's encapsulation interface and Solaris' ipnet by address
// family, Prism and AVS before 802.11. Numbers in the capturing machine's order are small: the order shows.

import { be16, be32, byte, lack, least, MALFORMED, OK, UNSUPPORTED } from '../cursor';
import * as F from '../fields';
import { descend } from '../state';
import { close, isTree, leaf, leaf8, leaf16, open } from '../tree';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, etherType, link, unknown } from './dispatch';
import { ieee80211 } from './ieee80211';

const NFLOG_PAYLOAD: u32 = 9;
const PF_INET: u32 = 2;

/** Little-endian. */
@inline
function le16(p: usize): u32 {
  return load<u16>(p);
}

@inline
function le32(p: usize): u32 {
  return load<u32>(p);
}

/** AF_INET is 2 everywhere, AF_INET6 10 on Linux, 24, 28 or 30 on the BSDs, 26 on Solaris. */
function family<M>(af: u32, p: usize, cap: usize, wire: usize): u32 {
  if (af == PF_INET) return etherType<M>(ETHERTYPE_IPV4, p, cap, wire);
  if (af == 10 || af == 24 || af == 26 || af == 28 || af == 30) return etherType<M>(ETHERTYPE_IPV6, p, cap, wire);
  return unknown<M>(p, cap, UNSUPPORTED);
}

/** Per-Packet Information: version, flags, length, linktype, then fields. */
export function ppi<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 8, cap, wire);
  if (status) return status;
  const size: usize = le16(p + 2);
  if (size < 8 || !descend()) return MALFORMED;
  status = lack(p, size, cap, wire);
  if (status) return status;
  if (isTree<M>()) header(F.PPI, p, size, F.PPI_DLT, p + 4, 4, le32(p + 4));
  return link<M>(le32(p + 4), p + size, cap, wire);
}

/** Apple's: length, record type (1: a packet), linktype, interface and process. */
export function pktap<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 12, cap, wire);
  if (status) return status;
  const size: usize = le32(p);
  if (size < 12 || le32(p + 4) != 1 || !descend()) return unknown<M>(p, cap, UNSUPPORTED);
  status = lack(p, size, cap, wire);
  if (status) return status;
  if (isTree<M>()) header(F.PKTAP, p, size, F.PKTAP_DLT, p + 8, 4, le32(p + 8));
  return link<M>(le32(p + 8), p + size, cap, wire);
}

function header(protocol: u32, p: usize, size: usize, field: u32, at: usize, length: usize, value: u32): void {
  open(protocol, p, size);
  leaf(field, at, length, value);
  close();
}

/** Family, version, resource, then attributes padded to four bytes (length, type), one of them the packet. */
export function nflog<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 4, cap, wire);
  if (status) return status;
  const af = byte(p);
  const start = p;
  let type: u32 = 0;
  for (p += 4; cap - p >= 4 && p < cap; ) {
    const size: usize = le16(p);
    const kind = le16(p + 2) & 0x7fff;
    if (size < 4) return MALFORMED;
    if (kind == 1 && size >= 8 && cap - p >= 6) type = be16(p + 4); // packet header: ethertype, hook
    if (kind == NFLOG_PAYLOAD) {
      if (isTree<M>()) header(F.NFLOG, start, p + 4 - start, F.NFLOG_FAMILY, start, 1, af);
      wire = least(wire, p + size);
      return nfPayload<M>(af, type, p + 4, least(cap, wire), wire);
    }
    p += (size + 3) & ~3;
  }
  return unknown<M>(start, cap, OK);
}

/** Family 3 is ARP, 7 a bridge, whose packets have an ethertype. */
function nfPayload<M>(af: u32, type: u32, p: usize, cap: usize, wire: usize): u32 {
  if (af == 3) return etherType<M>(ETHERTYPE_ARP, p, cap, wire);
  if (af == 7) return etherType<M>(type, p, cap, wire);
  return family<M>(af, p, cap, wire);
}

/** Version, family, hook, lengths and zones: 24 bytes. */
export function ipnet<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 24, cap, wire);
  if (status) return status;
  if (isTree<M>()) header(F.IPNET, p, 24, F.IPNET_FAMILY, p + 1, 1, byte(p + 1));
  return family<M>(byte(p + 1), p + 24, cap, wire);
}

/** Length without its padding to four bytes, family, action, … */
export function pflog<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 4, cap, wire);
  if (status) return status;
  const size: usize = (byte(p) + 3) & ~3;
  if (size < 4) return MALFORMED;
  status = lack(p, size, cap, wire);
  if (status) return status;
  if (isTree<M>()) header(F.PFLOG, p, size, F.PFLOG_AF, p + 1, 1, byte(p + 1));
  return family<M>(byte(p + 1), p + size, cap, wire);
}

/** Family in the machine's order, SPI, flags. */
export function enc<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 12, cap, wire);
  if (status) return status;
  const af = le32(p) > 0xffff ? be32(p) : le32(p);
  if (isTree<M>()) header(F.ENC, p, 12, F.ENC_AF, p, 4, af);
  return family<M>(af, p + 12, cap, wire);
}

/** Prism's message length stands at 4 in the machine's order; AVS' magic and length are big-endian. */
export function prism<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 8, cap, wire);
  if (status) return status;
  const avs = be32(p) >> 4 == 0x8021100;
  const length = avs || be32(p + 4) < 0x10000 ? be32(p + 4) : le32(p + 4);
  if (length < 8) return MALFORMED;
  status = lack(p, length, cap, wire);
  if (status) return status;
  if (isTree<M>()) header(avs ? F.AVS : F.PRISM, p, length, F.PRISM_MSGLEN, p + 4, 4, length);
  return ieee80211<M>(p + length, cap, wire);
}
