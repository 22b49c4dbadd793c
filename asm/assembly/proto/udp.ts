// UDP (RFC 768) and UDP-Lite (RFC 3828), whose length field says how much the checksum covers.

import { be16, lack, least, MALFORMED, OK } from '../cursor';
import * as F from '../fields';
import { touch } from '../flows';
import { mark, SEEN_UDP } from '../state';
import { close, isTree, leaf16, open } from '../tree';
import { udpPayload } from './ports';

const HEADER: usize = 8;

export function udpLite<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, HEADER, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.UDPLITE, p, HEADER);
    leaf16(F.UDP_SRCPORT, p);
    leaf16(F.UDP_DSTPORT, p + 2);
    leaf16(F.UDPLITE_CHECKSUM_COVERAGE, p + 4);
    leaf16(F.UDP_CHECKSUM, p + 6);
    close();
  } else touch(136, load<u32>(p), wire - p - HEADER);
  return cap > p + HEADER ? udpPayload<M>(load<u32>(p), p + HEADER, cap, wire) : OK;
}

export function udp<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_UDP);
  const status = lack(p, HEADER, cap, wire);
  if (status) return status;
  const ports = load<u32>(p);
  const length: usize = be16(p + 4);
  if (isTree<M>()) {
    open(F.UDP, p, HEADER);
    leaf16(F.UDP_SRCPORT, p);
    leaf16(F.UDP_DSTPORT, p + 2);
    leaf16(F.UDP_LENGTH, p + 4);
    leaf16(F.UDP_CHECKSUM, p + 6);
    close();
  }
  // Length 0 means a jumbogram (RFC 2675).
  if (length != 0 && length < HEADER) return MALFORMED;
  if (length != 0) {
    wire = least(wire, p + length);
    cap = least(cap, wire);
  }
  p += HEADER;
  if (!isTree<M>()) touch(17, ports, wire - p);
  return p < cap ? udpPayload<M>(ports, p, cap, wire) : OK;
}
