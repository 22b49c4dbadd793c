/**
 * A filter program to WebAssembly over the engine's memory: a module of one function that decides on one
 * packet. Classic BPF jumps forward only, so every target is the end of a block and every jump a branch out
 * of blocks. Programs that jump backward (protochain) are left to the interpreter.
 */
import { analyse } from './flow-analysis.js';
import type { Insn } from './program.js';
import { PACKET_TYPE } from './special.js';
import { branch, branchIf, constant, get, I32, load, moduleOf, OP, set } from './wasm-code.js';

/** Locals of a program: the packet, and what it computes. */
export const P = 0;
export const CAPLEN = 1;
export const WIRELEN = 2;
const A = 3;
const X = 4;
const FIRST_CELL = 5;
const CELLS = 16;
/** Not 0 when the packet passes. */
export const VERDICT = FIRST_CELL + CELLS;
/** First local that is not the program's. */
export const FREE = VERDICT + 1;

const COMPARE: Record<number, readonly number[]> = {
  16: OP.eq,
  32: OP.gtU,
  48: OP.geU,
  64: [...OP.and],
};
const ARITHMETIC: Record<number, readonly number[]> = {
  0: OP.add,
  16: OP.sub,
  32: OP.mul,
  48: OP.divU,
  64: OP.or,
  80: OP.and,
  144: OP.remU,
  160: OP.xor,
};

/** A little-endian value on the stack, turned to network order. */
function swap(size: number): number[] {
  if (size === 1) return [];
  if (size === 2)
    return [
      ...set(A),
      ...get(A),
      ...constant(8),
      ...OP.shl,
      ...constant(0xffff),
      ...OP.and,
      ...get(A),
      ...constant(8),
      ...OP.shrU,
      ...OP.or,
    ];
  const half = (turn: number, mask: number): number[] => [
    ...get(A), ...constant(turn), ...OP.rotl, ...constant(mask), ...OP.and,
  ]; // biome-ignore format: one expression
  return [...set(A), ...half(8, 0x00ff00ff), ...half(24, 0xff00ff00), ...OP.or];
}

const swapped = (value: number, size: number): number =>
  size === 1
    ? value
    : size === 2
      ? ((value & 0xff) << 8) | (value >>> 8)
      : ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;

export interface EmitLimits {
  /** Largest captured length: loads from beyond it never succeed. */
  caplenMax: number;
  /** Address of the packet's way. */
  wayBase: number;
}

/** `match(p, caplen, wirelen)`; null when the program jumps backward. */
export function emitFilter(program: readonly Insn[], limits: EmitLimits): Uint8Array<ArrayBuffer> | null {
  if (jumpsBack(program)) return null;
  const code = [...new Emitter(program, limits).code(), ...get(VERDICT)];
  return moduleOf([{ name: 'match', locals: [[FREE - A, I32]], code }]);
}

/** Code that runs the program once more after others did: sets VERDICT for the packet at P. */
export function repeatedCode(program: readonly Insn[], limits: EmitLimits): number[] {
  const used = [A, X, VERDICT, ...cellsOf(program).map((cell) => FIRST_CELL + cell)];
  return [
    ...used.flatMap((local) => [...constant(0), ...set(local)]),
    ...new Emitter(program, limits).code(),
  ];
}

export const jumpsBack = (program: readonly Insn[]): boolean =>
  program.some(({ code, k }) => code === 0x05 && (k | 0) < 0);

/** Memory cells that the program loads. */
const cellsOf = (program: readonly Insn[]): number[] => [
  ...new Set(program.flatMap(({ code, k }) => ((code & 6) === 0 && (code & 0xe0) === 0x60 ? [k & 15] : []))),
];

class Emitter {
  readonly #program: readonly Insn[];
  readonly #limits: EmitLimits;
  readonly #flow: ReturnType<typeof analyse>;
  readonly #out: number[] = [];
  /** Blocks that have ended. */
  #ended = 0;

  constructor(program: readonly Insn[], limits: EmitLimits) {
    this.#program = program;
    this.#limits = limits;
    this.#flow = analyse(program);
  }

  /** Sets VERDICT, which must be 0 before. */
  code(): number[] {
    this.#push(OP.block);
    for (const _ of this.#flow.targets) this.#push(OP.block);
    for (let pc = 0; pc < this.#program.length; ) {
      if (this.#flow.ordinals.has(pc)) {
        this.#push(OP.end);
        this.#ended++;
      }
      pc = this.#one(pc);
    }
    this.#push([...OP.unreachable, ...OP.end]);
    return this.#out;
  }

  /** Leaves the program. */
  #leave(): number[] {
    return branch(this.#flow.targets.length - this.#ended);
  }

  #rejectIf(condition: readonly number[]): void {
    this.#push([...condition, ...branchIf(this.#flow.targets.length - this.#ended)]);
  }

