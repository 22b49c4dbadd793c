// TLS records (RFC 8446 section 5.1): a segment that starts with a record header.

import { be16, byte, OK } from '../cursor';
import * as F from '../fields';
import { mark, SEEN_TLS } from '../state';
import { close, isTree, leaf, leaf8, leaf16, open } from '../tree';
import { unknown } from './dispatch';

const HEADER: usize = 5;
/** 2^14 and the expansion TLS 1.2 allows. */
const RECORD_MAX: u32 = 16384 + 2048;
const HANDSHAKE: u32 = 22;

export function tls<M>(p: usize, cap: usize): u32 {
  if (cap - p < HEADER || !record(p)) return unknown<M>(p, cap, OK);
  mark(SEEN_TLS);
  if (isTree<M>()) fields(p, cap);
  return OK;
}

@inline
function record(p: usize): bool {
  const type = byte(p);
  const length = be16(p + 3);
  return type >= 20 && type <= 24 && byte(p + 1) == 3 && byte(p + 2) <= 4 && length != 0 && length <= RECORD_MAX;
}

function fields(p: usize, cap: usize): void {
  open(F.TLS, p, cap - p);
  while (cap - p >= HEADER && record(p)) {
    const size: usize = HEADER + be16(p + 3);
    open(F.TLS_RECORD, p, size, byte(p));
    leaf8(F.TLS_RECORD_CONTENT_TYPE, p);
    leaf16(F.TLS_RECORD_VERSION, p + 1);
    leaf16(F.TLS_RECORD_LENGTH, p + 3);
    if (byte(p) == HANDSHAKE && cap - p > HEADER) leaf(F.TLS_HANDSHAKE_TYPE, p + HEADER, 1, byte(p + HEADER));
    close();
    if (cap - p <= size) break;
    p += size;
  }
  close();
}
