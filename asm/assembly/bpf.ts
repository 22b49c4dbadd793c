// The host's filter programs: classic BPF (McCanne & Jacobson 1993) over one captured packet, network
// byte order. A load beyond the captured bytes, a division by zero or a jump out of the program rejects
// the packet, as in libpcap. Run by a function the host emitted into the table, or interpreted here;
// the interpreter never traps and always ends: jumps backward (protochain's) are counted.

import { be16, be32, byte } from './cursor';
import { INSN_MAX, INSNS_BASE, Insn, SLOT_MAX, SLOTS_BASE, Slot } from './layout';

const CLASS_LD: u32 = 0;
const CLASS_LDX: u32 = 1;
const CLASS_ST: u32 = 2;
const CLASS_STX: u32 = 3;
const CLASS_ALU: u32 = 4;
const CLASS_JMP: u32 = 5;
const CLASS_RET: u32 = 6;
const SOURCE_X: u32 = 8;
/** Program longer than INSN_MAX, or more linktypes than SLOT_MAX. */
const NO_ROOM: usize = 0;
/** Jumps backward a packet may cost: more than a chain of the shortest headers in CAPLEN_MAX bytes. */
const TURNS_MAX: u32 = 65536;
/** A load from here is no load of the packet, but Linux's packet type: 0 received, 4 sent. */
const PACKET_TYPE: u32 = 0xfffff004;

const CELLS_BYTES: usize = 64;
const CELLS = memory.data(64);
/** Where the way of the packet at hand stands: 0 unknown, 1 inbound, 2 outbound (epb_flags). */
export const WAY_BASE: usize = memory.data(8);

let on: bool = false;
let ways: bool = false;
let slots: u32 = 0;
let insns: u32 = 0;
let lastKey: u32 = 0;
let lastSlot: i32 = -1;

@inline
export function filterActive(): bool {
  return on;
}

/** Whether a program asks which way packets went: then readers say so with filterWay(). */
@inline
export function filterWantsWay(): bool {
  return ways;
}

@inline
export function filterWay(way: u32): void {
  store<u32>(WAY_BASE, way);
}

/** Forgets all programs. With `active` packets stop for a program of their linktype. */
export function filterClear(active: bool, wantsWay: bool): void {
  on = active;
  ways = wantsWay;
  filterWay(0);
  slots = 0;
  insns = 0;
  lastSlot = -1;
}

/** Reserves `count` instructions for linktypes with `key`; where to write them, or 0 when full. */
export function filterAdd(key: u32, count: u32): usize {
  if (slots >= SLOT_MAX || count > INSN_MAX - insns) return NO_ROOM;
  const slot = slotAt(slots++);
  slot.key = key;
  slot.start = insns;
  slot.count = count;
  slot.call = 0;
  slot.loops = 0;
  const at = INSNS_BASE + <usize>insns * offsetof<Insn>();
  insns += count;
  return at;
}

/** From now on the function at `index` of the table runs the program; 0: the interpreter does. */
export function filterCall(number: u32, index: u32): void {
  if (number < slots) slotAt(number).call = index;
}

/** Scans run the loops at `index` (pcap records) and after it (packet blocks) of the table; 0: none. */
export function filterLoops(number: u32, index: u32): void {
  if (number < slots) slotAt(number).loops = index;
}

/** Index of the first of a program's loops, 0 when it has none. */
@inline
export function loopsOf(number: u32): u32 {
  return slotAt(number).loops;
}

@inline
function slotAt(number: u32): Slot {
  return changetype<Slot>(SLOTS_BASE + <usize>number * offsetof<Slot>());
}

/** Number of the program for `key`, -1 when the host has not given one yet. */
export function filterFind(key: u32): i32 {
  if (lastSlot >= 0 && lastKey == key) return lastSlot;
  for (let i: u32 = 0; i < slots; i++) {
    if (slotAt(i).key != key) continue;
    lastKey = key;
    lastSlot = <i32>i;
    return lastSlot;
  }
  return -1;
}

