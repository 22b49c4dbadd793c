/**
 * Follows a pcapng stream beside the engine and remembers what its rows do not carry: the options of each
 * interface (name, filter, snaplen) and which packets belong to which section. Reads block lengths and
 * interface descriptions only. It stops at the first thing it does not understand: the engine reports it.
 */
import {
  BT_EPB,
  BT_IDB,
  BT_PB,
  BT_SHB,
  BT_SPB,
  OPT_COMMENT,
  OPT_END,
  OPT_IF_TSOFFSET,
  OPT_IF_TSRESOL,
  PCAPNG_MAGIC,
} from '../../proto/gen/constants.js';
import type { Option } from './pcapng-writer.js';

export interface InterfaceDescription {
  linktype: number;
  snaplen: number;
  /** Options that mean the same in any byte order and with any time resolution. */
  options: Option[];
}

interface Section {
  /** Number of packets of the stream before it. */
  from: number;
  comments: string[];
  interfaces: InterfaceDescription[];
}

/** Told of the options of packets that have some: the packet's number in the stream, from 0. */
export type OnPacketOptions = (packet: number, options: Option[]) => void;

const BLOCK_MIN_BYTES = 12;
/** As much of a block as is ever looked at; a description longer than this loses its later options. */
const HELD_BYTES = 64 * 1024;
const BLOCK_BYTES_MAX = 16 << 20;
const INTERFACES_MAX = 4096;
/** Numbers in the section's byte order or of the original clock: if_speed, if_tzone and times. */
const NOT_COPIED = new Set([OPT_IF_TSRESOL, OPT_IF_TSOFFSET, 8, 10]);
/** Options the draft defines for interfaces; others may hold numbers whose order nobody knows. */
const OPTION_LAST = 15;

/** Options of packets, and how many bytes of their values are one number; the others are bytes and text. */
const PACKET_NUMBERS: Record<number, number> = { 2: 4, 4: 8, 5: 8, 6: 4 };
const PACKET_OPTION_LAST = 7;
const EPB_HEADER_BYTES = 28;
/** Of longer packet blocks options are not looked for. */
const OPTIONS_WITHIN_BYTES = 1 << 20;

const NOTHING = Buffer.alloc(0);

export class InterfaceTracker {
  /** Oldest first. */
  #sections: Section[] = [];
  #packets = 0;
  #swapped = false;
  #stopped = false;
  /** Bytes of a block whose start lay in earlier chunks. */
  #held: Buffer = NOTHING;
  #skip = 0;
  readonly #onPacketOptions: OnPacketOptions | null;

  /** With `onPacketOptions` packet blocks that have options are held whole. */
  constructor(onPacketOptions: OnPacketOptions | null = null) {
    this.#onPacketOptions = onPacketOptions;
  }

  /** The next chunk of the stream; copied where needed. */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (this.#held.length && at < bytes.length) at += this.#join(bytes.subarray(at));
    while (at < bytes.length && !this.#stopped) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, bytes.length - at);
        this.#skip -= step;
        at += step;
        continue;
      }
      const taken = this.#block(bytes, at);
      if (taken === 0 && !this.#stopped) this.#held = Buffer.from(bytes.subarray(at));
      at = taken === 0 ? bytes.length : at + taken;
    }
  }

