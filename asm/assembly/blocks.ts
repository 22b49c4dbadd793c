// Stored blocks: a recorder's segment is read by its whole packet blocks, in our byte order, with stamps in
// nanoseconds (native/src/block.h). One call filters what lies in the chunk area and leaves the addresses of
// the packet blocks that pass. No rows, totals, flows or carry: what a call did not use the host gives again.
import { filterActive, filterFind, filterRun, filterWantsWay, filterWay } from './bpf';
import { BT_EPB, BT_IDB, BT_SHB, OPT_EPB_FLAGS, OPT_END } from './constants';
import { CAPLEN_MAX, BLOCK_MAX, CHUNK_MAX, IFACE_MAX, IFACES_BASE, Iface, ROWS_BASE } from './layout';
import { GO, STOP_FILTER } from './packet';

/** What lies at the address returned contradicts itself. */
export const STOP_DAMAGED: u32 = 4;
/** Addresses of packet blocks that passed, u32 each: more than a chunk can hold. */
export const FOUND_BASE: usize = ROWS_BASE;
/** Of a chunk of shortest packet blocks, all found. */
const FOUND_MAX: u32 = CHUNK_MAX / 32;
export const STARTS_BASE: usize = FOUND_BASE + (<usize>FOUND_MAX << 2);

const EPB_HEADER: u32 = 28;
const EPB_MIN: u32 = 32;
const BLOCK_MIN: u32 = 12;
const NO_FILTER: i32 = -1;
const NO_PROGRAM: i32 = -2;

let interfaces: u32 = 0;
let ranged: bool = false;
let from: i64 = 0;
let to: i64 = 0;
let stop: u32 = GO;
let wanted: u32 = 0;
let found: u32 = 0;
let packets: u32 = 0;

@inline
function ifaceAt(number: u32): Iface {
  return changetype<Iface>(IFACES_BASE + <usize>number * offsetof<Iface>());
}

/** Forgets the interfaces: those of the next segment follow, in order. */
export function blocks_begin(): void {
  interfaces = 0;
}

/** False when there are too many. */
export function blocks_interface(linktype: u32): bool {
  if (interfaces >= IFACE_MAX) return false;
  ifaceAt(interfaces++).linktype = linktype;
  return true;
}

/** Linktype of an interface: for who walks stored blocks elsewhere. */
export function linktypeOf(number: u32): u32 {
  return number < interfaces ? ifaceAt(number).linktype : 0xffffffff;
}

/** With `on` only packets with from <= stamp < to pass. */
export function blocks_range(on: u32, from_low: u32, from_high: u32, to_low: u32, to_high: u32): void {
  ranged = on != 0;
  from = (<i64>from_high << 32) | from_low;
  to = (<i64>to_high << 32) | to_low;
}

/** Why blocks_scan() returned where it did: GO, STOP_FILTER (see blocks_key) or STOP_DAMAGED. */
export function blocks_stop(): u32 {
  return stop;
}
/** Linktype that STOP_FILTER wants a program for. */
export function blocks_key(): u32 {
  return wanted;
}
export function blocks_found(): u32 {
  return found;
}
/** Packets looked at by the last scan. */
export function blocks_packets(): u32 {
  return packets;
}

@inline
function programFor(linktype: u32): i32 {
  if (!filterActive()) return NO_FILTER;
  const program = filterFind(linktype);
  return program < 0 ? NO_PROGRAM : program;
}

/** Whether the packet block at `p`, of which `total` bytes may be read, is whole and of a known interface. */
@inline
export function epbWhole(p: usize, total: u32): bool {
  const caplen = load<u32>(p, 20);
  return total >= EPB_MIN && caplen <= CAPLEN_MAX && caplen <= total - EPB_MIN && load<u32>(p, 8) < interfaces;
}

/** Length of the block at `p`, 0 when it can be none. Sections and interfaces begin segments and nothing else. */
@inline
export function blockLength(p: usize): u32 {
  const type = load<u32>(p);
  const total = load<u32>(p, 4);
  if (total < BLOCK_MIN || total & 3 || total > BLOCK_MAX || type == BT_SHB || type == BT_IDB) return 0;
  return total;
}

