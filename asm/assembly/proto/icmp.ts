// ICMP (RFC 792). Errors quote the packet that caused them: its protocols are counted, its flow is not.

import { be16, byte, lack, OK } from '../cursor';
import * as F from '../fields';
import { KIND_ONE_WAY, touch } from '../flows';
import { mark, quote, SEEN_ICMP } from '../state';
import { bytes, close, isTree, leaf8, leaf16, leaf32, open } from '../tree';
import { ETHERTYPE_IPV4, etherType, unknown } from './dispatch';

const HEADER: usize = 8;

export function icmp<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_ICMP);
  let status = lack(p, 4, cap, wire);
  if (status) return status;
  const type = byte(p);
  if (!isTree<M>()) icmpFlow(1, type, byte(p + 1), counterpart(type), wire - p);
  status = lack(p, HEADER, cap, wire);
  if (status) return status;
  const echo = type == 0 || type == 8;
  if (isTree<M>()) {
    open(F.ICMP, p, nodeSize(type, cap - p), type);
    leaf8(F.ICMP_TYPE, p);
    leaf8(F.ICMP_CODE, p + 1);
    leaf16(F.ICMP_CHECKSUM, p + 2);
    if (echo || (type >= 13 && type <= 18)) {
      leaf16(F.ICMP_IDENT, p + 4);
      leaf16(F.ICMP_SEQ, p + 6);
    }
    details(type, p, cap);
    close();
  }
  p += HEADER;
  // Unreachable, source quench, redirect, time exceeded, parameter problem (section "Message Formats").
  if (type != 3 && type != 4 && type != 5 && type != 11 && type != 12) return unknown<M>(p, cap, OK);
  quote(1);
  // Errors quote only the start of a packet: what is missing there is no fault.
  if (cap - p >= 20) etherType<M>(ETHERTYPE_IPV4, p, cap, wire);
  else unknown<M>(p, cap, OK);
  quote(-1);
  return OK;
}

/** Timestamps and address masks follow the header of their messages. */
function nodeSize(type: u32, left: usize): usize {
  if ((type == 13 || type == 14) && left >= 20) return 20;
  if ((type == 17 || type == 18) && left >= 12) return 12;
  return HEADER;
}

/** What the second word and the body say, by type. */
function details(type: u32, p: usize, cap: usize): void {
  if (type == 3 && byte(p + 1) == 4) leaf16(F.ICMP_MTU, p + 6); // RFC 1191
  if (type == 5) bytes(F.ICMP_REDIR_GW, p + 4, 4);
  if (type == 12) leaf8(F.ICMP_POINTER, p + 4);
  if ((type == 13 || type == 14) && cap - p >= 20) {
    leaf32(F.ICMP_ORIGINATE_TIMESTAMP, p + 8);
    leaf32(F.ICMP_RECEIVE_TIMESTAMP, p + 12);
    leaf32(F.ICMP_TRANSMIT_TIMESTAMP, p + 16);
  }
  if ((type == 17 || type == 18) && cap - p >= 12) bytes(F.ICMP_ADDRESS_MASK, p + 8, 4);
}

/**
 * ICMP has no ports: as Zeek and Community ID do, a request and its answer share a flow under
 * (type, answer's type); anything else goes by (type, code), one way. In header order, network bytes.
 */
export function icmpFlow(protocol: u32, type: u32, code: u32, answer: i32, length: usize): void {
  const other = answer >= 0 ? <u32>answer : code;
  const ports = <u32>bswap<u16>(<u16>type) | ((<u32>bswap<u16>(<u16>other)) << 16);
  touch(protocol, ports, length > HEADER ? length - HEADER : 0, answer >= 0 ? 0 : KIND_ONE_WAY);
}

function counterpart(type: u32): i32 {
  switch (type) {
    case 0:
      return 8;
    case 8:
      return 0;
    case 9:
      return 10;
    case 10:
      return 9;
    case 13:
      return 14;
    case 14:
      return 13;
    case 15:
      return 16;
    case 16:
      return 15;
    case 17:
      return 18;
    case 18:
      return 17;
    default:
      return -1;
  }
}
