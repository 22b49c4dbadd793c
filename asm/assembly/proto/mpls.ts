// MPLS label stack (RFC 3032). What follows the last label is not named: as in libpcap, the first
// nibble tells IPv4 and IPv6 apart; a nibble of 0 is a pseudowire control word over Ethernet (RFC 4385).

import { be32, byte, lack, UNSUPPORTED } from '../cursor';
import * as F from '../fields';
import { mark, SEEN_MPLS } from '../state';
import { close, isTree, leaf32, open } from '../tree';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, etherType, unknown } from './dispatch';
import { ethernet } from './ethernet';

export function mpls<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_MPLS);
  let bottom: u32 = 0;
  while (!bottom) {
    const status = lack(p, 4, cap, wire);
    if (status) return status;
    bottom = be32(p) & 0x100;
    if (isTree<M>()) label(p);
    p += 4;
  }
  const status = lack(p, 1, cap, wire);
  if (status) return status;
  const nibble = byte(p) >> 4;
  if (nibble == 4) return etherType<M>(ETHERTYPE_IPV4, p, cap, wire);
  if (nibble == 6) return etherType<M>(ETHERTYPE_IPV6, p, cap, wire);
  if (nibble == 0 && cap - p >= 18) return ethernet<M>(p + 4, cap, wire);
  return unknown<M>(p, cap, UNSUPPORTED);
}

function label(p: usize): void {
  open(F.MPLS, p, 4);
  leaf32(F.MPLS_LABEL, p);
  leaf32(F.MPLS_EXP, p);
  leaf32(F.MPLS_BOTTOM, p);
  leaf32(F.MPLS_TTL, p);
  close();
}
