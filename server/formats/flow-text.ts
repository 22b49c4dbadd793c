/** Flows as CSV and as JSON, one line each. Pure. */
import type { Flow } from '../../asm/host/index.js';
import { COLUMNS, type Column, type Value } from './flow-columns.js';

/** Nanoseconds as `seconds.nanoseconds`, also below zero. */
export function secondsText(ns: bigint): string {
  const digits = (ns < 0n ? -ns : ns).toString().padStart(10, '0');
  return `${ns < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

/** What neither a reader of CSV nor a spreadsheet takes for more than text. */
const PLAIN = /^[^=+\-@\t\r",\n][^",\r\n]*$/;

/**
 * RFC 4180 quoting. Text that a spreadsheet would run as a formula gets an apostrophe in front: names in
 * it were chosen by whoever sent the packets.
 */
export function csvText(text: string): string {
  if (PLAIN.test(text)) return text;
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function csvCell({ type }: Column, value: Value): string {
  if (value === null) return '';
  if (type === 'time_ns' || type === 'interval_ns') return secondsText(value as bigint);
  if (type === 'texts') return csvText((value as string[]).join(' '));
  return type === 'text' ? csvText(value as string) : String(value);
}

export function csvHeader(): string {
  return COLUMNS.map(({ name }) => name).join(',');
}

export function csvLine(flow: Flow): string {
  let line = '';
  for (const column of COLUMNS) line += `,${csvCell(column, column.value(flow))}`;
  return line.slice(1);
}

/** Times and intervals are texts, as a JSON number cannot hold nanoseconds since 1970. */
export function jsonLine(flow: Flow): string {
  const record: Record<string, Value> = {};
  for (const column of COLUMNS) {
    const value = column.value(flow);
    record[column.name] = typeof value === 'bigint' ? secondsText(value) : value;
  }
  return JSON.stringify(record);
}
