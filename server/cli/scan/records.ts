/**
 * Finds places where a capture file of anyone can be cut: from somewhere in the file on, the first byte
 * where a chain of plausible records starts. That is a guess (a packet may carry a capture file), so whoever
 * uses it must find that each part ends exactly where the next one starts: by induction from the first part,
 * whose start is certain, every guess was then right. run.ts does, and else reads the file as a whole.
 */
import {
  BT_EPB,
  BT_IDB,
  BT_ISB,
  BT_SHB,
  PCAP_MAGIC_MODIFIED,
  PCAP_MAGIC_NS,
  PCAP_MAGIC_US,
  PCAPNG_MAGIC,
  SNAPLEN_DEFAULT,
} from '../../../proto/gen/constants.js';

/** Bytes of a file from `at` on: `length`, or fewer at its end. */
export type Look = (at: number, length: number) => Buffer;

/** How a format's records are told from other bytes. */
export interface Records {
  /** Where the first record starts. */
  head_bytes: number;
  /** Where a record may start: multiples of this. */
  align_bytes: number;
  /** Bytes of the record that starts at `at`, or 0 when none does. Bytes beyond the buffer are not asked for. */
  length(bytes: Buffer, at: number): number;
}

/** So many records in a row are no accident. */
const CHAIN = 12;
/** A chain is looked for in so many bytes: twelve records of the largest usual packets, and some. */
const WINDOW_BYTES = 1 << 20;
const HEAD_BYTES_MAX = 1 << 20;
const YEAR_SECONDS = 366 * 86_400;

/** Null for files whose records it does not know: the other byte order, other versions. */
export function recordsOf(look: Look): Records | null {
  const first = look(0, 28);
  if (first.length < 28) return null;
  return first.readUInt32LE(0) === BT_SHB ? pcapngRecords(first, look) : pcapRecords(first, look);
}

/** The first place at or after `from` where records start, or null when the window shows none. */
export function recordStart(look: Look, { align_bytes, length }: Records, from: number): number | null {
  const start = Math.ceil(from / align_bytes) * align_bytes;
  const bytes = look(start, WINDOW_BYTES);
  for (let at = 0; at + 32 <= bytes.length; at += align_bytes) {
    let next = at;
    let count = 0;
    for (let more = 1; more && count < CHAIN && next + 32 <= bytes.length; next += more) {
      more = length(bytes, next);
      if (more) count++;
    }
    if (count === CHAIN) return start + at;
  }
  return null;
}

/** draft-ietf-opsawg-pcap: no marks, but lengths and times must make sense. */
function pcapRecords(first: Buffer, look: Look): Records | null {
  const magic = first.readUInt32LE(0);
  const fraction_max = magic === PCAP_MAGIC_NS ? 1e9 : 1e6;
  const known = magic === PCAP_MAGIC_US || magic === PCAP_MAGIC_NS || magic === PCAP_MAGIC_MODIFIED;
  if (!known || first.readUInt16LE(4) !== 2 || first.readUInt16LE(6) !== 4) return null;
  const header_bytes = magic === PCAP_MAGIC_MODIFIED ? 24 : 16;
  const record = look(24, 4);
  if (record.length < 4) return null;
  const first_s = record.readUInt32LE(0);
  return {
    head_bytes: 24,
    align_bytes: 1,
    length(bytes, at) {
      const caplen = bytes.readUInt32LE(at + 8);
      const wirelen = bytes.readUInt32LE(at + 12);
      if (caplen === 0 || caplen > wirelen || wirelen > SNAPLEN_DEFAULT) return 0;
      if (bytes.readUInt32LE(at + 4) >= fraction_max) return 0;
      return Math.abs(bytes.readUInt32LE(at) - first_s) < YEAR_SECONDS ? header_bytes + caplen : 0;
    },
  };
}

/** draft-ietf-opsawg-pcapng: packet and statistics blocks, whose length stands at both ends. */
function pcapngRecords(first: Buffer, look: Look): Records | null {
  if (first.readUInt32LE(8) !== PCAPNG_MAGIC) return null;
  const head_bytes = pcapngHead(look);
  if (head_bytes === null) return null;
  return {
    head_bytes,
    align_bytes: 4,
    length(bytes, at) {
      const type = bytes.readUInt32LE(at);
      if (type !== BT_EPB && type !== BT_ISB) return 0;
      const total = bytes.readUInt32LE(at + 4);
      if (total < 24 || total % 4 !== 0 || total > SNAPLEN_DEFAULT + 4096) return 0;
      const end = at + total;
      return end > bytes.length || bytes.readUInt32LE(end - 4) === total ? total : 0;
    },
  };
}

/** The section header and interfaces before the first packet or statistics. */
function pcapngHead(look: Look): number | null {
  for (let at = 0; at < HEAD_BYTES_MAX; ) {
    const bytes = look(at, 8);
    if (bytes.length < 8) return null;
    const type = bytes.readUInt32LE(0);
    const total = bytes.readUInt32LE(4);
    if (type === BT_EPB || type === BT_ISB) return at;
    const inHead = (type === BT_SHB && at === 0) || type === BT_IDB;
    if (!inHead || total < 12 || total % 4 !== 0) return null;
    at += total;
  }
  return null;
}
