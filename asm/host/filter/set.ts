/** The engine's filter: parsed once, compiled for each linktype when its first packet comes. */
import { LINKTYPE_ETHERNET } from '../../../proto/gen/constants.js';
import { FilterError } from '../errors.js';
import type { Module } from '../module.js';
import type { Expr } from './ast.js';
import { compileFilter } from './compile.js';
import { LinkError } from './link.js';
import { parseFilter } from './parser.js';
import type { Insn } from './program.js';
import { assemble, NEVER } from './program.js';

const SWAPPED = 0x80000000;

export class FilterSet {
  readonly #module: Module;
  #expr: Expr | null = null;
  #problem: string | null = null;

  constructor(module: Module) {
    this.#module = module;
  }

  /** Throws FilterError before anything is changed. */
  set(expression: string | null): void {
    const expr = expression?.trim() ? parseFilter(expression) : null;
    if (expr) this.#check(expr);
    this.#expr = expr;
    this.#problem = null;
    this.#module.fn.filter_clear(expr ? 1 : 0);
  }

  /** Why packets of some linktype met so far cannot match at all; null when there are none such. */
  get problem(): string | null {
    return this.#problem;
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
  }

  #compile(key: number): Insn[] {
    try {
      return compileFilter(this.#expr!, { linktype: key & 0xffff, swapped: (key & SWAPPED) !== 0 });
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      this.#problem ??= error.message;
      return assemble(NEVER);
    }
  }
}
