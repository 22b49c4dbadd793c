// BSD loopback: a 4-byte address family, in the byte order of the capturing machine (NULL) or
// network order (LOOP). Families are small, so the order shows by itself.

import { be16, be32, lack, UNSUPPORTED } from '../cursor';
import * as F from '../fields';
import { close, isTree, leaf, open } from '../tree';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, etherType, unknown } from './dispatch';
import { ppp } from './ppp';

const AF_INET: u32 = 2;

export function loopback<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 4, cap, wire);
  if (status) return status;
  if (be16(p) == 0xff03) return ppp<M>(p, cap, wire);
  const network = be32(p);
  const family = network & 0xffff0000 ? load<u32>(p) : network;
  if (isTree<M>()) {
    open(F.NULL, p, 4);
    leaf(F.NULL_FAMILY, p, 4, family);
    close();
  }
  p += 4;
  if (family == AF_INET) return etherType<M>(ETHERTYPE_IPV4, p, cap, wire);
  // AF_INET6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS.
  if (family == 10 || family == 24 || family == 28 || family == 30)
    return etherType<M>(ETHERTYPE_IPV6, p, cap, wire);
  if (family >= 0x600 && family <= 0xffff) return etherType<M>(family, p, cap, wire);
  return unknown<M>(p, cap, UNSUPPORTED);
}
