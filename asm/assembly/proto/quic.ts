// QUIC long headers (RFC 9000 section 17.2, RFC 9369) on port 443: Initial, 0-RTT, Handshake, Retry and
// Version Negotiation. Short headers cannot be told from noise without the connection's state.

import { be32, byte, OK } from '../cursor';
import * as F from '../fields';
import { mark, SEEN_QUIC } from '../state';
import { close, isTree, leaf, leaf8, leaf32, open } from '../tree';
import { unknown } from './dispatch';

export function quic<M>(p: usize, cap: usize): u32 {
  if (cap - p < 7 || !(byte(p) & 0x80) || !known(be32(p + 1))) return unknown<M>(p, cap, OK);
  const dcid: usize = byte(p + 5);
  if (dcid > 20 || cap - p < 7 + dcid) return unknown<M>(p, cap, OK);
  mark(SEEN_QUIC);
  if (isTree<M>()) {
    open(F.QUIC, p, cap - p);
    leaf8(F.QUIC_HEADER_FORM, p);
    leaf8(F.QUIC_LONG_PACKET_TYPE, p);
    leaf32(F.QUIC_VERSION, p + 1);
    if (dcid) leaf(F.QUIC_DCID, p + 6, dcid, 0);
    close();
  }
  return OK;
}

/** Negotiation, version 1 and 2, the IETF drafts, Facebook's and Google's IETF-framed versions. */
function known(version: u32): bool {
  if (version == 0 || version == 1 || version == 0x6b3343cf || version == 0x709a50c4) return true;
  const high = version >> 8;
  return high == 0xff0000 || high == 0xfaceb0 || version >> 16 == 0x5430 || version >> 16 == 0x5130;
}
