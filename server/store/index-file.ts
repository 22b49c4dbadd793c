/**
 * The index of a segment, STEM.rtidx: what its extents are and which keys their packets have. Little-endian.
 *
 *   header, 64 bytes       which segment this belongs to
 *   part, up to 64 extents, any number of times
 *     header, 48 bytes     sizes; checksum of itself and the two tables
 *     extents, 88 bytes each
 *     checksums of the rows, one for each PAGE_BYTES
 *     rows                 one bit per extent each, see asm/assembly/blockindex.ts
 *
 * The last part may be written anew in its place while its segment grows. Whoever reads checks what it reads:
 * what does not agree is no index, and its extents are scanned. Reads only; index-build.ts writes.
 */
import { fstatSync, readSync } from 'node:fs';
import { crc32c } from './crc32c.js';
import type { Extent, SegmentHead } from './segment-file.js';

export const INDEX_SUFFIX = '.rtidx';
export const INDEX_VERSION = 1;
export const INDEX_HEADER_BYTES = 64;
export const PART_HEADER_BYTES = 48;
export const EXTENT_RECORD_BYTES = 88;
export const PAGE_BYTES = 4096;
/** "RTIDX", and what a text mode transfer would break. */
export const INDEX_MAGIC = Buffer.from('RTIDX\r\n\x1a', 'latin1');
export const PART_MAGIC = 0x54524150;
const EXTENTS_MAX = 64;
const ROWS_MAX = 1 << 20;
const UNKNOWN = 0xffff_ffff_ffff_ffffn;

/** Which segment an index belongs to: its head and its first extent. */
export interface Identity {
  headBytes: number;
  headCrc: number;
  firstOffset: number;
  firstSeq: number;
  firstNs: bigint;
}

export interface IndexPart {
  /** Where it lies in the index. */
  offset: number;
  bytes: number;
  firstExtent: number;
  extents: Extent[];
  /** Bits of a row. */
  width: number;
  /** Rows of the sections, in order. */
  rows: number[];
  rowsAt: number;
  rowsBytes: number;
  pageCrcs: Uint32Array;
}

export interface SegmentIndex {
  parts: IndexPart[];
  /** What is not readable behind the parts, null when nothing. A sentence for people. */
  problem: string | null;
}

/** An index that cannot be used at all. The message is a sentence for people. */
export class IndexError extends Error {
  override name = 'IndexError';
}

function read(fd: number, at: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, readSync(fd, buffer, 0, length, at));
}

export function identityOf(headFd: number, head: SegmentHead, first: Extent): Identity {
  const headCrc = crc32c(0, read(headFd, 0, head.bytes));
  return {
    headBytes: head.bytes,
    headCrc,
    firstOffset: first.offset,
    firstSeq: first.seq,
    firstNs: first.firstNs,
  };
}

export function writeIdentity(identity: Identity): Buffer {
  const header = Buffer.alloc(INDEX_HEADER_BYTES);
  INDEX_MAGIC.copy(header);
  header.writeUInt32LE(INDEX_VERSION, 8);
  header.writeUInt32LE(identity.headCrc, 16);
  header.writeBigUInt64LE(BigInt(identity.headBytes), 24);
  header.writeBigUInt64LE(BigInt(identity.firstOffset), 32);
  header.writeBigUInt64LE(BigInt(identity.firstSeq), 40);
  header.writeBigInt64LE(identity.firstNs, 48);
  header.writeUInt32LE(crc32c(0, header.subarray(16)), 12);
  return header;
}

/** Throws IndexError when this is no index, of another version, or damaged. */
function readIdentity(header: Buffer): Identity {
  if (header.length < INDEX_HEADER_BYTES || !header.subarray(0, 8).equals(INDEX_MAGIC))
    throw new IndexError('it is no index');
  const version = header.readUInt32LE(8);
  if (version !== INDEX_VERSION)
    throw new IndexError(`it has version ${version}, this build reads ${INDEX_VERSION}`);
  if (header.readUInt32LE(12) !== crc32c(0, header.subarray(16)))
    throw new IndexError('its header is damaged');
  return {
    headCrc: header.readUInt32LE(16),
    headBytes: Number(header.readBigUInt64LE(24)),
    firstOffset: Number(header.readBigUInt64LE(32)),
    firstSeq: Number(header.readBigUInt64LE(40)),
    firstNs: header.readBigInt64LE(48),
  };
}

