// Top talkers of bounded memory: frequent items of a weighted stream (Misra & Gries 1982, pruned in
// batches as in Anderson et al., "A High-Performance Algorithm for Identifying Frequent Items in Data
// Streams", 2017). A table of counters for each kind; when it is LOAD_MAX full, about the median is taken
// off every counter and those at 0 go. A key's true bytes lie in [count, count + offset], where offset is
// the sum of what was taken off; a key without a counter has at most offset. Exact while offset is 0.
//
// Only flows that leave the table are added; an answer adds those still in it to a copy. So packets cost
// nothing here.
import { FlowEntry, FlowMore, TALKER_KINDS, TALKER_SLOTS, TALKERS_BASE, TALKERS_BYTES, Talker } from './layout';

/** Bytes an address sent, bytes it received, bytes of a responder's port, bytes of a flow, both ways. */
export const TALKERS_SOURCES: u32 = 0;
export const TALKERS_DESTINATIONS: u32 = 1;
export const TALKERS_PORTS: u32 = 2;
export const TALKERS_FLOWS: u32 = 3;
const ANSWER: u32 = TALKER_KINDS;
const SPARE: u32 = TALKER_KINDS + 1;

const LOAD_MAX: u32 = (TALKER_SLOTS / 4) * 3;
const SAMPLE: u32 = 63;
const K: u64 = 0x9e3779b97f4a7c15;

const USED = memory.data(32);
const OFFSETS = memory.data(64);
const SORTED = memory.data(512);

@inline
function tableAt(table: u32): usize {
  return TALKERS_BASE + <usize>table * TALKERS_BYTES;
}
@inline
function usedAt(table: u32): usize {
  return USED + (<usize>table << 2);
}
@inline
function offsetAt(table: u32): usize {
  return OFFSETS + (<usize>table << 3);
}

export function talkersReset(): void {
  memory.fill(TALKERS_BASE, 0, <usize>TALKER_KINDS * TALKERS_BYTES);
  memory.fill(USED, 0, 32);
  memory.fill(OFFSETS, 0, 64);
}

/** A counter's key, filled before add(). */
const KEY = memory.data(offsetof<Talker>(), 8);

@inline
function slotFor(table: usize, key: Talker): Talker {
  let hash = (key.k0 ^ rotl<u64>(key.k1, 17) ^ rotl<u64>(key.k2, 31) ^ rotl<u64>(key.k3, 47)) * K;
  hash = (hash ^ (<u64>key.ports << 16) ^ key.kind) * K;
  let position = <u32>(hash >> 40) & (TALKER_SLOTS - 1);
  while (true) {
    const slot = changetype<Talker>(table + <usize>position * offsetof<Talker>());
    if (!slot.bytes || same(slot, key)) return slot;
    position = (position + 1) & (TALKER_SLOTS - 1);
  }
}

@inline
function same(a: Talker, b: Talker): bool {
  return a.k0 == b.k0 && a.k1 == b.k1 && a.k2 == b.k2 && a.k3 == b.k3 && a.ports == b.ports && a.kind == b.kind;
}

function add(table: u32, bytes: u64): void {
  if (!bytes) return;
  const slot = slotFor(tableAt(table), changetype<Talker>(KEY));
  if (!slot.bytes) {
    memory.copy(changetype<usize>(slot), KEY, offsetof<Talker>('bytes'));
    store<u32>(usedAt(table), load<u32>(usedAt(table)) + 1);
  }
  slot.bytes += bytes;
  if (load<u32>(usedAt(table)) > LOAD_MAX) prune(table);
}

/** Takes the median of a sample off every counter; about half of them go. */
function prune(table: u32): void {
  const base = tableAt(table);
  const spare = tableAt(SPARE);
  const loss = median(base);
  memory.copy(spare, base, TALKERS_BYTES);
  memory.fill(base, 0, TALKERS_BYTES);
  let used: u32 = 0;
  for (let at = spare; at < spare + TALKERS_BYTES; at += offsetof<Talker>()) {
    const old = changetype<Talker>(at);
    if (old.bytes <= loss) continue;
    const slot = slotFor(base, old);
    memory.copy(changetype<usize>(slot), at, offsetof<Talker>());
    slot.bytes -= loss;
    used++;
  }
  store<u32>(usedAt(table), used);
  store<u64>(offsetAt(table), load<u64>(offsetAt(table)) + loss);
}

