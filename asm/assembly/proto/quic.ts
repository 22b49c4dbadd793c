// QUIC long headers (RFC 9000 section 17.2, RFC 9369), by their versions on any port: Initial, 0-RTT, Handshake, Retry and
// Version Negotiation, several to a datagram. Short headers cannot be told from noise without the
// connection's state (../tcpstream.ts). A client's Initial packets are opened for the tree: quic_initial.ts.

import { be32, byte, least, OK } from '../cursor';
import * as F from '../fields';
import { announce, mayGoOn, SEEN_QUIC, SEEN_TLS } from '../state';
import { bytes, close, isTree, leaf, leaf8, leaf32, open } from '../tree';
import { unknown } from './dispatch';
import { cryptoBegin, cryptoEnd, frames } from './quic_frames';
import { hasKeys, unprotect, VERSION_2 } from './quic_initial';
import { varint, varintValue } from './quic_varint';

const CID_MAX: usize = 20;
const COALESCED_MAX: u32 = 16;
const TAG: usize = 16;

const FIXED_BIT: u32 = 0x40;
/** Shorter than the shortest ServerHello with its frame's header and the packet's tag. */
const HELLO_MIN: usize = 100;
const INITIAL: u32 = 0;
const RETRY: u32 = 3;

export function quic<M>(p: usize, cap: usize): u32 {
  if (!isLong(p, cap)) {
    if (!isTree<M>() && byte(p) & FIXED_BIT) mayGoOn();
    return unknown<M>(p, cap, OK);
  }
  announce(SEEN_QUIC);
  if (!isTree<M>() && opensHandshake(p, cap)) announce(SEEN_TLS);
  if (isTree<M>()) datagram(p, cap);
  return OK;
}

/** Versions reserved for forcing a negotiation (RFC 9000 section 15). */
@inline
function isReserved(version: u32): bool {
  return (version & 0x0f0f0f0f) == 0x0a0a0a0a;
}

/** An Initial packet too long for an acknowledgment alone, of a version with TLS: it holds a hello. */
function opensHandshake(p: usize, cap: usize): bool {
  const version = be32(p + 1);
  const speaksTls = hasKeys(version) || isReserved(version) || version >> 16 == 0x5430 || version >> 8 == 0xfaceb0;
  if (!speaksTls || kindOf(p, version) != INITIAL) return false;
  const scid = p + 7 + byte(p + 5);
  const tokenAt = scid + byte(scid - 1);
  const token = tokenAt < cap ? varint(tokenAt, cap) : 0;
  if (!token || cap - token < varintValue()) return false;
  return varint(token + varintValue(), cap) != 0 && varintValue() >= HELLO_MIN;
}

export function isLong(p: usize, cap: usize): bool {
  if (cap - p < 7 || !(byte(p) & 0x80) || !known(be32(p + 1))) return false;
  const dcid: usize = byte(p + 5);
  return dcid <= CID_MAX && cap - p >= 7 + dcid;
}

/** Negotiation, version 1 and 2, the IETF drafts, Facebook's and Google's IETF-framed versions. */
function known(version: u32): bool {
  if (version == 0 || version == 1 || version == VERSION_2 || version == 0x709a50c4) return true;
  const high = version >> 8;
  if (version >> 16 == 0x5130) return (version & 0xffff) >= 0x3530; // before Q050 Google's own framing
  return high == 0xff0000 || high == 0xfaceb0 || version >> 16 == 0x5430 || isReserved(version);
}

function datagram(p: usize, cap: usize): void {
  open(F.QUIC, p, cap - p);
  cryptoBegin();
  for (let i: u32 = 0; i < COALESCED_MAX && p && isLong(p, cap); i++) p = longHeader(p, cap);
  if (p && p < cap) {
    if (byte(p) >> 6 == 1) bytes(F.QUIC_SHORT, p, cap - p);
    else bytes(F.QUIC_REMAINING_PAYLOAD, p, cap - p);
  }
  cryptoEnd();
  close();
}

