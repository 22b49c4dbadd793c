// SCTP common header (RFC 9260); chunks are not followed yet.

import { lack, OK } from '../cursor';
import * as F from '../fields';
import { touch } from '../flows';
import { mark, SEEN_SCTP } from '../state';
import { close, isTree, leaf16, leaf32, open } from '../tree';
import { unknown } from './dispatch';

const HEADER: usize = 12;

export function sctp<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_SCTP);
  const status = lack(p, HEADER, cap, wire);
  if (status) return status;
  if (!isTree<M>()) touch(132, load<u32>(p), wire - p - HEADER);
  if (isTree<M>()) {
    open(F.SCTP, p, HEADER);
    leaf16(F.SCTP_SRCPORT, p);
    leaf16(F.SCTP_DSTPORT, p + 2);
    leaf32(F.SCTP_VERIFICATION_TAG, p + 4);
    leaf32(F.SCTP_CHECKSUM, p + 8);
    close();
  }
  return unknown<M>(p + HEADER, cap, OK);
}
