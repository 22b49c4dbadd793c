// The memory map. Every arena starts where the one before it ends; the host reads these constants
// as exported globals, so no layout is written down twice.
//
//   0        static data (tables)                      must end below STATE_BASE
//   STATE    totals, protocol counters, linktypes
//   IFACES   interfaces of the current pcapng section
//   SLOTS    filter program per linktype → INSNS
//   SERIES   ring of per-second buckets
//   NODES    packet tree of the last decode
//   ROWS     packet rows of the current push
//   SCRATCH  one packet handed to decode
//   CARRY    unread tail of the chunk before, right-aligned against ─┐
//   CHUNK    bytes handed to push                                  ◄─┘
//   INDEX    flow hash table (size set by init), then ENTRIES, which grow with memory.grow
//
// Only INDEX and ENTRIES grow, up to what init was told; all else is fixed.
import { BATCH_BYTES_MAX, SNAPLEN_DEFAULT } from './constants';

/** Most protocol counters; PROTOCOLS in the host's types.ts names them. */
export const PROTOCOL_MAX: u32 = 32;
export const LINKTYPE_MAX: u32 = 64;

@unmanaged
export class Totals {
  packets: u64;
  capturedBytes: u64;
  originalBytes: u64;
  firstTs: i64;
  lastTs: i64;
  truncated: u64;
  malformed: u64;
  unsupported: u64;
  matched: u64;
  tcpConversations: u64;
  udpConversations: u64;
  flowsEvicted: u64;
  /** Packets older than the series' window, counted in no bucket. */
  seriesLate: u64;
  /** 1 once a packet had a time. */
  timed: u32;
  linktypeCount: u32;
}

/** One interface of a pcapng section, or the only one of a pcap. */
@unmanaged
export class Iface {
  tsoffset: i64;
  /** ns = raw * multiply / divide, unless shift is used (power-of-two resolution). */
  multiply: u64;
  divide: u64;
  linktype: u32;
  snaplen: u32;
  shift: u32;
  _pad: u32;
}

@unmanaged
export class Slot {
  /** Linktype, bit 31 set in sections of the other byte order. */
  key: u32;
  start: u32;
  count: u32;
  _pad: u32;
}

/** Classic BPF with wide jumps. */
@unmanaged
export class Insn {
  code: u32;
  jt: u16;
  jf: u16;
  k: u32;
  _pad: u32;
}

@unmanaged
export class Bucket {
  sec: i64;
  packets: u64;
  bytes: u64;
  used: u64;
}

@unmanaged
export class Node {
  field: u16;
  depth: u16;
  /** The frame's bytes it came from. */
  offset: u32;
  length: u32;
  value: u32;
  /** Where its bytes are now, from SCRATCH_BASE: elsewhere when a decoder put fragments together. */
  at: u32;
  size: u32;
}

/** Row.flags */
export const ROW_MATCHED: u32 = 1;
export const ROW_TIMED: u32 = 2;
export const NO_FLOW: u32 = 0xffffffff;

@unmanaged
export class Row {
  ts: i64;
  bytes: u32;
  caplen: u32;
  wirelen: u32;
  flow: u32;
  linktype: u32;
  flags: u16;
  ifindex: u16;
}

/**
 * One flow. The first cache line is all that a packet of a known IPv4 flow touches.
 * `a` is the originator: who sent the first packet seen. Ports and IPv4 addresses in network order.
 */
@unmanaged
export class FlowEntry {
  addrs: u64; // IPv4: a in the low half, b in the high half
  ports: u32; // a in the low half, b in the high half
  kind: u16; // IP protocol, version << 8
  flagsA: u8;
  flagsB: u8;
  lastTs: i64;
  packetsA: u64;
  packetsB: u64;
  bytesA: u64;
  bytesB: u64;
  hash: u32;
  serial: u32;
  // ── second line: IPv6 keys, and what only a flow's start needs
  firstTs: i64;
  isnA: u32;
  isnB: u32;
  packetsAtIsnA: u64;
  packetsAtIsnB: u64;
  a0: u64;
  a1: u64;
  b0: u64;
  b1: u64;
}

if (offsetof<FlowEntry>('firstTs') != 64) ERROR('the first line of a flow must be 64 bytes');
if (offsetof<FlowEntry>() != 128) ERROR('a flow must be 128 bytes');
if (offsetof<Row>() != 32) ERROR('a row must be 32 bytes');
if (offsetof<Node>() != 24) ERROR('a node must be 24 bytes');
if (offsetof<Insn>() != 16) ERROR('an instruction must be 16 bytes');
if (offsetof<Iface>() != 40) ERROR('an interface must be 40 bytes');

export const IFACE_MAX: u32 = 4096;
export const SLOT_MAX: u32 = 64;
export const INSN_MAX: u32 = 16384;
/** Seconds of the series kept, a power of two. */
export const SERIES_SECONDS: u32 = 4096;
export const NODE_MAX: u32 = 4096;
export const ROW_MAX: u32 = 16384;
/** Largest captured length of one packet, as in libpcap and Wireshark. */
export const CAPLEN_MAX: u32 = SNAPLEN_DEFAULT;
/** Largest pcapng block, as in Wireshark. Longer than HELD_MAX, only its start is looked at. */
export const BLOCK_MAX: u32 = 16 << 20;
export const CHUNK_MAX: u32 = BATCH_BYTES_MAX;
export const HELD_MAX: u32 = 512 << 10;

export const STATE_BASE: usize = 0x10000;
export const COUNTS_BASE: usize = STATE_BASE + 128;
export const LINKTYPES_BASE: usize = COUNTS_BASE + PROTOCOL_MAX * 8;
export const IFACES_BASE: usize = STATE_BASE + 4096;
export const SLOTS_BASE: usize = IFACES_BASE + IFACE_MAX * offsetof<Iface>();
export const INSNS_BASE: usize = SLOTS_BASE + SLOT_MAX * offsetof<Slot>();
export const SERIES_BASE: usize = INSNS_BASE + INSN_MAX * offsetof<Insn>();
export const NODES_BASE: usize = SERIES_BASE + SERIES_SECONDS * offsetof<Bucket>();
export const ROWS_BASE: usize = NODES_BASE + NODE_MAX * offsetof<Node>();
export const SCRATCH_BASE: usize = ROWS_BASE + ROW_MAX * offsetof<Row>();
export const CARRY_BASE: usize = SCRATCH_BASE + CAPLEN_MAX + 64;
export const CHUNK_BASE: usize = CARRY_BASE + HELD_MAX + 64;
export const INDEX_BASE: usize = (CHUNK_BASE + CHUNK_MAX + 0xffff) & ~0xffff;
