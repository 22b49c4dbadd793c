/** Times as people write them: absolute, or relative to now. Pure. */

const UNITS: Record<string, bigint> = { ms: 1_000_000n, s: 1_000_000_000n, m: 60_000_000_000n, h: 3_600_000_000_000n, d: 86_400_000_000_000n, w: 604_800_000_000_000n }; // biome-ignore format: one table
const RELATIVE = /^(?:now)?\s*([+-])\s*(\d{1,12})(ms|s|m|h|d|w)$/;
const EPOCH = /^(\d{1,11})(?:\.(\d{1,9}))?$/;
const ISO = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?$/;

export class TimeError extends Error {
  override name = 'TimeError';
}

/**
 * `now`, `-5m`, `now-5m`, seconds since 1970 with up to nine decimals, or ISO 8601 with up to nine (UTC when
 * it says nothing else). Throws TimeError.
 */
export function parseTime(text: string, now_ns: bigint): bigint {
  const relative = RELATIVE.exec(text);
  if (text === 'now') return now_ns;
  if (relative) {
    const span = BigInt(relative[2]!) * UNITS[relative[3]!]!;
    return relative[1] === '-' ? now_ns - span : now_ns + span;
  }
  const epoch = EPOCH.exec(text);
  if (epoch) return BigInt(epoch[1]!) * 1_000_000_000n + fraction(epoch[2]);
  const iso = ISO.exec(text);
  const zone = iso?.[4]?.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2') ?? 'Z';
  const milliseconds = iso ? Date.parse(`${iso[1]}T${iso[2] ?? '00:00'}${zone}`) : Number.NaN;
  if (Number.isNaN(milliseconds))
    throw new TimeError(`${text}: expected a time such as 2026-01-31T12:00:00Z, 1769860800.5, now or -5m`);
  return BigInt(milliseconds) * 1_000_000n + fraction(iso?.[3]);
}

const fraction = (digits: string | undefined): bigint => BigInt((digits ?? '').padEnd(9, '0'));

export const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n;
