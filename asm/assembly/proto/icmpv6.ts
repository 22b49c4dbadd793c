// ICMPv6 (RFC 4443). Types below 128 are errors and quote a packet.

import { byte, lack, OK } from '../cursor';
import * as F from '../fields';
import { mark, quote, SEEN_ICMPV6 } from '../state';
import { close, isTree, leaf, leaf8, leaf16, open } from '../tree';
import { ETHERTYPE_IPV6, etherType, unknown } from './dispatch';
import { icmpFlow } from './icmp';

const HEADER: usize = 8;

export function icmpv6<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_ICMPV6);
  let status = lack(p, 4, cap, wire);
  if (status) return status;
  const type = byte(p);
  if (!isTree<M>()) icmpFlow(58, type, byte(p + 1), counterpart(type), wire - p);
  status = lack(p, HEADER, cap, wire);
  if (status) return status;
  if (isTree<M>()) fields(type, p, cap);
  p += HEADER;
  if (type < 1 || type > 4) return unknown<M>(p, cap, OK);
  quote(1);
  if (cap - p >= 40) etherType<M>(ETHERTYPE_IPV6, p, cap, wire);
  else unknown<M>(p, cap, OK);
  quote(-1);
  return OK;
}

function fields(type: u32, p: usize, cap: usize): void {
  open(F.ICMPV6, p, HEADER, type);
  leaf8(F.ICMPV6_TYPE, p);
  leaf8(F.ICMPV6_CODE, p + 1);
  leaf16(F.ICMPV6_CHECKSUM, p + 2);
  if (type == 128 || type == 129) {
    leaf16(F.ICMPV6_ECHO_IDENTIFIER, p + 4);
    leaf16(F.ICMPV6_ECHO_SEQUENCE_NUMBER, p + 6);
  }
  // Neighbor solicitation and advertisement (RFC 4861) name a target.
  if ((type == 135 || type == 136) && cap - p >= 24) leaf(F.ICMPV6_ND_TARGET_ADDRESS, p + 8, 16, 0);
  close();
}

function counterpart(type: u32): i32 {
  switch (type) {
    case 128:
      return 129;
    case 129:
      return 128;
    case 130:
      return 131;
    case 131:
      return 130;
    case 133:
      return 134;
    case 134:
      return 133;
    case 135:
      return 136;
    case 136:
      return 135;
    case 139:
      return 140;
    case 140:
      return 139;
    case 144:
      return 145;
    case 145:
      return 144;
    default:
      return -1;
  }
}
