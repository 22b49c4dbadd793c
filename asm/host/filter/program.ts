/**
 * Filter programs: blocks of tests joined by and, or and not, and their translation into classic BPF
 * with wide jumps. Blocks are evaluated left to right and stop early, as libpcap's are: the order
 * matters, because a load beyond the captured bytes rejects the packet.
 */
import { SNAPLEN_DEFAULT } from '../../../proto/gen/constants.js';

/** One instruction; jt and jf are distances, as in classic BPF. */
export interface Insn {
  code: number;
  jt: number;
  jf: number;
  k: number;
}

export type Size = 1 | 2 | 4;
export type Comparison = 'eq' | 'gt' | 'ge' | 'set';

const SIZE_BITS: Record<Size, number> = { 4: 0x00, 2: 0x08, 1: 0x10 };
const COMPARISONS: Record<Comparison, number> = { eq: 0x10, gt: 0x20, ge: 0x30, set: 0x40 };
const SOURCE_X = 0x08;
const JUMP = 0x05;
const RETURN = 0x06;

export const insn = (code: number, k = 0): Insn => ({ code, jt: 0, jf: 0, k: k >>> 0 });
export const loadAbsolute = (at: number, size: Size): Insn => insn(0x20 | SIZE_BITS[size], at);
export const loadIndexed = (at: number, size: Size): Insn => insn(0x40 | SIZE_BITS[size], at);
export const loadImmediate = (value: number): Insn => insn(0x00, value);
export const loadLength = (): Insn => insn(0x80);
export const loadCell = (cell: number): Insn => insn(0x60, cell);
export const storeCell = (cell: number): Insn => insn(0x02, cell);
export const loadXImmediate = (value: number): Insn => insn(0x01, value);
export const loadXCell = (cell: number): Insn => insn(0x61, cell);
export const storeXCell = (cell: number): Insn => insn(0x03, cell);
/** X = 4 * (byte at & 15): an IPv4 header's length. */
export const loadHeaderLength = (at: number): Insn => insn(0xb1, at);
export const moveToX = (): Insn => insn(0x07);
export const moveToA = (): Insn => insn(0x87);

/** BPF_ALU operations, the bits of their codes. */
export const ALU = {
  '+': 0x00,
  '-': 0x10,
  '*': 0x20,
  '/': 0x30,
  '|': 0x40,
  '&': 0x50,
  '<<': 0x60,
  '>>': 0x70,
  negate: 0x80,
  '%': 0x90,
  '^': 0xa0,
} as const;
export type AluOperation = keyof typeof ALU;
export const aluConstant = (operation: AluOperation, k: number): Insn => insn(0x04 | ALU[operation], k);
export const aluX = (operation: AluOperation): Insn => insn(0x04 | SOURCE_X | ALU[operation]);

/** Code with jumps of its own: `label` marks a place; `jump` tests A against k, `go` always jumps. */
export type Step =
  | Insn
  | { label: string }
  | { jump: Comparison; k: number; yes: string; no: string }
  | { go: string };

/** Resolves the labels; '' is the next step, 'end' what follows the code. Backward only by `go`. */
export function sequence(steps: readonly Step[]): Insn[] {
  const places = new Map<string, number>();
  let length = 0;
  for (const step of steps) {
    if ('label' in step) places.set(step.label, length);
    else length++;
  }
  places.set('end', length);
  const out: Insn[] = [];
  const distance = (label: string): number => (label === '' ? 0 : places.get(label)! - out.length - 1);
  for (const step of steps) {
    if ('label' in step) continue;
    if ('go' in step) out.push(insn(JUMP, distance(step.go)));
    else if ('jump' in step)
      out.push({
        code: JUMP | COMPARISONS[step.jump],
        k: step.k >>> 0,
        jt: distance(step.yes),
        jf: distance(step.no),
      });
    else out.push(step);
  }
  return out;
}

export type Block =
  | { kind: 'always'; value: boolean }
  /** Runs `code`, then compares A with k, or with X when k is null. */
  | { kind: 'test'; code: readonly Insn[]; comparison: Comparison; k: number | null }
  | { kind: 'and' | 'or'; left: Block; right: Block }
  | { kind: 'not'; operand: Block };

