/**
 * WebAssembly's binary encoding, as far as emitted filters need it (WebAssembly Core Specification,
 * chapter 5): instructions and modules as lists of bytes.
 */

export const I32 = 0x7f;
export const I64 = 0x7e;

/** Opcodes without operands; i32 unless the name says otherwise. */
export const OP = {
  unreachable: [0x00],
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  end: [0x0b],
  drop: [0x1a],
  select: [0x1b],
  eqz: [0x45],
  eq: [0x46],
  ne: [0x47],
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
  addI64: [0x7c],
  extendU: [0xad],
} as const;

/** Unsigned LEB128. */
export function leb(value: number): number[] {
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
export function constant(value: number): number[] {
  const out = [0x41];
  for (let rest = value | 0; ; ) {
    const low = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && !(low & 0x40)) || (rest === -1 && (low & 0x40) !== 0);
    out.push(done ? low : low | 0x80);
    if (done) return out;
  }
}

export const get = (local: number): number[] => [0x20, ...leb(local)];
export const set = (local: number): number[] => [0x21, ...leb(local)];
export const branchIf = (depth: number): number[] => [0x0d, ...leb(depth)];
export const branch = (depth: number): number[] => [0x0c, ...leb(depth)];
export const load = (size: number, offset: number): number[] => [
  size === 4 ? 0x28 : size === 2 ? 0x2f : 0x2d,
  0,
  ...leb(offset),
];

export const store = (offset: number): number[] => [0x36, 2, ...leb(offset)];
export const storeI64 = (offset: number): number[] => [0x37, 3, ...leb(offset)];

/** One function `(i32, i32, i32) -> i32`: its locals beside the parameters as runs of a type, and its code. */
export interface Func {
  name: string;
  locals: readonly (readonly [count: number, type: number])[];
  code: readonly number[];
}

/** A module of functions over the memory it imports. */
export function moduleOf(functions: readonly Func[]): Uint8Array<ArrayBuffer> {
  const vector = (items: readonly (readonly number[])[]): number[] => [...leb(items.length), ...items.flat()];
  const sized = (content: readonly number[]): number[] => [...leb(content.length), ...content];
  const section = (id: number, items: readonly (readonly number[])[]): number[] => [
    id,
    ...sized(vector(items)),
  ];
  const text = (ascii: string): number[] => sized([...ascii].map((char) => char.charCodeAt(0)));
  const body = ({ locals, code }: Func): number[] =>
    sized([...vector(locals.map(([count, type]) => [...leb(count), type])), ...code, ...OP.end]);
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [[0x60, 3, I32, I32, I32, 1, I32]]),
    ...section(2, [[...text('engine'), ...text('memory'), 2, 0, 0]]),
    ...section(3, functions.map(() => [0])),
    ...section(7, functions.map(({ name }, i) => [...text(name), 0, ...leb(i)])),
    ...section(10, functions.map(body)),
  ]); // biome-ignore format: one section a line
}
