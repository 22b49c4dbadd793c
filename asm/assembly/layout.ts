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
//   STAGE    what the packets of a batch say of their flows
//   EXPORT   flows that ended, waiting for the host
//   DISTINCT registers of the distinct counts
//   TALKERS  counters of the top talkers
//   CARRY    unread tail of the chunk before, right-aligned against ─┐
//   CHUNK    bytes handed to push                                  ◄─┘
//   INDEX    flow hash table (size set by init), then slabs of flows, which grow with memory.grow
//
// Only the slabs grow, up to what init was told; all else is fixed.
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
  /** Packets counted in flows, once for each IP layer. */
  flowPackets: u64;
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
  /** Index in the table of the function that runs it, 0: the interpreter. */
  call: u32;
  /** Index of its loop over pcap records, followed by the one over packet blocks; 0: none. */
  loops: u32;
}

/** What a loop over records added up. */
@unmanaged
export class Sums {
  captured: u64;
  original: u64;
  packets: u32;
  truncated: u32;
  matched: u32;
  /** Where the last record counted starts; 0 when none was. */
  last: u32;
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
 * What a packet says of one flow, staged until its batch is entered into the table (flows.ts). A packet
 * in tunnels leaves one per IP layer, the outermost first.
 */
@unmanaged
export class Sighting {
  /** Source, then destination, as they lie in the header; IPv4 uses k0 alone. */
  k0: u64;
  k1: u64;
  k2: u64;
  k3: u64;
  ts: i64;
  ports: u32; // source in the low half, network order
  kind: u32;
  hash: u32;
  wire: u32;
  ip: u32;
  payload: u32;
  // ── second line
  vlans: u32;
  services: u32;
  /** Number of the sighting whose flow carries this one, -1 when none does. */
  parent: i32;
  /** Filled once the flow is known. */
  serial: u32;
  /** Address of the packet's row, which gets the serial; 0 when there is none. */
  row: u32;
  tcpFlags: u32;
  window: u32;
  seq: u32;
  ack: u32;
  /** Protocols seen before this header. */
  before: u32;
  /** Of TCP and UDP: what the captured payload is, see `above` in state.ts. */
  above: u32;
  _pad0: u32;
  _pad1: u64;
  _pad2: u64;
}

/**
 * One flow: the line that its packets look up and count in. `a` is the originator. Ports and IPv4
 * addresses in network order. The eight counters are 32 bits; what they overflow goes to FlowMore.
 */
@unmanaged
export class FlowEntry {
  addrs: u64; // IPv4: a in the low half, b in the high half
  ports: u32; // a in the low half, b in the high half
  kind: u16; // IP protocol, version << 8, KIND_*; 0 in an entry without a flow
  flagsA: u8;
  flagsB: u8;
  lastTs: i64;
  packetsA: u32;
  packetsB: u32;
  wireA: u32; // lengths of the frames
  wireB: u32;
  ipA: u32; // lengths of the IP packets
  ipB: u32;
  payloadA: u32; // above the transport header; TCP: by sequence numbers, a FIN counted in
  payloadB: u32;
  hash: u32; // in an entry without a flow: number of the next such entry + 1
  serial: u32;
}

/** The rest of a flow, a line each for: identity, TCP's every packet, its milestones, its holes and history. */
@unmanaged
export class FlowMore {
  a0: u64; // IPv6 addresses
  a1: u64;
  b0: u64;
  b1: u64;
  firstTs: i64;
  carries: u64; // u16 each: how often packetsA … payloadB overflowed, in their order
  _carries: u64;
  parent: u32; // serial of the flow that carried the first packet, NO_FLOW
  vlans: u32; // outer tag in the low half, inner in the high half; VLAN_PRESENT marks each
  // ── TCP, every packet
  nextA: u32; // highest sequence number sent, plus one
  nextB: u32;
  extentA: u32; // the same, or what the peer acknowledged beyond it
  extentB: u32;
  ackedA: u32; // highest acknowledgment of what A sent
  ackedB: u32;
  letters: u32; // letters noted of A (bits 0 to 8), and of B 16 bits higher; 12 to 15 and 28 tcpstream.ts; 31 OPENED
  stateA: u8; // TCP_*, the state before in the upper half
  stateB: u8;
  holesA: u8;
  holesB: u8;
  advancedA: i64; // when nextA last moved
  advancedB: i64;
  retransmitsA: u32;
  retransmitsB: u32;
  disorderedA: u32;
  disorderedB: u32;
  // ── TCP, milestones
  synTs: i64;
  synAckTs: i64;
  ackTs: i64;
  closedTs: i64; // when both sides had closed
  zeroWindowsA: u32;
  zeroWindowsB: u32;
  isnA: u32;
  isnB: u32;
  lastFinA: u32;
  lastFinB: u32;
  services: u32; // SEEN_* of what was recognised
  milestones: u8;
  historyLength: u8;
  ended: u8; // ENDED_*
  _pad0: u8;
  // ── TCP, holes and history
  hole0A: u64; // first byte missing, and the first one not, upper half
  hole1A: u64;
  hole0B: u64;
  hole1B: u64;
  lastRstA: u32;
  lastRstB: u32;
  missed: u64; // bytes of holes that were given up
  history0: u64; // letters of 5 bits, the first in the lowest: HISTORY_* and, from 16 on, of b
  history1: u64;
}

/** Letters of a history; later ones are left out. */
export const HISTORY_MAX: u32 = 24;
/** Entries of a slab, whose first lines lie together: lookups touch few pages. */
export const SLAB_FLOWS: u32 = 1024;
export const SLAB_BYTES: u32 = SLAB_FLOWS * 320;
/** Flows that ended and wait for the host, and how many one batch may add. */
export const EXPORT_MAX: u32 = 1024;
export const EXPORT_MARGIN: u32 = 256;
export const STAGE_MAX: u32 = 64;
/** HyperLogLog: 2^DISTINCT_BITS registers of a byte for each of DISTINCT_KINDS. */
export const DISTINCT_BITS: u32 = 14;
export const DISTINCT_KINDS: u32 = 5;

/** One counter of a talkers' table. */
@unmanaged
export class Talker {
  k0: u64;
  k1: u64;
  k2: u64;
  k3: u64;
  ports: u32;
  kind: u32;
  bytes: u64; // 0: free
}
export const TALKER_SLOTS: u32 = 2048;
export const TALKER_KINDS: u32 = 4;

if (offsetof<Sighting>() != 128) ERROR('a sighting must be 128 bytes');
if (offsetof<FlowEntry>() != 64) ERROR('the first line of a flow must be 64 bytes');
if (offsetof<FlowMore>('nextA') != 64) ERROR('TCP state must start a line');
if (offsetof<FlowMore>('synTs') != 128) ERROR('milestones must start a line');
if (offsetof<FlowMore>() != 256) ERROR('the rest of a flow must be 256 bytes');
if (offsetof<Talker>() != 48) ERROR('a talker must be 48 bytes');
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
export const COUNTS_BASE: usize = STATE_BASE + 256;
export const LINKTYPES_BASE: usize = COUNTS_BASE + PROTOCOL_MAX * 8;
export const IFACES_BASE: usize = STATE_BASE + 4096;
export const SLOTS_BASE: usize = IFACES_BASE + IFACE_MAX * offsetof<Iface>();
export const INSNS_BASE: usize = SLOTS_BASE + SLOT_MAX * offsetof<Slot>();
export const SERIES_BASE: usize = INSNS_BASE + INSN_MAX * offsetof<Insn>();
export const NODES_BASE: usize = SERIES_BASE + SERIES_SECONDS * offsetof<Bucket>();
export const ROWS_BASE: usize = NODES_BASE + NODE_MAX * offsetof<Node>();
export const SCRATCH_BASE: usize = ROWS_BASE + ROW_MAX * offsetof<Row>();
export const STAGE_BASE: usize = SCRATCH_BASE + CAPLEN_MAX + 64;
export const EXPORT_BASE: usize = STAGE_BASE + STAGE_MAX * offsetof<Sighting>();
export const DISTINCT_BASE: usize = EXPORT_BASE + EXPORT_MAX * 320;
export const TALKERS_BASE: usize = DISTINCT_BASE + (DISTINCT_KINDS << DISTINCT_BITS);
/** Two tables more than kinds: one for an answer, one for rebuilding. */
export const TALKERS_BYTES: usize = TALKER_SLOTS * offsetof<Talker>();
export const CARRY_BASE: usize = TALKERS_BASE + <usize>(TALKER_KINDS + 2) * TALKERS_BYTES;
/** Aligned, because the kernel copies a file twice as fast to whole cache lines. */
export const CHUNK_BASE: usize = (CARRY_BASE + HELD_MAX + 64 + 0xfff) & ~0xfff;
export const INDEX_BASE: usize = (CHUNK_BASE + CHUNK_MAX + 0xffff) & ~0xffff;
