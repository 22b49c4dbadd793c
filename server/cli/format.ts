/** Numbers and times as text. Unknown is a dash or null, never 0. */

/** `seconds.nanoseconds` since the epoch. */
export function epochText(ts_ns: bigint | null): string | null {
  if (ts_ns === null) return null;
  return `${ts_ns / 1_000_000_000n}.${(ts_ns % 1_000_000_000n).toString().padStart(9, '0')}`;
}

const MILLISECONDS_MAX = 8_640_000_000_000_000n; // what a Date can hold

/** ISO 8601 in UTC with nanoseconds. */
export function timeText(ts_ns: bigint | null): string {
  if (ts_ns === null) return '-';
  const milliseconds = ts_ns / 1_000_000n;
  if (milliseconds > MILLISECONDS_MAX) return epochText(ts_ns) as string;
  const iso = new Date(Number(milliseconds)).toISOString();
  return `${iso.slice(0, -5)}.${(ts_ns % 1_000_000_000n).toString().padStart(9, '0')}Z`;
}

export function countText(value: number): string {
  return value.toLocaleString('en-US');
}

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Decimal, three digits: 1.23 GB. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < SIZES.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${SIZES[unit]}`;
}

/** Bytes per second as bits per second. */
export function bitRateText(bytesPerSecond: number): string {
  return sizeText(bytesPerSecond * 8).replace(/B$/, 'bit/s');
}

/** Two columns: names and values. */
export function pairs(rows: [name: string, value: string][]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}
