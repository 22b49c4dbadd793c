// NTP (RFC 5905), for the tree only. Of control and private messages (modes 6 and 7) the first byte.

import { byte, OK } from '../cursor';
import * as F from '../fields';
import { bytes, close, leaf8, leaf32, open } from '../tree';
import { unknown } from './dispatch';

const HEADER: usize = 48;
const MODE_CONTROL: u32 = 6;

export function ntp(p: usize, cap: usize): u32 {
  const mode = cap > p ? byte(p) & 7 : 0;
  const version = cap > p ? (byte(p) >> 3) & 7 : 0;
  if (version < 1 || version > 4 || mode == 0 || (mode < MODE_CONTROL && cap - p < HEADER)) return unknown<u16>(p, cap, OK);
  open(F.NTP, p, cap - p);
  leaf8(F.NTP_FLAGS_LI, p);
  leaf8(F.NTP_FLAGS_VN, p);
  leaf8(F.NTP_FLAGS_MODE, p);
  if (mode < MODE_CONTROL) {
    leaf8(F.NTP_STRATUM, p + 1);
    leaf8(F.NTP_PPOLL, p + 2);
    leaf8(F.NTP_PRECISION, p + 3);
    leaf32(F.NTP_ROOTDELAY, p + 4);
    leaf32(F.NTP_ROOTDISPERSION, p + 8);
    bytes(F.NTP_REFID, p + 12, 4);
    bytes(F.NTP_REFTIME, p + 16, 8);
    bytes(F.NTP_ORG, p + 24, 8);
    bytes(F.NTP_REC, p + 32, 8);
    bytes(F.NTP_XMT, p + 40, 8);
  }
  close();
  return OK;
}