/** Of the first SAMPLE counters: their place is by hash, so they are a fair sample. */
function median(base: usize): u64 {
  let size: u32 = 0;
  for (let at = base; size < SAMPLE && at < base + TALKERS_BYTES; at += offsetof<Talker>()) {
    const bytes = changetype<Talker>(at).bytes;
    if (!bytes) continue;
    let i = size++;
    for (; i > 0 && load<u64>(SORTED + (<usize>(i - 1) << 3)) > bytes; i--)
      store<u64>(SORTED + (<usize>i << 3), load<u64>(SORTED + (<usize>(i - 1) << 3)));
    store<u64>(SORTED + (<usize>i << 3), bytes);
  }
  return load<u64>(SORTED + (<usize>(size >> 1) << 3));
}

function setAddress(first: bool, entry: FlowEntry, more: FlowMore): void {
  const key = changetype<Talker>(KEY);
  memory.fill(KEY, 0, offsetof<Talker>());
  key.kind = entry.kind & 0xf00;
  if (key.kind == 0x400) key.k0 = first ? entry.addrs & 0xffffffff : entry.addrs >> 32;
  else {
    key.k0 = first ? more.a0 : more.b0;
    key.k1 = first ? more.a1 : more.b1;
  }
}

function setFlow(entry: FlowEntry, more: FlowMore): void {
  const key = changetype<Talker>(KEY);
  const v4 = (entry.kind & 0xf00) == 0x400;
  key.k0 = v4 ? entry.addrs & 0xffffffff : more.a0;
  key.k1 = v4 ? 0 : more.a1;
  key.k2 = v4 ? entry.addrs >> 32 : more.b0;
  key.k3 = v4 ? 0 : more.b1;
  key.ports = entry.ports;
  key.kind = entry.kind;
}

/** Adds one flow to table `kind`, or its figures to another `table`. */
function addTo(table: u32, kind: u32, entry: FlowEntry, more: FlowMore): void {
  const carries = changetype<usize>(more) + offsetof<FlowMore>('carries');
  const sent = (<u64>load<u16>(carries, 4) << 32) | entry.wireA;
  const received = (<u64>load<u16>(carries, 6) << 32) | entry.wireB;
  if (kind == TALKERS_PORTS) {
    const protocol: u32 = entry.kind & 0xff;
    if (entry.kind & 0xf000 || (protocol != 6 && protocol != 17 && protocol != 132)) return;
    memory.fill(KEY, 0, offsetof<Talker>());
    changetype<Talker>(KEY).ports = entry.ports >> 16;
    changetype<Talker>(KEY).kind = protocol;
    add(table, sent + received);
  } else if (kind == TALKERS_FLOWS) {
    setFlow(entry, more);
    add(table, sent + received);
  } else {
    setAddress(kind == TALKERS_SOURCES, entry, more);
    add(table, sent);
    setAddress(kind != TALKERS_SOURCES, entry, more);
    add(table, received);
  }
}

/** A flow leaves the table. */
export function talkersAdd(entry: FlowEntry, more: FlowMore): void {
  for (let kind: u32 = 0; kind < TALKER_KINDS; kind++) addTo(kind, kind, entry, more);
}

/** Starts an answer of one kind: what left the table so far. Returns where its TALKER_SLOTS counters are. */
export function answerBegin(kind: u32): usize {
  memory.copy(tableAt(ANSWER), tableAt(kind), TALKERS_BYTES);
  store<u32>(usedAt(ANSWER), load<u32>(usedAt(kind)));
  store<u64>(offsetAt(ANSWER), load<u64>(offsetAt(kind)));
  return tableAt(ANSWER);
}
export function answerAdd(kind: u32, entry: FlowEntry, more: FlowMore): void {
  addTo(ANSWER, kind, entry, more);
}
/** How many bytes a key of the answer may have more than its counter. */
export function answerOffset(): u64 {
  return load<u64>(offsetAt(ANSWER));
}
