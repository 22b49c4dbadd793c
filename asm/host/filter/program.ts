/**
 * Filter programs: blocks of tests joined by and, or and not, and their translation into classic BPF
 * with wide jumps. Blocks are evaluated left to right and stop early, as libpcap's are: the order
 * matters, because a load beyond the captured bytes rejects the packet.
 */

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

export const insn = (code: number, k = 0): Insn => ({ code, jt: 0, jf: 0, k: k >>> 0 });
export const loadAbsolute = (at: number, size: Size): Insn => insn(0x20 | SIZE_BITS[size], at);
export const loadIndexed = (at: number, size: Size): Insn => insn(0x40 | SIZE_BITS[size], at);
export const loadImmediate = (value: number): Insn => insn(0x00, value);
export const loadLength = (): Insn => insn(0x80);
export const loadCell = (cell: number): Insn => insn(0x60, cell);
export const storeCell = (cell: number): Insn => insn(0x02, cell);
/** X = 4 * (byte at & 15): an IPv4 header's length. */
export const loadHeaderLength = (at: number): Insn => insn(0xb1, at);
export const moveToX = (): Insn => insn(0x07);
export const moveToA = (): Insn => insn(0x87);
/** `operation` is the BPF_ALU operation's bits. */
export const aluConstant = (operation: number, k: number): Insn => insn(0x04 | operation, k);
export const aluX = (operation: number): Insn => insn(0x04 | SOURCE_X | operation);

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

function join(kind: 'and' | 'or', left: Block, right: Block): Block {
  const deciding = kind === 'or';
  if (left.kind === 'always') return left.value === deciding ? left : right;
  if (right.kind === 'always' && right.value !== deciding) return left;
  // As libpcap's optimizer: what comes before a constant outcome has no effect left and is dropped.
  if (right.kind === 'always') return right;
  return { kind, left, right };
}

interface Label {
  at: number;
}
interface Jump {
  from: number;
  onTrue: Label;
  onFalse: Label;
}

const RETURN = 0x06;

/** Accepts with 0xffffffff, rejects with 0. */
export function assemble(block: Block): Insn[] {
  const out: Insn[] = [];
  const jumps: Jump[] = [];
  const accept: Label = { at: 0 };
  const reject: Label = { at: 0 };
  if (block.kind === 'always') return [insn(RETURN, block.value ? 0xffffffff : 0)];
  emit(block, accept, reject, out, jumps);
  accept.at = out.push(insn(RETURN, 0xffffffff)) - 1;
  reject.at = out.push(insn(RETURN, 0)) - 1;
  for (const { from, onTrue, onFalse } of jumps) {
    out[from]!.jt = onTrue.at - from - 1;
    out[from]!.jf = onFalse.at - from - 1;
  }
  return out;
}

function emit(block: Block, onTrue: Label, onFalse: Label, out: Insn[], jumps: Jump[]): void {
  switch (block.kind) {
    case 'always':
      throw new Error('constant blocks are joined away');
    case 'not':
      emit(block.operand, onFalse, onTrue, out, jumps);
      return;
    case 'and':
    case 'or': {
      const next: Label = { at: 0 };
      if (block.kind === 'and') emit(block.left, next, onFalse, out, jumps);
      else emit(block.left, onTrue, next, out, jumps);
      next.at = out.length;
      emit(block.right, onTrue, onFalse, out, jumps);
      return;
    }
    case 'test': {
      out.push(...block.code);
      jumps.push({ from: out.length, onTrue, onFalse });
      const source = block.k === null ? SOURCE_X : 0;
      out.push(insn(0x05 | COMPARISONS[block.comparison] | source, block.k ?? 0));
    }
  }
}
