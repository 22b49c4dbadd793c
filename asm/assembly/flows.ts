// The flow table: an open-addressed index of (hash, entry number) over a dense array of 128-byte
// entries. Seeded hash; the index stays at most half full; entries are bounded, and when all are in
// use the one least recently seen among EVICT_SAMPLE under a rotating hand is given up and counted.
// One lookup per packet and IP layer; a direction's packets and bytes are added to the same entry.
import { FlowEntry, INDEX_BASE, STATE_BASE, Totals } from './layout';
import { ipAddrs, ipVersion, quoted, setFlow, ts, wirelen } from './state';

const EVICT_SAMPLE: u32 = 16;
const INDEX_MIN: u32 = 4096;
const K0: u64 = 0x9e3779b97f4a7c15;
const K1: u64 = 0xd6e8feb86659fd93;

let entries: usize = 0;
let entryMax: u32 = 0;
let entryCount: u32 = 0;
let indexMask: u32 = 0;
let indexMax: u32 = 0;
let seed: u64 = 0;
let hand: u32 = 0;
let serial: u32 = 0;

/** Set in FlowEntry.kind of later fragments: no ports are known, so they share a flow of their own. */
export const KIND_FRAGMENT: u32 = 0x8000;

/** Direction of the packet last passed to touch(): true when sent by the originator. */
export let forward: bool = true;

/** 0, or -1 when the memory for the index cannot be had. */
export function flowsInit(max: u32, hashSeed: u64): i32 {
  indexMax = INDEX_MIN;
  while (indexMax < max * 2) indexMax <<= 1;
  entries = INDEX_BASE + (<usize>indexMax << 3);
  entryMax = max;
  seed = hashSeed;
  if (!ensure(entries + 128)) return -1;
  flowsReset();
  return 0;
}

export function flowsReset(): void {
  entryCount = 0;
  hand = 0;
  serial = 0;
  indexMask = INDEX_MIN - 1;
  memory.fill(INDEX_BASE, 0, <usize>INDEX_MIN << 3);
}

export function flowCount(): u32 {
  return entryCount;
}

export function flowEntries(): usize {
  return entries;
}

/** Grows memory to hold `end`, some steps ahead so that growing stays rare. */
function ensure(end: usize): bool {
  const pages = <i32>((end + 0xffff) >> 16);
  const missing = pages - memory.size();
  return missing <= 0 || memory.grow(missing + 16) >= 0 || memory.grow(missing) >= 0;
}

@inline
function mix(value: u64): u64 {
  let x = (value ^ seed) * K0;
  x = (x ^ (x >> 32)) * K1;
  return x ^ (x >> 29);
}

/** The same for both directions; v4 keys fit one word a side, v6 are folded first. */
@inline
function hashKey(ports: u32, kind: u32): u32 {
  let a: u64, b: u64;
  if (ipVersion == 4) {
    a = <u64>load<u32>(ipAddrs) << 16;
    b = <u64>load<u32>(ipAddrs + 4) << 16;
  } else {
    a = mix(load<u64>(ipAddrs)) ^ (load<u64>(ipAddrs, 8) * K1);
    b = mix(load<u64>(ipAddrs + 16)) ^ (load<u64>(ipAddrs + 16, 8) * K1);
  }
  a += ports & 0xffff;
  b += ports >> 16;
  const low = min(a, b);
  return <u32>(mix(mix(low) ^ max(a, b) ^ (<u64>kind << 48)) >> 16);
}

/** 1: the packet runs a→b, 2: b→a, 0: another flow. */
@inline
function match(entry: FlowEntry, ports: u32, kind: u32): u32 {
  if (entry.kind != kind) return 0;
  if (ipVersion == 4) {
    const addrs = load<u64>(ipAddrs);
    if (entry.addrs == addrs && entry.ports == ports) return 1;
    return entry.addrs == rotl<u64>(addrs, 32) && entry.ports == rotl<u32>(ports, 16) ? 2 : 0;
  }
  return match6(entry, ports);
}

