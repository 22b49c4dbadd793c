/**
 * Filters the blocks of stored segments: one WASM instance, no flows, no decoding. The caller reads pieces
 * of a segment into `room()` and gets the places of the packet blocks that pass; nothing is copied. Only for
 * recorder segments (our byte order, nanoseconds): other captures go through the Engine.
 */
import { EngineError } from './errors.js';
import { FilterSet } from './filter/set.js';
import { Module } from './module.js';

/** Smallest flow table there is: none is used. */
const NO_FLOWS = 16;
const TS_MIN = -(1n << 63n);
const TS_MAX = (1n << 63n) - 1n;

export interface BlockScan {
  /** Bytes used; more than given when a block that is no packet goes on behind them. */
  used: number;
  packets: number;
  /** Addresses of the packet blocks that pass, in the engine's memory. Void after the next call. */
  found: Uint32Array;
  /** What lies at `used` is no block. */
  damaged: boolean;
}

export interface Gathered {
  bytes: Uint8Array;
  /** Where each packet block starts in `bytes`; and its address. */
  starts: Uint32Array;
  found: Uint32Array;
  /** Packets shorter than they were on the wire. */
  truncated: number;
}

export class BlockScanner {
  readonly #module: Module;
  readonly #filter: FilterSet;
  readonly #chunk: number;
  readonly #chunkMax: number;
  #expression: string | null = null;

  private constructor(module: Module) {
    this.#module = module;
    this.#filter = new FilterSet(module, true);
    this.#chunk = module.constant('CHUNK_BASE');
    this.#chunkMax = module.constant('CHUNK_MAX');
  }

  static async load(source: WebAssembly.Module | BufferSource): Promise<BlockScanner> {
    const module = await Module.load(source);
    if (module.fn.init(NO_FLOWS, 0, 0) !== 0) throw new EngineError('the engine has no memory');
    return new BlockScanner(module);
  }

  /** Throws FilterError. Cheap when it is the one already set. */
  setFilter(expression: string | null): void {
    const text = expression?.trim() || null;
    if (text === this.#expression) return;
    this.#filter.set(text);
    this.#expression = text;
  }

  /** Why packets of a linktype met could not be filtered and count as not matching; null when there are none. */
  get filterProblem(): string | null {
    return this.#filter.problem;
  }

  /** Only packets from <= stamp < to pass; null: no bound. */
  setRange(fromNs: bigint | null, toNs: bigint | null): void {
    const [fromLow, fromHigh] = halves(fromNs ?? TS_MIN);
    const [toLow, toHigh] = halves(toNs ?? TS_MAX);
    this.#module.fn.blocks_range(fromNs === null && toNs === null ? 0 : 1, fromLow, fromHigh, toLow, toHigh);
  }

  /** Of the segment whose blocks follow. */
  setInterfaces(linktypes: readonly number[]): void {
    this.#module.fn.blocks_begin();
    for (const linktype of linktypes)
      if (!this.#module.fn.blocks_interface(linktype))
        throw new EngineError('a segment has too many interfaces');
  }

  /** Where to put the next piece of the segment. */
  room(): Uint8Array {
    return this.#module.bytes.subarray(this.#chunk, this.#chunk + this.#chunkMax);
  }

  /** Address of room(), which `found` is relative to. */
  get base(): number {
    return this.#chunk;
  }

  /**
   * Packet blocks of the last scan, from number `first` on, one behind the other: views that are void after the
   * next call. With `headersOnly` 28 bytes of each.
   */
  gather(first: number, count: number, headersOnly: boolean): Gathered {
    const { fn } = this.#module;
    const at = fn.blocks_gather(first, count, headersOnly ? 1 : 0) >>> 0;
    if (at === 0) throw new EngineError('the engine has no memory for what it found');
    const { bytes } = this.#module; // it may have grown
    const starts = new Uint32Array(bytes.buffer, this.#module.constant('STARTS_BASE'), count + 1);
    return {
      starts: starts.subarray(0, count),
      bytes: bytes.subarray(at, at + starts[count]!),
      found: new Uint32Array(bytes.buffer, this.#module.constant('FOUND_BASE') + first * 4, count),
      truncated: fn.blocks_truncated(),
    };
  }

  /** Filters the first `length` bytes of the room, which begin with a block. */
  scan(length: number): BlockScan {
    const { fn } = this.#module;
    const end = this.#chunk + length;
    let stopped = fn.blocks_scan(this.#chunk, end) >>> 0;
    while (fn.blocks_stop() === this.#module.constant('STOP_FILTER')) {
      this.#filter.supply(fn.blocks_key() >>> 0);
      stopped = fn.blocks_scan(this.#chunk, end) >>> 0; // anew: what was found so far is found again
    }
    this.#filter.settle(length);
    return {
      used: stopped - this.#chunk,
      packets: fn.blocks_packets(),
      found: new Uint32Array(
        this.#module.bytes.buffer,
        this.#module.constant('FOUND_BASE'),
        fn.blocks_found(),
      ),
      damaged: fn.blocks_stop() !== this.#module.constant('GO'),
    };
  }
}

function halves(value: bigint): [low: number, high: number] {
  return [Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n))];
}