export const ALWAYS: Block = { kind: 'always', value: true };
export const NEVER: Block = { kind: 'always', value: false };

export function test(code: readonly Insn[], comparison: Comparison, k: number | null): Block {
  return { kind: 'test', code, comparison, k: k === null ? null : k >>> 0 };
}

export function not(operand: Block): Block {
  return operand.kind === 'always' ? { kind: 'always', value: !operand.value } : { kind: 'not', operand };
}

export function and(...blocks: readonly Block[]): Block {
  return blocks.reduce((left, right) => join('and', left, right));
}

export function or(...blocks: readonly Block[]): Block {
  return blocks.reduce((left, right) => join('or', left, right));
}

/** A constant on the left decides at once. One on the right does not: what is left of it may reject. */
function join(kind: 'and' | 'or', left: Block, right: Block): Block {
  const deciding = kind === 'or';
  if (left.kind === 'always') return left.value === deciding ? left : right;
  if (right.kind === 'always' && right.value !== deciding) return left;
  return { kind, left, right };
}

/** A place in the program; one that stands for no code of its own is the same as another. */
interface Label {
  at: number;
  same?: Label;
}
interface Jump {
  from: number;
  onTrue: Label;
  onFalse: Label;
}

/** Accepts with SNAPLEN_DEFAULT, as tcpdump's programs, and rejects with 0. `before` runs ahead of all tests but `guard`. */
export function assemble(block: Block, before: readonly Insn[] = [], guard: Block = ALWAYS): Insn[] {
  const out: Insn[] = [];
  const jumps: Jump[] = [];
  const accept: Label = { at: 0 };
  const reject: Label = { at: 0 };
  const start: Label = { at: 0 };
  const rest: Label = { at: 0 };
  emit(guard, start, rest, reject, out, jumps);
  if (before.length > 0) {
    rest.at = out.length;
    out.push(...before);
  }
  const body: Label = before.length > 0 ? { at: 0 } : rest;
  emit(block, body, accept, reject, out, jumps);
  if (out.length === 0) return [insn(RETURN, settled(body) === accept ? SNAPLEN_DEFAULT : 0)];
  // A constant outcome behind code that only may reject.
  if (body.same) jumps.push({ from: out.push(insn(JUMP)) - 1, onTrue: body, onFalse: body });
  accept.at = out.push(insn(RETURN, SNAPLEN_DEFAULT)) - 1;
  reject.at = out.push(insn(RETURN, 0)) - 1;
  for (const { from, onTrue, onFalse } of jumps) link(out[from]!, from, settled(onTrue), settled(onFalse));
  return out;
}

function link(out: Insn, from: number, onTrue: Label, onFalse: Label): void {
  const jt = onTrue.at - from - 1;
  if (out.code === JUMP) out.k = jt;
  else Object.assign(out, { jt, jf: onFalse.at - from - 1 });
}

function settled(label: Label): Label {
  let place = label;
  while (place.same) place = place.same;
  return place;
}

/** `here` is where the block starts, for those that jump to it. */
function emit(block: Block, here: Label, onTrue: Label, onFalse: Label, out: Insn[], jumps: Jump[]): void {
  switch (block.kind) {
    case 'always':
      here.same = block.value ? onTrue : onFalse;
      return;
    case 'not':
      emit(block.operand, here, onFalse, onTrue, out, jumps);
      return;
    case 'and':
    case 'or': {
      const next: Label = { at: 0 };
      if (block.kind === 'and') emit(block.left, here, next, onFalse, out, jumps);
      else emit(block.left, here, onTrue, next, out, jumps);
      emit(block.right, next, onTrue, onFalse, out, jumps);
      return;
    }
    case 'test': {
      here.at = out.length;
      out.push(...block.code.map((one) => ({ ...one })));
      jumps.push({ from: out.length, onTrue, onFalse });
      const source = block.k === null ? SOURCE_X : 0;
      out.push(insn(JUMP | COMPARISONS[block.comparison] | source, block.k ?? 0));
    }
  }
}
