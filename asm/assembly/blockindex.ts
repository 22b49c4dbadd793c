// What an index of stored blocks remembers: for up to 64 extents (4 MiB of recorder blocks each) at a time, which
// addresses, pairs, flows, ports, protocols and ethertypes their packets have. Rows of 64 bits, one bit per
// extent; a key sets its bit in some rows by hash (Bloom 1970), so that asking for a key reads those rows only.
//
//   ADDRESS    addresses of IPv4, IPv6 and ARP, and their /24, /16, /64, /48 networks
//   FLOW       pairs of addresses, and pairs of address and port
//   SERVICE    ports below 32768, exact until folded
//   EPHEMERAL  ports above, by their low bits: so many that they would hide the services
//   PROTOCOL   IP protocols, exact     ETHERTYPE  by the sum of its bytes
//   META       OPAQUE: a packet this file does not understand, the extent may hold anything;
//              LLC: a frame with a length, whose protocol lies deeper
//
// A necessary condition and nothing more: whatever a filter without shifts other than `vlan` can match (see
// explain.ts) has its keys here. A load the filter could do must be seen here too, so cut packets count as far as
// they reach. server/store/index-query.ts has the same hashes.
import { blockLength, epbWhole, linktypeOf, STOP_DAMAGED } from './blocks';
import {
  BT_EPB,
  LINKTYPE_ETHERNET,
  LINKTYPE_IPV4,
  LINKTYPE_IPV6,
  LINKTYPE_LINUX_SLL,
  LINKTYPE_LINUX_SLL2,
  LINKTYPE_RAW,
} from './constants';
import { be16, be32 } from './cursor';
import { GO } from './packet';

export const INDEX_ADDRESS_ROWS: u32 = 1 << 17;
export const INDEX_FLOW_ROWS: u32 = 1 << 17;
export const INDEX_SERVICE_ROWS: u32 = 1 << 15;
export const INDEX_EPHEMERAL_ROWS: u32 = 1 << 13;
export const INDEX_FIXED_ROWS: u32 = 256 + 256 + 8;
export const INDEX_SECTIONS: u32 = 4;
const ROWS: u32 = INDEX_ADDRESS_ROWS + INDEX_FLOW_ROWS + INDEX_SERVICE_ROWS + INDEX_EPHEMERAL_ROWS + INDEX_FIXED_ROWS;

const FLOW: u32 = INDEX_ADDRESS_ROWS;
const SERVICE: u32 = FLOW + INDEX_FLOW_ROWS;
const EPHEMERAL: u32 = SERVICE + INDEX_SERVICE_ROWS;
const PROTOCOL: u32 = EPHEMERAL + INDEX_EPHEMERAL_ROWS;
const ETHERTYPE: u32 = PROTOCOL + 256;
const OPAQUE: u32 = ETHERTYPE + 256;
const LLC: u32 = OPAQUE + 1;

/** Positions of a key in ADDRESS and FLOW. */
const POSITIONS: u32 = 4;
const SEEN_ENTRIES: u32 = 1 << 12;
const PAGE: usize = 65536;
const EPB_HEADER: u32 = 28;
const BLOCK_MIN: u32 = 12;
const TAGS_MAX: u32 = 8;

const ETHERTYPE_IPV4: u32 = 0x0800;
const ETHERTYPE_ARP: u32 = 0x0806;
const ETHERTYPE_RARP: u32 = 0x8035;
const ETHERTYPE_IPV6: u32 = 0x86dd;
/** Below it the field is a length, or one of Linux's own numbers. */
const ETHERTYPE_MIN: u32 = 1536;
const FRAGMENT: u32 = 44;

/**
 * The rows; then what index_pack() makes of them; then what was entered for this extent a moment ago. The last is
 * compared whole, never by hash: nobody shall craft a packet that is taken for one already entered.
 */
