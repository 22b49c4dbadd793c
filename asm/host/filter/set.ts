/**
 * The engine's filter: parsed once, compiled for each linktype when its first packet comes, and emitted
 * as WebAssembly once enough bytes went through it. Where that is refused (a content security policy
 * without wasm-unsafe-eval, a size limit of the browser) the module interprets, with the same results.
 */
import { LINKTYPE_ETHERNET } from '../../../proto/gen/constants.js';
import { FilterError } from '../errors.js';
import type { Module } from '../module.js';
import type { Expr } from './ast.js';
import { mentions } from './ast.js';
import { compileFilter } from './compile.js';
import { emitFilter } from './emit.js';
import { emitLoops } from './emit-loops.js';
import { LinkError } from './link.js';
import { parseFilter } from './parser.js';
import type { Insn } from './program.js';
import { assemble, NEVER } from './program.js';

const SWAPPED = 0x80000000;
/** Compiling takes as long as interpreting some thousand packets. */
const EMIT_AFTER_BYTES = 1 << 18;
const ACTIVE = 1;
const WANTS_WAY = 2;
const FORMAT_PCAPNG = 16;

export class FilterSet {
  readonly #module: Module;
  readonly #directions: boolean | null;
  #expr: Expr | null = null;
  #problem: string | null = null;
  /** Programs in the order they were added, which is how the module counts them; null once emitted or refused. */
  #programs: (readonly Insn[] | null)[] = [];
  #emitted = 0;
  #bytes = 0;
  /** Programs that are emitted but not yet as loops, by slot. */
  #loopless = new Map<number, readonly Insn[]>();
  /** First of the table's entries that are the filter's; 0 before the table was grown. */
  #table = 0;
  /** Bytes after which programs are emitted; Infinity once that was refused. */
  emitAfter = EMIT_AFTER_BYTES;

  /** `directions`: whether packets may say which way they went; else as the stream's format has it. */
  constructor(module: Module, directions?: boolean) {
    this.#module = module;
    this.#directions = directions ?? null;
  }

  /** Throws FilterError before anything is changed. */
  set(expression: string | null): void {
    const expr = expression?.trim() ? parseFilter(expression) : null;
    if (expr) this.#check(expr);
    this.#expr = expr;
    this.#problem = null;
    this.#programs = [];
    this.#loopless.clear();
    this.#emitted = 0;
    this.#bytes = 0;
    this.#module.fn.filter_clear(
      expr ? ACTIVE | (mentions(expr, ({ kind }) => kind === 'way') ? WANTS_WAY : 0) : 0,
    );
  }

  /** Why packets of some linktype met so far cannot match at all; null when there are none such. */
  get problem(): string | null {
    return this.#problem;
  }

  /** How many programs run as functions of their own; the others are interpreted. */
  get emitted(): number {
    return this.#emitted;
  }

  /** Mistakes that no linktype can mend are found now, with Ethernet's program. */
  #check(expr: Expr): void {
    const program = compileFilter(expr, { linktype: LINKTYPE_ETHERNET, lenient: true });
    const room = this.#module.constant('INSN_MAX') >> 2;
    if (program.length > room)
      throw new FilterError(`the filter compiles to ${program.length} instructions, more than ${room}`, 0);
  }

  /** Gives the module the program it asks for. What a linktype cannot have matches none of its packets. */
  supply(key: number): void {
    const program = this.#compile(key);
    const { fn } = this.#module;
    const constant = (name: string): number => this.#module.constant(name);
    let address = fn.filter_add(key, program.length);
    if (!address) {
      // All room is taken by other linktypes: they ask again when they come back.
      fn.filter_restart();
      this.#programs = [];
      this.#loopless.clear();
      this.#emitted = 0;
      address = fn.filter_add(key, program.length);
    }
    const stride = constant('INSN_STRIDE');
    const { view } = this.#module;
    program.forEach(({ code, jt, jf, k }, i) => {
      const at = address + i * stride;
      view.setUint32(at + constant('INSN_CODE'), code, true);
      view.setUint16(at + constant('INSN_JT'), jt, true);
      view.setUint16(at + constant('INSN_JF'), jf, true);
      view.setUint32(at + constant('INSN_K'), k, true);
    });
    this.#programs.push(program);
  }

  /** Call after packets went through: emits the programs still interpreted, once that pays. */
  settle(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < this.emitAfter) return;
    this.#programs.forEach((program, slot) => {
      if (program) this.#emit(slot, program);
    });
  }

  /** Call after a scan: what runs as a function gets its loops over records too. */
  settleLoops(): void {
    for (const [slot, program] of this.#loopless) this.#emitLoops(slot, program);
    this.#loopless.clear();
  }

  #emit(slot: number, program: readonly Insn[]): void {
    this.#programs[slot] = null;
    const code = emitFilter(program, this.#limits());
    const index = code && this.#place(code, ['match'], 3 * slot);
    if (!index) return;
    this.#module.fn.filter_call(slot, index);
    this.#emitted++;
    this.#loopless.set(slot, program);
  }

  #emitLoops(slot: number, program: readonly Insn[]): void {
    const code = emitLoops(program, this.#limits());
    const index = code && this.#place(code, ['pcap', 'epb'], 3 * slot + 1);
    if (index) this.#module.fn.filter_loops(slot, index);
  }

  #limits() {
    const constant = (name: string): number => this.#module.constant(name);
    return {
      caplenMax: constant('CAPLEN_MAX'),
      wayBase: constant('WAY_BASE'),
      heldMax: constant('HELD_MAX'),
      sumsBase: constant('SUMS_BASE'),
    };
  }

  /** Compiles and puts functions into the table: index of the first, or null where that is refused. */
  #place(code: Uint8Array<ArrayBuffer>, names: readonly string[], at: number): number | null {
    try {
      const { memory, table } = this.#module.fn;
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { engine: { memory } });
      this.#table ||= table.grow(3 * this.#module.constant('SLOT_MAX'));
      names.forEach((name, i) => {
        table.set(this.#table + at + i, exports[name]);
      });
      return this.#table + at;
    } catch {
      this.emitAfter = Number.POSITIVE_INFINITY;
      return null;
    }
  }

  #compile(key: number): Insn[] {
    try {
      return compileFilter(this.#expr!, {
        linktype: key & 0xffff,
        swapped: (key & SWAPPED) !== 0,
        directions: this.#directions ?? this.#module.fn.format() >= FORMAT_PCAPNG,
      });
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      this.#problem ??= error.message;
      return assemble(NEVER);
    }
  }
}
