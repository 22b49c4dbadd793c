/**
 * Walks one segment block by block as the recorder wrote it (native/src/block.h) and says what is not as it
 * should be, by offset. Reads only; every length is checked before it is used. Memory: one block.
 */
import { readSync } from 'node:fs';
import {
  BLOCK_ALIGN_BYTES,
  BT_EPB,
  BT_IDB,
  BT_PAD,
  BT_SHB,
  PCAPNG_MAGIC,
} from '../../proto/gen/constants.js';
import { blockHeaderAt } from './block-header.js';
import { crc32c } from './crc32c.js';

/** The largest --block-size. */
const BLOCK_BYTES_MAX = 256 << 20;
/** The largest section header the recorder writes, and more than any ISB of its. */
const SECTION_BYTES_MAX = 16384;

export type DamageKind =
  | 'section' // no usable section header: nothing in the file can be read
  | 'torn' // the last block was not written to its end
  | 'zeros' // nothing but zeros up to the end
  | 'lost' // bytes that are no block, with good blocks behind them
  | 'changed' // the checksum or the contents of a block differ from what its header says
  | 'order'; // block_seq does not ascend

export interface Damage {
  kind: DamageKind;
  /** From `offset` up to `end`, in bytes. */
  offset: number;
  end: number;
  /** One sentence. */
  message: string;
}

export interface SegmentCheck {
  bytes: number;
  /** Good ones, and the packets in them. */
  blocks: number;
  packets: number;
  damages: Damage[];
}

interface Header {
  crc: number;
  seq: bigint;
  packets: number;
  bytes: number;
  used: number;
  isbBytes: number;
}

class Walker {
  readonly #fd: number;
  #buffer = Buffer.alloc(1 << 20);
  readonly check: SegmentCheck;

  constructor(fd: number, bytes: number) {
    this.#fd = fd;
    this.check = { bytes, blocks: 0, packets: 0, damages: [] };
  }

