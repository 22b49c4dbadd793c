/**
 * Comparisons of arithmetic expressions to blocks. Every protocol a load names is checked first (for
 * transport headers also that the packet is no later fragment), then both sides are computed.
 */
import { FilterError } from '../errors.js';
import type { Arith, BinaryOperator, Relation } from './ast.js';
import type { Compiler } from './compile.js';
import { compare, ETHERTYPE_IPV6 } from './link.js';
import type { Block, Comparison, Insn } from './program.js';
import {
  aluConstant,
  aluX,
  and,
  loadAbsolute,
  loadCell,
  loadHeaderLength,
  loadImmediate,
  loadIndexed,
  loadLength,
  moveToX,
  not,
  storeCell,
  test,
} from './program.js';

const CELLS = 16;
const ALU: Record<BinaryOperator, number> = {
  '+': 0x00,
  '-': 0x10,
  '*': 0x20,
  '/': 0x30,
  '|': 0x40,
  '&': 0x50,
  '<<': 0x60,
  '>>': 0x70,
  '%': 0x90,
  '^': 0xa0,
};
const NEGATE = 0x80;
/** A relation as a BPF comparison and whether its outcome is turned around. */
const COMPARISONS: Record<Relation, readonly [Comparison, boolean]> = {
  '=': ['eq', false],
  '!=': ['eq', true],
  '>': ['gt', false],
  '<=': ['gt', true],
  '>=': ['ge', false],
  '<': ['ge', true],
};
const NETWORK = new Set(['ip', 'ip6', 'arp', 'rarp', 'decnet', 'lat', 'sca', 'moprc', 'mopdl']);
const TRANSPORT = new Set(['tcp', 'udp', 'sctp', 'icmp', 'igmp', 'igrp', 'pim', 'vrrp', 'carp']);
const ICMP6 = 58;
const IPV6_HEADER = 40;

export class Arithmetic {
  readonly #compiler: Compiler;
  readonly #checks: Block[] = [];

  constructor(compiler: Compiler) {
    this.#compiler = compiler;
  }

  relation(operator: Relation, left: Arith, right: Arith, at: number): Block {
    const [comparison, turned] = COMPARISONS[operator];
    const outcome = this.#compared(comparison, left, right, at);
    return and(...this.#checks, turned ? not(outcome) : outcome);
  }

  #compared(comparison: Comparison, left: Arith, right: Arith, at: number): Block {
    if (right.kind === 'constant') return test(this.#value(left, 0), comparison, right.value);
    const code = [
      ...this.#value(left, 0),
      storeCell(0),
      ...this.#value(right, this.#cell(1, at)),
      moveToX(),
      loadCell(0),
    ];
    return test(code, comparison, null);
  }

  #cell(cell: number, at: number): number {
    if (cell >= CELLS) throw new FilterError('the expression needs too many intermediate results', at);
    return cell;
  }

  /** Leaves the value in A; cells from `free` on may be used. */
  #value(node: Arith, free: number): Insn[] {
    switch (node.kind) {
      case 'constant':
        return [loadImmediate(node.value)];
      case 'length':
        return [loadLength()];
      case 'negate':
        return [...this.#value(node.operand, free), aluConstant(NEGATE, 0)];
      case 'load':
        return this.#load(node, free);
      case 'binary':
        return this.#binary(node, free);
    }
  }

  #binary(node: Arith & { kind: 'binary' }, free: number): Insn[] {
    const operation = ALU[node.operator];
    if (node.right.kind === 'constant')
      return [...this.#value(node.left, free), aluConstant(operation, node.right.value)];
    const cell = this.#cell(free, node.at);
    return [
      ...this.#value(node.left, free),
      storeCell(cell),
      ...this.#value(node.right, cell + 1),
      moveToX(),
      loadCell(cell),
      aluX(operation),
    ];
  }

  #load(node: Arith & { kind: 'load' }, free: number): Insn[] {
    const { protocol, at } = node;
    const index = this.#value(node.index, free);
    const { link } = this.#compiler;
    if (protocol === 'link') return indexed(index, link.header, node);
    if (NETWORK.has(protocol)) {
      this.#checks.push(this.#compiler.protocol(protocol, at));
      return indexed(index, link.network(at), node);
    }
    if (protocol === 'icmp6') {
      this.#checks.push(link.carries(ETHERTYPE_IPV6, at), compare(link.network(at) + 6, 1, ICMP6));
      return indexed(index, link.network(at) + IPV6_HEADER, node);
    }
    if (!TRANSPORT.has(protocol)) throw new FilterError(`'${protocol}' cannot be indexed`, at);
    this.#checks.push(
      this.#compiler.protocol('ip', at),
      this.#compiler.protocol(protocol, at),
      this.#compiler.notFragment(at),
    );
    const network = link.network(at);
    const toX = loadHeaderLength(network);
    if (node.index.kind === 'constant') return [toX, loadIndexed(network + node.index.value, node.size)];
    return [...index, toX, aluX(ALU['+']), moveToX(), loadIndexed(network, node.size)];
  }
}

function indexed(index: Insn[], base: number, node: Arith & { kind: 'load' }): Insn[] {
  if (node.index.kind === 'constant') return [loadAbsolute(base + node.index.value, node.size)];
  return [...index, moveToX(), loadIndexed(base, node.size)];
}
