// Filter programs as functions: random programs over random, also cut packets give the same verdicts when
// interpreted, when emitted, and in a third reading of classic BPF below.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { emitFilter } from '../../asm/host/filter/emit.js';
import type { Insn } from '../../asm/host/filter/program.js';
import { EngineError } from '../../asm/host/index.js';
import { Module } from '../../asm/host/module.js';
import { newEngine, pcap, random, runSeed, wasmBytes } from './captures.js';

const seed = runSeed('filter-emit');
const module = await Module.load(wasmBytes);
if (module.fn.init(1024, 1, 0) !== 0) throw new EngineError('no memory');
const limits = { caplenMax: module.constant('CAPLEN_MAX'), wayBase: module.constant('WAY_BASE') };
const table = module.fn.table.grow(1);

interface Frame {
  bytes: Uint8Array;
  wirelen: number;
}

/** Classic BPF by the book (bpf(4)), written apart from the module's. */
function reference(program: readonly Insn[], { bytes, wirelen }: Frame): boolean {
  const cells = new Uint32Array(16);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let a = 0;
  let x = 0;
  for (let pc = 0; pc < program.length; ) {
    const { code, k, jt, jf } = program[pc++]!;
    const operand = code & 8 ? x : k;
    const cell = k & 15;
    const at = (code & 0xe0) === 0x40 ? x + k : k;
    const size = [4, 2, 1][(code >> 3) & 3]!;
    switch (code & 7) {
      case 0:
      case 1: {
        let value: number;
        const mode = code & 0xe0;
        if (mode === 0x00) value = k;
        else if (mode === 0x60) value = cells[cell]!;
        else if (mode === 0x80) value = wirelen;
        else if (at + (mode === 0xa0 ? 1 : size) > bytes.length) return false;
        else if (mode === 0xa0) value = (view.getUint8(at) & 15) * 4;
        else value = size === 4 ? view.getUint32(at) : size === 2 ? view.getUint16(at) : view.getUint8(at);
        if (code & 1) x = value;
        else a = value;
        break;
      }
      case 2:
        cells[cell] = a;
        break;
      case 3:
        cells[cell] = x;
        break;
      case 4: {
        const operation = code & 0xf0;
        if ((operation === 0x30 || operation === 0x90) && operand === 0) return false;
        const big = [BigInt(a), BigInt(operand)] as const;
        a = Number(BigInt.asUintN(32, compute(operation, ...big)));
        break;
      }
      case 5: {
        const operation = code & 0xf0;
        if (operation === 0) pc += k;
        else {
          const both = Number(BigInt(a) & BigInt(operand));
          const holds = { 16: a === operand, 32: a > operand, 48: a >= operand, 64: both !== 0 }[operation];
          pc += holds ? jt : jf;
        }
        break;
      }
      case 6:
        return ((code & 0x18) === 0x10 ? a : k) !== 0;
      default:
        if (code & 0x80) a = x;
        else x = a;
    }
  }
  return false;
}

function compute(operation: number, a: bigint, b: bigint): bigint {
  switch (operation) {
    case 0x00:
      return a + b;
    case 0x10:
      return a - b;
    case 0x20:
      return a * b;
    case 0x30:
      return a / b;
    case 0x40:
      return a | b;
    case 0x50:
      return a & b;
    case 0x60:
      return b < 32n ? a << b : 0n;
    case 0x70:
      return b < 32n ? a >> b : 0n;
    case 0x80:
      return -a;
    case 0x90:
      return a % b;
    default:
      return a ^ b;
  }
}

/** A program of any instructions whose jumps stay inside; it ends with a return. */
function randomProgram(next: (below: number) => number): Insn[] {
  const length = 2 + next(30);
  const pick = (...choices: number[]): number => choices[next(choices.length)]!;
  const small = (): number => pick(0, 1, 2, 3, 4, 6, 8, 12, 14, 16, 20, 23, 30, 31, 32, 33, 40, 64, 100);
  return Array.from({ length }, (_, pc): Insn => {
    const room = length - pc - 1;
    const hop = (): number => (room < 2 ? 0 : next(Math.min(room - 1, 12) + 1));
    const value = pick(small(), small(), next(65536), 0xffffffff, 0x80000000, 0x0800, next(256));
    if (room === 0) return { code: pick(0x06, 0x16), jt: 0, jf: 0, k: next(2) };
    const straight = (code: number, k: number): Insn => ({ code, jt: 0, jf: 0, k: k >>> 0 });
    switch (next(12)) {
      case 0:
      case 1:
      case 2:
        return straight(0x20 | pick(0, 8, 0x10), next(30) ? small() : value);
      case 3:
        return straight(0x40 | pick(0, 8, 0x10), next(30) ? small() : value);
      case 4:
        return straight(pick(0x00, 0x01, 0x60, 0x61, 0x80, 0xb1), next(4) ? small() & 15 : value);
      case 5:
        return straight(pick(0x02, 0x03), next(16));
      case 6:
        return straight(pick(0x07, 0x87), 0);
      case 7:
        return straight(0x04 | (next(11) << 4) | pick(0, 8), value);
      case 8:
        return straight(0x05, hop());
      case 9:
        return straight(pick(0x06, 0x16), next(2));
      default:
        return {
          code: 0x05 | pick(0x10, 0x20, 0x30, 0x40) | pick(0, 0, 0, 8),
          jt: hop(),
          jf: hop(),
          k: value,
        };
    }
  });
}

