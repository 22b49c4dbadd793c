// pcapng files (draft-ietf-opsawg-pcapng): sections of either byte order, each with its interfaces.
// Packet blocks are read, all others passed over by their length, without buffering them whole.
import { filterWantsWay, filterWay } from './bpf';
import { BT_EPB, BT_IDB, BT_PB, BT_SHB, BT_SPB, OPT_END, OPT_EPB_FLAGS, OPT_IF_TSOFFSET, OPT_IF_TSRESOL, PCAPNG_MAGIC } from './constants';
import { BLOCK_MAX, CAPLEN_MAX, HELD_MAX, IFACE_MAX, IFACES_BASE, Iface } from './layout';
import { GO, noteLinktype, noteTimes, packet, scansOnly } from './packet';
import { firstRecord, lastRecord, scanEpb } from './scan';
import * as S from './stream';
import { cur, half, left, word } from './stream';

const PACKET_HEADER: u32 = 28;
const EPB_MIN: u32 = 32;
const SIMPLE_HEADER: u32 = 12;
const BLOCK_MIN: u32 = 12;
const TRAILER: u32 = 4;
/** Section length and version give an SHB at least this size. */
const SECTION_MIN: u32 = 28;
const IDB_MIN: u32 = 20;

let swapped: bool = false;
let interfaces: u32 = 0;
/** Bit 0: a section in our byte order was seen, bit 1: one in the other. */
let orders: u32 = 0;

export function pcapngBegin(): void {
  interfaces = 0;
  orders = 0;
  filterWay(0);
}

export function pcapngOrders(): u32 {
  return orders;
}

@inline
function ifaceAt(number: u32): Iface {
  return changetype<Iface>(IFACES_BASE + <usize>number * offsetof<Iface>());
}

/** Reads blocks until the bytes at hand end, something is wrong, or packet() asks to stop. */
export function pcapngRun(): u32 {
  while (S.settle() && left() >= BLOCK_MIN) {
    const type = load<u32>(cur);
    if (type == BT_SHB && !sectionOrder()) return GO;
    if (type == BT_EPB && !swapped && scansOnly() && !filterWantsWay()) {
      const before = cur;
      scanRun();
      if (cur != before) continue;
    }
    if (type == BT_EPB && !swapped && !filterWantsWay()) {
      const before = cur;
      const stop = packetRun();
      if (stop != GO) return stop;
      if (cur != before) continue;
    }
    const total = blockTotal();
    if (!total) return GO;
    if (!isRead(type)) {
      S.advanceUnchecked(total, word(cur + 4, swapped), swapped);
      continue;
    }
    // A block is read when all of it is here and its two lengths agree; of a very long one, its start.
    const held = min(total, HELD_MAX);
    if (left() < held) return GO;
    if (held == total && !trailerAgrees(total)) return GO;
    const stop = block(swapped ? bswap<u32>(type) : type, held, total);
    if (stop != GO || S.errorCode) return stop;
    if (held == total) S.advance(total);
    else S.advanceUnchecked(total, word(cur + 4, swapped), swapped);
  }
  return GO;
}

/**
 * The usual case in one loop: whole enhanced packet blocks in our byte order, up to the first that is
 * anything else. It decides no error.
 */
function packetRun(): u32 {
  const limit = S.limit;
  let p = cur;
  let stop = GO;
  while (p + EPB_MIN <= limit && load<u32>(p) == BT_EPB) {
    const total = load<u32>(p, 4);
    const number = load<u32>(p, 8);
    const caplen = load<u32>(p, 20);
    const next = p + <usize>total;
    if (total < EPB_MIN || total > HELD_MAX || total & 3 || next > limit || load<u32>(next - TRAILER) != total) break;
    if (number >= interfaces || caplen > CAPLEN_MAX || caplen > total - EPB_MIN) break;
    const iface = ifaceAt(number);
    const ts = time(iface, (<u64>load<u32>(p, 12) << 32) | load<u32>(p, 16));
    stop = packet(p + PACKET_HEADER, caplen, load<u32>(p, 24), number, iface.linktype, false, ts, true);
    if (stop != GO) break;
    p = next;
  }
  S.moveTo(p);
  return stop;
}

@inline
function isRead(raw: u32): bool {
  const type = swapped ? bswap<u32>(raw) : raw;
  return type == BT_EPB || type == BT_SHB || type == BT_IDB || type == BT_PB || type == BT_SPB;
}