function match6(entry: FlowEntry, ports: u32): u32 {
  const s0 = load<u64>(ipAddrs);
  const s1 = load<u64>(ipAddrs, 8);
  const d0 = load<u64>(ipAddrs, 16);
  const d1 = load<u64>(ipAddrs, 24);
  if (entry.ports == ports && entry.a0 == s0 && entry.a1 == s1 && entry.b0 == d0 && entry.b1 == d1) return 1;
  if (entry.ports != rotl<u32>(ports, 16)) return 0;
  return entry.a0 == d0 && entry.a1 == d1 && entry.b0 == s0 && entry.b1 == s1 ? 2 : 0;
}

@inline
function entryAt(number: u32): FlowEntry {
  return changetype<FlowEntry>(entries + (<usize>number << 7));
}

@inline
function slotAt(position: u32): usize {
  return INDEX_BASE + (<usize>position << 3);
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
  for (let number: u32 = 0; number < entryCount; number++) indexPut(entryAt(number).hash, number);
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
}

/** Number of an entry to reuse: the one longest unseen of a small sample. */
function evict(): u32 {
  let oldest = hand;
  for (let i: u32 = 0; i < EVICT_SAMPLE; i++) {
    if (entryAt(hand).lastTs < entryAt(oldest).lastTs) oldest = hand;
    hand = hand + 1 < entryCount ? hand + 1 : 0;
  }
  indexRemove(entryAt(oldest).hash, oldest);
  changetype<Totals>(STATE_BASE).flowsEvicted++;
  return oldest;
}

function create(hash: u32, ports: u32, kind: u32): FlowEntry {
  let number = entryCount;
  if (entryCount >= entryMax || !ensure(entries + (<usize>(entryCount + 1) << 7))) {
    if (!entryCount) unreachable(); // init() reserved room for one
    number = evict();
  } else {
    entryCount++;
    if (entryCount * 2 > indexMask && indexMask + 1 < indexMax) indexGrowBefore();
  }
  const entry = entryAt(number);
  memory.fill(changetype<usize>(entry), 0, 128);
  if (ipVersion == 4) entry.addrs = load<u64>(ipAddrs);
  else memory.copy(changetype<usize>(entry) + offsetof<FlowEntry>('a0'), ipAddrs, 32);
  entry.ports = ports;
  entry.kind = <u16>kind;
  entry.hash = hash;
  entry.serial = serial++;
  entry.firstTs = ts;
  entry.lastTs = ts;
  indexPut(hash, number);
  return entry;
}

/** The entry just claimed is not filled yet: leave it out while the index is rebuilt. */
function indexGrowBefore(): void {
  entryCount--;
  indexGrow();
  entryCount++;
}

/**
 * Counts the packet for its flow, made when new. `ports` as they lie in the header (source first,
 * network order), 0 where the protocol has none. Returns the entry, null inside a quoted packet.
 */
export function touch(protocol: u32, ports: u32, flags: u32, fragment: u32 = 0): FlowEntry | null {
  if (quoted) return null;
  const kind = protocol | (ipVersion << 8) | fragment;
  const hash = hashKey(ports, kind);
  let entry: FlowEntry | null = null;
  let way: u32 = 1;
  let position = hash & indexMask;
  while (true) {
    const slot = load<u64>(slotAt(position));
    if (!<u32>slot) break;
    if (<u32>(slot >> 32) == hash) {
      const candidate = entryAt(<u32>slot - 1);
      way = match(candidate, ports, kind);
      if (way) {
        entry = candidate;
        break;
      }
    }
    position = (position + 1) & indexMask;
  }
  if (!entry) {
    entry = create(hash, ports, kind);
    way = 1;
  }
  add(entry, way == 1, flags);
  return entry;
}

@inline
function add(entry: FlowEntry, originator: bool, flags: u32): void {
  forward = originator;
  if (ts > entry.lastTs) entry.lastTs = ts;
  if (originator) {
    entry.packetsA++;
    entry.bytesA += wirelen;
    entry.flagsA |= <u8>flags;
  } else {
    entry.packetsB++;
    entry.bytesB += wirelen;
    entry.flagsB |= <u8>flags;
  }
  setFlow(entry.serial);
}
