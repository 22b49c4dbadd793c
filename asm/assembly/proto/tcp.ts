// TCP (RFC 9293): header and options. What the segments tell of a connection is in ../tcpstate.ts.

import { be16, be32, byte, lack, least, MALFORMED, OK } from '../cursor';
import * as F from '../fields';
import { touchTcp } from '../flows';
import { mark, SEEN_TCP } from '../state';
import { close, isTree, leaf, leaf8, leaf16, leaf32, open } from '../tree';
import { tcpPayload } from './ports';

const HEADER_MIN: usize = 20;

export function tcp<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_TCP);
  let status = lack(p, HEADER_MIN, cap, wire);
  if (status) return status;
  const header: usize = (byte(p + 12) >> 4) << 2;
  if (isTree<M>()) fields(p, header, cap);
  if (header < HEADER_MIN) return MALFORMED;
  status = lack(p, header, cap, wire);
  if (!isTree<M>() && status != MALFORMED) touchTcp(p, header, wire);
  if (status) return status;
  const ports = load<u32>(p);
  p += header;
  return p < cap ? tcpPayload<M>(ports, p, cap, wire) : OK;
}

function fields(p: usize, header: usize, cap: usize): void {
  open(F.TCP, p, header < HEADER_MIN ? HEADER_MIN : header);
  leaf16(F.TCP_SRCPORT, p);
  leaf16(F.TCP_DSTPORT, p + 2);
  leaf32(F.TCP_SEQ_RAW, p + 4);
  leaf32(F.TCP_ACK_RAW, p + 8);
  leaf8(F.TCP_HDR_LEN, p + 12);
  open(F.TCP_FLAGS, p + 12, 2, be16(p + 12));
  leaf16(F.TCP_FLAGS_RES, p + 12);
  leaf16(F.TCP_FLAGS_AE, p + 12);
  leaf16(F.TCP_FLAGS_CWR, p + 12);
  leaf16(F.TCP_FLAGS_ECE, p + 12);
  leaf16(F.TCP_FLAGS_URG, p + 12);
  leaf16(F.TCP_FLAGS_ACK, p + 12);
  leaf16(F.TCP_FLAGS_PUSH, p + 12);
  leaf16(F.TCP_FLAGS_RESET, p + 12);
  leaf16(F.TCP_FLAGS_SYN, p + 12);
  leaf16(F.TCP_FLAGS_FIN, p + 12);
  close();
  leaf16(F.TCP_WINDOW_SIZE_VALUE, p + 14);
  leaf16(F.TCP_CHECKSUM, p + 16);
  leaf16(F.TCP_URGENT_POINTER, p + 18);
  if (header > HEADER_MIN && cap - p > HEADER_MIN) {
    const size = least(header, cap - p) - HEADER_MIN;
    open(F.TCP_OPTIONS, p + HEADER_MIN, size);
    options(p + HEADER_MIN, p + HEADER_MIN + size);
    close();
  }
  close();
}

/** Kind, length, value (RFC 9293 3.1, RFC 7323, RFC 2018). */
function options(p: usize, end: usize): void {
  while (p < end) {
    const kind = byte(p);
    if (kind < 2) {
      leaf(kind == 0 ? F.TCP_OPTIONS_EOL : F.TCP_OPTIONS_NOP, p, 1, kind);
      p++;
      if (kind == 0) return;
      continue;
    }
    if (end - p < 2) return;
    const size: usize = byte(p + 1);
    if (size < 2 || size > end - p) return;
    option(kind, p, size);
    p += size;
  }
}

function option(kind: u32, p: usize, size: usize): void {
  if (kind == 2 && size == 4) leaf(F.TCP_OPTIONS_MSS_VAL, p, size, be16(p + 2));
  else if (kind == 3 && size == 3) leaf(F.TCP_OPTIONS_WSCALE_SHIFT, p, size, byte(p + 2));
  else if (kind == 4) leaf(F.TCP_OPTIONS_SACK_PERM, p, size, 0);
  else if (kind == 5) leaf(F.TCP_OPTIONS_SACK, p, size, <u32>(size - 2) >> 3);
  else if (kind == 8 && size == 10) {
    open(F.TCP_OPTIONS_TIMESTAMP, p, size);
    leaf32(F.TCP_OPTIONS_TIMESTAMP_TSVAL, p + 2);
    leaf32(F.TCP_OPTIONS_TIMESTAMP_TSECR, p + 6);
    close();
  } else leaf(F.TCP_OPTION_KIND, p, size, kind);
}
