// DNS messages (RFC 1035) over UDP, and over TCP behind a two-byte length; multicast DNS (RFC 6762) and
// LLMNR (RFC 4795), which share the format, in the tree only. Records are in dns_records.ts.

import { be16, byte, least, OK } from '../cursor';
import * as F from '../fields';
import { mark, SEEN_DNS } from '../state';
import { close, isTree, leaf, leaf16, name, open } from '../tree';
import { unknown } from './dispatch';
import { nameEnd, records } from './dns_records';

const HEADER: usize = 12;
const OPCODE_MAX: u32 = 6;

export function dns<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_DNS);
  if (isTree<M>()) {
    if (cap - p < HEADER || !sane(p, wire)) oddity(p, cap);
    else fields(F.DNS, p, p, cap);
  }
  return OK;
}

/** On DNS's own port, but no message it could be: named, not taken apart. */
function oddity(p: usize, cap: usize): void {
  open(F.DNS, p, cap - p);
  leaf(F.DATA, p, cap - p, 0);
  close();
}

export function dnsTcp<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_DNS);
  if (isTree<M>()) {
    if (cap - p < 2 + HEADER || be16(p) < <u32>HEADER || !sane(p + 2, p + 2 + be16(p))) oddity(p, cap);
    else fields(F.DNS, p, p + 2, least(cap, p + 2 + be16(p)));
  }
  return OK;
}

/** `protocol`: F.MDNS or F.LLMNR. Their ports are used for other things too: a message says something. */
export function dnsLike(protocol: u32, p: usize, cap: usize, wire: usize): u32 {
  if (cap - p < HEADER || !sane(p, wire) || load<u64>(p + 4) == 0) return unknown<u16>(p, cap, OK);
  fields(protocol, p, p, cap);
  return OK;
}

/** A known opcode, and no more questions and records than could fit. */
function sane(p: usize, wire: usize): bool {
  const room = <u32>(wire - p - HEADER);
  const records = be16(p + 6) + be16(p + 8) + be16(p + 10);
  return ((byte(p + 2) >> 3) & 15) <= OPCODE_MAX && be16(p + 4) * 5 + records * 11 <= room;
}

/** The message starts at p; `outer` is where its length prefix starts, or p. */
function fields(protocol: u32, outer: usize, p: usize, cap: usize): void {
  open(protocol, outer, cap - outer, byte(p + 2) >> 7);
  if (outer != p) leaf16(F.DNS_LENGTH, outer);
  leaf16(F.DNS_ID, p);
  open(F.DNS_FLAGS, p + 2, 2, be16(p + 2));
  leaf16(F.DNS_FLAGS_RESPONSE, p + 2);
  leaf16(F.DNS_FLAGS_OPCODE, p + 2);
  const response = byte(p + 2) & 0x80;
  if (response) leaf16(F.DNS_FLAGS_AUTHORITATIVE, p + 2);
  leaf16(F.DNS_FLAGS_TRUNCATED, p + 2);
  leaf16(F.DNS_FLAGS_RECDESIRED, p + 2);
  if (response) leaf16(F.DNS_FLAGS_RECAVAIL, p + 2);
  if (response) leaf16(F.DNS_FLAGS_AUTHENTICATED, p + 2);
  leaf16(F.DNS_FLAGS_CHECKDISABLE, p + 2);
  if (response) leaf16(F.DNS_FLAGS_RCODE, p + 2);
  close();
  leaf16(F.DNS_COUNT_QUERIES, p + 4);
  leaf16(F.DNS_COUNT_ANSWERS, p + 6);
  leaf16(F.DNS_COUNT_AUTH_RR, p + 8);
  leaf16(F.DNS_COUNT_ADD_RR, p + 10);
  const multicast = protocol == F.MDNS;
  let at = p + HEADER;
  for (let left = be16(p + 4); left && at; left--) at = question(multicast, p, at, cap);
  if (at) records(multicast, be16(p + 6) + be16(p + 8) + be16(p + 10), p, at, cap);
  close();
}

/** Where the next one starts, 0 when this one is cut or bad. */
function question(multicast: bool, start: usize, p: usize, cap: usize): usize {
  const at = nameEnd(p, cap);
  if (!at || cap - at < 4) return 0;
  open(F.DNS_QRY, p, at + 4 - p, be16(at));
  name(F.DNS_QRY_NAME, p, at - p, start);
  leaf16(F.DNS_QRY_TYPE, at);
  if (multicast) leaf(F.DNS_QRY_CLASS, at + 2, 2, be16(at + 2) & 0x7fff);
  else leaf16(F.DNS_QRY_CLASS, at + 2);
  if (multicast) leaf16(F.DNS_QRY_QU, at + 2);
  close();
  return at + 4;
}
