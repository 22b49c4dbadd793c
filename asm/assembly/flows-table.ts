// The flow table: an open-addressed index of (hash, entry number) over slabs of entries. Seeded hash; the
// index stays at most half full. A slab keeps the first lines of its SLAB_FLOWS entries together and the
// rest behind them, so that lookups touch few pages. Entries keep their number until their flow leaves.
//
// Bounded: when all entries are in use, the one least recently seen among EVICT_SAMPLE under a rotating
// hand leaves, flows that ended first. What leaves is counted, added to the talkers and, when the host
// asked for it, exported; nothing is freed without passing leave().
import { distinctFlow } from './distinct';
import {
  EXPORT_BASE,
  EXPORT_MARGIN,
  EXPORT_MAX,
  FlowEntry,
  FlowMore,
  INDEX_BASE,
  NO_FLOW,
  SLAB_BYTES,
  SLAB_FLOWS,
  STATE_BASE,
  Sighting,
  Totals,
} from './layout';
import { talkersAdd } from './topk';

const EVICT_SAMPLE: u32 = 16;
const INDEX_MIN: u32 = 4096;
const K0: u64 = 0x9e3779b97f4a7c15;
const K1: u64 = 0xd6e8feb86659fd93;
const SLAB_SHIFT: u32 = 10;
const MORE_OFFSET: usize = SLAB_FLOWS * 64;
export const NONE: u32 = 0xffffffff;

// Bits of FlowEntry.kind beside protocol and version.
/** Later fragments: no ports are known, so they share a flow of their own. */
export const KIND_FRAGMENT: u32 = 0x8000;
/** ICMP without an answer: each direction is a flow. */
export const KIND_ONE_WAY: u32 = 0x4000;
/** The flow ended but is still in the table, for want of an export: not in the index. */
export const KIND_ENDED: u32 = 0x2000;

// FlowMore.ended
export const ENDED_EVICTED: u32 = 1;
export const ENDED_IDLE: u32 = 2;
/** Another connection began on the same addresses and ports. */
export const ENDED_REUSED: u32 = 3;
/** The host asked for all that is left. */
export const ENDED_DRAINED: u32 = 4;

let entries: usize = 0;
let entryMax: u32 = 0;
let slots: u32 = 0;
let live: u32 = 0;
let free: u32 = 0;
let indexed: u32 = 0;
let indexMask: u32 = 0;
let indexMax: u32 = 0;
let seed: u64 = 0;
let hand: u32 = 0;
let serial: u32 = 0;
let exporting: bool = false;
let forgetting: bool = false;
let exported: u32 = 0;

/** Whether the sighting last found or created runs from the responder to the originator. */
export let reverse: bool = false;

/** 0, or -1 when the memory for the index cannot be had. */
export function tableInit(max: u32, hashSeed: u64): i32 {
  indexMax = INDEX_MIN;
  while (indexMax < max * 2) indexMax <<= 1;
  entries = INDEX_BASE + (<usize>indexMax << 3);
  entryMax = max;
  seed = hashSeed;
  if (!ensure(entries + SLAB_BYTES)) return -1;
  tableReset();
  return 0;
}

export function tableReset(): void {
  slots = 0;
  live = 0;
  free = 0;
  indexed = 0;
  hand = 0;
  serial = 0;
  exported = 0;
  indexMask = INDEX_MIN - 1;
  memory.fill(INDEX_BASE, 0, <usize>INDEX_MIN << 3);
}

/** What becomes of flows that end: 0 they stay listed, 1 they are exported, 2 they are only counted. */
export function tableKeep(way: u32): void {
  exporting = way == 1;
  forgetting = way == 2;
}

@inline
export function isFreeing(): bool {
  return exporting || forgetting;
}

/** Flows in the table; entries to look through for them. */
export function liveCount(): u32 {
  return live;
}
export function slotCount(): u32 {
  return slots;
}

/** True when the export area may not hold what the next batch ends. */
@inline
export function exportFull(): bool {
  return exported > EXPORT_MAX - EXPORT_MARGIN;
}
export function exportCount(): u32 {
  return exported;
}
export function exportClear(): void {
  exported = 0;
}

/** Pages to grow ahead: a call costs engines about a millisecond, whatever it adds. */
const AHEAD_PAGES: i32 = 256;

/** Grows memory to hold `end`, in large steps where they can be had. */
function ensure(end: usize): bool {
  const pages = <i32>((end + 0xffff) >> 16);
  const missing = pages - memory.size();
  return missing <= 0 || memory.grow(missing + AHEAD_PAGES) >= 0 || memory.grow(missing) >= 0;
}

@inline
export function entryAt(number: u32): FlowEntry {
  return changetype<FlowEntry>(entries + <usize>(number >> SLAB_SHIFT) * SLAB_BYTES + ((number & (SLAB_FLOWS - 1)) << 6));
}

