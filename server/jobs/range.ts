/**
 * Times as people write them, and as the API prints them. Pure; nothing here knows the time by itself.
 * Nanoseconds stay exact: no number in between.
 */
import type { TimeRange } from '../store/types.js';
import { RequestError } from './failure.js';

const NS = 1_000_000_000n;
const UNITS_S: Record<string, bigint> = { s: 1n, m: 60n, h: 3600n, d: 86_400n, w: 604_800n };
const RELATIVE = /^now(?:-(\d{1,9})(ms|[smhdw]))?$/;
const EPOCH = /^(\d{1,11})(?:\.(\d{1,9}))?$/;
const ISO =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?)?$/i;
/** Stamps are 64 bits signed. */
const LAST_NS = (1n << 63n) - 1n;

const fraction = (digits: string | undefined) => BigInt((digits ?? '').padEnd(9, '0'));

/** Null when the text is no time. */
export function parseTime(text: string, now_ns: bigint): bigint | null {
  const relative = RELATIVE.exec(text);
  if (relative) {
    const [, amount = '0', unit = 's'] = relative;
    return now_ns - BigInt(amount) * (unit === 'ms' ? 1_000_000n : (UNITS_S[unit] as bigint) * NS);
  }
  const epoch = EPOCH.exec(text);
  if (epoch) {
    const ns = BigInt(epoch[1] as string) * NS + fraction(epoch[2]);
    return ns > LAST_NS ? null : ns;
  }
  return parseIso(text);
}

function parseIso(text: string): bigint | null {
  const iso = ISO.exec(text);
  if (!iso) return null;
  const [, day, minutes = '00:00', seconds = '00', digits, zone = 'Z'] = iso;
  const offset = /^z$/i.test(zone) ? 'Z' : zone.replace(/^(...)(\d\d)$/, '$1:$2');
  const milliseconds = Date.parse(`${day}T${minutes}:${seconds}${offset}`);
  // Date rolls 31 February over to March: what it read must be what was written.
  const known = !Number.isNaN(milliseconds) && !Number.isNaN(Date.parse(`${day}T00:00:00Z`));
  const rolled = known && new Date(`${day}T00:00:00Z`).toISOString().slice(0, 10) !== day;
  const ns = known ? BigInt(milliseconds) * 1_000_000n + fraction(digits) : -1n;
  return rolled || ns < 0n || ns > LAST_NS ? null : ns;
}

/** Throws RequestError that names the parameter. */
export function parseRange(from: string | undefined, to: string | undefined, now_ns: bigint): TimeRange {
  const read = (name: string, text: string | undefined) => {
    if (text === undefined || text === '') return null;
    const ns = parseTime(text.trim(), now_ns);
    if (ns !== null) return ns;
    throw new RequestError(
      400,
      `${name}=${text}: expected now, now-5m, an ISO 8601 time such as 2026-01-31T12:00:00Z, or seconds since 1970`,
    );
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
