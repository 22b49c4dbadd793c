// IEEE 802.1Q and 802.1ad tags.

import { be16, lack, least, UNSUPPORTED } from '../cursor';
import * as F from '../fields';
import { mark, SEEN_VLAN, tag } from '../state';
import { close, isTree, leaf16, open } from '../tree';
import { etherType, unknown } from './dispatch';
import { llc } from './ethernet';

export function vlan<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_VLAN);
  const status = lack(p, 4, cap, wire);
  if (status) return status;
  const type = be16(p + 2);
  if (!isTree<M>()) tag(be16(p) & 0xfff);
  if (isTree<M>()) {
    open(F.VLAN, p, 4);
    leaf16(F.VLAN_PRIORITY, p);
    leaf16(F.VLAN_DEI, p);
    leaf16(F.VLAN_ID, p);
    leaf16(type < 0x600 ? F.VLAN_LEN : F.VLAN_ETYPE, p + 2);
    close();
  }
  p += 4;
  if (type >= 0x600) return etherType<M>(type, p, cap, wire);
  if (type > 1500) return unknown<M>(p, cap, UNSUPPORTED);
  wire = least(wire, p + type);
  return llc<M>(p, least(cap, wire), wire);
}
