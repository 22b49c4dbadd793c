/**
 * The recorder's block header as it lies in segments (struct block_header of native/src/block.h), read from
 * hostile bytes. Pure; opens nothing.
 */
import { BLOCK_ALIGN_BYTES, BT_ISB, OPT_BLOCK_HEADER, OPT_END } from '../../proto/gen/constants.js';

export const BLOCK_HEADER_VERSION = 1;
export const BLOCK_HEADER_BYTES = 80;
export const BLOCK_BYTES_MAX = 1 << 30;
/** An ISB with all the recorder's options is shorter than this: enough to read its header. */
export const BLOCK_LOOK_BYTES = 512;
/** Type, length, interface number and stamp come before an ISB's options. */
const ISB_OPTIONS_AT = 20;
const UNKNOWN = 0xffff_ffff_ffff_ffffn;

export interface BlockHeader {
  /** CRC32C of the block's bytes after the ISB. */
  crc32c: number;
  /** 1, 2, 3… per run. */
  seq: number;
  /** Smallest and largest stamp; of a block without packets both 0. */
  firstNs: bigint;
  lastNs: bigint;
  packets: number;
  wireBytes: number;
  /** Since the block before; null: not known. */
  ringDrops: number | null;
  poolDrops: number | null;
  storeDrops: number | null;
  /** ISB to end of padding. */
  bytes: number;
  /** Length of the ISB, after which the checksummed bytes begin. */
  isbBytes: number;
}

/** Offset of struct block_header in the ISB that `bytes` begins with; null when it has none of a known version. */
export function blockHeaderAt(bytes: Buffer): number | null {
  if (bytes.length < ISB_OPTIONS_AT || bytes.readUInt32LE(0) !== BT_ISB) return null;
  const end = Math.min(bytes.length, bytes.readUInt32LE(4) - 4);
  for (let at = ISB_OPTIONS_AT; at + 4 <= end; ) {
    const code = bytes.readUInt16LE(at);
    const length = bytes.readUInt16LE(at + 2);
    at += 4;
    if (code === OPT_END) return null;
    if (code === OPT_BLOCK_HEADER) {
      const whole = length >= BLOCK_HEADER_BYTES && at + length <= end;
      return whole && bytes.readUInt32LE(at) === BLOCK_HEADER_VERSION ? at : null;
    }
    at += (length + 3) & ~3;
  }
  return null;
}

/** The header of the recorder block that starts here; null when none of a known version does. */
export function readBlockHeader(bytes: Buffer): BlockHeader | null {
  const at = blockHeaderAt(bytes);
  if (at === null) return null;
  const block_bytes = bytes.readUInt32LE(at + 72);
  const isbBytes = bytes.readUInt32LE(4);
  const aligned = block_bytes > 0 && block_bytes % BLOCK_ALIGN_BYTES === 0;
  if (!aligned || block_bytes > BLOCK_BYTES_MAX || isbBytes > block_bytes) return null;
  const count = (offset: number) => Number(bytes.readBigUInt64LE(at + offset));
  const drops = (offset: number) => {
    const value = bytes.readBigUInt64LE(at + offset);
    return value === UNKNOWN ? null : Number(value);
  };
  return {
    crc32c: bytes.readUInt32LE(at + 4),
    seq: count(8),
    firstNs: bytes.readBigInt64LE(at + 16),
    lastNs: bytes.readBigInt64LE(at + 24),
    packets: count(32),
    wireBytes: count(40),
    ringDrops: drops(48),
    poolDrops: drops(56),
    storeDrops: drops(64),
    bytes: block_bytes,
    isbBytes,
  };
}
