// SCTP (RFC 9260): the common header, and the chunks for the tree. What DATA chunks carry is not followed.

import { be16, byte, lack, least, OK } from '../cursor';
import * as F from '../fields';
import { touch } from '../flows';
import { mark, SEEN_SCTP } from '../state';
import { bytes, close, isTree, leaf8, leaf16, leaf32, open } from '../tree';

const HEADER: usize = 12;
const CHUNK_HEADER: usize = 4;
const DATA: u32 = 0;
const INIT: u32 = 1;
const INIT_ACK: u32 = 2;
const SACK: u32 = 3;
const SHUTDOWN: u32 = 7;

export function sctp<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_SCTP);
  const status = lack(p, HEADER, cap, wire);
  if (status) return status;
  if (!isTree<M>()) touch(132, load<u32>(p), wire - p - HEADER);
  if (isTree<M>()) {
    open(F.SCTP, p, cap - p);
    leaf16(F.SCTP_SRCPORT, p);
    leaf16(F.SCTP_DSTPORT, p + 2);
    leaf32(F.SCTP_VERIFICATION_TAG, p + 4);
    leaf32(F.SCTP_CHECKSUM, p + 8);
    chunks(p + HEADER, cap);
    close();
  }
  return OK;
}

/** Type, flags, length, value, padded to four bytes (section 3.2). */
function chunks(p: usize, cap: usize): void {
  while (cap - p >= CHUNK_HEADER && p < cap) {
    const size: usize = be16(p + 2);
    if (size < CHUNK_HEADER) return;
    open(F.SCTP_CHUNK, p, least(size, cap - p), byte(p));
    leaf8(F.SCTP_CHUNK_TYPE, p);
    leaf8(F.SCTP_CHUNK_FLAGS, p + 1);
    leaf16(F.SCTP_CHUNK_LENGTH, p + 2);
    chunk(byte(p), p + CHUNK_HEADER, least(cap, p + size));
    close();
    if (cap - p <= size) return;
    p += (size + 3) & ~3;
  }
}

/** The fixed part; optional parameters are not told apart. */
function chunk(type: u32, p: usize, end: usize): void {
  const size = end - p;
  if (type == DATA && size >= 12) {
    leaf32(F.SCTP_DATA_TSN_RAW, p);
    leaf16(F.SCTP_DATA_SID, p + 4);
    leaf16(F.SCTP_DATA_SSN, p + 6);
    leaf32(F.SCTP_DATA_PAYLOAD_PROTO_ID, p + 8);
    if (size > 12) bytes(F.DATA, p + 12, size - 12);
  } else if ((type == INIT || type == INIT_ACK) && size >= 16) {
    leaf32(type == INIT ? F.SCTP_INIT_INITIATE_TAG : F.SCTP_INITACK_INITIATE_TAG, p);
    leaf32(type == INIT ? F.SCTP_INIT_CREDIT : F.SCTP_INITACK_CREDIT, p + 4);
    leaf16(type == INIT ? F.SCTP_INIT_NR_OUT_STREAMS : F.SCTP_INITACK_NR_OUT_STREAMS, p + 8);
    leaf16(type == INIT ? F.SCTP_INIT_NR_IN_STREAMS : F.SCTP_INITACK_NR_IN_STREAMS, p + 10);
    leaf32(type == INIT ? F.SCTP_INIT_INITIAL_TSN : F.SCTP_INITACK_INITIAL_TSN, p + 12);
  } else if (type == SACK && size >= 12) {
    leaf32(F.SCTP_SACK_CUMULATIVE_TSN_ACK_RAW, p);
    leaf32(F.SCTP_SACK_A_RWND, p + 4);
  } else if (type == SHUTDOWN && size >= 4) leaf32(F.SCTP_SHUTDOWN_CUMULATIVE_TSN_ACK, p);
  else if (end > p) bytes(F.SCTP_CHUNK_VALUE, p, size);
}
