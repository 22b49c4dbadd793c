/**
 * One segment as a file: its head (section, interfaces, run) and the chain of recorder blocks behind it, each
 * found by the length the one before states. Reads a few hundred bytes per block, never packets. Behind damage
 * it looks for the next block that is whole on the recorder's 4 KiB grid.
 */
import { readSync } from 'node:fs';
import {
  BLOCK_ALIGN_BYTES,
  BT_IDB,
  BT_SHB,
  OPT_END,
  OPT_IF_NAME,
  OPT_IF_TSOFFSET,
  OPT_IF_TSRESOL,
  OPT_RUN,
  PCAPNG_MAGIC,
} from '../../proto/gen/constants.js';
import { BLOCK_LOOK_BYTES, readBlockHeader } from './block-header.js';

/** Of OPT_RUN: 16 bytes run, u32 stripe, u32 stripes. */
const RUN_BYTES = 24;
const NANOSECONDS = 9;
const HEAD_LOOK_BYTES = 64 << 10;
const HEAD_BYTES_MAX = 4 << 20;
const INTERFACES_MAX = 4096;
const STRIPES_MAX = 256;
/** Blocks are joined to extents of about this size, so that small ones cost no more than large ones. */
export const EXTENT_BYTES = 4 << 20;

export interface Interface {
  name: string | null;
  linktype: number;
}

export interface Run {
  /** Hex. */
  id: string;
  stripe: number;
  stripes: number;
}

export interface SegmentHead {
  /** Where the first recorder block starts. */
  bytes: number;
  interfaces: Interface[];
  run: Run | null;
}

/** Neighbouring recorder blocks: what is pruned or scanned as one. Offsets and lengths in bytes. */
export interface Extent {
  offset: number;
  bytes: number;
  blocks: number;
  /** Of its first block. */
  seq: number;
  /** Of its packets; both 0 when it has none. */
  firstNs: bigint;
  lastNs: bigint;
  packets: number;
  wireBytes: number;
  ringDrops: number | null;
  poolDrops: number | null;
  storeDrops: number | null;
}

/** Bytes of a segment that are no blocks. */
export interface Hole {
  offset: number;
  bytes: number;
}

/** A segment that cannot be read at all. The message is a sentence for people. */
export class SegmentError extends Error {
  override name = 'SegmentError';
}

function read(fd: number, at: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, readSync(fd, buffer, 0, length, at));
}

/** Options of a block's body from `at`: code and value. */
function* options(block: Buffer, start: number): Generator<[code: number, value: Buffer]> {
  for (let at = start; at + 4 <= block.length; ) {
    const code = block.readUInt16LE(at);
    const length = block.readUInt16LE(at + 2);
    at += 4;
    if (code === OPT_END || at + length > block.length) return;
    yield [code, block.subarray(at, at + length)];
    at += (length + 3) & ~3;
  }
}

function runOf(block: Buffer): Run | null {
  for (const [code, value] of options(block, 24)) {
    if (code !== OPT_RUN || value.length < RUN_BYTES) continue;
    const stripe = value.readUInt32LE(16);
    const stripes = value.readUInt32LE(20);
    if (stripes < 1 || stripes > STRIPES_MAX || stripe >= stripes) return null;
    return { id: value.toString('hex', 0, 16), stripe, stripes };
  }
  return null;
}

function interfaceOf(block: Buffer): Interface {
  const found: Interface = { name: null, linktype: block.readUInt16LE(8) };
  let nanoseconds = false;
  for (const [code, value] of options(block, 16)) {
    if (code === OPT_IF_NAME) found.name = value.toString();
    else if (code === OPT_IF_TSRESOL) nanoseconds = value[0] === NANOSECONDS;
    else if (code === OPT_IF_TSOFFSET && value.some((byte) => byte !== 0)) nanoseconds = false;
  }
  if (nanoseconds) return found;
  throw new SegmentError('its times are not in nanoseconds as a recorder writes them: import it');
}

