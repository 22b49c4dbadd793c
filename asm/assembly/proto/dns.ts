// DNS messages (RFC 1035) over UDP, and over TCP behind a two-byte length. The first question is shown.

import { be16, byte, OK } from '../cursor';
import * as F from '../fields';
import { mark, SEEN_DNS } from '../state';
import { close, isTree, leaf, leaf16, open } from '../tree';
import { unknown } from './dispatch';

const HEADER: usize = 12;
const OPCODE_MAX: u32 = 6;

export function dns<M>(p: usize, cap: usize, wire: usize): u32 {
  if (cap - p < HEADER || !sane(p, wire)) return unknown<M>(p, cap, OK);
  mark(SEEN_DNS);
  if (isTree<M>()) fields(p, cap);
  return OK;
}

export function dnsTcp<M>(p: usize, cap: usize, wire: usize): u32 {
  if (cap - p < 2 + HEADER || be16(p) < <u32>HEADER || !sane(p + 2, p + 2 + be16(p)))
    return unknown<M>(p, cap, OK);
  mark(SEEN_DNS);
  if (isTree<M>()) fields(p + 2, cap);
  return OK;
}

/** A known opcode, and no more questions and records than could fit. */
function sane(p: usize, wire: usize): bool {
  const room = <u32>(wire - p - HEADER);
  const records = be16(p + 6) + be16(p + 8) + be16(p + 10);
  return ((byte(p + 2) >> 3) & 15) <= OPCODE_MAX && be16(p + 4) * 5 + records * 11 <= room;
}

function fields(p: usize, cap: usize): void {
  open(F.DNS, p, cap - p, byte(p + 2) >> 7);
  leaf16(F.DNS_ID, p);
  open(F.DNS_FLAGS, p + 2, 2, be16(p + 2));
  leaf16(F.DNS_FLAGS_RESPONSE, p + 2);
  leaf16(F.DNS_FLAGS_OPCODE, p + 2);
  leaf16(F.DNS_FLAGS_TRUNCATED, p + 2);
  leaf16(F.DNS_FLAGS_RECDESIRED, p + 2);
  leaf16(F.DNS_FLAGS_RCODE, p + 2);
  close();
  leaf16(F.DNS_COUNT_QUERIES, p + 4);
  leaf16(F.DNS_COUNT_ANSWERS, p + 6);
  leaf16(F.DNS_COUNT_AUTH_RR, p + 8);
  leaf16(F.DNS_COUNT_ADD_RR, p + 10);
  if (be16(p + 4)) question(p + HEADER, cap);
  close();
}

/** The first name cannot be compressed: nothing comes before it to point at. */
function question(p: usize, cap: usize): void {
  let at = p;
  while (at < cap && byte(at)) {
    if (byte(at) > 63) return;
    at += byte(at) + 1;
  }
  if (at >= cap || cap - at < 5) return;
  leaf(F.DNS_QRY_NAME, p, at + 1 - p, 0);
  leaf16(F.DNS_QRY_TYPE, at + 1);
  leaf16(F.DNS_QRY_CLASS, at + 3);
}
