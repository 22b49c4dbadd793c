/**
 * Cuts a capture file into parts that can be read by themselves, each after the file's head. A recorder's
 * segment is cut into runs of recorder blocks (see native/src/block.h), hopping from block to block by the
 * length each one states; any other file where records seem to start (records.ts). Reads a few hundred
 * bytes per block, or some per part. What it does not know is simply not cut.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  BLOCK_ALIGN_BYTES,
  BT_IDB,
  BT_ISB,
  BT_SHB,
  OPT_BLOCK_HEADER,
  OPT_END,
  PCAPNG_MAGIC,
} from '../../../proto/gen/constants.js';
import type { Part } from './messages.js';
import { type Look, recordStart, recordsOf } from './records.js';

const LOOK_BYTES = 512;
const HEAD_BYTES_MAX = 1 << 20;
/** Offsets of `struct block_header`, version 1. */
const BLOCK_HEADER_VERSION = 1;
const BLOCK_HEADER_BYTES = 80;
const BLOCK_BYTES_AT = 72;
const BLOCK_BYTES_MAX = 1 << 30;
/** Type, length and interface number and stamp come before an ISB's options. */
const ISB_OPTIONS_AT = 20;

/** Length of the recorder block that starts here, or null when none does. */
function recorderBlock(bytes: Buffer): number | null {
  if (bytes.length < ISB_OPTIONS_AT || bytes.readUInt32LE(0) !== BT_ISB) return null;
  const end = Math.min(bytes.length, bytes.readUInt32LE(4) - 4);
  for (let at = ISB_OPTIONS_AT; at + 4 <= end; ) {
    const code = bytes.readUInt16LE(at);
    const length = bytes.readUInt16LE(at + 2);
    at += 4;
    if (code === OPT_END) return null;
    if (code === OPT_BLOCK_HEADER && length >= BLOCK_HEADER_BYTES && at + length <= end) {
      const block_bytes = bytes.readUInt32LE(at + BLOCK_BYTES_AT);
      const known = bytes.readUInt32LE(at) === BLOCK_HEADER_VERSION;
      const aligned = block_bytes > 0 && block_bytes % BLOCK_ALIGN_BYTES === 0;
      return known && aligned && block_bytes <= BLOCK_BYTES_MAX ? block_bytes : null;
    }
    at += (length + 3) & ~3;
  }
  return null;
}

/** Where the first recorder block starts: after the section header, interfaces and padding. */
function headBytes(look: Look): number | null {
  const first = look(0, LOOK_BYTES);
  if (first.length < 28 || first.readUInt32LE(0) !== BT_SHB || first.readUInt32LE(8) !== PCAPNG_MAGIC)
    return null;
  for (let at = 0; at < HEAD_BYTES_MAX; ) {
    const bytes = look(at, LOOK_BYTES);
    if (bytes.length < 12) return null;
    if (recorderBlock(bytes) !== null) return at;
    const type = bytes.readUInt32LE(0);
    const length = bytes.readUInt32LE(4);
    const inHead = (type === BT_SHB && at === 0) || type === BT_IDB || type >= 0x8000_0000;
    if (!inHead || length < 12 || length % 4 !== 0) return null;
    at += length;
  }
  return null;
}

/** Parts of about `part_bytes`; null when the file cannot be cut or is too small to. */
export function split(file: string, part_bytes: number): Part[] | null {
  const fd = openSync(file, 'r');
  try {
    const info = fstatSync(fd);
    if (!info.isFile() || info.size < 2 * part_bytes) return null;
    let buffer = Buffer.alloc(LOOK_BYTES);
    const look: Look = (at, length) => {
      if (buffer.length < length) buffer = Buffer.alloc(length);
      return buffer.subarray(0, readSync(fd, buffer, 0, length, at));
    };
    return cut(look, info.size, part_bytes) ?? guess(look, info.size, part_bytes);
  } finally {
    closeSync(fd);
  }
}

/** Parts of a file that is no segment of ours. */
function guess(look: Look, size: number, part_bytes: number): Part[] | null {
  const records = recordsOf(look);
  if (records === null) return null;
  const { head_bytes } = records;
  const parts: Part[] = [];
  let from = head_bytes;
  for (let at = head_bytes + part_bytes; at < size; at = from + part_bytes) {
    const start = recordStart(look, records, at);
    if (start === null) break; // the rest is one part
    parts.push({ head_bytes, from, to: start });
    from = start;
  }
  parts.push({ head_bytes, from, to: size });
  return parts.length > 1 ? parts : null;
}

function cut(look: Look, size: number, part_bytes: number): Part[] | null {
  const head_bytes = headBytes(look);
  if (head_bytes === null) return null;
  const parts: Part[] = [];
  let from = head_bytes;
  for (let at = from; at < size; ) {
    const block_bytes = recorderBlock(look(at, LOOK_BYTES));
    if (block_bytes === null) break; // what follows is read with the part before it
    at += block_bytes;
    if (at - from < part_bytes || at >= size) continue;
    parts.push({ head_bytes, from, to: at });
    from = at;
  }
  parts.push({ head_bytes, from, to: size });
  return parts.length > 1 ? parts : null;
}
