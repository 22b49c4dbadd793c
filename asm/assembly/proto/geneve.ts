// Geneve (RFC 8926).

import { be16, be32, byte, lack, least } from '../cursor';
import * as F from '../fields';
import { bytes, close, isTree, leaf, leaf8, leaf16, open } from '../tree';
import { etherType } from './dispatch';

export function geneve<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 8, cap, wire);
  if (status) return status;
  const size: usize = 8 + ((byte(p) & 63) << 2);
  status = lack(p, size, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.GENEVE, p, size);
    leaf8(F.GENEVE_VERSION, p);
    leaf8(F.GENEVE_FLAGS_OAM, p + 1);
    leaf8(F.GENEVE_FLAGS_CRITICAL, p + 1);
    leaf16(F.GENEVE_PROTO_TYPE, p + 2);
    leaf(F.GENEVE_VNI, p + 4, 3, be32(p + 4) >> 8);
    if (size > 8) options(p + 8, p + size);
    close();
  }
  return etherType<M>(be16(p + 2), p + size, cap, wire);
}

/** Class, type, length in words, data (section 3.5). */
function options(p: usize, end: usize): void {
  open(F.GENEVE_OPTIONS, p, end - p);
  while (end - p >= 4 && p < end) {
    const size: usize = (byte(p + 3) & 31) << 2;
    open(F.GENEVE_OPTION, p, least(4 + size, end - p), be16(p));
    leaf16(F.GENEVE_OPTION_CLASS, p);
    leaf8(F.GENEVE_OPTION_TYPE, p + 2);
    leaf8(F.GENEVE_OPTION_LENGTH, p + 3);
    if (size && size <= end - p - 4) bytes(F.GENEVE_OPTION_UNKNOWN_DATA, p + 4, size);
    close();
    p += 4 + size;
  }
  close();
}