let matrix: usize = 0; // 0 before index_init()
let packed: usize = 0;
let seenFlows: usize = 0; // of IPv4: addresses; ports, protocol and a set bit
let seen4: usize = 0; // hashes, of which each address has its own
let seen6: usize = 0;
const SEEN_BYTES: usize = <usize>SEEN_ENTRIES * 40;
let bit: u64 = 1;
let stop: u32 = GO;
let packets: u32 = 0;

/** Takes some MiB of memory, once; false when there are none. */
export function index_init(): bool {
  if (matrix) return true;
  const bytes: usize = <usize>ROWS * 16 + SEEN_BYTES;
  const grown = memory.grow(<i32>((bytes + PAGE - 1) / PAGE));
  if (grown < 0) return false;
  matrix = <usize>grown * PAGE;
  packed = matrix + <usize>ROWS * 8;
  seenFlows = packed + <usize>ROWS * 8;
  seen6 = seenFlows + <usize>SEEN_ENTRIES * 16;
  seen4 = seen6 + <usize>SEEN_ENTRIES * 16;
  return true;
}

/** No extents yet. */
export function index_begin(): void {
  memory.fill(matrix, 0, <usize>ROWS * 8);
}

/** What follows belongs to extent `number`, 0 to 63. */
export function index_extent(number: u32): void {
  bit = <u64>1 << number;
  memory.fill(seenFlows, 0, SEEN_BYTES);
}

/** The extent may hold anything: part of it could not be read. */
export function index_opaque(): void {
  row(OPAQUE);
}

export function index_stop(): u32 {
  return stop;
}
export function index_packets(): u32 {
  return packets;
}

/** Enters the whole packet blocks in [p, end); returns as blocks_scan() does. */
export function index_add(p: usize, end: usize): usize {
  stop = GO;
  packets = 0;
  while (p + BLOCK_MIN <= end) {
    const total = blockLength(p);
    const next = p + <usize>total;
    if (!total) return damaged(p);
    if (load<u32>(p) != BT_EPB) {
      if (next <= end && load<u32>(next - 4) != total) return damaged(p);
      p = next;
      continue;
    }
    if (next > end) break;
    if (load<u32>(next - 4) != total || !epbWhole(p, total)) return damaged(p);
    const from = p + EPB_HEADER;
    frame(linktypeOf(load<u32>(p, 8)), from, from + load<u32>(p, 20));
    packets++;
    p = next;
  }
  return p;
}

function damaged(p: usize): usize {
  stop = STOP_DAMAGED;
  return p;
}

@inline
function row(number: u32): void {
  const at = matrix + (<usize>number << 3);
  store<u64>(at, load<u64>(at) | bit);
}

/** Finalizer of MurmurHash3: every bit of the key changes half of the result. */
@inline
function mix(key: u64): u64 {
  key ^= key >> 33;
  key *= 0xff51afd7ed558ccd;
  key ^= key >> 33;
  key *= 0xc4ceb9fe1a85ec53;
  return key ^ (key >> 33);
}

@inline
function bloom(first: u32, mask: u32, hash: u64): void {
  let at = <u32>hash;
  const step = <u32>(hash >> 32) | 1;
  for (let i: u32 = 0; i < POSITIONS; i++) {
    row(first + (at & mask));
    at += step;
  }
}

@inline
function address(hash: u64): void {
  bloom(0, INDEX_ADDRESS_ROWS - 1, hash);
}

@inline
function hash4(value: u32, prefix: u64): u64 {
  return mix((prefix << 32) | value);
}

@inline
function hash6(high: u64, low: u64, prefix: u64): u64 {
  return mix(mix(high ^ (prefix << 56)) ^ low);
}

/** Enters an IPv4 address and its networks, unless it was the last to come to its place in the cache. */
@inline
function address4(value: u32): u64 {
  const hash = hash4(value, 32);
  const at = seen4 + (<usize>(<u32>hash & (SEEN_ENTRIES - 1)) << 3);
  if (load<u64>(at) == hash) return hash;
  store<u64>(at, hash);
  address(hash);
  address(hash4(value & 0xffffff00, 24));
  address(hash4(value & 0xffff0000, 16));
  return hash;
}

