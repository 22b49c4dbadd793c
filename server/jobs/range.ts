/** Ranges of time as the API takes them, and times as it prints them. Pure; nothing here knows the time by itself. */
import type { TimeRange } from '../store/types.js';
import { parseTime, TimeError } from '../store/when.js';
import { RequestError } from './failure.js';

const NS = 1_000_000_000n;
/** Throws RequestError that names the parameter. */
export function parseRange(from: string | undefined, to: string | undefined, now_ns: bigint): TimeRange {
  const read = (name: string, text: string | undefined) => {
    if (text === undefined || text === '') return null;
    try {
      return parseTime(text.trim(), now_ns);
    } catch (error) {
      if (!(error instanceof TimeError)) throw error;
      throw new RequestError(400, `${name}: ${error.message}`);
    }
  };
  const range = { fromNs: read('from', from), toNs: read('to', to) };
  if (range.fromNs !== null && range.toNs !== null && range.fromNs >= range.toNs)
    throw new RequestError(400, `from=${from} is not before to=${to}: nothing can lie between`);
  return range;
}

/** `seconds.nanoseconds`, null for null. */
export function timeText(ns: bigint): string;
export function timeText(ns: bigint | null): string | null;
export function timeText(ns: bigint | null): string | null {
  if (ns === null) return null;
  const magnitude = ns < 0n ? -ns : ns;
  return `${ns < 0n ? '-' : ''}${magnitude / NS}.${(magnitude % NS).toString().padStart(9, '0')}`;
}

/** What two ranges have in common; may be empty (from >= to). */
export function intersect(a: TimeRange, b: TimeRange): TimeRange {
  const later = (x: bigint | null, y: bigint | null) => (x === null ? y : y === null ? x : x > y ? x : y);
  const earlier = (x: bigint | null, y: bigint | null) => (x === null ? y : y === null ? x : x < y ? x : y);
  return { fromNs: later(a.fromNs, b.fromNs), toNs: earlier(a.toNs, b.toNs) };
}
