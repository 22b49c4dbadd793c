// PFCP (3GPP TS 29.244): header and information elements, which nest. For the tree only. Elements without
// a case of their own show their bytes.

import { be16, byte, least, OK } from '../cursor';
import * as F from '../fields';
import { bytes, close, leaf8, leaf16, leaf24, leaf32, open } from '../tree';
import { unknown } from './dispatch';

const HEADER: usize = 8;
const HEADER_SEID: usize = 16;
const NEST_MAX: u32 = 6;

export function pfcp(p: usize, cap: usize): u32 {
  if (cap - p < HEADER || byte(p) >> 5 != 1) return unknown<u16>(p, cap, OK);
  const hasSeid = (byte(p) & 1) != 0;
  const header = hasSeid ? HEADER_SEID : HEADER;
  const end = least(cap, p + 4 + be16(p + 2));
  if (end - p < header) return unknown<u16>(p, cap, OK);
  open(F.PFCP, p, end - p, byte(p + 1));
  leaf8(F.PFCP_VERSION, p);
  leaf8(F.PFCP_MP_FLAG, p);
  leaf8(F.PFCP_S, p);
  leaf8(F.PFCP_MSG_TYPE, p + 1);
  leaf16(F.PFCP_LENGTH, p + 2);
  if (hasSeid) bytes(F.PFCP_SEID, p + 4, 8);
  leaf24(F.PFCP_SEQNO, p + header - 4);
  if (byte(p) & 2) leaf8(F.PFCP_MP, p + header - 1);
  elements(p + header, end, 0);
  close();
  return OK;
}

/** Type, length, value (section 8.1.1). */
function elements(p: usize, end: usize, depth: u32): void {
  while (end - p >= 4 && p < end) {
    const type = be16(p);
    const size: usize = be16(p + 2);
    open(F.PFCP_IE, p, least(4 + size, end - p), type);
    leaf16(F.PFCP_IE_TYPE, p);
    leaf16(F.PFCP_IE_LEN, p + 2);
    const whole = size <= end - p - 4;
    if (whole && size) {
      if (isGrouped(type) && depth < NEST_MAX) elements(p + 4, p + 4 + size, depth + 1);
      else element(type, p + 4, size);
    }
    close();
    if (!whole) return;
    p += 4 + size;
  }
}

/** Grouped elements of sessions and their rules (section 8.1.2, table 8.1.2-1). */
function isGrouped(type: u32): bool {
  if (type >= 1 && type <= 18) return true;
  if (type >= 77 && type <= 87) return type != 81 && type != 82 && type != 84;
  if (type >= 127 && type <= 130) return true;
  if (type >= 165 && type <= 169) return true;
  return (
    type == 51 || type == 54 || type == 58 || type == 59 || type == 68 || type == 99 || type == 102 || type == 105 || type == 118 ||
    type == 132 || type == 143 || type == 147 || type == 175 || type == 176
  );
}

function element(type: u32, p: usize, size: usize): void {
  if (type == 60) nodeId(p, size);
  else if (type == 57) sessionId(p, size);
  else if (type == 21) tunnelId(p, size);
  else if (type == 93) userAddress(p, size);
  else if (type == 84) outerHeader(p, size);
  else if (type == 19) leaf8(F.PFCP_CAUSE, p);
  else if (type == 96 && size >= 4) bytes(F.PFCP_RECOVERY_TIME_STAMP, p, 4);
  else if (type == 56 && size >= 2) leaf16(F.PFCP_PDR_ID, p);
  else if (type == 108 && size >= 4) leaf32(F.PFCP_FAR_ID, p);
  else if (type == 109 && size >= 4) leaf32(F.PFCP_QER_ID, p);
  else if (type == 81 && size >= 4) leaf32(F.PFCP_URR_ID, p);
  else if (type == 20) leaf8(F.PFCP_SOURCE_INTERFACE, p);
  else if (type == 42) leaf8(F.PFCP_DST_INTERFACE, p);
  else if (type == 22) bytes(F.PFCP_NETWORK_INSTANCE, p, size);
  else if (type == 124) leaf8(F.PFCP_QFI_VALUE, p);
  else if (type == 44) {
    leaf8(F.PFCP_APPLY_ACTION_DROP, p);
    leaf8(F.PFCP_APPLY_ACTION_FORW, p);
    leaf8(F.PFCP_APPLY_ACTION_BUFF, p);
    leaf8(F.PFCP_APPLY_ACTION_NOCP, p);
  } else bytes(F.PFCP_IE_DATA, p, size);
}