@inline
function address6(p: usize): u64 {
  const high = bswap<u64>(load<u64>(p));
  const low = bswap<u64>(load<u64>(p, 8));
  const hash = hash6(high, low, 128);
  const at = seen6 + (<usize>(<u32>hash & (SEEN_ENTRIES - 1)) << 4);
  if (load<u64>(at) == high && load<u64>(at, 8) == low && (high | low)) return hash;
  store<u64>(at, high);
  store<u64>(at, low, 8);
  address(hash);
  address(hash6(high, 0, 64));
  address(hash6(high & 0xffffffffffff0000, 0, 48));
  return hash;
}

@inline
function port(number: u32): void {
  row(number < INDEX_SERVICE_ROWS ? SERVICE + number : EPHEMERAL + (number & (INDEX_EPHEMERAL_ROWS - 1)));
}

function frame(linktype: u32, p: usize, end: usize): void {
  switch (linktype) {
    case LINKTYPE_ETHERNET:
      if (p + 14 <= end) ethertype(be16(p + 12), p + 14, end);
      return;
    case LINKTYPE_LINUX_SLL:
      if (p + 16 <= end) ethertype(be16(p + 14), p + 16, end);
      return;
    case LINKTYPE_LINUX_SLL2:
      if (p + 2 <= end) ethertype(be16(p), p + 20, end);
      return;
    case LINKTYPE_IPV4:
      ethertype(ETHERTYPE_IPV4, p, end);
      return;
    case LINKTYPE_IPV6:
      ethertype(ETHERTYPE_IPV6, p, end);
      return;
    case LINKTYPE_RAW: {
      const version = p < end ? load<u8>(p) >> 4 : 0;
      if (version == 4) ethertype(ETHERTYPE_IPV4, p, end);
      else if (version == 6) ethertype(ETHERTYPE_IPV6, p, end);
      else row(OPAQUE);
      return;
    }
    default:
      row(OPAQUE);
  }
}

