// ICMPv6 (RFC 4443). Types below 128 are errors and quote a packet.

import { be16, byte, lack, OK } from '../cursor';
import * as F from '../fields';
import { mark, quote, SEEN_ICMPV6 } from '../state';
import { bytes, close, isTree, leaf8, leaf16, leaf32, open } from '../tree';
import { ETHERTYPE_IPV6, etherType, unknown } from './dispatch';
import { icmpFlow } from './icmp';

const HEADER: usize = 8;
const ADVERTISEMENT_ROUTER: u32 = 134;
const SOLICITATION: u32 = 135;
const REDIRECT: u32 = 137;

export function icmpv6<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_ICMPV6);
  let status = lack(p, 4, cap, wire);
  if (status) return status;
  const type = byte(p);
  if (!isTree<M>()) icmpFlow(58, type, byte(p + 1), counterpart(type), wire - p);
  status = lack(p, HEADER, cap, wire);
  if (status) return status;
  if (isTree<M>()) fields(type, p, cap);
  p += HEADER;
  if (type < 1 || type > 4) return isTree<M>() && isMessage(type) ? OK : unknown<M>(p, cap, OK);
  quote(1);
  if (cap - p >= 40) etherType<M>(ETHERTYPE_IPV6, p, cap, wire);
  else unknown<M>(p, cap, OK);
  quote(-1);
  return OK;
}

/** Where the node of a message with options ends; the others quote or carry data. */
function isMessage(type: u32): bool {
  return (type >= 130 && type <= 137) || type == 143;
}

function fields(type: u32, p: usize, cap: usize): void {
  open(F.ICMPV6, p, isMessage(type) ? cap - p : HEADER, type);
  leaf8(F.ICMPV6_TYPE, p);
  leaf8(F.ICMPV6_CODE, p + 1);
  leaf16(F.ICMPV6_CHECKSUM, p + 2);
  if (type == 128 || type == 129) {
    leaf16(F.ICMPV6_ECHO_IDENTIFIER, p + 4);
    leaf16(F.ICMPV6_ECHO_SEQUENCE_NUMBER, p + 6);
  } else if (type == 2) leaf32(F.ICMPV6_MTU, p + 4);
  else if (type == 4) leaf32(F.ICMPV6_POINTER, p + 4);
  else if (type >= 133 && type <= 137) neighborDiscovery(type, p, cap);
  else if (type >= 130 && type <= 132 && cap - p >= 24) {
    leaf16(F.ICMPV6_MLD_MAXIMUM_RESPONSE_DELAY, p + 4);
    bytes(F.ICMPV6_MLD_MULTICAST_ADDRESS, p + 8, 16);
  } else if (type == 143) listenerReport(p, cap);
  close();
}

/** RFC 4861 section 4: fixed fields, then options. */
function neighborDiscovery(type: u32, p: usize, cap: usize): void {
  let options: usize = 8;
  if (type == ADVERTISEMENT_ROUTER) {
    options = 16;
    leaf8(F.ICMPV6_ND_RA_CUR_HOP_LIMIT, p + 4);
    open(F.ICMPV6_ND_RA_FLAG, p + 5, 1, byte(p + 5));
    leaf8(F.ICMPV6_ND_RA_FLAG_M, p + 5);
    leaf8(F.ICMPV6_ND_RA_FLAG_O, p + 5);
    close();
    leaf16(F.ICMPV6_ND_RA_ROUTER_LIFETIME, p + 6);
    if (cap - p < options) return;
    leaf32(F.ICMPV6_ND_RA_REACHABLE_TIME, p + 8);
    leaf32(F.ICMPV6_ND_RA_RETRANS_TIMER, p + 12);
  } else if (type >= SOLICITATION) {
    options = type == REDIRECT ? 40 : 24;
    if (cap - p < options) return;
    if (type == SOLICITATION) bytes(F.ICMPV6_ND_NS_TARGET_ADDRESS, p + 8, 16);
    else if (type == REDIRECT) {
      bytes(F.ICMPV6_ND_RD_TARGET_ADDRESS, p + 8, 16);
      bytes(F.ICMPV6_RD_NA_DESTINATION_ADDRESS, p + 24, 16);
    } else {
      leaf32(F.ICMPV6_ND_NA_FLAG_R, p + 4);
      leaf32(F.ICMPV6_ND_NA_FLAG_S, p + 4);
      leaf32(F.ICMPV6_ND_NA_FLAG_O, p + 4);
      bytes(F.ICMPV6_ND_NA_TARGET_ADDRESS, p + 8, 16);
    }
  }
  ndOptions(p + options, cap);
}

/** Type, length in units of eight bytes, value (RFC 4861 section 4.6, RFC 8106). */
function ndOptions(p: usize, cap: usize): void {
  while (cap - p >= 8 && p < cap) {
    const type = byte(p);
    const size: usize = byte(p + 1) << 3;
    if (!size || size > cap - p) return;
    open(F.ICMPV6_OPT, p, size, type);
    leaf8(F.ICMPV6_OPT_TYPE, p);
    leaf8(F.ICMPV6_OPT_LENGTH, p + 1);
    if (type == 1 || type == 2) bytes(F.ICMPV6_OPT_LINKADDR, p + 2, 6);
    else if (type == 3 && size == 32) prefix(p);
    else if (type == 5) leaf32(F.ICMPV6_OPT_MTU, p + 4);
    else if (type == 25) {
      leaf32(F.ICMPV6_OPT_RDNSS_LIFETIME, p + 4);
      for (let at: usize = 8; size - at >= 16 && at < size; at += 16) bytes(F.ICMPV6_OPT_RDNSS, p + at, 16);
    }
    close();
    p += size;
  }
}

function prefix(p: usize): void {
  leaf8(F.ICMPV6_OPT_PREFIX_LENGTH, p + 2);
  leaf8(F.ICMPV6_OPT_PREFIX_FLAG, p + 3);
  leaf32(F.ICMPV6_OPT_PREFIX_VALID_LIFETIME, p + 4);
  leaf32(F.ICMPV6_OPT_PREFIX_PREFERRED_LIFETIME, p + 8);
  bytes(F.ICMPV6_OPT_PREFIX, p + 16, 16);
}

/** MLDv2 (RFC 3810 section 5.2): records of type, auxiliary length, sources, group. */
function listenerReport(p: usize, cap: usize): void {
  leaf16(F.ICMPV6_MLDR_NB_MCAST_RECORDS, p + 6);
  let left = be16(p + 6);
  for (p += 8; left && cap - p >= 20 && p < cap; left--) {
    leaf8(F.ICMPV6_MLDR_MAR_RECORD_TYPE, p);
    bytes(F.ICMPV6_MLDR_MAR_MULTICAST_ADDRESS, p + 4, 16);
    p += 20 + ((<usize>be16(p + 2)) << 4) + ((<usize>byte(p + 1)) << 2);
  }
}

function counterpart(type: u32): i32 {
  switch (type) {
    case 128:
      return 129;
    case 129:
      return 128;
    case 130:
      return 131;
    case 131:
      return 130;
    case 133:
      return 134;
    case 134:
      return 133;
    case 135:
      return 136;
    case 136:
      return 135;
    case 139:
      return 140;
    case 140:
      return 139;
    case 144:
      return 145;
    case 145:
      return 144;
    default:
      return -1;
  }
}