@inline
export function moreAt(number: u32): FlowMore {
  const slab = entries + <usize>(number >> SLAB_SHIFT) * SLAB_BYTES;
  return changetype<FlowMore>(slab + MORE_OFFSET + ((number & (SLAB_FLOWS - 1)) << 8));
}

@inline
function slotAt(position: u32): usize {
  return INDEX_BASE + (<usize>position << 3);
}

@inline
function mix(value: u64): u64 {
  let x = (value ^ seed) * K0;
  x = (x ^ (x >> 32)) * K1;
  return x ^ (x >> 29);
}

/** The same for both directions; v4 keys fit one word a side, v6 are folded first. */
@inline
export function hashKey(s: Sighting, v4: bool): u32 {
  let a: u64, b: u64;
  if (v4) {
    a = (s.k0 & 0xffffffff) << 16;
    b = (s.k0 >> 32) << 16;
  } else {
    a = mix(s.k0) ^ (s.k1 * K1);
    b = mix(s.k2) ^ (s.k3 * K1);
  }
  a += s.ports & 0xffff;
  b += s.ports >> 16;
  return <u32>(mix(mix(min(a, b)) ^ max(a, b) ^ (<u64>s.kind << 48)) >> 16);
}

/** 1: the packet runs a→b, 2: b→a, 0: another flow. */
@inline
function match(number: u32, s: Sighting): u32 {
  const entry = entryAt(number);
  const kind = s.kind;
  if (entry.kind != kind) return 0;
  if ((kind & 0xf00) != 0x400) return match6(entry, moreAt(number), s);
  // Which way a packet runs cannot be foretold: computed without a branch.
  const along = u32(entry.addrs == s.k0) & u32(entry.ports == s.ports);
  const back = u32(entry.addrs == rotl<u64>(s.k0, 32)) & u32(entry.ports == rotl<u32>(s.ports, 16));
  return along | (select<u32>(0, back & ~along, (kind & KIND_ONE_WAY) != 0) << 1);
}

function match6(entry: FlowEntry, more: FlowMore, s: Sighting): u32 {
  if (entry.ports == s.ports && more.a0 == s.k0 && more.a1 == s.k1 && more.b0 == s.k2 && more.b1 == s.k3) return 1;
  if (s.kind & KIND_ONE_WAY || entry.ports != rotl<u32>(s.ports, 16)) return 0;
  return more.a0 == s.k2 && more.a1 == s.k3 && more.b0 == s.k0 && more.b1 == s.k1 ? 2 : 0;
}

/** Number of the sighting's flow, NONE when there is none; sets `reverse`. */
@inline
export function find(s: Sighting): u32 {
  const hash = s.hash;
  let position = hash & indexMask;
  while (true) {
    const slot = load<u64>(slotAt(position));
    if (!<u32>slot) return NONE;
    if (<u32>(slot >> 32) == hash) {
      const way = match(<u32>slot - 1, s);
      if (way) {
        reverse = way == 2;
        return <u32>slot - 1;
      }
    }
    position = (position + 1) & indexMask;
  }
}

/** Loads what find() will load first, so that the cache misses of a batch overlap. */
@inline
export function warmSlot(hash: u32): u64 {
  return load<u64>(slotAt(hash & indexMask));
}
@inline
export function warmEntry(slot: u64, s: Sighting): u64 {
  if (!<u32>slot) return 0;
  const number = <u32>slot - 1;
  let sum = entryAt(number).lastTs;
  if ((s.kind & 0xff) == 6) sum += moreAt(number).nextA;
  if ((s.kind & 0xf00) != 0x400) sum += moreAt(number).a0;
  return sum;
}

/** Puts (hash, number) into the first free slot of its probe sequence. */
function indexPut(hash: u32, number: u32): void {
  let position = hash & indexMask;
  while (load<u32>(slotAt(position))) position = (position + 1) & indexMask;
  store<u64>(slotAt(position), (<u64>hash << 32) | (number + 1));
}

/** Doubles the index and enters every flow anew: entries keep their place and their hash. */
function indexGrow(): void {
  const size = (indexMask + 1) << 1;
  memory.fill(INDEX_BASE, 0, <usize>size << 3);
  indexMask = size - 1;
  for (let number: u32 = 0; number < slots; number++) {
    const entry = entryAt(number);
    if (entry.kind && !(entry.kind & KIND_ENDED)) indexPut(entry.hash, number);
  }
}

/** Removes one slot, closing the gap by moving later members of the run back. */
function indexRemove(hash: u32, number: u32): void {
  let hole = hash & indexMask;
  while (load<u32>(slotAt(hole)) != number + 1) hole = (hole + 1) & indexMask;
  let next = hole;
  while (true) {
    next = (next + 1) & indexMask;
    const slot = load<u64>(slotAt(next));
    if (!<u32>slot) break;
    const home = <u32>(slot >> 32) & indexMask;
    if (((next - home) & indexMask) < ((next - hole) & indexMask)) continue;
    store<u64>(slotAt(hole), slot);
    hole = next;
  }
  store<u64>(slotAt(hole), 0);
  indexed--;
}

