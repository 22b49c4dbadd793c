/**
 * Packet rows of one push: a window on wasm memory, valid only during the callback that receives it.
 * One object serves every push; nothing is allocated per packet until a caller asks for bytes or text.
 */
import type { Description } from './describe.js';
import type { Module } from './module.js';
import type { PacketOption } from './packet-options.js';
import { commentsOf, packetOptions } from './packet-options.js';
import type { PacketLine } from './types.js';

/** Formats from here on are pcapng's (ABI.md). */
const FORMAT_PCAPNG = 16;

export class PacketRows {
  readonly #module: Module;
  readonly #describe: (i: number) => Description;
  readonly #base: number;
  readonly #stride: number;
  readonly #at: Record<
    'ts' | 'bytes' | 'caplen' | 'wirelen' | 'flow' | 'linktype' | 'flags' | 'ifindex',
    number
  >;
  readonly #matched: number;
  readonly #timed: number;
  #length = 0;

  /** For the engine. `describe` gives the texts of row i. */
  constructor(module: Module, describe: (rows: PacketRows, i: number) => Description) {
    this.#module = module;
    this.#describe = (i) => describe(this, i);
    this.#base = module.constant('ROWS_BASE');
    this.#stride = module.constant('ROW_STRIDE');
    this.#matched = module.constant('ROW_MATCHED');
    this.#timed = module.constant('ROW_TIMED');
    const offset = (name: string) => module.constant(`ROW_${name}`);
    this.#at = {
      ts: offset('TS'),
      bytes: offset('BYTES'),
      caplen: offset('CAPLEN'),
      wirelen: offset('WIRELEN'),
      flow: offset('FLOW'),
      linktype: offset('LINKTYPE'),
      flags: offset('FLAGS'),
      ifindex: offset('IFINDEX'),
    };
  }

  /** For the engine: makes the window show the module's current rows. */
  refresh(): this {
    this.#length = this.#module.fn.row_count();
    return this;
  }

  get length(): number {
    return this.#length;
  }

  /** Nanoseconds since the epoch; null where the block carries no time (pcapng simple packets). */
  tsNs(i: number): bigint | null {
    const row = this.#row(i);
    if (!(this.#module.view.getUint16(row + this.#at.flags, true) & this.#timed)) return null;
    return this.#module.view.getBigInt64(row + this.#at.ts, true);
  }

  ifindex(i: number): number {
    return this.#module.view.getUint16(this.#row(i) + this.#at.ifindex, true);
  }

  linktype(i: number): number {
    return this.#module.view.getUint32(this.#row(i) + this.#at.linktype, true);
  }

  caplen(i: number): number {
    return this.#module.view.getUint32(this.#row(i) + this.#at.caplen, true);
  }

  wirelen(i: number): number {
    return this.#module.view.getUint32(this.#row(i) + this.#at.wirelen, true);
  }

  /** Whether the packet passed the filter; true when none is set. */
  matched(i: number): boolean {
    return (this.#module.view.getUint16(this.#row(i) + this.#at.flags, true) & this.#matched) !== 0;
  }

  /** Id (Flow.id) of the innermost flow the packet belongs to; -1 when it has none (ARP, unsupported). */
  flowId(i: number): number {
    return this.#module.view.getInt32(this.#row(i) + this.#at.flow, true);
  }

  /** View into wasm memory, valid during the callback: copy what must outlive it. */
  bytes(i: number): Uint8Array {
    const start = this.#module.view.getUint32(this.#row(i) + this.#at.bytes, true);
    return this.#module.bytes.subarray(start, start + this.caplen(i));
  }

  /** Options of the packet's pcapng block, copies; none where the format or the block has none. */
  options(i: number): PacketOption[] {
    if (this.#module.fn.format() < FORMAT_PCAPNG) return [];
    const start = this.#module.view.getUint32(this.#row(i) + this.#at.bytes, true);
    return packetOptions(this.#module.bytes, start, this.caplen(i), this.#module.constant('INDEX_BASE'));
  }

  /** Texts of its comments. */
  comments(i: number): string[] {
    return commentsOf(this.options(i));
  }

  line(i: number): PacketLine {
    return {
      tsNs: this.tsNs(i),
      ifindex: this.ifindex(i),
      caplen: this.caplen(i),
      wirelen: this.wirelen(i),
      ...this.#describe(i),
    };
  }

  #row(i: number): number {
    if (!(i >= 0 && i < this.#length))
      throw new RangeError(`row ${i} of ${this.#length}: rows live during their callback`);
    return this.#base + i * this.#stride;
  }
}