/**
 * Reads what the index says of its parts, not their rows. `headFd` is the segment's. Throws IndexError when it
 * is none of this segment.
 */
export function readIndex(fd: number, headFd: number, head: SegmentHead): SegmentIndex {
  const identity = readIdentity(read(fd, 0, INDEX_HEADER_BYTES));
  if (identity.headBytes !== head.bytes || identity.headCrc !== crc32c(0, read(headFd, 0, head.bytes)))
    throw new IndexError('it belongs to another segment');
  const { size } = fstatSync(fd);
  const index: SegmentIndex = { parts: [], problem: null };
  for (let at = INDEX_HEADER_BYTES, extent = 0; at < size; ) {
    const part = readPart(fd, at, size, extent, index.parts.at(-1)?.extents.at(-1));
    if (typeof part === 'string') {
      index.problem = part;
      break;
    }
    index.parts.push(part);
    extent += part.extents.length;
    at += part.bytes;
  }
  const first = index.parts[0]?.extents[0];
  if (first && (first.offset !== identity.firstOffset || first.seq !== identity.firstSeq))
    throw new IndexError('its header and its first part disagree');
  return index;
}

const damagedPart = (at: number) => `the part at offset ${at} is damaged`;

/** Or why it cannot be used. */
function readPart(
  fd: number,
  at: number,
  size: number,
  extent: number,
  before: Extent | undefined,
): IndexPart | string {
  const fixed = read(fd, at, PART_HEADER_BYTES);
  if (fixed.length < PART_HEADER_BYTES || fixed.readUInt32LE(0) !== PART_MAGIC) return damagedPart(at);
  const headerBytes = fixed.readUInt32LE(8);
  const rowsBytes = fixed.readUInt32LE(12);
  const count = fixed.readUInt32LE(20);
  const width = fixed.readUInt32LE(24);
  const rows = [28, 32, 36, 40].map((offset) => fixed.readUInt32LE(offset));
  const pages = Math.ceil(rowsBytes / PAGE_BYTES);
  const wholeRows = rows.every((number) => number > 0 && number <= ROWS_MAX && (number & (number - 1)) === 0);
  const expected = PART_HEADER_BYTES + count * EXTENT_RECORD_BYTES + pages * 4;
  if (count < 1 || count > EXTENTS_MAX || headerBytes !== expected || !wholeRows) return damagedPart(at);
  if (width < count || width > EXTENTS_MAX || (width & (width - 1)) !== 0) return damagedPart(at);
  if (at + headerBytes + rowsBytes > size) return `the part at offset ${at} is cut off`;
  const header = read(fd, at, headerBytes);
  if (header.length < headerBytes || header.readUInt32LE(4) !== crc32c(0, header.subarray(8)))
    return damagedPart(at);
  if (header.readUInt32LE(16) !== extent) return damagedPart(at);
  const extents: Extent[] = [];
  for (let i = 0; i < count; i++) {
    const next = readExtent(header, PART_HEADER_BYTES + i * EXTENT_RECORD_BYTES);
    const last = extents.at(-1) ?? before;
    if (next.bytes === 0 || (last && next.offset < last.offset + last.bytes)) return damagedPart(at);
    extents.push(next);
  }
  const crcsAt = PART_HEADER_BYTES + count * EXTENT_RECORD_BYTES;
  const pageCrcs = Uint32Array.from({ length: pages }, (_, i) => header.readUInt32LE(crcsAt + i * 4));
  return { offset: at, bytes: headerBytes + rowsBytes, firstExtent: extent, extents, width, rows, rowsAt: at + headerBytes, rowsBytes, pageCrcs }; // biome-ignore format: one record
}

const dropped = (value: bigint) => (value === UNKNOWN ? null : Number(value));
const drops = (value: number | null) => (value === null ? UNKNOWN : BigInt(value));