/** The byte-order magic says how to read the section, its own block length included. */
function sectionOrder(): bool {
  const magic = load<u32>(cur + 8);
  if (magic == PCAPNG_MAGIC) swapped = false;
  else if (bswap<u32>(magic) == PCAPNG_MAGIC) swapped = true;
  else {
    S.fail(S.KIND_DAMAGED, S.E_BYTE_ORDER, magic);
    return false;
  }
  return true;
}

/** Block length, rounded up as some writers leave the padding out; 0 after an error. */
@inline
function blockTotal(): u32 {
  const stated = word(cur + 4, swapped);
  if (stated < BLOCK_MIN) {
    S.fail(S.KIND_DAMAGED, S.E_BLOCK_TOO_SMALL, stated, BLOCK_MIN);
    return 0;
  }
  if (stated > BLOCK_MAX) {
    S.fail(S.KIND_DAMAGED, S.E_BLOCK_TOO_BIG, stated, BLOCK_MAX);
    return 0;
  }
  return (stated + 3) & ~3;
}

@inline
function trailerAgrees(total: u32): bool {
  const first = word(cur + 4, swapped);
  const second = word(cur + total - TRAILER, swapped);
  if (first == second) return true;
  S.fail(S.KIND_DAMAGED, S.E_BLOCK_TRAILER, first, second);
  return false;
}

@inline
function block(type: u32, held: u32, total: u32): u32 {
  const body = held == total ? held - TRAILER : held;
  switch (type) {
    case BT_EPB:
      return packetBlock(word(cur + 8, swapped), body);
    case BT_PB:
      return packetBlock(half(cur + 8, swapped), body);
    case BT_SPB:
      return simplePacket(body);
    case BT_SHB:
      section(total);
      return GO;
    case BT_IDB:
      description(body, total);
      return GO;
    default:
      return GO;
  }
}

function section(total: u32): void {
  if (total < SECTION_MIN) return S.fail(S.KIND_DAMAGED, S.E_BLOCK_TOO_SMALL, total, SECTION_MIN);
  const major = half(cur + 12, swapped);
  const minor = half(cur + 14, swapped);
  // 1.2 is a mistaken version in old files, read as 1.0 (draft section 4.1).
  if (major != 1 || (minor != 0 && minor != 2)) return S.fail(S.KIND_UNSUPPORTED, S.E_SECTION_VERSION, major, minor);
  orders |= swapped ? 2 : 1;
  interfaces = 0;
}

function description(body: u32, total: u32): void {
  if (total < IDB_MIN) return S.fail(S.KIND_DAMAGED, S.E_BLOCK_TOO_SMALL, total, IDB_MIN);
  if (interfaces >= IFACE_MAX) return S.fail(S.KIND_UNSUPPORTED, S.E_TOO_MANY_INTERFACES, IFACE_MAX);
  const iface = ifaceAt(interfaces++);
  iface.linktype = half(cur + 8, swapped);
  iface.snaplen = word(cur + 12, swapped);
  iface.tsoffset = 0;
  resolution(iface, 6);
  options(iface, cur + 16, cur + body);
  noteLinktype(iface.linktype);
}

function options(iface: Iface, p: usize, end: usize): void {
  while (end - p >= 4) {
    const code = half(p, swapped);
    const length: usize = half(p + 2, swapped);
    p += 4;
    if (code == OPT_END || length > end - p) return;
    if (code == OPT_IF_TSRESOL && length == 1) resolution(iface, load<u8>(p));
    if (code == OPT_IF_TSOFFSET && length == 8) iface.tsoffset = offset64(p);
    p += min((length + 3) & ~3, end - p);
  }
}

function offset64(p: usize): i64 {
  const raw = load<u64>(p);
  return <i64>(swapped ? bswap<u64>(raw) : raw);
}

/** if_tsresol: 10^-n seconds, or with the top bit 2^-n. */
function resolution(iface: Iface, value: u32): void {
  iface.multiply = 1;
  iface.divide = 1;
  iface.shift = 0;
  const exponent = value & 0x7f;
  if (value & 0x80) {
    iface.shift = min(exponent, 63);
    if (!iface.shift) iface.multiply = 1000000000;
    return;
  }
  for (let i = exponent; i < 9; i++) iface.multiply *= 10;
  for (let i: u32 = 9; i < min(exponent, 28); i++) iface.divide *= 10;
}

