// From packets to flows. Decoders leave a sighting per IP layer; sightings are entered into the table
// (flows-table.ts) one packet at a time while it is small, and in batches when it outgrows the caches:
// first all hashes' slots and entries are loaded, so that their misses overlap, then each is entered in
// order. Both ways do the same in the same order, so results never depend on it.
import {
  FlowEntry,
  FlowMore,
  NO_FLOW,
  Row,
  STAGE_BASE,
  STAGE_MAX,
  STATE_BASE,
  Sighting,
  Totals,
} from './layout';
import * as T from './flows-table';
import { be16, be32 } from './cursor';
import { distinctReset } from './distinct';
import { above, ipAddrs, ipLength, ipVersion, quoted, SEEN_GTP, SEEN_QUIC, SEEN_VXLAN, seen, ts, vlans, wirelen } from './state';
import { countDatagram, countStream, isRepeated } from './tcpstream';
import { FLIPPED, HISTORY_FLIP, note, tcpSegment } from './tcpstate';
import { talkersReset } from './topk';

export { KIND_FRAGMENT, KIND_ONE_WAY } from './flows-table';

/** Packets entered together. */
const BATCH: u32 = 32;
/** From how many flows on: below, their lines stay in the second-level cache. */
const BATCH_FROM: u32 = 4096;
/** Protocols that name a flow's service: VXLAN, GTP, and all above TCP and UDP. */
const SERVICES: u32 = ~0xfff;
/** Entries looked at for idle flows after as many sightings. */
const SWEEP: u32 = 32;
const SYN: u32 = 0x02;
const ACK: u32 = 0x10;

let staged: u32 = 0;
let packetStart: u32 = 0;
let limit: u32 = 1;
let mode: u32 = 0;
let newest: i64 = i64.MIN_VALUE;
let sweepHand: u32 = 0;
let untilSweep: u32 = SWEEP;
let sweeping: bool = false;
/** Keeps warm()'s loads from being dropped. */
let sink: u64 = 0;
// Longest silence in nanoseconds, 0 for ever.
let idleTcp: i64 = 0;
let idleUdp: i64 = 0;
let idleIcmp: i64 = 0;
let idleOther: i64 = 0;

export function flowsInit(max: u32, seed: u64): i32 {
  return T.tableInit(max, seed);
}

export function flowsReset(): void {
  T.tableReset();
  distinctReset();
  talkersReset();
  staged = 0;
  packetStart = 0;
  newest = i64.MIN_VALUE;
  sweepHand = 0;
  untilSweep = SWEEP;
  setLimit();
}

/** Batches: 0 by the table's size, 1 never, 2 always. */
export function flowsBatch(way: u32): void {
  mode = way;
  setLimit();
}

export function flowsIdle(tcp: u32, udp: u32, icmp: u32, other: u32): void {
  idleTcp = <i64>tcp * 1000000000;
  idleUdp = <i64>udp * 1000000000;
  idleIcmp = <i64>icmp * 1000000000;
  idleOther = <i64>other * 1000000000;
  sweeping = T.isFreeing() && (tcp | udp | icmp | other) != 0;
}

@inline
function setLimit(): void {
  limit = mode == 2 || (mode == 0 && T.liveCount() > BATCH_FROM) ? BATCH : 1;
}

@inline
function sightingAt(number: u32): Sighting {
  return changetype<Sighting>(STAGE_BASE + (<usize>number << 7));
}

/**
 * A packet of a flow. `ports` as they lie in the header (source first, network order), 0 where the
 * protocol has none; `payload`: bytes above its header on the wire; `special`: KIND_* bits. Nothing
 * inside a quoted packet.
 */
export function touch(protocol: u32, ports: u32, payload: usize, special: u32 = 0): void {
  if (quoted || staged == STAGE_MAX) return;
  stage(protocol | (ipVersion << 8) | special, ports, <u32>payload);
}

/** The same for TCP; the 20 bytes at p must be there. */
export function touchTcp(p: usize, header: usize, wire: usize): void {
  if (quoted || staged == STAGE_MAX) return;
  const s = stage(6 | (ipVersion << 8), load<u32>(p), <u32>(wire - p - header));
  s.tcpFlags = load<u8>(p, 13);
  s.window = be16(p + 14);
  s.seq = be32(p + 4);
  s.ack = be32(p + 8);
}