/** Throws SegmentError when this is no recorder's segment in this machine's byte order. */
export function readHead(fd: number): SegmentHead {
  let bytes = read(fd, 0, HEAD_LOOK_BYTES);
  if (bytes.length < 28 || bytes.readUInt32LE(0) !== BT_SHB) throw new SegmentError('it is no pcapng file');
  if (bytes.readUInt32LE(8) !== PCAPNG_MAGIC)
    throw new SegmentError("it is in another machine's byte order: import it");
  const head: SegmentHead = { bytes: 0, interfaces: [], run: null };
  while (head.bytes < HEAD_BYTES_MAX) {
    const at = head.bytes;
    if (bytes.length < at + BLOCK_LOOK_BYTES) bytes = read(fd, 0, at + HEAD_LOOK_BYTES);
    if (bytes.length === at && head.interfaces.length > 0) return head; // no block yet
    if (bytes.length < at + 12) break;
    const type = bytes.readUInt32LE(at);
    const length = bytes.readUInt32LE(at + 4);
    const known = type === BT_SHB ? at === 0 : type === BT_IDB || type >= 0x8000_0000;
    if (!known && head.interfaces.length > 0) return head;
    if (!known || length < 12 || length % 4 !== 0 || length > HEAD_BYTES_MAX) break;
    if (bytes.length < at + length) bytes = read(fd, 0, at + length + BLOCK_LOOK_BYTES);
    if (bytes.length < at + length) break;
    const block = bytes.subarray(at, at + length - 4);
    if (type === BT_SHB) head.run = runOf(block);
    if (type === BT_IDB && length >= 20) head.interfaces.push(interfaceOf(block));
    if (head.interfaces.length > INTERFACES_MAX) break;
    head.bytes += length;
  }
  throw new SegmentError('its head is damaged');
}

function add(extent: Extent, more: Extent): void {
  if (more.packets > 0) {
    if (extent.packets === 0 || more.firstNs < extent.firstNs) extent.firstNs = more.firstNs;
    if (extent.packets === 0 || more.lastNs > extent.lastNs) extent.lastNs = more.lastNs;
  }
  const sum = (a: number | null, b: number | null) => (a === null || b === null ? null : a + b);
  extent.bytes += more.bytes;
  extent.blocks += more.blocks;
  extent.packets += more.packets;
  extent.wireBytes += more.wireBytes;
  extent.ringDrops = sum(extent.ringDrops, more.ringDrops);
  extent.poolDrops = sum(extent.poolDrops, more.poolDrops);
  extent.storeDrops = sum(extent.storeDrops, more.storeDrops);
}

/** The blocks of one segment as far as they were found; extend() looks for more. */
export class BlockChain {
  readonly extents: Extent[] = [];
  readonly holes: Hole[] = [];
  /** Up to where the file was looked through. */
  end: number;
  readonly #join: boolean;
  /** So many extents an index knows: they stay as they are. */
  #fixed = 0;

  /** Of a striped run each block is an extent, as they are merged one by one. */
  constructor(head: SegmentHead) {
    this.end = head.bytes;
    this.#join = (head.run?.stripes ?? 1) === 1;
  }

  /** Takes over what an index knows, in place of looking. */
  seed(extents: readonly Extent[]): void {
    for (const extent of extents) {
      if (extent.offset > this.end) this.holes.push({ offset: this.end, bytes: extent.offset - this.end });
      this.extents.push(extent);
      this.end = extent.offset + extent.bytes;
    }
    this.#fixed = this.extents.length;
  }

  /** Extents that will not grow any more, when the file does. */
  get closed(): number {
    return this.#join ? Math.max(this.#fixed, this.extents.length - 1) : this.extents.length;
  }

  /** The first `count` extents are in an index from now on. */
  fix(count: number): void {
    this.#fixed = Math.max(this.#fixed, count);
  }

  /**
   * Looks on up to `size`. A block that is not all there ends the look, unless the segment is `sealed`:
   * then what is left is a hole.
   */
  extend(fd: number, size: number, sealed: boolean): void {
    while (this.end < size) {
      const header = readBlockHeader(read(fd, this.end, BLOCK_LOOK_BYTES));
      if (header && this.end + header.bytes <= size) {
        const { bytes, seq, firstNs, lastNs, packets, wireBytes, ringDrops, poolDrops, storeDrops } = header;
        this.#add({ offset: this.end, bytes, blocks: 1, seq, firstNs, lastNs, packets, wireBytes, ringDrops, poolDrops, storeDrops }); // biome-ignore format: one record
        this.end += bytes;
        continue;
      }
      const next = nextBlock(fd, this.end, size);
      if (next === size && !sealed) return;
      this.holes.push({ offset: this.end, bytes: next - this.end });
      this.end = next;
    }
  }

  #add(block: Extent): void {
    const last = this.extents.at(-1);
    const fits =
      this.#join &&
      this.extents.length > this.#fixed &&
      last &&
      last.offset + last.bytes === block.offset &&
      last.bytes + block.bytes <= EXTENT_BYTES;
    if (fits) add(last, block);
    else this.extents.push(block);
  }
}

/** Behind damage at `from`: where the next whole block starts on the recorder's grid; `end` when none does. */
export function nextBlock(fd: number, from: number, end: number): number {
  const grid = BLOCK_ALIGN_BYTES;
  for (let at = (Math.floor(from / grid) + 1) * grid; at + grid <= end; at += grid) {
    const header = readBlockHeader(read(fd, at, BLOCK_LOOK_BYTES));
    if (header && at + header.bytes <= end) return at;
  }
  return end;
}
