/**
 * Builds an index of stored blocks (asm/assembly/blockindex.ts): one WASM instance that reads packet blocks of up to
 * 64 extents and gives the packed rows. Where they are kept and how they are asked is its caller's business.
 */
import { EngineError } from './errors.js';
import { Module } from './module.js';

export const INDEX_EXTENTS_MAX = 64;
/** Sections of the index, in order, and the share of bits that may be set before more rows are worth it. */
const SECTIONS = ['ADDRESS', 'FLOW', 'SERVICE', 'EPHEMERAL'] as const;
const FILL_MAX = [0.2, 0.2, 0.01, 0.1];
const ROWS_MIN = 64;
const NO_FLOWS = 16;

export interface PackedIndex {
  /** Bits of a row: extents, rounded up to a power of two. */
  width: number;
  /** Rows of each section; the fixed ones follow. */
  rows: number[];
  /** View into wasm memory, valid until the next call. */
  bytes: Uint8Array;
}

export class BlockIndexer {
  readonly #module: Module;
  readonly #chunk: number;
  readonly #chunkMax: number;
  readonly #rowsMax: number[];
  readonly #fixedRows: number;

  private constructor(module: Module) {
    this.#module = module;
    this.#chunk = module.constant('CHUNK_BASE');
    this.#chunkMax = module.constant('CHUNK_MAX');
    this.#rowsMax = SECTIONS.map((name) => module.constant(`INDEX_${name}_ROWS`));
    this.#fixedRows = module.constant('INDEX_FIXED_ROWS');
  }

  static async load(source: WebAssembly.Module | BufferSource): Promise<BlockIndexer> {
    const module = await Module.load(source);
    if (module.fn.init(NO_FLOWS, 0, 0) !== 0 || !module.fn.index_init())
      throw new EngineError('the engine has no memory for an index');
    return new BlockIndexer(module);
  }

  /** Forgets all extents; those of a segment with these interfaces follow. */
  begin(linktypes: readonly number[]): void {
    this.#module.fn.index_begin();
    this.#module.fn.blocks_begin();
    for (const linktype of linktypes)
      if (!this.#module.fn.blocks_interface(linktype))
        throw new EngineError('a segment has too many interfaces');
  }

  /** What is added next belongs to extent `number`, 0 to INDEX_EXTENTS_MAX - 1. */
  extent(number: number): void {
    this.#module.fn.index_extent(number);
  }

  /** The current extent may hold anything: part of it could not be read. */
  opaque(): void {
    this.#module.fn.index_opaque();
  }

  /** Where to put the next piece of the segment. */
  room(): Uint8Array {
    return this.#module.bytes.subarray(this.#chunk, this.#chunk + this.#chunkMax);
  }

  /** Enters the first `length` bytes of the room, which begin with a block. As BlockScanner.scan(). */
  add(length: number): { used: number; damaged: boolean } {
    const { fn } = this.#module;
    const stopped = fn.index_add(this.#chunk, this.#chunk + length) >>> 0;
    return { used: stopped - this.#chunk, damaged: fn.index_stop() !== this.#module.constant('GO') };
  }

  /** The index of the first `extents` extents, as small as leaves it telling. They stay, more may be added. */
  pack(extents: number): PackedIndex {
    const { fn } = this.#module;
    const width = 2 ** Math.ceil(Math.log2(extents));
    const rows = this.#rowsMax.map((most, section) => {
      const bits = (fn.index_fill(section) >>> 0) / extents;
      let count = most;
      while (count > ROWS_MIN && bits / (count / 2) <= FILL_MAX[section]!) count /= 2;
      return count;
    });
    const [address, flow, service, ephemeral] = rows as [number, number, number, number];
    const at = fn.index_pack(width, address, flow, service, ephemeral) >>> 0;
    const total = rows.reduce((sum, count) => sum + count, this.#fixedRows);
    return { width, rows, bytes: this.#module.bytes.subarray(at, at + Math.ceil((total * width) / 8)) };
  }
}
