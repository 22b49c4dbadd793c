// PPP (RFC 1661, framing RFC 1662), PPPoE (RFC 2516) and Cisco HDLC.

import { be16, byte, lack, least, MALFORMED, OK } from '../cursor';
import * as F from '../fields';
import { descend } from '../state';
import { close, isTree, leaf, leaf8, leaf16, open } from '../tree';
import {
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_MPLS,
  ETHERTYPE_MPLS_UPSTREAM,
  etherType,
  unknown,
} from './dispatch';

/** Cisco's keepalive, under RARP's number. */
const PROTOCOL_SLARP: u32 = 0x8035;

export function ppp<M>(p: usize, cap: usize, wire: usize): u32 {
  if (!descend()) return MALFORMED;
  const start = p;
  let status = lack(p, 2, cap, wire);
  if (status) return status;
  if (be16(p) == 0xff03) p += 2; // address and control may be left out
  status = lack(p, 1, cap, wire);
  if (status) return status;
  let protocol = byte(p);
  let size: usize = 1; // an odd first byte is a compressed protocol field
  if (!(protocol & 1)) {
    status = lack(p, 2, cap, wire);
    if (status) return status;
    protocol = be16(p);
    size = 2;
  }
  if (isTree<M>()) {
    open(F.PPP, start, p + size - start);
    leaf(F.PPP_PROTOCOL, p, size, protocol);
    close();
  }
  return pppProtocol<M>(protocol, p + size, cap, wire);
}

function pppProtocol<M>(protocol: u32, p: usize, cap: usize, wire: usize): u32 {
  switch (protocol) {
    case 0x21:
      return etherType<M>(ETHERTYPE_IPV4, p, cap, wire);
    case 0x57:
      return etherType<M>(ETHERTYPE_IPV6, p, cap, wire);
    case 0x281:
      return etherType<M>(ETHERTYPE_MPLS, p, cap, wire);
    case 0x283:
      return etherType<M>(ETHERTYPE_MPLS_UPSTREAM, p, cap, wire);
    default:
      return unknown<M>(p, cap, OK); // LCP, IPCP and the like: control traffic
  }
}

export function pppoe<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 6, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.PPPOE, p, 6);
    pppoeHeader(p);
    close();
  }
  wire = least(wire, p + 6 + be16(p + 4));
  return ppp<M>(p + 6, least(cap, wire), wire);
}

/** PPPoE discovery (RFC 2516 section 5): the header of a session and tags. */
export function pppoeDiscovery<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 6, cap, wire);
  if (status || !isTree<M>()) return status;
  const end = least(cap, p + 6 + be16(p + 4));
  open(F.PPPOED, p, end - p);
  pppoeHeader(p);
  for (p += 6; end - p >= 4 && p < end; ) {
    const type = be16(p);
    const size: usize = be16(p + 2);
    leaf16(F.PPPOED_TAG, p);
    leaf16(F.PPPOED_TAG_LENGTH, p + 2);
    if (size > end - p - 4 || type == 0) break;
    if (size) leaf(tagField(type), p + 4, size, 0);
    p += 4 + size;
  }
  close();
  return OK;
}

function tagField(type: u32): u32 {
  if (type == 0x101) return F.PPPOED_TAGS_SERVICE_NAME;
  if (type == 0x102) return F.PPPOED_TAGS_AC_NAME;
  if (type == 0x103) return F.PPPOED_TAGS_HOST_UNIQ;
  if (type == 0x104) return F.PPPOED_TAGS_AC_COOKIE;
  return F.PPPOED_TAG_UNKNOWN_DATA;
}

function pppoeHeader(p: usize): void {
  leaf8(F.PPPOE_VERSION, p);
  leaf8(F.PPPOE_TYPE, p);
  leaf8(F.PPPOE_CODE, p + 1);
  leaf16(F.PPPOE_SESSION_ID, p + 2);
  leaf16(F.PPPOE_PAYLOAD_LENGTH, p + 4);
}

/** Cisco HDLC: address, control, ethertype. */
export function chdlc<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 4, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.CHDLC, p, 4);
    leaf8(F.CHDLC_ADDRESS, p);
    leaf16(F.CHDLC_PROTOCOL, p + 2);
    close();
  }
  if (be16(p + 2) == PROTOCOL_SLARP) return unknown<M>(p + 4, cap, OK);
  return etherType<M>(be16(p + 2), p + 4, cap, wire);
}