@inline
function time(iface: Iface, raw: u64): i64 {
  const scaled = iface.shift ? binary(raw, iface.shift) : iface.divide == 1 ? raw * iface.multiply : raw / iface.divide;
  return <i64>scaled + iface.tsoffset * 1000000000;
}

/** raw * 10^9 / 2^shift without losing the high bits: the fraction is multiplied in two halves. */
function binary(raw: u64, shift: u32): u64 {
  const fraction = raw & ((<u64>1 << shift) - 1);
  const low = (fraction & 0xffffffff) * 1000000000;
  const high = (fraction >> 32) * 1000000000 + (low >> 32);
  const nanoseconds = shift >= 32 ? high >> (shift - 32) : ((high << 32) | (low & 0xffffffff)) >> shift;
  return (raw >> shift) * 1000000000 + nanoseconds;
}

/** EPB and the obsolete PB have the same layout but for the width of the interface number. */
@inline
function packetBlock(number: u32, body: u32): u32 {
  if (body < PACKET_HEADER) {
    S.fail(S.KIND_DAMAGED, S.E_BLOCK_TOO_SMALL, body + TRAILER, PACKET_HEADER + TRAILER);
    return GO;
  }
  if (number >= interfaces) {
    S.fail(S.KIND_DAMAGED, S.E_NO_SUCH_INTERFACE, number, interfaces);
    return GO;
  }
  const caplen = word(cur + 20, swapped);
  if (!fits(caplen, body - PACKET_HEADER)) return GO;
  if (filterWantsWay()) filterWay(wayOf(cur + PACKET_HEADER + ((caplen + 3) & ~3), cur + body));
  const iface = ifaceAt(number);
  const ts = time(iface, rawTime(cur));
  return packet(cur + PACKET_HEADER, caplen, word(cur + 24, swapped), number, iface.linktype, swapped, ts, true);
}

/** Inbound (1) or outbound (2) by the options of a packet block; 0 when they do not say. */
function wayOf(p: usize, end: usize): u32 {
  while (p + 8 <= end) {
    const code = half(p, swapped);
    const length: usize = half(p + 2, swapped);
    if (code == OPT_END) return 0;
    if (code == OPT_EPB_FLAGS && length == 4) {
      const way = word(p + 4, swapped) & 3;
      return way == 3 ? 0 : way;
    }
    p += 4 + ((length + 3) & ~3);
  }
  return 0;
}

/** Packet blocks of the interface of the next one. */
function scanRun(): void {
  if (left() < EPB_MIN) return;
  const number = word(cur + 8, swapped);
  if (number >= interfaces) return;
  const iface = ifaceAt(number);
  S.moveTo(scanEpb(cur, S.limit, number, iface.linktype));
  if (lastRecord) noteTimes(time(iface, rawTime(firstRecord)), time(iface, rawTime(lastRecord)));
}

@inline
function rawTime(p: usize): u64 {
  return (<u64>word(p + 12, swapped) << 32) | word(p + 16, swapped);
}

/** Simple packets belong to interface 0, carry no time, and are as long as snaplen and block allow. */
function simplePacket(body: u32): u32 {
  if (!interfaces || body < SIMPLE_HEADER) {
    if (!interfaces) S.fail(S.KIND_DAMAGED, S.E_NO_SUCH_INTERFACE, 0, 0);
    else S.fail(S.KIND_DAMAGED, S.E_BLOCK_TOO_SMALL, body + TRAILER, SIMPLE_HEADER + TRAILER);
    return GO;
  }
  const iface = ifaceAt(0);
  const wirelen = word(cur + 8, swapped);
  let caplen = wirelen;
  if (iface.snaplen && caplen > iface.snaplen) caplen = iface.snaplen;
  if (!fits(caplen, body - SIMPLE_HEADER)) return GO;
  filterWay(0);
  return packet(cur + SIMPLE_HEADER, caplen, wirelen, 0, iface.linktype, swapped, 0, false);
}

@inline
function fits(caplen: u32, room: u32): bool {
  if (caplen > CAPLEN_MAX) S.fail(S.KIND_DAMAGED, S.E_PACKET_TOO_BIG, caplen, CAPLEN_MAX);
  else if (caplen > room) S.fail(S.KIND_DAMAGED, S.E_PACKET_PAST_BLOCK, caplen, room);
  else return true;
  return false;
}
