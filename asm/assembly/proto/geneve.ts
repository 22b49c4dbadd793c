// Geneve (RFC 8926).

import { be16, be32, byte, lack } from '../cursor';
import * as F from '../fields';
import { close, isTree, leaf, leaf16, open } from '../tree';
import { etherType } from './dispatch';

export function geneve<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 8, cap, wire);
  if (status) return status;
  const size: usize = 8 + ((byte(p) & 63) << 2);
  status = lack(p, size, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.GENEVE, p, size);
    leaf16(F.GENEVE_PROTO_TYPE, p + 2);
    leaf(F.GENEVE_VNI, p + 4, 3, be32(p + 4) >> 8);
    close();
  }
  return etherType<M>(be16(p + 2), p + size, cap, wire);
}
