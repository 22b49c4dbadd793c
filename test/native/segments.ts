/** Reads recorded segments back, without a line of the product: blocks with header and checksum, and packets. */
import { createHash } from 'node:crypto';

const ISB = 5;
const EPB = 6;
const BLOCK_HEADER = 0xa001;
const NUMBER_AT = 42; // where rtgen puts a frame's number

const TABLE = Uint32Array.from({ length: 256 }, (_, i) => {
  let c = i;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  return c >>> 0;
});

/** RFC 3720 appendix B.4. */
export function crc32c(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = (c >>> 8) ^ TABLE[(c ^ byte) & 0xff]!;
  return ~c >>> 0;
}

function* pcapngBlocks(bytes: Buffer): Generator<{ type: number; at: number; total: number }> {
  for (let at = 0; at < bytes.length; ) {
    const total = at + 12 <= bytes.length ? bytes.readUInt32LE(at + 4) : 0;
    if (total < 12 || total % 4 || at + total > bytes.length) throw new Error(`no block at ${at}`);
    if (bytes.readUInt32LE(at + total - 4) !== total) throw new Error(`lengths differ at ${at}`);
    yield { type: bytes.readUInt32LE(at), at, total };
    at += total;
  }
}

const stampAt = (bytes: Buffer, at: number) =>
  (BigInt(bytes.readUInt32LE(at + 12)) << 32n) | BigInt(bytes.readUInt32LE(at + 16));

/** Every packet: a digest over them all in order, frame numbers of rtgen, the largest step back. */
export function epbsOf(bytes: Buffer): {
  packets: number;
  digest: string;
  numbers: number[];
  stepBackNs: bigint;
} {
  const hash = createHash('sha256');
  const numbers: number[] = [];
  let packets = 0;
  let newest = 0n;
  let stepBackNs = 0n;
  for (const { type, at, total } of pcapngBlocks(bytes)) {
    if (type !== EPB) continue;
    packets++;
    hash.update(bytes.subarray(at, at + total));
    if (bytes.readUInt32LE(at + 20) >= NUMBER_AT + 4) numbers.push(bytes.readUInt32BE(at + 28 + NUMBER_AT));
    const stamp = stampAt(bytes, at);
    if (stamp > newest) newest = stamp;
    else if (newest - stamp > stepBackNs) stepBackNs = newest - stamp;
  }
  return { packets, digest: hash.digest('hex'), numbers, stepBackNs };
}

export interface Blocks {
  /** What is wrong with the first block that is not whole; null. */
  error: string | null;
  packets: number;
  stamps: bigint[];
  /** Of each block: its first packet's place in `stamps`, and how many packets found no block before it. */
  starts: { at: number; poolDrops: number }[];
  stepBacks: number;
}

/**
 * Walks a segment block by block as block.h draws it: sequence without a gap, checksum, packet count. `cutTail`:
 * the last block may be incomplete, as whoever wrote it died.
 */
export function blocksOf(bytes: Buffer, { cutTail = false } = {}): Blocks {
  const found: Blocks = { error: null, packets: 0, stamps: [], starts: [], stepBacks: 0 };
  let seq = 0n;
  for (let at = firstIsb(bytes); at < bytes.length; ) {
    const header = headerOf(bytes, at);
    if (!header || at + header.block_bytes > bytes.length) {
      if (!cutTail) found.error = `block at ${at} is cut`;
      break;
    }
    const block = bytes.subarray(at, at + header.block_bytes);
    const isb = block.readUInt32LE(4);
    if (header.seq !== ++seq) found.error = `block ${header.seq} behind ${seq - 1n}`;
    else if (crc32c(block.subarray(isb)) !== header.crc) found.error = `block ${seq}: checksum`;
    if (found.error) break;
    found.starts.push({ at: found.stamps.length, poolDrops: header.poolDrops });
    let packets = 0;
    for (const { type, at: epb } of pcapngBlocks(block)) {
      if (type !== EPB) continue;
      packets++;
      const stamp = stampAt(block, epb);
      if (stamp < (found.stamps.at(-1) ?? 0n)) found.stepBacks++;
      found.stamps.push(stamp);
    }
    if (packets !== header.packets) found.error = `block ${seq}: ${packets} of ${header.packets} packets`;
    found.packets += packets;
    at += header.block_bytes;
  }
  return found;
}

function firstIsb(bytes: Buffer): number {
  let at = 0;
  while (at < bytes.length && bytes.readUInt32LE(at) !== ISB) at += bytes.readUInt32LE(at + 4);
  return at;
}

/** struct block_header in the ISB at `at`; null when it is not there. */
function headerOf(bytes: Buffer, at: number) {
  if (at + 20 > bytes.length || bytes.readUInt32LE(at) !== ISB) return null;
  for (let option = at + 20; option + 4 < bytes.length; ) {
    const code = bytes.readUInt16LE(option);
    const length = bytes.readUInt16LE(option + 2);
    if (code === BLOCK_HEADER) {
      const h = option + 4;
      if (h + 80 > bytes.length) return null;
      return {
        crc: bytes.readUInt32LE(h + 4),
        seq: bytes.readBigUInt64LE(h + 8),
        packets: Number(bytes.readBigUInt64LE(h + 32)),
        poolDrops: Number(bytes.readBigUInt64LE(h + 56)),
        block_bytes: bytes.readUInt32LE(h + 72),
      };
    }
    if (code === 0) return null;
    option += 4 + ((length + 3) & ~3);
  }
  return null;
}
