// DNS resource records (RFC 1035, 3596, 2782, 6891, 9460), for the tree. Names are only measured here;
// their compression pointers are followed, and bounded, where the text is made.

import { be16, byte, least } from '../cursor';
import * as F from '../fields';
import { bytes, close, leaf, leaf8, leaf16, leaf32, name, open } from '../tree';

const NAME_MAX: usize = 255;
const TYPE_OPT: u32 = 41;

/** Where a name that starts at p ends, 0 when it is cut or bad. A pointer ends it (RFC 1035 section 4.1.4). */
export function nameEnd(p: usize, cap: usize): usize {
  const limit = least(cap, p + NAME_MAX);
  while (p < limit) {
    const size: usize = byte(p);
    if (size == 0) return p + 1;
    if (size >= 0xc0) return cap - p < 2 ? 0 : p + 2;
    if (size > 63) return 0;
    p += size + 1;
  }
  return 0;
}

export function records(multicast: bool, count: u32, start: usize, p: usize, cap: usize): void {
  for (; count && p; count--) p = record(multicast, start, p, cap);
}

/** Where the next one starts, 0 when this one is cut or bad. */
function record(multicast: bool, start: usize, p: usize, cap: usize): usize {
  const at = nameEnd(p, cap);
  if (!at || cap - at < 10) return 0;
  const type = be16(at);
  const size: usize = be16(at + 8);
  open(F.DNS_RESP, p, least(at + 10 + size, cap) - p, type);
  name(F.DNS_RESP_NAME, p, at - p, start);
  leaf16(F.DNS_RESP_TYPE, at);
  if (type == TYPE_OPT) {
    leaf16(F.DNS_RR_UDP_PAYLOAD_SIZE, at + 2);
    leaf8(F.DNS_RESP_EXT_RCODE, at + 4);
    leaf8(F.DNS_RESP_EDNS0_VERSION, at + 5);
    leaf16(F.DNS_RESP_Z, at + 6);
  } else {
    leaf(F.DNS_RESP_CLASS, at + 2, 2, multicast ? be16(at + 2) & 0x7fff : be16(at + 2));
    if (multicast) leaf16(F.DNS_RESP_CACHE_FLUSH, at + 2);
    leaf32(F.DNS_RESP_TTL, at + 4);
  }
  leaf16(F.DNS_RESP_LEN, at + 8);
  const whole = cap - at - 10 >= size;
  if (whole && size) data(type, start, at + 10, at + 10 + size);
  close();
  return whole ? at + 10 + size : 0;
}

function data(type: u32, start: usize, p: usize, end: usize): void {
  const size = end - p;
  if (type == 1 && size == 4) bytes(F.DNS_A, p, 4);
  else if (type == 28 && size == 16) bytes(F.DNS_AAAA, p, 16);
  else if (type == 5) target(F.DNS_CNAME, p, end, start);
  else if (type == 2) target(F.DNS_NS, p, end, start);
  else if (type == 12) target(F.DNS_PTR_DOMAIN_NAME, p, end, start);
  else if (type == 15 && size > 2) {
    leaf16(F.DNS_MX_PREFERENCE, p);
    target(F.DNS_MX_MAIL_EXCHANGE, p + 2, end, start);
  } else if (type == 33 && size > 6) {
    leaf16(F.DNS_SRV_PRIORITY, p);
    leaf16(F.DNS_SRV_WEIGHT, p + 2);
    leaf16(F.DNS_SRV_PORT, p + 4);
    target(F.DNS_SRV_TARGET, p + 6, end, start);
  } else if ((type == 64 || type == 65) && size > 2) {
    leaf16(F.DNS_SVCB_SVCPRIORITY, p);
    target(F.DNS_SVCB_TARGETNAME, p + 2, end, start);
  } else if (type == 16) texts(p, end);
  else if (type == 6) authority(start, p, end);
  else bytes(F.DNS_DATA, p, size);
}

function target(field: u32, p: usize, end: usize, start: usize): usize {
  const at = nameEnd(p, end);
  if (at) name(field, p, at - p, start);
  return at;
}

function texts(p: usize, end: usize): void {
  while (p < end) {
    const size: usize = byte(p);
    if (size >= end - p) return;
    bytes(F.DNS_TXT, p + 1, size);
    p += size + 1;
  }
}

/** SOA: two names and five numbers. */
function authority(start: usize, p: usize, end: usize): void {
  p = target(F.DNS_SOA_MNAME, p, end, start);
  if (p) p = target(F.DNS_SOA_RNAME, p, end, start);
  if (!p || end - p < 20) return;
  leaf32(F.DNS_SOA_SERIAL_NUMBER, p);
  leaf32(F.DNS_SOA_REFRESH_INTERVAL, p + 4);
  leaf32(F.DNS_SOA_RETRY_INTERVAL, p + 8);
  leaf32(F.DNS_SOA_EXPIRE_LIMIT, p + 12);
  leaf32(F.DNS_SOA_MINIMUM_TTL, p + 16);
}