function readExtent(from: Buffer, at: number): Extent {
  return {
    offset: Number(from.readBigUInt64LE(at)),
    bytes: from.readUInt32LE(at + 8),
    blocks: from.readUInt32LE(at + 12),
    seq: Number(from.readBigUInt64LE(at + 16)),
    firstNs: from.readBigInt64LE(at + 24),
    lastNs: from.readBigInt64LE(at + 32),
    packets: Number(from.readBigUInt64LE(at + 40)),
    wireBytes: Number(from.readBigUInt64LE(at + 48)),
    ringDrops: dropped(from.readBigUInt64LE(at + 56)),
    poolDrops: dropped(from.readBigUInt64LE(at + 64)),
    storeDrops: dropped(from.readBigUInt64LE(at + 72)),
  };
}

function writeExtent(to: Buffer, at: number, extent: Extent): void {
  to.writeBigUInt64LE(BigInt(extent.offset), at);
  to.writeUInt32LE(extent.bytes, at + 8);
  to.writeUInt32LE(extent.blocks, at + 12);
  to.writeBigUInt64LE(BigInt(extent.seq), at + 16);
  to.writeBigInt64LE(extent.firstNs, at + 24);
  to.writeBigInt64LE(extent.lastNs, at + 32);
  to.writeBigUInt64LE(BigInt(extent.packets), at + 40);
  to.writeBigUInt64LE(BigInt(extent.wireBytes), at + 48);
  to.writeBigUInt64LE(drops(extent.ringDrops), at + 56);
  to.writeBigUInt64LE(drops(extent.poolDrops), at + 64);
  to.writeBigUInt64LE(drops(extent.storeDrops), at + 72);
}

/** A part as it lies in the file. */
export function writePart(
  firstExtent: number,
  extents: readonly Extent[],
  packed: { width: number; rows: readonly number[]; bytes: Uint8Array },
): Buffer {
  const pages = Math.ceil(packed.bytes.length / PAGE_BYTES);
  const headerBytes = PART_HEADER_BYTES + extents.length * EXTENT_RECORD_BYTES + pages * 4;
  const part = Buffer.alloc(headerBytes + packed.bytes.length);
  part.writeUInt32LE(PART_MAGIC, 0);
  part.writeUInt32LE(headerBytes, 8);
  part.writeUInt32LE(packed.bytes.length, 12);
  part.writeUInt32LE(firstExtent, 16);
  part.writeUInt32LE(extents.length, 20);
  part.writeUInt32LE(packed.width, 24);
  for (const [i, rows] of packed.rows.entries()) part.writeUInt32LE(rows, 28 + i * 4);
  for (const [i, extent] of extents.entries())
    writeExtent(part, PART_HEADER_BYTES + i * EXTENT_RECORD_BYTES, extent);
  part.set(packed.bytes, headerBytes);
  for (let page = 0; page < pages; page++) {
    const from = headerBytes + page * PAGE_BYTES;
    const crc = crc32c(0, part.subarray(from, Math.min(from + PAGE_BYTES, part.length)));
    part.writeUInt32LE(crc, headerBytes - (pages - page) * 4);
  }
  part.writeUInt32LE(crc32c(0, part.subarray(8, headerBytes)), 4);
  return part;
}

/** The bits of one row, extent 0 lowest. Throws IndexError when its page is not what was written. */
export function readRow(fd: number, part: IndexPart, row: number): bigint {
  const from = Math.floor((row * part.width) / 8);
  const page = Math.floor(from / PAGE_BYTES);
  const bytes = readPage(fd, part, page);
  const at = from - page * PAGE_BYTES;
  if (part.width === 64) return bytes.readBigUInt64LE(at);
  if (part.width >= 8) return BigInt(bytes.readUIntLE(at, part.width / 8));
  return BigInt((bytes[at]! >> ((row * part.width) % 8)) & ((1 << part.width) - 1));
}

function readPage(fd: number, part: IndexPart, page: number): Buffer {
  const length = Math.min(PAGE_BYTES, part.rowsBytes - page * PAGE_BYTES);
  const bytes = read(fd, part.rowsAt + page * PAGE_BYTES, Math.max(0, length));
  if (bytes.length !== length || crc32c(0, bytes) !== part.pageCrcs[page])
    throw new IndexError(`the rows of the part at offset ${part.offset} are damaged`);
  return bytes;
}

/** All rows checked: throws IndexError as readRow() does. */
export function checkRows(fd: number, part: IndexPart): void {
  for (let page = 0; page < part.pageCrcs.length; page++) readPage(fd, part, page);
}
