// LLDP (IEEE 802.1AB): the mandatory TLVs and the names, for the tree.

import { be16, byte, least, OK } from '../cursor';
import * as F from '../fields';
import { bytes, close, isTree, leaf8, leaf16, open } from '../tree';

const SUBTYPE_MAC_OF_CHASSIS: u32 = 4;
const SUBTYPE_MAC_OF_PORT: u32 = 3;
const SUBTYPE_NETWORK: u32 = 5;
const FAMILY_IPV4: u32 = 1;

export function lldp<M>(p: usize, cap: usize): u32 {
  if (!isTree<M>()) return OK;
  open(F.LLDP, p, cap - p);
  while (cap - p >= 2 && p < cap) {
    const type = be16(p) >> 9;
    const size: usize = be16(p) & 0x1ff;
    open(F.LLDP_TLV, p, least(2 + size, cap - p), type);
    leaf16(F.LLDP_TLV_TYPE, p);
    leaf16(F.LLDP_TLV_LEN, p);
    const whole = size <= cap - p - 2;
    if (whole && size) value(type, p + 2, size);
    close();
    if (!whole || type == 0) break;
    p += 2 + size;
  }
  close();
  return OK;
}

function value(type: u32, p: usize, size: usize): void {
  if (type == 1 && size > 1) {
    const subtype = byte(p);
    leaf8(F.LLDP_CHASSIS_SUBTYPE, p);
    if (subtype == SUBTYPE_MAC_OF_CHASSIS && size == 7) bytes(F.LLDP_CHASSIS_ID_MAC, p + 1, 6);
    else if (subtype == SUBTYPE_NETWORK && size == 6 && byte(p + 1) == FAMILY_IPV4) bytes(F.LLDP_CHASSIS_ID_IP4, p + 2, 4);
    else bytes(F.LLDP_CHASSIS_ID, p + 1, size - 1);
  } else if (type == 2 && size > 1) {
    leaf8(F.LLDP_PORT_SUBTYPE, p);
    const mac = byte(p) == SUBTYPE_MAC_OF_PORT && size == 7;
    bytes(mac ? F.LLDP_PORT_ID_MAC : F.LLDP_PORT_ID, p + 1, size - 1);
  } else if (type == 3 && size >= 2) leaf16(F.LLDP_TIME_TO_LIVE, p);
  else if (type == 4) bytes(F.LLDP_PORT_DESC, p, size);
  else if (type == 5) bytes(F.LLDP_TLV_SYSTEM_NAME, p, size);
  else if (type == 6) bytes(F.LLDP_TLV_SYSTEM_DESC, p, size);
  else if (type == 7 && size >= 4) {
    leaf16(F.LLDP_TLV_SYSTEM_CAP, p);
    leaf16(F.LLDP_TLV_ENABLE_SYSTEM_CAP, p + 2);
  }
}