  /** `length` bytes at `offset`, fewer at the end of the file; valid until the next call. */
  read(offset: number, length: number): Buffer {
    if (this.#buffer.length < length) this.#buffer = Buffer.alloc(length);
    let have = 0;
    while (have < length) {
      const n = readSync(this.#fd, this.#buffer, have, length - have, offset + have);
      if (n === 0) break;
      have += n;
    }
    return this.#buffer.subarray(0, have);
  }

  damage(kind: DamageKind, offset: number, end: number, message: string): void {
    this.check.damages.push({ kind, offset, end, message });
  }
}

/** Type and length of the pcapng block at `at`; 0 when it is none that lies within `bytes`. */
function blockLength(bytes: Buffer, at: number): number {
  if (at + 12 > bytes.length) return 0;
  const length = bytes.readUInt32LE(at + 4);
  if (length < 12 || length % 4 || at + length > bytes.length) return 0;
  return bytes.readUInt32LE(at + length - 4) === length ? length : 0;
}

/** Where the recorder blocks begin, or why they cannot be found. */
function sectionEnd(bytes: Buffer): number | string {
  if (bytes.length < 28 || bytes.readUInt32LE(0) !== BT_SHB) return 'it does not begin with a section header';
  if (bytes.readUInt32LE(8) !== PCAPNG_MAGIC) return 'its section header is of another byte order or damaged';
  let interfaces = 0;
  for (let at = 0; ; ) {
    const length = blockLength(bytes, at);
    const type = length ? bytes.readUInt32LE(at) : -1;
    if (type === BT_IDB) interfaces++;
    else if (type !== BT_PAD && (type !== BT_SHB || at > 0)) return 'its section header is damaged';
    at += length;
    if (at % BLOCK_ALIGN_BYTES === 0) return interfaces ? at : 'it describes no interface';
  }
}

/** The header of the recorder block that begins here, or null. */
function headerOf(bytes: Buffer): Header | null {
  const isbBytes = blockLength(bytes, 0);
  const at = isbBytes ? blockHeaderAt(bytes) : null;
  if (at === null) return null;
  const [block, used] = [bytes.readUInt32LE(at + 72), bytes.readUInt32LE(at + 76)];
  const sound = block >= BLOCK_ALIGN_BYTES && block % BLOCK_ALIGN_BYTES === 0 && block <= BLOCK_BYTES_MAX;
  if (!sound || used > block || used < isbBytes) return null;
  return {
    crc: bytes.readUInt32LE(at + 4),
    seq: bytes.readBigUInt64LE(at + 8),
    packets: Number(bytes.readBigUInt64LE(at + 32)),
    bytes: block,
    used,
    isbBytes,
  };
}

/** Why the block's contents are not what its header says, or null. */
function contentsFault(block: Buffer, header: Header): string | null {
  // 0: not computed (the kernel module leaves it to others).
  if (header.crc !== 0 && crc32c(0, block.subarray(header.isbBytes)) !== header.crc)
    return 'its checksum does not match';
  let packets = 0;
  let at = header.isbBytes;
  for (let length = 0; at < block.length; at += length) {
    length = blockLength(block, at);
    if (length === 0) return `what it holds breaks off at its byte ${at}`;
    const type = block.readUInt32LE(at);
    if (type === BT_EPB) packets++;
    if (
      type === BT_EPB &&
      (at + length > header.used || length < 32 || block.readUInt32LE(at + 20) > length - 32)
    )
      return `a packet in it has an impossible length`;
  }
  return packets === header.packets ? null : `it holds ${packets} packets, its header says ${header.packets}`;
}

function isZero(walker: Walker, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1 << 20) {
    const bytes = walker.read(at, Math.min(1 << 20, to - at));
    if (bytes.some((byte) => byte !== 0)) return false;
  }
  return true;
}

/** The next place at or behind `from` where a whole and sound block begins; the file's end when none does. */
function nextSound(walker: Walker, from: number): number {
  const { bytes } = walker.check;
  for (let at = from; at + BLOCK_ALIGN_BYTES <= bytes; at += BLOCK_ALIGN_BYTES) {
    const header = headerOf(walker.read(at, BLOCK_ALIGN_BYTES));
    if (!header || at + header.bytes > bytes) continue;
    if (contentsFault(walker.read(at, header.bytes), header) === null) return at;
  }
  return bytes;
}

/** What lies at `at` is no block: names it and returns where to go on. */
function skipDamage(walker: Walker, at: number, header: Header | null): number {
  const { bytes } = walker.check;
  const next = nextSound(walker, at + BLOCK_ALIGN_BYTES);
  if (next < bytes) walker.damage('lost', at, next, `${next - at} bytes are no block`);
  else if (isZero(walker, at, bytes)) walker.damage('zeros', at, bytes, `${bytes - at} bytes of zeros`);
  else if (header)
    walker.damage('torn', at, bytes, `a block of ${header.bytes} bytes ends after ${bytes - at}`);
  else walker.damage('torn', at, bytes, `${bytes - at} bytes are no block`);
  return next;
}

/** Length of the padding a repair has put in place of a block, 0 when there is none here. */
function paddingLength(walker: Walker, at: number): number {
  const head = walker.read(at, 8);
  if (head.length < 8 || head.readUInt32LE(0) !== BT_PAD) return 0;
  const length = head.readUInt32LE(4);
  if (length < BLOCK_ALIGN_BYTES || length % BLOCK_ALIGN_BYTES || at + length > walker.check.bytes) return 0;
  return walker.read(at + length - 4, 4).readUInt32LE(0) === length ? length : 0;
}

function walkBlocks(walker: Walker, start: number): void {
  const { check } = walker;
  let lastSeq = 0n;
  for (let at = start; at < check.bytes; ) {
    const padding = paddingLength(walker, at);
    if (padding) {
      at += padding;
      continue;
    }
    const header = headerOf(walker.read(at, BLOCK_ALIGN_BYTES));
    if (!header || at + header.bytes > check.bytes) {
      at = skipDamage(walker, at, header);
      continue;
    }
    const end = at + header.bytes;
    const fault = contentsFault(walker.read(at, header.bytes), header);
    if (fault && end === check.bytes) walker.damage('torn', at, end, `the last block: ${fault}`);
    else if (fault) walker.damage('changed', at, end, `block ${header.seq}: ${fault}`);
    else if (header.seq <= lastSeq) walker.damage('order', at, end, `block ${header.seq} follows ${lastSeq}`);
    if (!fault) {
      check.blocks++;
      check.packets += header.packets;
      lastSeq = header.seq;
    }
    at = end;
  }
}

/** `bytes` is the file's length, as of now. Throws what reading throws. */
export function checkSegment(fd: number, bytes: number): SegmentCheck {
  const walker = new Walker(fd, bytes);
  const start = sectionEnd(walker.read(0, SECTION_BYTES_MAX + BLOCK_ALIGN_BYTES));
  if (typeof start === 'string') walker.damage('section', 0, bytes, start);
  else walkBlocks(walker, start);
  return walker.check;
}
