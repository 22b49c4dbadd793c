// Headers between Ethernet's type and another ethertype or frame, of which only the size matters for what
// follows: VN-Tag, E-Tag (802.1BR), FabricPath, provider backbone bridges (802.1ah), HSR (IEC 62439-3), MACsec
// without encryption (802.1AE), network service headers (RFC 8300).

import { be16, byte, lack, OK, UNSUPPORTED } from '../cursor';
import * as F from '../fields';
import { close, isTree, leaf, leaf8, leaf16, leaf24, leaf32, open } from '../tree';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, etherType, unknown } from './dispatch';
import { ethernet } from './ethernet';

const TCI_SCI: u32 = 0x20;
const TCI_ENCRYPTED: u32 = 0x0c;
/** Integrity check value of the default cipher suites. */
const ICV: usize = 16;

/** A tag of `size` bytes whose last two are the next ethertype. */
function tag<M>(field: u32, size: usize, p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, size, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(field, p, size);
    leaf16(F.SHIM_ETYPE, p + size - 2);
    close();
  }
  return etherType<M>(be16(p + size - 2), p + size, cap, wire);
}

export function vnTag<M>(p: usize, cap: usize, wire: usize): u32 {
  return tag<M>(F.VNTAG, 6, p, cap, wire);
}

export function eTag<M>(p: usize, cap: usize, wire: usize): u32 {
  return tag<M>(F.ETAG, 8, p, cap, wire);
}

/** Path and size, sequence number, ethertype. */
export function hsr<M>(p: usize, cap: usize, wire: usize): u32 {
  return tag<M>(F.HSR, 6, p, cap, wire);
}

/** I-TAG: priority and service identifier, then the customer's frame. */
export function backbone<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 18, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.IEEE8021AH, p, 18);
    leaf24(F.IEEE8021AH_ISID, p + 1);
    leaf(F.ETH_DST, p + 4, 6, 0);
    leaf(F.ETH_SRC, p + 10, 6, 0);
    leaf16(F.SHIM_ETYPE, p + 16);
    close();
  }
  return etherType<M>(be16(p + 16), p + 18, cap, wire);
}

/** Forwarding tag and TTL, then a whole frame. */
export function fabricPath<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 2, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.CFP, p, 2);
    leaf16(F.CFP_FTAG, p);
    close();
  }
  return ethernet<M>(p + 2, cap, wire);
}

/** Control, short length, packet number, perhaps a channel identifier; the check value ends the frame. */
export function macsec<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 6, cap, wire);
  if (status) return status;
  const control = byte(p);
  const size: usize = control & TCI_SCI ? 14 : 6;
  status = lack(p, size, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.MACSEC, p, size);
    leaf8(F.MACSEC_TCI, p);
    leaf32(F.MACSEC_PN, p + 2);
    close();
  }
  const short: usize = byte(p + 1) & 0x3f;
  p += size;
  if (control & TCI_ENCRYPTED) return unknown<M>(p, cap, OK);
  if (short && short < wire - p) wire = p + short;
  else if (wire - p > ICV) wire -= ICV;
  if (cap > wire) cap = wire;
  status = lack(p, 2, cap, wire);
  if (status) return status;
  return etherType<M>(be16(p), p + 2, cap, wire);
}

/** Base header (length in words, next protocol), service path; then metadata. */
export function nsh<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 8, cap, wire);
  if (status) return status;
  const size: usize = (byte(p + 1) & 0x3f) << 2;
  if (size < 8) return unknown<M>(p, cap, UNSUPPORTED);
  status = lack(p, size, cap, wire);
  if (status) return status;
  const next = byte(p + 3);
  if (isTree<M>()) {
    open(F.NSH, p, size);
    leaf8(F.NSH_NEXTPROTO, p + 3);
    leaf24(F.NSH_SPI, p + 4);
    leaf8(F.NSH_SI, p + 7);
    close();
  }
  p += size;
  if (next == 1) return etherType<M>(ETHERTYPE_IPV4, p, cap, wire);
  if (next == 2) return etherType<M>(ETHERTYPE_IPV6, p, cap, wire);
  if (next == 3) return ethernet<M>(p, cap, wire);
  return unknown<M>(p, cap, UNSUPPORTED);
}