  #push(code: readonly number[]): void {
    for (const byte of code) this.#out.push(byte);
  }

  /** Returns where to go on. */
  #one(pc: number): number {
    const { code, k, jt, jf } = this.#program[pc]!;
    switch (code & 7) {
      case 0:
      case 1:
        return this.#load(pc);
      case 2:
      case 3:
        this.#push([...get(code & 1 ? X : A), ...set(FIRST_CELL + (k & 15))]);
        return pc + 1;
      case 4:
        this.#alu(code, k);
        return pc + 1;
      case 5:
        if ((code & 0xf0) === 0) this.#go(pc + 1, pc + 1 + k);
        else
          this.#jump(pc, [...get(A), ...(code & 8 ? get(X) : constant(k)), ...COMPARE[code & 0xf0]!], jt, jf);
        return pc + 1;
      case 6:
        if ((code & 0x18) === 0x10) this.#push([...get(A), ...set(VERDICT)]);
        else if (k) this.#push([...constant(1), ...set(VERDICT)]);
        this.#push(this.#leave());
        return pc + 1;
      default:
        this.#push(code & 0x80 ? [...get(X), ...set(A)] : [...get(A), ...set(X)]);
        return pc + 1;
    }
  }

  #depth(target: number): number {
    return this.#flow.ordinals.get(target)! - this.#ended;
  }

  #go(next: number, target: number): void {
    if (target !== next) this.#push(branch(this.#depth(target)));
  }

  #jump(pc: number, condition: readonly number[], jt: number, jf: number): void {
    const next = pc + 1;
    this.#push(condition);
    if (jt === jf) this.#push(OP.drop);
    else if (jt === 0) {
      this.#push([...OP.eqz, ...branchIf(this.#depth(next + jf))]);
      return;
    } else this.#push(branchIf(this.#depth(next + jt)));
    this.#go(next, next + jf);
  }

  #alu(code: number, k: number): void {
    const operation = code & 0xf0;
    const operand = code & 8 ? get(X) : constant(k);
    if (operation === 0x80) this.#push([...constant(0), ...get(A), ...OP.sub, ...set(A)]);
    else if (operation === 0x60 || operation === 0x70) {
      // A shift by 32 or more gives 0; WebAssembly would take the count modulo 32.
      const shift = operation === 0x60 ? OP.shl : OP.shrU;
      this.#push([...get(A), ...operand, ...shift, ...constant(0), ...operand, ...constant(32), ...OP.ltU]);
      this.#push([...OP.select, ...set(A)]);
    } else {
      if (operation === 0x30 || operation === 0x90) this.#rejectIf([...operand, ...OP.eqz]);
      this.#push([...get(A), ...operand, ...ARITHMETIC[operation]!, ...set(A)]);
    }
  }

  #load(pc: number): number {
    const { code, k } = this.#program[pc]!;
    const into = code & 1 ? X : A;
    switch (code & 0xe0) {
      case 0x00:
        this.#push([...constant(k), ...set(into)]);
        return pc + 1;
      case 0x60:
        this.#push([...get(FIRST_CELL + (k & 15)), ...set(into)]);
        return pc + 1;
      case 0x80:
        this.#push([...get(WIRELEN), ...set(into)]);
        return pc + 1;
      case 0xa0:
        this.#bounds(pc, k, 1, false);
        this.#push([
          ...get(P),
          ...load(1, this.#clamp(k)),
          ...constant(15),
          ...OP.and,
          ...constant(2),
          ...OP.shl,
        ]);
        this.#push(set(into));
        return pc + 1;
      default:
        return this.#packet(pc);
    }
  }

  /** A load beyond the captured bytes rejects; what an earlier load has shown is not asked again. */
  #bounds(pc: number, k: number, size: number, indexed: boolean): void {
    if (k + size > this.#limits.caplenMax) {
      this.#push(this.#leave());
      return;
    }
    if ((this.#flow.checked[pc] ?? 0) < k + size)
      this.#rejectIf([...get(CAPLEN), ...constant(k + size), ...OP.ltU]);
    if (indexed) this.#rejectIf([...get(X), ...get(CAPLEN), ...constant(k + size), ...OP.sub, ...OP.gtU]);
  }

  /** Unreachable code behind a certain reject must still be valid. */
  #clamp(k: number): number {
    return Math.min(k, this.#limits.caplenMax);
  }

  #packet(pc: number): number {
    const { code, k } = this.#program[pc]!;
    const indexed = (code & 0xe0) === 0x40;
    if (!indexed && k === PACKET_TYPE) return this.#way(pc);
    const size = (code & 0x18) === 0 ? 4 : (code & 0x18) === 8 ? 2 : 1;
    this.#bounds(pc, k, size, indexed);
    const raw = [...get(P), ...(indexed ? [...get(X), ...OP.add] : []), ...load(size, this.#clamp(k))];
    const tested = this.#flow.rawTest(pc);
    if (tested === null) {
      this.#push([...raw, ...swap(size), ...set(A)]);
      return pc + 1;
    }
    // Only compared with constants: those are turned instead.
    const { jump, mask } = tested;
    const { code: operation, k: value, jt, jf } = this.#program[jump]!;
    const limit = size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
    const masked = mask === null ? [] : [...constant(swapped((mask & limit) >>> 0, size)), ...OP.and];
    const equal = (operation & 0xf0) === 0x10;
    if (equal && value > limit) this.#jump(jump, [...raw, ...OP.drop, ...constant(0)], jt, jf);
    else {
      const turned = constant(swapped((value & limit) >>> 0, size));
      this.#jump(jump, [...raw, ...masked, ...turned, ...COMPARE[operation & 0xf0]!], jt, jf);
    }
    return jump + 1;
  }

  #way(pc: number): number {
    const way = [...constant(0), ...load(4, this.#limits.wayBase)];
    this.#rejectIf([...way, ...OP.eqz]);
    this.#push([...way, ...constant(1), ...OP.sub, ...constant(2), ...OP.shl, ...set(A)]);
    return pc + 1;
  }
}