/** Section 8.2.38. */
function nodeId(p: usize, size: usize): void {
  leaf8(F.PFCP_NODE_ID_TYPE, p);
  const type = byte(p) & 15;
  if (type == 0 && size >= 5) bytes(F.PFCP_NODE_ID_IPV4, p + 1, 4);
  else if (type == 1 && size >= 17) bytes(F.PFCP_NODE_ID_IPV6, p + 1, 16);
  else if (type == 2 && size > 1) bytes(F.PFCP_NODE_ID_FQDN, p + 1, size - 1);
}

/** An address field if the flag is set and the bytes are there; where the next one starts. */
function address(present: u32, field: u32, p: usize, end: usize, size: usize): usize {
  if (!present) return p;
  if (end - p < size) return end;
  bytes(field, p, size);
  return p + size;
}

/** F-SEID, section 8.2.37. */
function sessionId(p: usize, size: usize): void {
  const flags = byte(p);
  const end = p + size;
  leaf8(F.PFCP_F_SEID_FLAGS_V4, p);
  leaf8(F.PFCP_F_SEID_FLAGS_V6, p);
  p = address(1, F.PFCP_SEID, p + 1, end, 8);
  p = address(flags & 2, F.PFCP_F_SEID_IPV4, p, end, 4);
  address(flags & 1, F.PFCP_F_SEID_IPV6, p, end, 16);
}

/** F-TEID, section 8.2.3: with CH the peer chooses, and nothing but a CHOOSE ID follows. */
function tunnelId(p: usize, size: usize): void {
  const flags = byte(p);
  const end = p + size;
  leaf8(F.PFCP_F_TEID_FLAGS_CH_ID, p);
  leaf8(F.PFCP_F_TEID_FLAGS_CH, p);
  leaf8(F.PFCP_F_TEID_FLAGS_V6, p);
  leaf8(F.PFCP_F_TEID_FLAGS_V4, p);
  if (flags & 4 || size < 5) return;
  leaf32(F.PFCP_F_TEID_TEID, p + 1);
  p = address(flags & 1, F.PFCP_F_TEID_IPV4_ADDR, p + 5, end, 4);
  address(flags & 2, F.PFCP_F_TEID_IPV6_ADDR, p, end, 16);
}

/** UE IP address, section 8.2.62. */
function userAddress(p: usize, size: usize): void {
  const flags = byte(p);
  const end = p + size;
  leaf8(F.PFCP_UE_IP_ADDRESS_FLAG_V6, p);
  leaf8(F.PFCP_UE_IP_ADDRESS_FLAG_V4, p);
  leaf8(F.PFCP_UE_IP_ADDRESS_FLAG_SD, p);
  p = address(flags & 2, F.PFCP_UE_IP_ADDR_IPV4, p + 1, end, 4);
  address(flags & 1, F.PFCP_UE_IP_ADDR_IPV6, p, end, 16);
}

/** Outer header creation, section 8.2.56: two bytes say which of the fields follow. */
function outerHeader(p: usize, size: usize): void {
  if (size < 2) return;
  const flags = byte(p);
  const end = p + size;
  p += 2;
  if (flags & 3) {
    if (end - p < 4) return;
    leaf32(F.PFCP_OUTER_HDR_CREATION_TEID, p);
    p += 4;
  }
  p = address(flags & 0x15, F.PFCP_OUTER_HDR_CREATION_IPV4, p, end, 4);
  p = address(flags & 0x2a, F.PFCP_OUTER_HDR_CREATION_IPV6, p, end, 16);
  if (flags & 0x0c && end - p >= 2) leaf16(F.PFCP_OUTER_HDR_CREATION_PORT, p);
}