@inline
function stage(kind: u32, ports: u32, payload: u32): Sighting {
  const s = sightingAt(staged);
  s.k0 = load<u64>(ipAddrs);
  const v4 = ipVersion == 4;
  if (!v4) {
    s.k1 = load<u64>(ipAddrs, 8);
    s.k2 = load<u64>(ipAddrs, 16);
    s.k3 = load<u64>(ipAddrs, 24);
  }
  s.ts = ts;
  s.ports = ports;
  s.kind = kind;
  s.wire = wirelen;
  s.ip = ipLength;
  s.payload = payload;
  s.vlans = vlans;
  s.services = 0;
  s.above = 0;
  s.before = seen;
  s.row = 0;
  s.parent = staged > packetStart ? <i32>staged - 1 : -1;
  s.hash = T.hashKey(s, v4);
  if (s.parent >= 0) carrier(sightingAt(staged - 1));
  staged++;
  return s;
}

/** UDP that carries another IP packet serves a tunnel. */
function carrier(s: Sighting): void {
  if ((s.kind & 0xff) == 17) s.services |= seen & ~s.before & (SEEN_VXLAN | SEEN_GTP);
}

/** The packet is decoded: `row` is the address of its row or 0. */
@inline
export function flowsPacketEnd(row: usize): void {
  if (staged == packetStart) return;
  const s = sightingAt(staged - 1);
  const protocol = s.kind & 0xff;
  if (protocol == 6) {
    s.above = above;
    s.services |= ((seen & ~s.before) | above) & SERVICES;
  } else if (protocol == 17) {
    s.above = above;
    s.services |= ((seen & ~s.before) | (above & SEEN_QUIC)) & SERVICES;
  }
  s.row = <u32>row;
  packetStart = staged;
  if (staged >= limit) flowsFlush();
}

/** Enters what is staged. Must be called before flows, rows or their counts are read. */
export function flowsFlush(): void {
  if (!staged) return;
  const count = staged;
  if (count > 1 && limit > 1) warm(count);
  for (let i: u32 = 0; i < count; i++) enter(sightingAt(i));
  changetype<Totals>(STATE_BASE).flowPackets += count;
  staged = 0;
  packetStart = 0;
  setLimit();
}

const SLOTS = memory.data(512, 8);

function warm(count: u32): void {
  let sum: u64 = 0;
  for (let i: u32 = 0; i < count; i++)
    store<u64>(SLOTS + (<usize>i << 3), T.warmSlot(sightingAt(i).hash));
  for (let i: u32 = 0; i < count; i++) sum += T.warmEntry(load<u64>(SLOTS + (<usize>i << 3)), sightingAt(i));
  sink = sum;
}

@inline
function enter(s: Sighting): void {
  if (s.ts > newest) newest = s.ts;
  let number = T.find(s);
  if (number != T.NONE) {
    const over = ending(number, s);
    if (over) {
      T.end(number, over);
      number = T.NONE;
    }
  }
  if (number == T.NONE) number = begin(s);
  count(T.entryAt(number), T.moreAt(number), T.reverse ? 1 : 0, s);
  if (sweeping && --untilSweep == 0) sweep();
}

/** Why the packet does not go on with the flow it was found to belong to, 0 when it does. */
@inline
function ending(number: u32, s: Sighting): u32 {
  const idle = idleOf(s.kind);
  if (idle && s.ts - T.entryAt(number).lastTs > idle) return T.ENDED_IDLE;
  if ((s.kind & 0xff) == 6 && (s.tcpFlags & (SYN | ACK)) == SYN && reopens(number, s)) return T.ENDED_REUSED;
  return 0;
}

@inline
function idleOf(kind: u32): i64 {
  const protocol = kind & 0xff;
  return protocol == 6 ? idleTcp : protocol == 17 ? idleUdp : protocol == 1 || protocol == 58 ? idleIcmp : idleOther;
}

/** A SYN with another sequence number than the last, from an end that has sent before (as tshark's streams). */
function reopens(number: u32, s: Sighting): bool {
  const entry = T.entryAt(number);
  const more = T.moreAt(number);
  return T.reverse ? entry.packetsB != 0 && more.isnB != s.seq : entry.packetsA != 0 && more.isnA != s.seq;
}

function begin(s: Sighting): u32 {
  const parent = s.parent >= 0 ? sightingAt(<u32>s.parent).serial : NO_FLOW;
  const totals = changetype<Totals>(STATE_BASE);
  const protocol = s.kind & 0xff;
  const ports = !(s.kind & T.KIND_FRAGMENT);
  if (ports && protocol == 6) totals.tcpConversations++;
  if (ports && (protocol == 17 || protocol == 136)) totals.udpConversations++;
  const flip = ports && flips(protocol, s);
  const number = T.create(s, parent, flip);
  if (flip) {
    T.moreAt(number).milestones = <u8>FLIPPED;
    note(T.moreAt(number), HISTORY_FLIP);
  }
  return number;
}

