/**
 * A filter program to a WebAssembly module of one function, `match(p, caplen, wirelen)`, over the
 * engine's memory. Classic BPF jumps forward only, so every target is the end of a block and every jump
 * a branch out of blocks. Programs that jump backward (protochain) are left to the interpreter.
 */
import { analyse } from './flow-analysis.js';
import type { Insn } from './program.js';
import { PACKET_TYPE } from './special.js';

const I32 = 0x7f;
const P = 0;
const CAPLEN = 1;
const WIRELEN = 2;
const A = 3;
const X = 4;
const FIRST_CELL = 5;
const CELLS = 16;

const OP = {
  block: [0x02, 0x40],
  end: [0x0b],
  return: [0x0f],
  eqz: [0x45],
  eq: [0x46],
  ltU: [0x49],
  gtU: [0x4b],
  geU: [0x4f],
  add: [0x6a],
  sub: [0x6b],
  mul: [0x6c],
  divU: [0x6e],
  remU: [0x70],
  and: [0x71],
  or: [0x72],
  xor: [0x73],
  shl: [0x74],
  shrU: [0x76],
  rotl: [0x77],
} as const;

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

/** Unsigned LEB128. */
function leb(value: number): number[] {
  const out: number[] = [];
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    out.push(rest ? low | 0x80 : low);
  } while (rest);
  return out;
}

/** i32.const: signed LEB128. */
function constant(value: number): number[] {
  const out = [0x41];
  for (let rest = value | 0; ; ) {
    const low = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && !(low & 0x40)) || (rest === -1 && (low & 0x40) !== 0);
    out.push(done ? low : low | 0x80);
    if (done) return out;
  }
}

const get = (local: number): number[] => [0x20, ...leb(local)];
const set = (local: number): number[] => [0x21, ...leb(local)];
const branchIf = (depth: number): number[] => [0x0d, ...leb(depth)];
const branch = (depth: number): number[] => [0x0c, ...leb(depth)];
const REJECT = [...constant(0), ...OP.return];
const rejectIf = (condition: readonly number[]): number[] => [...condition, 0x04, 0x40, ...REJECT, ...OP.end];
const load = (size: number, offset: number): number[] => [
  size === 4 ? 0x28 : size === 2 ? 0x2f : 0x2d,
  0,
  ...leb(offset),
];

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

/** Null when the program jumps backward. */
export function emitFilter(program: readonly Insn[], limits: EmitLimits): Uint8Array<ArrayBuffer> | null {
  if (program.some(({ code, k }) => code === 0x05 && (k | 0) < 0)) return null;
  const body = new Emitter(program, limits).body();
  const section = (id: number, content: readonly number[]): number[] => [
    id,
    ...leb(content.length),
    ...content,
  ];
  const name = (text: string): number[] => [text.length, ...[...text].map((char) => char.charCodeAt(0))];
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 3, I32, I32, I32, 1, I32]),
    ...section(2, [1, ...name('engine'), ...name('memory'), 2, 0, 0]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name('match'), 0, 0]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ]); // biome-ignore format: one section a line
}

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

  /** Locals, code, end. */
  body(): number[] {
    for (const _ of this.#flow.targets) this.#push(OP.block);
    for (let pc = 0; pc < this.#program.length; ) {
      if (this.#flow.ordinals.has(pc)) {
        this.#push(OP.end);
        this.#ended++;
      }
      pc = this.#one(pc);
    }
    this.#push([0x00]);
    return [1, ...leb(FIRST_CELL + CELLS - A), I32, ...this.#out, ...OP.end];
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
        this.#push([...((code & 0x18) === 0x10 ? get(A) : constant(k ? 1 : 0)), ...OP.return]);
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
    if (jt === jf) this.#push([0x1a]);
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
      this.#push([0x1b, ...set(A)]);
    } else {
      if (operation === 0x30 || operation === 0x90) this.#push(rejectIf([...operand, ...OP.eqz]));
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
      this.#push(REJECT);
      return;
    }
    if ((this.#flow.checked[pc] ?? 0) < k + size)
      this.#push(rejectIf([...get(CAPLEN), ...constant(k + size), ...OP.ltU]));
    if (indexed)
      this.#push(rejectIf([...get(X), ...get(CAPLEN), ...constant(k + size), ...OP.sub, ...OP.gtU]));
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
    if (equal && value > limit) this.#jump(jump, [...raw, 0x1a, ...constant(0)], jt, jf);
    else {
      const turned = constant(swapped((value & limit) >>> 0, size));
      this.#jump(jump, [...raw, ...masked, ...turned, ...COMPARE[operation & 0xf0]!], jt, jf);
    }
    return jump + 1;
  }

  #way(pc: number): number {
    const way = [...constant(0), ...load(4, this.#limits.wayBase)];
    this.#push(rejectIf([...way, ...OP.eqz]));
    this.#push([...way, ...constant(1), ...OP.sub, ...constant(2), ...OP.shl, ...set(A)]);
    return pc + 1;
  }
}