/**
 * Filters the whole blocks in [p, end). Returns where it stopped: the first block that is not all here, or
 * beyond `end` when a block that is no packet goes on there.
 */
export function blocks_scan(p: usize, end: usize): usize {
  stop = GO;
  found = 0;
  packets = 0;
  let number: u32 = 0xffffffff;
  let program: i32 = NO_PROGRAM;
  const ways = filterWantsWay();
  let out = FOUND_BASE;
  while (p + BLOCK_MIN <= end) {
    const total = blockLength(p);
    if (!total) return halt(STOP_DAMAGED, p, out);
    const next = p + <usize>total;
    if (load<u32>(p) != BT_EPB) {
      if (next <= end && load<u32>(next - 4) != total) return halt(STOP_DAMAGED, p, out);
      p = next;
      continue;
    }
    if (next > end) break;
    if (load<u32>(next - 4) != total || !epbWhole(p, total)) return halt(STOP_DAMAGED, p, out);
    const iface = load<u32>(p, 8);
    if (iface != number) {
      number = iface;
      wanted = ifaceAt(iface).linktype;
      program = programFor(wanted);
      if (program == NO_PROGRAM) return halt(STOP_FILTER, p, out);
    }
    packets++;
    if (!ranged || inRange(p)) {
      const caplen = load<u32>(p, 20);
      if (ways) filterWay(wayOf(p + EPB_HEADER + ((caplen + 3) & ~3), next - 4));
      if (program == NO_FILTER || filterRun(program, p + EPB_HEADER, caplen, load<u32>(p, 24))) {
        store<u32>(out, <u32>p);
        out += 4;
      }
    }
    p = next;
  }
  return halt(GO, p, out);
}

/** Where blocks_gather() copies to: taken when first needed. */
let gathered: usize = 0;
let truncated: u32 = 0;

/**
 * Copies the packet blocks found from number `first` on, `count` of them, one behind the other; with `headers` only
 * their first 28 bytes. Their places in the copy are at STARTS_BASE, u32 each. Returns the address of the copy, 0
 * when there is no memory; its length is where STARTS_BASE's entry `count` says.
 */
export function blocks_gather(first: u32, count: u32, headers: u32): usize {
  if (!gathered) {
    const grown = memory.grow(<i32>(CHUNK_MAX >> 16));
    if (grown < 0) return 0;
    gathered = <usize>grown << 16;
  }
  let to: u32 = 0;
  truncated = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = <usize>load<u32>(FOUND_BASE + (<usize>(first + i) << 2));
    const length = headers ? EPB_HEADER : load<u32>(p, 4);
    store<u32>(STARTS_BASE + (<usize>i << 2), to);
    memory.copy(gathered + to, p, length);
    truncated += u32(load<u32>(p, 20) < load<u32>(p, 24));
    to += length;
  }
  store<u32>(STARTS_BASE + (<usize>count << 2), to);
  return gathered;
}

/** Packets of the last copy that are shorter than they were on the wire. */
export function blocks_truncated(): u32 {
  return truncated;
}

@inline
function halt(why: u32, p: usize, out: usize): usize {
  stop = why;
  found = <u32>(out - FOUND_BASE) >> 2;
  return p;
}

@inline
function inRange(p: usize): bool {
  const ts = <i64>((<u64>load<u32>(p, 12) << 32) | load<u32>(p, 16));
  return ts >= from && ts < to;
}

/** Inbound (1) or outbound (2) by a packet's options; 0 when they do not say. */
function wayOf(p: usize, end: usize): u32 {
  while (p + 8 <= end) {
    const code = load<u16>(p);
    const length: usize = load<u16>(p, 2);
    if (code == OPT_END) return 0;
    if (code == OPT_EPB_FLAGS && length == 4) {
      const way = load<u32>(p, 4) & 3;
      return way == 3 ? 0 : way;
    }
    p += 4 + ((length + 3) & ~3);
  }
  return 0;
}