  /** Completes the block in `#held`: how many of `bytes` it took. */
  #join(bytes: Buffer): number {
    const before = this.#held.length;
    const joined = Buffer.concat([this.#held, bytes.subarray(0, HELD_BYTES)]);
    const taken = this.#block(joined, 0);
    if (taken === 0) {
      this.#held = joined;
      return joined.length - before;
    }
    this.#held = NOTHING;
    return Math.max(0, taken - before);
  }

  /** Reads the block that starts at `at`: what it takes of the bytes here, or 0 when more are needed. */
  #block(bytes: Buffer, at: number): number {
    const here = bytes.length - at;
    if (here < BLOCK_MIN_BYTES) return 0;
    const raw = bytes.readUInt32LE(at);
    if (raw === BT_SHB) this.#swapped = bytes.readUInt32LE(at + 8) !== PCAPNG_MAGIC;
    else if (this.#sections.length === 0) this.#stopped = true;
    const stated = this.#word(bytes, at + 4);
    if (stated < BLOCK_MIN_BYTES || stated > BLOCK_BYTES_MAX) this.#stopped = true;
    if (this.#stopped) return 0;
    const total = (stated + 3) & ~3;
    const type = this.#word(bytes, at);
    if ((type === BT_IDB || type === BT_SHB) && here < Math.min(total, HELD_BYTES)) return 0;
    if (type === BT_EPB && this.#onPacketOptions && !this.#packetOptions(bytes.subarray(at), total)) return 0;
    const block = bytes.subarray(at, at + Math.min(total - 4, here));
    if (type === BT_SHB)
      this.#sections.push({ from: this.#packets, comments: this.#comments(block), interfaces: [] });
    else if (type === BT_EPB || type === BT_PB || type === BT_SPB) this.#packets++;
    else if (type === BT_IDB) this.#describe(block);
    const taken = Math.min(total, here);
    this.#skip = total - taken;
    return taken;
  }

  #word(bytes: Buffer, at: number): number {
    return this.#swapped ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }

  #half(bytes: Buffer, at: number): number {
    return this.#swapped ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at);
  }

  #describe(block: Buffer): void {
    const interfaces = this.#sections.at(-1)?.interfaces;
    if (!interfaces || interfaces.length >= INTERFACES_MAX || block.length < 16) {
      this.#stopped = true;
      return;
    }
    interfaces.push({
      linktype: this.#half(block, 8),
      snaplen: this.#word(block, 12),
      options: this.#options(block, 16),
    });
  }

  #options(block: Buffer, start: number): Option[] {
    const options: Option[] = [];
    for (let at = start; at + 4 <= block.length; ) {
      const code = this.#half(block, at);
      const length = this.#half(block, at + 2);
      at += 4;
      if (code === OPT_END || at + length > block.length) break;
      if (code <= OPTION_LAST && !NOT_COPIED.has(code))
        options.push({ code, value: Buffer.from(block.subarray(at, at + length)) });
      at += (length + 3) & ~3;
    }
    return options;
  }

  #comments(section: Buffer): string[] {
    const texts = this.#options(section, 24).filter(({ code }) => code === OPT_COMMENT);
    return texts.map(({ value }) => Buffer.from(value).toString());
  }

  /** False when the block has options that are not all here yet. */
  #packetOptions(block: Buffer, total: number): boolean {
    if (total < EPB_HEADER_BYTES || total > OPTIONS_WITHIN_BYTES) return true;
    if (block.length < EPB_HEADER_BYTES) return false;
    const start = EPB_HEADER_BYTES + ((this.#word(block, 20) + 3) & ~3);
    if (start + 4 >= total) return true;
    if (block.length < total) return false;
    const options = this.#options(block.subarray(0, total - 4), start).filter(
      ({ code }) => code <= PACKET_OPTION_LAST,
    );
    for (const { code, value } of options)
      if (this.#swapped && PACKET_NUMBERS[code] === value.length) value.reverse();
    if (options.length) this.#onPacketOptions?.(this.#packets, options);
    return true;
  }

  /** Everything the section that packet `packet` is in has described so far. */
  section(packet: number): { comments: string[]; interfaces: readonly InterfaceDescription[] } {
    return this.#sections.findLast(({ from }) => from <= packet) ?? { comments: [], interfaces: [] };
  }

  /** The interface that packet `packet` (from 0) of the stream names; null when it was not understood. */
  find(packet: number, ifindex: number): InterfaceDescription | null {
    let i = this.#sections.length - 1;
    while (i > 0 && this.#sections[i]!.from > packet) i--;
    return this.#sections[i]?.interfaces[ifindex] ?? null;
  }

  /** Forgets sections that ended before `packet`, so that nothing piles up. */
  forget(packet: number): void {
    const current = this.#sections.findLastIndex(({ from }) => from <= packet);
    if (current > 0) this.#sections = this.#sections.slice(current);
  }
}