@inline
export function filterRun(number: i32, p: usize, caplen: u32, wirelen: u32): bool {
  const slot = slotAt(<u32>number);
  if (slot.call) return call_indirect<u32>(slot.call, p, caplen, wirelen) != 0;
  return interpret(slot, p, caplen, wirelen);
}

function interpret(slot: Slot, p: usize, caplen: u32, wirelen: u32): bool {
  memory.fill(CELLS, 0, CELLS_BYTES);
  const base = INSNS_BASE + <usize>slot.start * offsetof<Insn>();
  const count = slot.count;
  let a: u32 = 0;
  let x: u32 = 0;
  let pc: u32 = 0;
  let turns: u32 = 0;
  while (pc < count) {
    const insn = changetype<Insn>(base + <usize>(pc++) * offsetof<Insn>());
    const code = insn.code;
    const k = insn.k;
    switch (code & 7) {
      case CLASS_LD:
      case CLASS_LDX: {
        let value: u32;
        const at = <u64>k + ((code & 0xe0) == 0x40 ? x : 0);
        switch (code & 0xe0) {
          case 0x00:
            value = k;
            break;
          case 0x60:
            value = load<u32>(CELLS + ((k & 15) << 2));
            break;
          case 0x80:
            value = wirelen;
            break;
          case 0xa0:
            if (at >= caplen) return false;
            value = (byte(p + <usize>at) & 15) << 2;
            break;
          default: {
            if (at == PACKET_TYPE) {
              const way = load<u32>(WAY_BASE);
              if (!way) return false;
              value = (way - 1) << 2;
              break;
            }
            const size: u32 = (code & 0x18) == 0 ? 4 : (code & 0x18) == 8 ? 2 : 1;
            if (at + size > caplen) return false;
            const from = p + <usize>at;
            value = size == 4 ? be32(from) : size == 2 ? be16(from) : byte(from);
          }
        }
        if (code & 1) x = value;
        else a = value;
        break;
      }
      case CLASS_ST:
        store<u32>(CELLS + ((k & 15) << 2), a);
        break;
      case CLASS_STX:
        store<u32>(CELLS + ((k & 15) << 2), x);
        break;
      case CLASS_ALU: {
        const operand = code & SOURCE_X ? x : k;
        const operation = code & 0xf0;
        if ((operation == 0x30 || operation == 0x90) && operand == 0) return false;
        a = alu(operation, a, operand);
        break;
      }
      case CLASS_JMP: {
        const operand = code & SOURCE_X ? x : k;
        if ((code & 0xf0) == 0) {
          if (<i32>k < 0 && ++turns > TURNS_MAX) return false;
          pc += k;
        } else pc += test(code & 0xf0, a, operand) ? insn.jt : insn.jf;
        break;
      }
      case CLASS_RET:
        return ((code & 0x18) == 0x10 ? a : k) != 0;
      default:
        if (code & 0x80) a = x;
        else x = a;
    }
  }
  return false;
}

@inline
function alu(operation: u32, a: u32, operand: u32): u32 {
  switch (operation) {
    case 0x00:
      return a + operand;
    case 0x10:
      return a - operand;
    case 0x20:
      return a * operand;
    case 0x30:
      return a / operand;
    case 0x40:
      return a | operand;
    case 0x50:
      return a & operand;
    case 0x60:
      return operand < 32 ? a << operand : 0;
    case 0x70:
      return operand < 32 ? a >> operand : 0;
    case 0x80:
      return 0 - a;
    case 0x90:
      return a % operand;
    default:
      return a ^ operand;
  }
}

@inline
function test(operation: u32, a: u32, operand: u32): bool {
  switch (operation) {
    case 0x10:
      return a == operand;
    case 0x20:
      return a > operand;
    case 0x30:
      return a >= operand;
    default:
      return (a & operand) != 0;
  }
}
