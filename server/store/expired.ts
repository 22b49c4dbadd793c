/**
 * expired.jsonl: what retention deleted, one JSON object a line, appended by who deleted it. Read anew when
 * it grew. A line that cannot be read says nothing and is passed over: the segment then counts as missing.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { TimeRange } from './types.js';

export const EXPIRED_NAME = 'expired.jsonl';
/** Of a longer file only the end is read: the newest deletions. */
const READ_BYTES_MAX = 64 << 20;

export interface ExpiredSegment {
  stem: string;
  range: TimeRange;
  packets: number | null;
}

function nanoseconds(value: unknown): bigint | null {
  if (typeof value === 'string' && /^\d{1,19}$/.test(value)) return BigInt(value);
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? BigInt(Math.trunc(value)) : null;
}

/** Null for what is no such line. Half open: the last stamp is inside. */
export function parseExpired(line: string): ExpiredSegment | null {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || typeof value.stem !== 'string') return null;
  const last = nanoseconds(value.last_ts_ns);
  return {
    stem: value.stem,
    range: { fromNs: nanoseconds(value.first_ts_ns), toNs: last === null ? null : last + 1n },
    packets: Number.isSafeInteger(value.packets) ? (value.packets as number) : null,
  };
}

export class ExpiredLog {
  readonly #path: string;
  readonly #segments = new Map<string, ExpiredSegment>();
  #read = 0;

  constructor(directory: string) {
    this.#path = join(directory, EXPIRED_NAME);
  }

  /** By stem. */
  refresh(): ReadonlyMap<string, ExpiredSegment> {
    let fd: number;
    try {
      fd = openSync(this.#path, 'r');
    } catch {
      return this.#segments; // nothing was deleted yet
    }
    try {
      this.#readMore(fd, fstatSync(fd).size);
    } finally {
      closeSync(fd);
    }
    return this.#segments;
  }

  #readMore(fd: number, size: number): void {
    if (size < this.#read) this.#read = 0; // someone began it anew
    const from = Math.max(this.#read, size - READ_BYTES_MAX);
    if (from >= size) return;
    const bytes = Buffer.alloc(size - from);
    const text = bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, from));
    const end = text.lastIndexOf(10) + 1; // a line still being written is read next time
    for (const line of text.toString('utf8', 0, end).split('\n')) {
      const segment = parseExpired(line);
      if (segment) this.#segments.set(segment.stem, segment);
    }
    this.#read = from + end;
  }
}