function install(program: readonly Insn[]): void {
  const { fn, view } = module;
  fn.filter_clear(1);
  const base = fn.filter_add(1, program.length);
  program.forEach(({ code, jt, jf, k }, i) => {
    const at = base + i * module.constant('INSN_STRIDE');
    view.setUint32(at + module.constant('INSN_CODE'), code, true);
    view.setUint16(at + module.constant('INSN_JT'), jt, true);
    view.setUint16(at + module.constant('INSN_JF'), jf, true);
    view.setUint32(at + module.constant('INSN_K'), k, true);
  });
}

function verdicts(file: Uint8Array, packets: number): boolean[] {
  const { fn } = module;
  fn.reset();
  fn.scan_only(1);
  module.bytes.set(file, fn.reserve());
  assert.is(fn.push(file.length, 1), 0);
  assert.is(fn.row_count(), packets);
  return Array.from({ length: packets }, (_, i) => {
    const row = module.constant('ROWS_BASE') + i * module.constant('ROW_STRIDE');
    return (module.view.getUint16(row + module.constant('ROW_FLAGS'), true) & 1) === 1;
  });
}

function emitted(program: readonly Insn[]): void {
  const code = emitFilter(program, limits)!;
  const { memory } = module.fn;
  const instance = new WebAssembly.Instance(new WebAssembly.Module(code), { engine: { memory } });
  module.fn.table.set(table, instance.exports.match);
  module.fn.filter_call(0, table);
}

test('random programs: interpreter, emitted function and reference agree', () => {
  const next = random(seed);
  const frames = Array.from({ length: 60 }, (): Frame => {
    const bytes = Uint8Array.from({ length: next(80) }, () => (next(2) ? next(4) : next(256)));
    if (bytes.length > 14 && next(2)) bytes.set([8, 0, 0x45], 12);
    return { bytes, wirelen: bytes.length + next(3) };
  });
  const file = pcap(frames);
  let passed = 0;
  for (let i = 0; i < 3000; i++) {
    const program = randomProgram(next);
    const wanted = frames.map((frame) => reference(program, frame));
    const shown = (): string =>
      `program ${i}: ${JSON.stringify(program.map(({ code, jt, jf, k }) => [code, jt, jf, k]))}`;
    install(program);
    const first = verdicts(file, frames.length);
    assert.equal(first, wanted, `interpreted, ${shown()}`);
    emitted(program);
    assert.equal(verdicts(file, frames.length), wanted, `emitted, ${shown()}`);
    passed += wanted.filter(Boolean).length;
  }
  assert.ok(passed > 5000 && passed < 175_000, `${passed} of 180000 passed: the programs decide something`);
});

test('backward jumps are not emitted, and end in the interpreter', () => {
  // An endless loop, as protochain makes of hostile headers.
  const loop: Insn[] = [
    { code: 0x00, jt: 0, jf: 0, k: 1 },
    { code: 0x05, jt: 0, jf: 0, k: 0xfffffffe },
    { code: 0x06, jt: 0, jf: 0, k: 1 },
  ];
  assert.is(emitFilter(loop, limits), null);
  install(loop);
  assert.equal(verdicts(pcap([{ bytes: new Uint8Array(60) }]), 1), [false]);
});

test('a hostile AH chain ends', async () => {
  const engine = await newEngine();
  const bytes = new Uint8Array(200);
  bytes.set([0x86, 0xdd, 0x60], 12);
  bytes[20] = 51;
  // AH whose length leads the chain to itself (libpcap's rule: the next offset is 4 * (length + 2)).
  for (let at = 54; at < 200; at += 2) bytes.set([51, 8], at);
  engine.setFilter('ip6 protochain 6');
  engine.push(pcap([{ bytes }]));
  assert.is(engine.totals().packets, 1);
  assert.is(engine.matched, 0);
});

test('the largest program is emitted', async () => {
  const engine = await newEngine();
  engine.emitFiltersAfter(0);
  engine.setFilter(Array.from({ length: 330 }, (_, i) => `ip host 10.1.${i >> 8}.${i & 255}`).join(' or '));
  const bytes = new Uint8Array(60);
  bytes.set([8, 0, 0x45], 12);
  bytes.set([10, 1, 1, 73], 30);
  const file = pcap([{ bytes }, { bytes: new Uint8Array(60) }]);
  engine.push(file);
  assert.is(engine.filtersEmitted, 1);
  assert.is(engine.matched, 1);
  engine.reset();
  engine.push(file);
  assert.is(engine.matched, 1);
});

test('where compiling is refused the interpreter goes on', async () => {
  const engine = await newEngine();
  const { Module: original } = WebAssembly;
  engine.emitFiltersAfter(0);
  engine.setFilter('ip');
  const bytes = new Uint8Array(60);
  bytes.set([8, 0], 12);
  try {
    Object.assign(WebAssembly, {
      Module: class {
        constructor() {
          throw new WebAssembly.CompileError('blocked by the content security policy');
        }
      },
    });
    engine.push(pcap([{ bytes }]));
  } finally {
    Object.assign(WebAssembly, { Module: original });
  }
  assert.is(engine.filtersEmitted, 0);
  engine.reset();
  engine.push(pcap([{ bytes }, { bytes }]));
  assert.is(engine.matched, 2);
});

test.run();
