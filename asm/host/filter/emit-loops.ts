/**
 * The loops of a scan, emitted around a filter program: they walk runs of ordinary records and add up what
 * they see, without a call per packet. Both do exactly what the functions of the same names in
 * assembly/scan.ts do, stop before the same records and leave their sums for it (assembly/layout.ts, Sums).
 */
import { BT_EPB } from '../../../proto/gen/constants.js';
import { CAPLEN, type EmitLimits, FREE, jumpsBack, P, repeatedCode, VERDICT, WIRELEN } from './emit.js';
import type { Insn } from './program.js';
import {
  branch,
  branchIf,
  constant,
  type Func,
  get,
  I32,
  I64,
  load,
  moduleOf,
  OP,
  set,
  store,
  storeI64,
} from './wasm-code.js';

const RECORD = FREE;
const LIMIT = FREE + 1;
/** A pcap file's record header bytes; the interface whose packet blocks are meant. */
const KEY = FREE + 2;
const NEXT = FREE + 3;
const BLOCK_BYTES = FREE + 4;
const PACKETS = FREE + 5;
const TRUNCATED = FREE + 6;
const MATCHED = FREE + 7;
const LAST = FREE + 8;
const CAPTURED = FREE + 9;
const ORIGINAL = FREE + 10;
const LOCALS = [
  [LAST - WIRELEN, I32],
  [2, I64],
] as const;

const EPB_HEADER = 28;
const EPB_MIN = 32;
const TRAILER = 4;

export interface LoopLimits extends EmitLimits {
  /** A longer pcapng block is left to the reader. */
  heldMax: number;
  /** Where a loop leaves its sums. */
  sumsBase: number;
}

/** Functions `pcap` and `epb` (from, limit, key) → the first record left; null when the program jumps backward. */
export function emitLoops(program: readonly Insn[], limits: LoopLimits): Uint8Array<ArrayBuffer> | null {
  if (jumpsBack(program)) return null;
  const code = repeatedCode(program, limits);
  return moduleOf([
    loop('pcap', pcapHeader(limits), code, limits),
    loop('epb', epbHeader(limits), code, limits),
  ]);
}

/** `header` leaves the loop or finds the packet; `program` decides on it. */
function loop(name: string, header: readonly number[], program: readonly number[], limits: LoopLimits): Func {
  const code = [
    ...get(0), ...set(RECORD), ...get(1), ...set(LIMIT), ...get(2), ...set(KEY),
    ...OP.block, ...OP.loop,
    ...header, ...program, ...count(),
    ...get(RECORD), ...set(LAST), ...get(NEXT), ...set(RECORD), ...branch(0),
    ...OP.end, ...OP.end,
    ...sums(limits.sumsBase), ...get(RECORD),
  ]; // biome-ignore format: the shape of the loop
  return { name, locals: LOCALS, code };
}

/** Inside a loop in a block. */
const leaveIf = (condition: readonly number[]): number[] => [...condition, ...branchIf(1)];
const field = (offset: number): number[] => [...get(RECORD), ...load(4, offset)];

function pcapHeader({ caplenMax }: LoopLimits): number[] {
  return [
    ...leaveIf([...get(RECORD), ...get(KEY), ...OP.add, ...get(LIMIT), ...OP.gtU]),
    ...field(8), ...set(CAPLEN),
    ...field(12), ...set(WIRELEN),
    ...leaveIf([...get(CAPLEN), ...constant(caplenMax), ...OP.gtU]),
    ...get(RECORD), ...get(KEY), ...OP.add, ...set(P),
    ...get(P), ...get(CAPLEN), ...OP.add, ...set(NEXT),
    ...leaveIf([...get(NEXT), ...get(LIMIT), ...OP.gtU]),
  ]; // biome-ignore format: one step a line
}

/** The lengths are checked before what they lead to is loaded. */
function epbHeader({ caplenMax, heldMax }: LoopLimits): number[] {
  return [
    ...leaveIf([...get(RECORD), ...constant(EPB_MIN), ...OP.add, ...get(LIMIT), ...OP.gtU]),
    ...leaveIf([...field(0), ...constant(BT_EPB), ...OP.ne]),
    ...field(4), ...set(BLOCK_BYTES),
    ...leaveIf([...get(BLOCK_BYTES), ...constant(EPB_MIN), ...OP.sub, ...constant(heldMax - EPB_MIN), ...OP.gtU]),
    ...get(RECORD), ...get(BLOCK_BYTES), ...OP.add, ...set(NEXT),
    ...leaveIf([...get(NEXT), ...get(LIMIT), ...OP.gtU, ...get(BLOCK_BYTES), ...constant(3), ...OP.and, ...OP.or]),
    ...field(20), ...set(CAPLEN),
    ...field(24), ...set(WIRELEN),
    ...leaveIf([
      ...get(NEXT), ...constant(TRAILER), ...OP.sub, ...load(4, 0), ...get(BLOCK_BYTES), ...OP.ne,
      ...field(8), ...get(KEY), ...OP.ne, ...OP.or,
      ...get(CAPLEN), ...constant(caplenMax), ...OP.gtU, ...OP.or,
      ...get(CAPLEN), ...get(BLOCK_BYTES), ...constant(EPB_MIN), ...OP.sub, ...OP.gtU, ...OP.or,
    ]),
    ...get(RECORD), ...constant(EPB_HEADER), ...OP.add, ...set(P),
  ]; // biome-ignore format: one step a line
}

function count(): number[] {
  const add = (sum: number, value: readonly number[]): number[] => [
    ...get(sum),
    ...value,
    ...OP.add,
    ...set(sum),
  ];
  const addLong = (sum: number, length: number): number[] => [
    ...get(sum), ...get(length), ...OP.extendU, ...OP.addI64, ...set(sum),
  ]; // biome-ignore format: one expression
  return [
    ...add(PACKETS, constant(1)),
    ...addLong(CAPTURED, CAPLEN),
    ...addLong(ORIGINAL, WIRELEN),
    ...add(TRUNCATED, [...get(CAPLEN), ...get(WIRELEN), ...OP.ltU]),
    ...add(MATCHED, [...get(VERDICT), ...OP.eqz, ...OP.eqz]),
  ];
}

/** In the order of Sums. */
function sums(base: number): number[] {
  const long = (at: number, local: number): number[] => [
    ...constant(0),
    ...get(local),
    ...storeI64(base + at),
  ];
  const short = (at: number, local: number): number[] => [...constant(0), ...get(local), ...store(base + at)];
  return [
    ...long(0, CAPTURED),
    ...long(8, ORIGINAL),
    ...short(16, PACKETS),
    ...short(20, TRUNCATED),
    ...short(24, MATCHED),
    ...short(28, LAST),
  ];
}
