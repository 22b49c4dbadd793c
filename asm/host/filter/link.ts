/**
 * Where things are in the frame as the expression is read from left to right: `vlan`, `mpls`, `pppoes`,
 * `geneve` and `lane` move everything after them, also after `or` and `not`, as in libpcap. An offset
 * may have a part known at run time only (802.11, PF log, Geneve), which is kept in a memory cell.
 */
import { FilterError } from '../errors.js';
import type { Shape } from './linktypes.js';
import { LINKTYPE_PFLOG, shapeOf } from './linktypes.js';
import type { Block, Insn, Size } from './program.js';
import {
  aluConstant,
  aluX,
  loadAbsolute,
  loadCell,
  loadHeaderLength,
  loadIndexed,
  loadXCell,
  moveToX,
  storeCell,
  test,
} from './program.js';
import { findOffsets, hasRadioHeader, isWlan } from './wlan.js';

export const IPV6_HEADER = 40;

/** The expression makes no sense for this linktype: its packets never match. */
export class LinkError extends FilterError {
  override name = 'LinkError';
}

/** A memory cell, given a number when code first needs it. */
export class Cell {
  number: number | null = null;
}
export interface Offset {
  constant: number;
  cell: Cell | null;
}

/** What an offset counts from. `llc` is the link's payload; `label` the MPLS label before it. */
export type Base =
  | 'packet'
  | 'header'
  | 'outer'
  | 'type'
  | 'llc'
  | 'network'
  | 'no-snap'
  | 'label'
  | 'transport4'
  | 'transport6';

const CELLS = 16;

export class Link {
  readonly linktype: number;
  /** The section is in the other byte order (matters to LINKTYPE_NULL). */
  readonly swapped: boolean;
  shape: Shape;
  header: Offset;
  outer: Offset;
  type: Offset;
  payload: Offset;
  network: number;
  noSnap: number;
  labels = 0;
  vlans = 0;
  /** How to tell that a link header is there at all, once inside a tunnel. */
  encapsulated: 'geneve' | 'lane' | null = null;
  /** Cells in use: offsets are given the last ones, arithmetic takes the first. */
  #offsetCells = 0;
  #arithmeticCells = 0;
  readonly #initial: { header: Offset; payload: Offset };

  constructor(linktype: number, swapped: boolean) {
    this.linktype = linktype;
    this.swapped = swapped;
    this.shape = shapeOf(linktype);
    const { header, type, payload, network, noSnap } = this.shape;
    const wlan = isWlan(linktype);
    this.header = { constant: header, cell: hasRadioHeader(linktype) ? new Cell() : null };
    this.outer = this.header;
    this.type = { constant: type, cell: null };
    this.payload = { constant: payload, cell: wlan || linktype === LINKTYPE_PFLOG ? new Cell() : null };
    this.#initial = { header: this.header, payload: this.payload };
    this.network = network;
    this.noSnap = noSnap;
  }

  fail(problem: string, at: number): never {
    throw new LinkError(`${problem} on ${this.shape.name}`, at);
  }

  cell(cell: Cell): number {
    if (cell.number === null) {
      cell.number = CELLS - ++this.#offsetCells;
      this.#checkCells(0);
    }
    return cell.number;
  }

  /** Claims a cell for an intermediate result. */
  scratch(cell: number, at: number): number {
    this.#arithmeticCells = Math.max(this.#arithmeticCells, cell + 1);
    this.#checkCells(at);
    return cell;
  }

  #checkCells(at: number): void {
    if (this.#offsetCells + this.#arithmeticCells > CELLS)
      throw new FilterError('the expression needs too many intermediate results', at);
  }

  /** Code that must run before the first test: it finds the offsets that vary, as far as they are used. */
  preamble(): Insn[] {
    const { header, payload } = this.#initial;
    if (!payload.cell) return [];
    if (this.linktype !== LINKTYPE_PFLOG) return findOffsets(this, header.cell, payload.cell);
    if (payload.cell.number === null) return [];
    // The first byte is the header's length, padded to four.
    const round = [aluConstant('+', 3), aluConstant('&', 0xfffffffc)];
    return [loadAbsolute(0, 1), ...round, storeCell(payload.cell.number)];
  }

  /** Loads `size` bytes at `at` bytes from `base` into A. */
  load(base: Base, at: number, size: Size): Insn[] {
    if (base === 'packet') return [loadAbsolute(at, size)];
    if (base === 'transport4')
      return [...this.loadHeaderLength(), loadIndexed(this.payload.constant + this.network + at, size)];
    const [offset, distance] = this.#place(base);
    const from = offset.constant + distance + at;
    return offset.cell
      ? [loadXCell(this.cell(offset.cell)), loadIndexed(from, size)]
      : [loadAbsolute(from, size)];
  }

  #place(base: Exclude<Base, 'packet' | 'transport4'>): [Offset, number] {
    switch (base) {
      case 'header':
        return [this.header, 0];
      case 'outer':
        return [this.outer, 0];
      case 'type':
        return [this.type, 0];
      case 'llc':
        return [this.payload, 0];
      case 'network':
        return [this.payload, this.network];
      case 'no-snap':
        return [this.payload, this.noSnap];
      case 'label':
        return [this.payload, this.network - 4];
      case 'transport6':
        return [this.payload, this.network + IPV6_HEADER];
    }
  }

  /** X = length of the IPv4 header, plus what is variable of its offset. */
  loadHeaderLength(): Insn[] {
    const at = this.payload.constant + this.network;
    if (!this.payload.cell) return [loadHeaderLength(at)];
    return [
      loadXCell(this.cell(this.payload.cell)),
      loadIndexed(at, 1),
      aluConstant('&', 0xf),
      aluConstant('<<', 2),
      aluX('+'),
      moveToX(),
    ];
  }

  /** Loads at `index` (computed by `code` into A) from `base` on. */
  loadAt(base: 'header' | 'network' | 'transport6', code: readonly Insn[], size: Size): Insn[] {
    const [offset, distance] = this.#place(base);
    const from = offset.constant + distance;
    if (!offset.cell) return [...code, moveToX(), loadIndexed(from, size)];
    return [...code, loadXCell(this.cell(offset.cell)), aluX('+'), moveToX(), loadIndexed(from, size)];
  }

  /** The field equals the value under a mask. */
  compare(base: Base, at: number, size: Size, value: number, mask = 0xffffffff): Block {
    const code = this.load(base, at, size);
    if (mask !== 0xffffffff) code.push(aluConstant('&', mask));
    return test(code, 'eq', value);
  }

  /** A cell's value in A, for code that compares offsets. */
  loadOffset(cell: Cell): Insn {
    return loadCell(this.cell(cell));
  }

  /** A link header inside another: what comes next is counted from there. */
  push(shape: Shape, header: Offset): void {
    this.outer = this.header;
    this.shape = shape;
    this.header = header;
  }
}
