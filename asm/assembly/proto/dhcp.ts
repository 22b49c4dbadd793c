// DHCP for IPv4 (RFC 2131, options of RFC 2132), for the tree only.

import { be32, byte, least, OK } from '../cursor';
import * as F from '../fields';
import { bytes, close, leaf8, leaf16, leaf32, open } from '../tree';
import { unknown } from './dispatch';

const OPTIONS: usize = 240;
const COOKIE: u32 = 0x63825363;
const PAD: u32 = 0;
const END: u32 = 255;

export function dhcp(p: usize, cap: usize): u32 {
  if (cap - p < OPTIONS || byte(p) < 1 || byte(p) > 2 || be32(p + 236) != COOKIE) return unknown<u16>(p, cap, OK);
  open(F.DHCP, p, cap - p);
  leaf8(F.DHCP_TYPE, p);
  leaf8(F.DHCP_HW_TYPE, p + 1);
  leaf8(F.DHCP_HW_LEN, p + 2);
  leaf8(F.DHCP_HOPS, p + 3);
  leaf32(F.DHCP_ID, p + 4);
  leaf16(F.DHCP_SECS, p + 8);
  leaf16(F.DHCP_FLAGS, p + 10);
  bytes(F.DHCP_IP_CLIENT, p + 12, 4);
  bytes(F.DHCP_IP_YOUR, p + 16, 4);
  bytes(F.DHCP_IP_SERVER, p + 20, 4);
  bytes(F.DHCP_IP_RELAY, p + 24, 4);
  const hardware: usize = byte(p + 2);
  if (hardware == 6) bytes(F.DHCP_HW_MAC_ADDR, p + 28, 6);
  else if (hardware && hardware <= 16) bytes(F.DHCP_HW_ADDR, p + 28, hardware);
  if (byte(p + 44)) bytes(F.DHCP_SERVER, p + 44, 64);
  if (byte(p + 108)) bytes(F.DHCP_FILE, p + 108, 128);
  options(p + OPTIONS, cap);
  close();
  return OK;
}

/** Code, length, value; pad and end have no length. */
function options(p: usize, cap: usize): void {
  while (p < cap) {
    const code = byte(p);
    if (code == PAD) {
      p++;
      continue;
    }
    if (code == END) {
      bytes(F.DHCP_OPTION_END, p, 1);
      return;
    }
    if (cap - p < 2) return;
    const size: usize = byte(p + 1);
    const whole = size <= cap - p - 2;
    open(F.DHCP_OPTION, p, least(2 + size, cap - p), code);
    leaf8(F.DHCP_OPTION_TYPE, p);
    leaf8(F.DHCP_OPTION_LENGTH, p + 1);
    if (whole && size) option(code, p + 2, size);
    close();
    if (!whole) return;
    p += 2 + size;
  }
}

function option(code: u32, p: usize, size: usize): void {
  const address = size == 4 ? addressField(code) : 0;
  if (address) bytes(address, p, 4);
  else if (code == 3 || code == 6) addresses(code == 3 ? F.DHCP_OPTION_ROUTER : F.DHCP_OPTION_DOMAIN_NAME_SERVER, p, size);
  else if (code == 12) bytes(F.DHCP_OPTION_HOSTNAME, p, size);
  else if (code == 15) bytes(F.DHCP_OPTION_DOMAIN_NAME, p, size);
  else if (code == 60) bytes(F.DHCP_OPTION_VENDOR_CLASS_ID, p, size);
  else if (code == 51 && size == 4) leaf32(F.DHCP_OPTION_IP_ADDRESS_LEASE_TIME, p);
  else if (code == 53 && size == 1) leaf8(F.DHCP_OPTION_DHCP, p);
  else if (code == 55) for (let i: usize = 0; i < size; i++) leaf8(F.DHCP_OPTION_REQUEST_LIST_ITEM, p + i);
  else if (code == 57 && size == 2) leaf16(F.DHCP_OPTION_DHCP_MAX_MESSAGE_SIZE, p);
  else bytes(F.DHCP_OPTION_VALUE, p, size);
}

/** Options that are one address. */
function addressField(code: u32): u32 {
  if (code == 1) return F.DHCP_OPTION_SUBNET_MASK;
  if (code == 50) return F.DHCP_OPTION_REQUESTED_IP_ADDRESS;
  if (code == 54) return F.DHCP_OPTION_DHCP_SERVER_ID;
  return 0;
}

function addresses(field: u32, p: usize, size: usize): void {
  for (; size >= 4; p += 4, size -= 4) bytes(field, p, 4);
}
