// IPv6 (RFC 8200) and its extension headers.

import { be16, be32, byte, lack, least, MALFORMED, OK, worse } from '../cursor';
import * as F from '../fields';
import { SEEN_IPV6, mark, network } from '../state';
import { close, isTree, leaf, leaf8, leaf16, leaf32, open } from '../tree';
import { fields as authentication } from './ah';
import { ipProtocol, laterFragment, unknown } from './dispatch';

const HEADER: usize = 40;
const NEXT_HOPOPTS: u32 = 0;
const NEXT_ROUTING: u32 = 43;
const NEXT_FRAGMENT: u32 = 44;
const NEXT_AH: u32 = 51;
const NEXT_NONE: u32 = 59;
const NEXT_DSTOPTS: u32 = 60;

export function ipv6<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 1, cap, wire);
  if (status) return status;
  if (byte(p) >> 4 != 6) return MALFORMED;
  mark(SEEN_IPV6);
  status = lack(p, HEADER, cap, wire);
  if (status) return status;
  if (isTree<M>()) fields(p);
  const payload: usize = be16(p + 4);
  // Payload length 0 is a jumbogram or segmentation offload: the frame's end counts.
  if (payload != 0) {
    if (wire - p - HEADER < payload) status = MALFORMED;
    wire = least(wire, p + HEADER + payload);
    cap = least(cap, wire);
  }
  network(6, p + 8, wire - p);
  return worse(status, extensions<M>(byte(p + 6), p + HEADER, cap, wire));
}

function extensions<M>(next: u32, p: usize, cap: usize, wire: usize): u32 {
  while (true) {
    if (next == NEXT_NONE) return unknown<M>(p, cap, OK);
    const options = next == NEXT_HOPOPTS || next == NEXT_ROUTING || next == NEXT_DSTOPTS;
    if (!options && next != NEXT_FRAGMENT && next != NEXT_AH) return ipProtocol<M>(next, p, cap, wire);
    let status = lack(p, 8, cap, wire);
    if (status) return status;
    const units: usize = byte(p + 1);
    const size: usize = next == NEXT_FRAGMENT ? 8 : next == NEXT_AH ? (units + 2) << 2 : (units + 1) << 3;
    if (isTree<M>() && next != NEXT_AH) extension(next, p, size);
    if (isTree<M>() && next == NEXT_AH && cap - p >= 12) authentication(p, size);
    if (next == NEXT_FRAGMENT && be16(p + 2) & 0xfff8) return laterFragment<M>(byte(p), p + 8, cap, wire);
    status = lack(p, size, cap, wire);
    if (status) return status;
    next = byte(p);
    p += size;
  }
}

function fields(p: usize): void {
  open(F.IPV6, p, HEADER);
  leaf(F.IPV6_VERSION, p, 1, byte(p));
  leaf(F.IPV6_TCLASS, p, 4, be32(p));
  leaf(F.IPV6_FLOW, p + 1, 3, be32(p));
  leaf16(F.IPV6_PLEN, p + 4);
  leaf8(F.IPV6_NXT, p + 6);
  leaf8(F.IPV6_HLIM, p + 7);
  leaf(F.IPV6_SRC, p + 8, 16, 0);
  leaf(F.IPV6_DST, p + 24, 16, 0);
  close();
}

function extension(kind: u32, p: usize, size: usize): void {
  if (kind == NEXT_FRAGMENT) {
    open(F.IPV6_FRAGHDR, p, size);
    leaf8(F.IPV6_FRAGHDR_NXT, p);
    leaf16(F.IPV6_FRAGHDR_OFFSET, p + 2);
    leaf16(F.IPV6_FRAGHDR_MORE, p + 2);
    leaf32(F.IPV6_FRAGHDR_IDENT, p + 4);
    close();
    return;
  }
  const field =
    kind == NEXT_HOPOPTS
      ? F.IPV6_HOPOPTS
      : kind == NEXT_ROUTING
        ? F.IPV6_ROUTING
        : F.IPV6_DSTOPTS;
  open(field, p, size);
  leaf8(F.IPV6_EXT_NXT, p);
  leaf8(F.IPV6_EXT_LEN, p + 1);
  close();
}