@inline
function isTag(type: u32): bool {
  return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

function ethertype(type: u32, p: usize, end: usize): void {
  for (let tags: u32 = 0; ; tags++) {
    row(type < ETHERTYPE_MIN ? LLC : ETHERTYPE + ((type + (type >> 8)) & 0xff));
    if (!isTag(type) || p + 4 > end) break;
    if (tags == TAGS_MAX) return row(OPAQUE);
    type = be16(p + 2);
    p += 4;
  }
  if (type == ETHERTYPE_IPV4) ipv4(p, end);
  else if (type == ETHERTYPE_IPV6) ipv6(p, end);
  else if (type == ETHERTYPE_ARP || type == ETHERTYPE_RARP) arp(p, end);
}

/** Header length, fragment offset and addresses are read as a filter does, without asking whether they make sense. */
function ipv4(p: usize, end: usize): void {
  if (p + 20 > end) return row(OPAQUE);
  const source = be32(p + 12);
  const destination = be32(p + 16);
  const protocol = load<u8>(p, 9);
  row(PROTOCOL + protocol);
  const transport = p + ((<usize>load<u8>(p) & 15) << 2);
  const first = hasPorts(protocol) && !(be16(p + 6) & 0x1fff);
  if (first && transport + 4 > end && transport + 2 <= end) row(OPAQUE); // cut behind the source port
  const ported = first && transport + 4 <= end;
  const ports = ported ? be32(transport) : 0;
  const addresses = (<u64>source << 32) | destination;
  const rest = (<u64>ports << 32) | (protocol << 8) | (u32(ported) << 1) | 1;
  const at = seenFlows + (<usize>(<u32>mix(addresses ^ rest) & (SEEN_ENTRIES - 1)) << 4);
  if (load<u64>(at) == addresses && load<u64>(at, 8) == rest) return;
  store<u64>(at, addresses);
  store<u64>(at, rest, 8);
  flow(address4(source), address4(destination), ported, ports);
}

function ipv6(p: usize, end: usize): void {
  if (p + 40 > end) return row(OPAQUE);
  const protocol = load<u8>(p, 6);
  row(PROTOCOL + protocol);
  if (protocol == FRAGMENT && p + 41 <= end) row(PROTOCOL + load<u8>(p, 40));
  const first = hasPorts(protocol);
  if (first && p + 44 > end && p + 42 <= end) row(OPAQUE);
  const ported = first && p + 44 <= end;
  flow(address6(p + 8), address6(p + 24), ported, ported ? be32(p + 40) : 0);
}

function arp(p: usize, end: usize): void {
  const source = p + 18 <= end ? address4(be32(p + 14)) : 0;
  const target = p + 28 <= end ? address4(be32(p + 24)) : 0;
  if (source && target) pair(source, target);
}

@inline
function hasPorts(protocol: u32): bool {
  return protocol == 6 || protocol == 17 || protocol == 132;
}

@inline
function pair(a: u64, b: u64): void {
  bloom(FLOW, INDEX_FLOW_ROWS - 1, mix(a + b));
}

@inline
function flow(source: u64, destination: u64, ported: bool, ports: u32): void {
  pair(source, destination);
  if (!ported) return;
  port(ports >> 16);
  port(ports & 0xffff);
  bloom(FLOW, INDEX_FLOW_ROWS - 1, mix(mix(source ^ (ports >> 16)) + mix(destination ^ (ports & 0xffff))));
}

@inline
function sectionStart(section: u32): u32 {
  return section == 0 ? 0 : section == 1 ? FLOW : section == 2 ? SERVICE : EPHEMERAL;
}

@inline
function sectionRows(section: u32): u32 {
  return section == 0 ? INDEX_ADDRESS_ROWS : section == 1 ? INDEX_FLOW_ROWS : section == 2 ? INDEX_SERVICE_ROWS : INDEX_EPHEMERAL_ROWS;
}

/** Bits set in a section (ADDRESS, FLOW, SERVICE, EPHEMERAL), all extents together. */
export function index_fill(section: u32): u32 {
  const from = matrix + (<usize>sectionStart(section) << 3);
  const end = from + (<usize>sectionRows(section) << 3);
  let bits: u64 = 0;
  for (let at = from; at < end; at += 8) bits += popcnt(load<u64>(at));
  return <u32>bits;
}

/**
 * Packs the rows, each cut to `width` bits (a power of two), sections folded to the numbers of rows given (powers
 * of two): row r of a folded section is the union of all rows that are r modulo its size. Returns its address.
 */
export function index_pack(width: u32, address_rows: u32, flow_rows: u32, service_rows: u32, ephemeral_rows: u32): usize {
  const bytes = (<usize>(address_rows + flow_rows + service_rows + ephemeral_rows + INDEX_FIXED_ROWS) * width + 7) >> 3;
  memory.fill(packed, 0, bytes);
  let to: u32 = 0;
  for (let section: u32 = 0; section < INDEX_SECTIONS; section++) {
    const rows = section == 0 ? address_rows : section == 1 ? flow_rows : section == 2 ? service_rows : ephemeral_rows;
    const from = sectionStart(section);
    for (let i: u32 = 0; i < sectionRows(section); i++) put(width, to + (i & (rows - 1)), from + i);
    to += rows;
  }
  for (let i: u32 = 0; i < INDEX_FIXED_ROWS; i++) put(width, to + i, PROTOCOL + i);
  return packed;
}

@inline
function put(width: u32, to: u32, from: u32): void {
  const bits = load<u64>(matrix + (<usize>from << 3));
  if (!bits) return;
  if (width == 64) {
    const at = packed + (<usize>to << 3);
    store<u64>(at, load<u64>(at) | bits);
    return;
  }
  for (let left = bits; left; left &= left - 1) {
    const place = <u64>to * width + ctz(left);
    const at = packed + <usize>(place >> 3);
    store<u8>(at, load<u8>(at) | (1 << <u8>(place & 7)));
  }
}
