// IGMP versions 1 to 3 (RFC 1112, 2236, 3376), for the tree only.

import { be16, byte, OK } from '../cursor';
import * as F from '../fields';
import { bytes, close, leaf, leaf8, leaf16, open } from '../tree';
import { unknown } from './dispatch';

const HEADER: usize = 8;
const QUERY: u32 = 0x11;
const REPORT_1: u32 = 0x12;
const REPORT_2: u32 = 0x16;
const LEAVE: u32 = 0x17;
const REPORT_3: u32 = 0x22;

export function igmp(p: usize, cap: usize): u32 {
  if (cap - p < HEADER || !known(byte(p))) return unknown<u16>(p, cap, OK);
  const type = byte(p);
  const version: u32 = type == REPORT_3 || (type == QUERY && cap - p >= 12) ? 3 : type == REPORT_1 || (type == QUERY && byte(p + 1) == 0) ? 1 : 2;
  open(F.IGMP, p, cap - p, type);
  leaf(F.IGMP_VERSION, p, 1, version);
  leaf8(F.IGMP_TYPE, p);
  if (version == 2 || (version == 3 && type == QUERY)) leaf8(F.IGMP_MAX_RESP, p + 1);
  leaf16(F.IGMP_CHECKSUM, p + 2);
  if (type == REPORT_3) groupRecords(p, cap);
  else bytes(F.IGMP_MADDR, p + 4, 4);
  if (version == 3 && type == QUERY) {
    leaf8(F.IGMP_S, p + 8);
    leaf8(F.IGMP_QRV, p + 8);
    leaf8(F.IGMP_QQIC, p + 9);
    leaf16(F.IGMP_NUM_SRC, p + 10);
    sources(be16(p + 10), p + 12, cap);
  }
  close();
  return OK;
}

/** Other types carry routing protocols. */
function known(type: u32): bool {
  return type == QUERY || type == REPORT_1 || type == REPORT_2 || type == LEAVE || type == REPORT_3;
}

function sources(count: u32, p: usize, cap: usize): usize {
  for (; count && cap - p >= 4 && p < cap; count--, p += 4) bytes(F.IGMP_SADDR, p, 4);
  return p;
}

/** RFC 3376 section 4.2. */
function groupRecords(p: usize, cap: usize): void {
  leaf16(F.IGMP_NUM_GRP_RECS, p + 6);
  let left = be16(p + 6);
  for (p += HEADER; left && cap - p >= 8 && p < cap; left--) {
    leaf8(F.IGMP_RECORD_TYPE, p);
    leaf8(F.IGMP_AUX_DATA_LEN, p + 1);
    leaf16(F.IGMP_NUM_SRC, p + 2);
    bytes(F.IGMP_MADDR, p + 4, 4);
    p = sources(be16(p + 2), p + 8, cap) + ((<usize>byte(p + 1)) << 2);
  }
}