/**
 * Whether the first packet came from the responder. A SYN never does. A SYN-ACK does, unless only its
 * destination is a known service (a scan); Zeek asks for a known source port even then. Anything else
 * does when only its source is a known service or, as in Zeek, both are and the source's number is lower.
 */
function flips(protocol: u32, s: Sighting): bool {
  const source = bswap<u16>(<u16>s.ports);
  const destination = bswap<u16>(<u16>(s.ports >> 16));
  if (protocol == 6) {
    if (s.tcpFlags & SYN) return s.tcpFlags & ACK ? servesTcp(source) || !servesTcp(destination) : false;
    return servesTcp(source) && (!servesTcp(destination) || source < destination);
  }
  return protocol == 17 && servesUdp(source) && !servesUdp(destination);
}

function servesTcp(port: u32): bool {
  switch (port) {
    case 21: case 22: case 23: case 25: case 53: case 80: case 81: case 88: case 110: case 119: case 143:
    case 179: case 389: case 443: case 445: case 465: case 587: case 631: case 636: case 853: case 990:
    case 993: case 995: case 1080: case 1433: case 1883: case 3128: case 3268: case 3306: case 3389:
    case 5060: case 5222: case 5432: case 6379: case 8000: case 8080: case 8443: case 8883: case 8888:
      return true;
    default:
      return false;
  }
}

function servesUdp(port: u32): bool {
  switch (port) {
    case 53: case 67: case 69: case 88: case 123: case 137: case 138: case 161: case 162: case 389: case 443:
    case 500: case 514: case 1812: case 1813: case 2123: case 3478: case 3544: case 4500: case 4789:
    case 5060: case 5353: case 5355: case 6081: case 8472: case 8805:
      return true;
    default:
      return false;
  }
}

const COUNTERS: usize = offsetof<FlowEntry>('packetsA');
const CARRIES: usize = offsetof<FlowMore>('carries');

/** Adds to counter `which` (packets, wire, ip, payload: 0, 2, 4, 6) of side b. */
@inline
function bump(entry: FlowEntry, more: FlowMore, which: u32, value: u32): void {
  const at = changetype<usize>(entry) + (<usize>which << 2);
  const sum = load<u32>(at, COUNTERS) + value;
  store<u32>(at, sum, COUNTERS);
  if (sum < value) carry(more, which);
}

function carry(more: FlowMore, which: u32): void {
  const at = changetype<usize>(more) + (<usize>which << 1);
  store<u16>(at, load<u16>(at, CARRIES) + 1, CARRIES);
}

@inline
function count(entry: FlowEntry, more: FlowMore, b: u32, s: Sighting): void {
  s.serial = entry.serial;
  if (s.ts > entry.lastTs) entry.lastTs = s.ts;
  bump(entry, more, b, 1);
  bump(entry, more, 2 + b, s.wire);
  bump(entry, more, 4 + b, s.ip);
  if ((s.kind & (T.KIND_FRAGMENT | 0xff)) == 6) {
    const at = changetype<usize>(entry) + b;
    const flags = offsetof<FlowEntry>('flagsA');
    store<u8>(at, load<u8>(at, flags) | s.tcpFlags, flags);
    const stream = s.above && !isRepeated(more, b, s);
    tcpSegment(entry, more, b, s);
    if (stream) countStream(more, s);
  } else {
    bump(entry, more, 6 + b, s.payload);
    if (s.above) countDatagram(more, b, s);
  }
  if (s.services) more.services |= s.services;
  if (s.row) changetype<Row>(<usize>s.row).flow = entry.serial;
}

/** Ends idle flows among the next entries. Only with exports: else they are found when their packets come. */
function sweep(): void {
  untilSweep = SWEEP;
  const slots = T.slotCount();
  for (let i: u32 = 0; i < SWEEP && i < slots; i++) {
    if (sweepHand >= slots) sweepHand = 0;
    if (T.isOpen(sweepHand)) {
      const entry = T.entryAt(sweepHand);
      const idle = idleOf(entry.kind);
      if (idle && newest - entry.lastTs > idle) T.end(sweepHand, T.ENDED_IDLE);
    }
    sweepHand++;
  }
}
