// ARP (RFC 826). Addresses are named only for Ethernet and IPv4, the one combination in use.

import { be16, byte, lack } from '../cursor';
import * as F from '../fields';
import { mark, SEEN_ARP } from '../state';
import { close, isTree, leaf, leaf8, leaf16, open } from '../tree';

export function arp<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_ARP);
  let status = lack(p, 8, cap, wire);
  if (status) return status;
  const hardware = byte(p + 4);
  const protocol = byte(p + 5);
  const size: usize = 8 + 2 * (hardware + protocol);
  status = lack(p, size, cap, wire);
  if (status) return status;
  if (isTree<M>()) {
    open(F.ARP, p, size, be16(p + 6));
    leaf16(F.ARP_HW_TYPE, p);
    leaf16(F.ARP_PROTO_TYPE, p + 2);
    leaf8(F.ARP_HW_SIZE, p + 4);
    leaf8(F.ARP_PROTO_SIZE, p + 5);
    leaf16(F.ARP_OPCODE, p + 6);
    if (hardware == 6 && protocol == 4) {
      leaf(F.ARP_SRC_HW_MAC, p + 8, 6, 0);
      leaf(F.ARP_SRC_PROTO_IPV4, p + 14, 4, 0);
      leaf(F.ARP_DST_HW_MAC, p + 18, 6, 0);
      leaf(F.ARP_DST_PROTO_IPV4, p + 24, 4, 0);
    }
    close();
  }
  return status;
}
