/** Queries and coverage as sentences for people: on the terminal and in the comments of slices. Pure. */
import type { Coverage, MissingPart, PacketQuery } from './types.js';

const MISSING_MAX = 20;

const MILLISECONDS_MAX = 8_640_000_000_000_000n;

/** ISO 8601 in UTC with nanoseconds. */
function when(ts_ns: bigint): string {
  const milliseconds = ts_ns / 1_000_000n;
  if (milliseconds > MILLISECONDS_MAX || milliseconds < -MILLISECONDS_MAX) return `${ts_ns} ns`;
  const fraction = (((ts_ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n).toString().padStart(9, '0');
  return `${new Date(Number(milliseconds)).toISOString().slice(0, -5)}.${fraction}Z`;
}

export function queryText({ range, filter }: PacketQuery): string[] {
  return [
    `filter: ${filter.trim() || '(none: all packets)'}`,
    `from: ${range.fromNs === null ? '(the first)' : when(range.fromNs)}`,
    `to: ${range.toNs === null ? '(the last)' : when(range.toNs)}`,
  ];
}

function missingText({ reason, message, range, packets }: MissingPart): string {
  const span =
    range.fromNs === null && range.toNs === null
      ? ''
      : ` (${range.fromNs === null ? '' : when(range.fromNs)} to ${range.toNs === null ? '' : when(range.toNs)})`;
  return `${reason}: ${message}${span}${packets === null ? '' : `, ${packets} packets`}`;
}

/** First what the answer rests on, then what is missing from it. */
export function coverageText(coverage: Coverage): string[] {
  const { range, segments, blocksPruned, blocksScanned, bytesScanned, missing, stopped, truncated } =
    coverage;
  const count = (value: number | null) => (value === null ? 'unknown' : `${value}`);
  const span =
    range.fromNs === null || range.toNs === null
      ? 'nothing recorded there'
      : `${when(range.fromNs)} to ${when(range.toNs - 1n)}`;
  const lines = [
    `coverage: ${span}; ${segments} segments, ${blocksPruned} blocks ruled out, ${blocksScanned} scanned (${bytesScanned} bytes)`,
    `recorder losses: ring ${count(coverage.ringDrops)}, pool ${count(coverage.poolDrops)}, store ${count(coverage.storeDrops)}`,
  ];
  if (truncated > 0) lines.push(`${truncated} packets were recorded shorter than they were on the wire`);
  if (stopped) lines.push(`stopped early: ${stopped}`);
  lines.push(...missing.slice(0, MISSING_MAX).map(missingText));
  if (missing.length > MISSING_MAX) lines.push(`and ${missing.length - MISSING_MAX} more missing parts`);
  return lines;
}
