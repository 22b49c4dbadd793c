// GTPv1 (3GPP TS 29.281, TS 29.060). A G-PDU carries an IP packet, whose protocols and flow are counted.

import { be16, byte, lack, least, OK } from '../cursor';
import * as F from '../fields';
import { mark, SEEN_GTP } from '../state';
import { bytes, close, isTree, leaf8, leaf16, leaf32, open } from '../tree';
import { unknown } from './dispatch';
import { raw } from './raw';

const HEADER: usize = 8;
const OPTIONAL: usize = 4;
const GPDU: u32 = 255;
const EXT_UDP_PORT: u32 = 0x40;
const EXT_PDU_SESSION: u32 = 0x85;
const EXT_PDCP: u32 = 0xc0;

export function gtp<M>(p: usize, cap: usize, wire: usize): u32 {
  if (cap - p < HEADER || byte(p) >> 5 != 1 || !(byte(p) & 0x10)) return unknown<M>(p, cap, OK); // v1, not GTP'
  mark(SEEN_GTP);
  if (isTree<M>()) {
    open(F.GTP, p, headerSize(p, cap));
    fields(p, cap);
    close();
  }
  const flags = byte(p);
  if (byte(p + 1) != GPDU) return isTree<M>() ? OK : unknown<M>(p + HEADER, cap, OK);
  p += HEADER;
  if (flags & 7) {
    const status = lack(p, OPTIONAL, cap, wire); // sequence number, N-PDU number, next extension header
    if (status) return status;
    let next: u32 = flags & 4 ? byte(p + 3) : 0;
    p += OPTIONAL;
    while (next) {
      let bad = lack(p, 4, cap, wire);
      if (bad) return bad;
      const size: usize = byte(p) << 2;
      if (!size) return unknown<M>(p, cap, OK);
      bad = lack(p, size, cap, wire);
      if (bad) return bad;
      next = byte(p + size - 1);
      p += size;
    }
  }
  return p < cap ? raw<M>(p, cap, wire) : OK;
}

/** Bytes of the tree's node: a G-PDU's header alone, any other message whole. */
function headerSize(p: usize, cap: usize): usize {
  if (byte(p + 1) != GPDU) return cap - p;
  const start = p;
  const flags = byte(p);
  p += HEADER;
  if (!(flags & 7)) return HEADER;
  if (cap - p < OPTIONAL) return cap - start;
  let next: u32 = flags & 4 ? byte(p + 3) : 0;
  p += OPTIONAL;
  while (next && cap - p >= 4) {
    const size: usize = byte(p) << 2;
    if (!size || size > cap - p) break;
    next = byte(p + size - 1);
    p += size;
  }
  return p - start;
}

function fields(p: usize, cap: usize): void {
  const flags = byte(p);
  const type = byte(p + 1);
  const end = least(cap, p + HEADER + be16(p + 2));
  open(F.GTP_FLAGS, p, 1, flags);
  leaf8(F.GTP_FLAGS_VERSION, p);
  leaf8(F.GTP_FLAGS_PAYLOAD, p);
  leaf8(F.GTP_FLAGS_E, p);
  leaf8(F.GTP_FLAGS_S, p);
  leaf8(F.GTP_FLAGS_PN, p);
  close();
  leaf8(F.GTP_MESSAGE, p + 1);
  leaf16(F.GTP_LENGTH, p + 2);
  leaf32(F.GTP_TEID, p + 4);
  p += HEADER;
  if (flags & 7) {
    if (cap - p < OPTIONAL) return;
    if (flags & 2) leaf16(F.GTP_SEQ_NUMBER, p);
    if (flags & 1) leaf8(F.GTP_NPDU_NUMBER, p + 2);
    if (flags & 4) leaf8(F.GTP_EXT_HDR_NEXT, p + 3);
    const next: u32 = flags & 4 ? byte(p + 3) : 0;
    p = extensions(next, p + OPTIONAL, cap);
  }
  if (p && type != GPDU) elements(p, end);
}

/** Extension headers (TS 29.281 section 5.2); where they end, 0 when they are cut. */
function extensions(type: u32, p: usize, cap: usize): usize {
  while (type) {
    if (cap - p < 4) return 0;
    const size: usize = byte(p) << 2;
    if (!size || size > cap - p) return 0;
    open(F.GTP_EXT_HDR, p, size, type);
    leaf8(F.GTP_EXT_HDR_LENGTH, p);
    if (type == EXT_PDU_SESSION) {
      // TS 38.415 section 5.5.2: downlink and uplink both have the QFI in the second byte.
      leaf8(F.GTP_EXT_HDR_PDU_SES_CON_PDU_TYPE, p + 1);
      leaf8(F.GTP_EXT_HDR_PDU_SES_CON_QOS_FLOW_ID, p + 2);
    } else if (type == EXT_UDP_PORT) leaf16(F.GTP_EXT_HDR_UDP_PORT, p + 1);
    else if (type == EXT_PDCP) leaf16(F.GTP_EXT_HDR_PDCP_SN, p + 1);
    leaf8(F.GTP_EXT_HDR_NEXT, p + size - 1);
    close();
    type = byte(p + size - 1);
    p += size;
  }
  return p;
}

/** The information elements of GTP-U's own messages (TS 29.281 section 8); it stops at others. */
function elements(p: usize, end: usize): void {
  while (p < end) {
    const type = byte(p);
    const left = end - p;
    if (type == 14 && left >= 2) {
      leaf8(F.GTP_RECOVERY, p + 1);
      p += 2;
    } else if (type == 16 && left >= 5) {
      leaf32(F.GTP_TEID_DATA, p + 1);
      p += 5;
    } else if (type >= 128 && left >= 3) {
      const size: usize = be16(p + 1);
      if (size > left - 3) return;
      if (type == 133 && size == 4) bytes(F.GTP_GSN_IPV4, p + 3, 4);
      else if (type == 133 && size == 16) bytes(F.GTP_GSN_IPV6, p + 3, 16);
      p += 3 + size;
    } else return;
  }
}
