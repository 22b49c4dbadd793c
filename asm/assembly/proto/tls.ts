// TLS records (RFC 8446 section 5.1): a segment that starts with a record header.

import { be16, byte, least, OK } from '../cursor';
import * as F from '../fields';
import { announce, SEEN_TLS } from '../state';
import { close, isTree, leaf8, leaf16, open } from '../tree';
import { unknown } from './dispatch';
import { handshakes } from './tls_hello';

const HEADER: usize = 5;
/** 2^14 and the expansion TLS 1.2 allows. */
const RECORD_MAX: u32 = 16384 + 2048;
const ALERT: u32 = 21;
const HANDSHAKE: u32 = 22;

export function tls<M>(p: usize, cap: usize): u32 {
  if (cap - p < HEADER || !record(p)) return unknown<M>(p, cap, OK);
  announce(SEEN_TLS);
  if (isTree<M>()) fields(p, cap);
  return OK;
}

/** A ClientHello in the framing of SSL 2.0, which offers a later version (RFC 5246 appendix E.2). */
export function sslv2Hello<M>(p: usize, cap: usize): u32 {
  const size: usize = be16(p) & 0x7fff;
  const fits = cap - p >= 11 && size >= 9 && size <= cap - p - 2;
  if (!fits || byte(p + 2) != 1 || byte(p + 3) != 3 || byte(p + 4) > 4 || be16(p + 5) % 3) return unknown<M>(p, cap, OK);
  announce(SEEN_TLS);
  if (isTree<M>()) {
    open(F.TLS, p, cap - p);
    unknown<M>(p, cap, OK);
    close();
  }
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
    const type = byte(p);
    open(F.TLS_RECORD, p, least(size, cap - p), type);
    leaf8(F.TLS_RECORD_CONTENT_TYPE, p);
    leaf16(F.TLS_RECORD_VERSION, p + 1);
    leaf16(F.TLS_RECORD_LENGTH, p + 3);
    if (type == HANDSHAKE) handshakes(p + HEADER, least(cap, p + size));
    if (type == ALERT && size == HEADER + 2 && cap - p >= size) {
      leaf8(F.TLS_ALERT_MESSAGE_LEVEL, p + HEADER);
      leaf8(F.TLS_ALERT_MESSAGE_DESC, p + HEADER + 1);
    }
    close();
    if (cap - p <= size) break;
    p += size;
  }
  close();
}
