/**
 * Comparisons of arithmetic expressions to blocks. The protocol a load names is checked first (for
 * transport headers also that the packet is no later fragment), then both sides are computed. As in
 * libpcap, of two operands only the left one's protocol is checked: `len - tcp[12]` checks none. Constant
 * indexes are added to the offset, as by its optimizer: `ip[-1]` is the byte before the header.
 */
import { FilterError } from '../errors.js';
import type { Arith, Relation } from './ast.js';
import { carries, ETHERTYPE } from './carries.js';
import type { Compiler } from './compile.js';
import { LINKTYPE_PPI } from './linktypes.js';
import { notFragment } from './ports.js';
import type { Block, Comparison, Insn } from './program.js';
import {
  aluConstant,
  aluX,
  and,
  loadCell,
  loadImmediate,
  loadIndexed,
  loadLength,
  moveToX,
  not,
  storeCell,
  test,
} from './program.js';
import { hasRadioHeader } from './wlan.js';

/** A relation as a BPF comparison and whether its outcome is turned around. */
export const COMPARISONS: Record<Relation, readonly [Comparison, boolean]> = {
  '=': ['eq', false],
  '!=': ['eq', true],
  '>': ['gt', false],
  '<=': ['gt', true],
  '>=': ['ge', false],
  '<': ['ge', true],
};
const NETWORK = new Set(['ip', 'ip6', 'arp', 'rarp', 'atalk', 'decnet', 'lat', 'sca', 'moprc', 'mopdl']);
const TRANSPORT = new Set(['tcp', 'udp', 'sctp', 'icmp', 'igmp', 'igrp', 'pim', 'vrrp', 'carp']);
const ICMP6 = 58;
type Load = Arith & { kind: 'load' };

/** Code that leaves a value in A, and what must hold before it runs. */
interface Value {
  code: Insn[];
  checks: Block | null;
}

const all = (...blocks: readonly (Block | null)[]): Block | null =>
  blocks.reduce((left, right) => (left && right ? and(left, right) : (left ?? right)), null);

export class Arithmetic {
  readonly #compiler: Compiler;

  constructor(compiler: Compiler) {
    this.#compiler = compiler;
  }

  relation(operator: Relation, left: Arith, right: Arith, at: number): Block {
    const [comparison, turned] = COMPARISONS[operator];
    const first = this.#value(left, 0);
    const second = right.kind === 'constant' ? null : this.#value(right, this.#cell(0, at) + 1);
    const outcome =
      right.kind === 'constant'
        ? test(first.code, comparison, right.value)
        : test([...first.code, storeCell(0), ...second!.code, moveToX(), loadCell(0)], comparison, null);
    return all(first.checks, second?.checks ?? null, turned ? not(outcome) : outcome)!;
  }

  #cell(cell: number, at: number): number {
    return this.#compiler.link.scratch(cell, at);
  }

  /** Cells from `free` on may be used. */
  #value(node: Arith, free: number): Value {
    switch (node.kind) {
      case 'constant':
        return { code: [loadImmediate(node.value)], checks: null };
      case 'length':
        return { code: [loadLength()], checks: null };
      case 'negate': {
        const { code, checks } = this.#value(node.operand, free);
        return { code: [...code, aluConstant('negate', 0)], checks };
      }
      case 'load':
        return this.#load(node, free);
      case 'binary':
        return this.#binary(node, free);
    }
  }

  #binary({ operator, left, right, at }: Arith & { kind: 'binary' }, free: number): Value {
    const { code, checks } = this.#value(left, free);
    if (right.kind === 'constant') return { code: [...code, aluConstant(operator, right.value)], checks };
    const cell = this.#cell(free, at);
    const second = this.#value(right, cell + 1).code;
    return {
      code: [...code, storeCell(cell), ...second, moveToX(), loadCell(cell), aluX(operator)],
      checks,
    };
  }

  #load(node: Load, free: number): Value {
    const { protocol, at, size, index } = node;
    const { link } = this.#compiler;
    const inner = this.#value(index, free);
    if (TRANSPORT.has(protocol)) return this.#transport(node, inner, free);
    if (protocol === 'link') return { code: this.#indexed('header', node, inner), checks: inner.checks };
    if (protocol === 'icmp6') {
      const checks = all(
        inner.checks,
        carries(link, ETHERTYPE.ipv6, at),
        link.compare('network', 6, 1, ICMP6),
      );
      return { code: this.#indexed('transport6', node, inner), checks };
    }
    if (NETWORK.has(protocol))
      return {
        code: this.#indexed('network', node, inner),
        checks: all(inner.checks, this.#compiler.protocol(protocol, at)),
      };
    if (protocol !== 'radio') throw new FilterError(`'${protocol}' cannot be indexed`, at);
    if (!hasRadioHeader(link.linktype) || link.linktype === LINKTYPE_PPI || link.shape.family !== 'wlan')
      link.fail('no radio header', at);
    return { code: [...inner.code, moveToX(), loadIndexed(0, size)], checks: inner.checks };
  }

  #indexed(base: 'header' | 'network' | 'transport6', { index, size }: Load, { code }: Value): Insn[] {
    const { link } = this.#compiler;
    return index.kind === 'constant' ? link.load(base, index.value, size) : link.loadAt(base, code, size);
  }

  /** IPv4 only, and no later fragment. */
  #transport({ protocol, index, size, at }: Load, inner: Value, free: number): Value {
    const { link } = this.#compiler;
    const code =
      index.kind === 'constant'
        ? link.load('transport4', index.value, size)
        : this.#behindHeader(inner.code, size, free, at);
    const own = and(this.#compiler.protocol(protocol, at), notFragment(link));
    return { code, checks: all(this.#compiler.protocol('ip', at), inner.checks, own) };
  }

  /** The header's length may need A, so the index waits in a cell. */
  #behindHeader(index: Insn[], size: 1 | 2 | 4, free: number, at: number): Insn[] {
    const { link } = this.#compiler;
    const from = link.payload.constant + link.network;
    const length = link.loadHeaderLength();
    if (length.length === 1) return [...index, ...length, aluX('+'), moveToX(), loadIndexed(from, size)];
    const cell = this.#cell(free, at);
    return [
      ...index,
      storeCell(cell),
      ...length,
      loadCell(cell),
      aluX('+'),
      moveToX(),
      loadIndexed(from, size),
    ];
  }
}