/** Ends a flow: it leaves when somebody takes the exports, else it stays listed until its entry is needed. */
export function end(number: u32, reason: u32): void {
  moreAt(number).ended = <u8>reason;
  const entry = entryAt(number);
  if (exporting || forgetting) {
    leave(number);
    entry.kind = 0;
    entry.hash = free;
    free = number + 1;
    return;
  }
  indexRemove(entry.hash, number);
  entry.kind |= <u16>KIND_ENDED;
}

/** The flow's last moment in the table; the entry is the caller's to reuse. */
function leave(number: u32): void {
  const entry = entryAt(number);
  const more = moreAt(number);
  if (!(entry.kind & KIND_ENDED)) indexRemove(entry.hash, number);
  entry.kind &= <u16>~KIND_ENDED;
  live--;
  if (forgetting) return;
  talkersAdd(entry, more);
  if (!exporting) return;
  const at = EXPORT_BASE + <usize>(exported++) * 320;
  memory.copy(at, changetype<usize>(entry), 64);
  memory.copy(at + 64, changetype<usize>(more), 256);
}

/** Number of an entry to reuse. */
function evict(): u32 {
  let oldest = hand;
  let age = i64.MAX_VALUE;
  for (let i: u32 = 0; i < EVICT_SAMPLE; i++) {
    const entry = entryAt(hand);
    const seen = entry.kind & KIND_ENDED ? i64.MIN_VALUE : entry.lastTs;
    if (seen < age) {
      age = seen;
      oldest = hand;
    }
    hand = hand + 1 < slots ? hand + 1 : 0;
  }
  if (!moreAt(oldest).ended) moreAt(oldest).ended = <u8>ENDED_EVICTED;
  leave(oldest);
  changetype<Totals>(STATE_BASE).flowsEvicted++;
  return oldest;
}

function claim(): u32 {
  if (free) {
    const number = free - 1;
    free = entryAt(number).hash;
    return number;
  }
  if (slots >= entryMax || !ensure(entries + <usize>((slots >> SLAB_SHIFT) + 1) * SLAB_BYTES)) {
    if (!slots) unreachable(); // init() reserved the first slab
    return evict();
  }
  return slots++;
}

/** Whole lines of 64 bytes. For so few, engines take longer to call memory.fill than to store. */
@inline
function clear(p: usize, bytes: usize): void {
  for (const end = p + bytes; p < end; p += 64) {
    store<u64>(p, 0);
    store<u64>(p, 0, 8);
    store<u64>(p, 0, 16);
    store<u64>(p, 0, 24);
    store<u64>(p, 0, 32);
    store<u64>(p, 0, 40);
    store<u64>(p, 0, 48);
    store<u64>(p, 0, 56);
  }
}

/** A new flow, from the sighting's source to its destination, or flipped. Sets `reverse`. */
export function create(s: Sighting, parent: u32, flip: bool): u32 {
  const number = claim();
  const entry = entryAt(number);
  const more = moreAt(number);
  clear(changetype<usize>(entry), 64);
  clear(changetype<usize>(more), 256);
  // The entry has no kind yet: growing the index leaves it out.
  if (++indexed * 2 > indexMask && indexMask + 1 < indexMax) indexGrow();
  if ((s.kind & 0xf00) == 0x400) entry.addrs = flip ? rotl<u64>(s.k0, 32) : s.k0;
  else {
    more.a0 = flip ? s.k2 : s.k0;
    more.a1 = flip ? s.k3 : s.k1;
    more.b0 = flip ? s.k0 : s.k2;
    more.b1 = flip ? s.k1 : s.k3;
  }
  entry.ports = flip ? rotl<u32>(s.ports, 16) : s.ports;
  entry.kind = <u16>s.kind;
  entry.hash = s.hash;
  entry.serial = serial++;
  entry.lastTs = s.ts;
  more.firstTs = s.ts;
  more.vlans = s.vlans;
  more.parent = parent;
  indexPut(s.hash, number);
  live++;
  distinctFlow(entry, more);
  reverse = flip;
  return number;
}

/** True for an entry that holds a flow which can end. */
@inline
export function isOpen(number: u32): bool {
  const kind = entryAt(number).kind;
  return kind != 0 && !(kind & KIND_ENDED);
}

/** Exports flows from entry `from` on while there is room: where to go on, slotCount() at the end. */
export function exportRest(from: u32): u32 {
  while (from < slots && exported < EXPORT_MAX) {
    if (entryAt(from).kind) end(from, ENDED_DRAINED);
    from++;
  }
  return from;
}