/** The four types of a version, numbered as in version 1 (RFC 9369 section 3.2 rotates them). */
function kindOf(p: usize, version: u32): u32 {
  const type = (byte(p) >> 4) & 3;
  return version == VERSION_2 ? (type + 3) & 3 : type;
}

/** One packet; where the next one starts, 0 when it cannot be told. The caller has asked isLong(). */
function longHeader(p: usize, cap: usize): usize {
  const version = be32(p + 1);
  const kind = kindOf(p, version);
  const dcidSize: usize = byte(p + 5);
  const scid = p + 7 + dcidSize;
  const scidSize: usize = byte(scid - 1);
  const numbered = version != 0 && kind != RETRY;
  const tokenAt = scid + scidSize;
  let at: usize = scidSize > CID_MAX || tokenAt > cap ? 0 : tokenAt;
  let token: usize = 0;
  let tokenSize: usize = 0;
  if (at && numbered && kind == INITIAL) {
    token = varint(at, cap);
    tokenSize = varintValue();
    at = token && cap - token >= tokenSize ? token + tokenSize : 0;
  }
  let end = cap;
  let lengthAt: usize = 0;
  let length: usize = 0;
  if (at && numbered) {
    lengthAt = at;
    at = varint(at, cap);
    length = varintValue();
    if (at && cap - at >= length) end = at + length;
  }
  let payload: usize = 0;
  const size: usize = at ? end - at : 0;
  if (at && numbered && kind == INITIAL && size == length) payload = unprotect(version, p, p + 6, dcidSize, at, end);
  open(F.QUIC_PACKET, p, end - p);
  header(p, version, dcidSize, scid, cap);
  if (token) leaf(F.QUIC_TOKEN_LENGTH, tokenAt, token - tokenAt, <u32>tokenSize);
  if (token && tokenSize) bytes(F.QUIC_TOKEN, token, tokenSize);
  if (lengthAt && at) leaf(F.QUIC_LENGTH, lengthAt, at - lengthAt, <u32>length);
  if (version == 0 && at) for (; cap - at >= 4 && at < cap; at += 4) leaf32(F.QUIC_SUPPORTED_VERSION, at);
  else if (kind == RETRY && at && cap - at >= TAG) {
    bytes(F.QUIC_RETRY_TOKEN, at, cap - at - TAG);
    bytes(F.QUIC_RETRY_INTEGRITY_TAG, cap - TAG, TAG);
  } else if (payload) {
    leaf(F.QUIC_PACKET_NUMBER, at, payload - at, packetNumber(at, payload));
    bytes(F.QUIC_PAYLOAD, payload, end - payload);
    frames(payload, end - TAG);
  } else if (size) bytes(F.QUIC_PAYLOAD, at, size);
  close();
  return numbered && at ? end : 0;
}

function header(p: usize, version: u32, dcidSize: usize, scid: usize, cap: usize): void {
  leaf8(F.QUIC_HEADER_FORM, p);
  if (version != 0) {
    leaf8(F.QUIC_FIXED_BIT, p);
    leaf8(version == VERSION_2 ? F.QUIC_LONG_PACKET_TYPE_V2 : F.QUIC_LONG_PACKET_TYPE, p);
  }
  leaf32(F.QUIC_VERSION, p + 1);
  leaf8(F.QUIC_DCIL, p + 5);
  if (dcidSize) bytes(F.QUIC_DCID, p + 6, dcidSize);
  leaf8(F.QUIC_SCIL, scid - 1);
  const scidSize: usize = byte(scid - 1);
  if (scidSize) bytes(F.QUIC_SCID, scid, least(scidSize, cap - scid));
}

function packetNumber(p: usize, end: usize): u32 {
  let number: u32 = 0;
  for (; p < end; p++) number = (number << 8) | byte(p);
  return number;
}
