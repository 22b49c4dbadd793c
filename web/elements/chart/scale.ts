/** Axis arithmetic: round maxima and tick positions. Pure. */

/** The smallest of 1, 2, 2.5, 5, 10 × 10^n that is not below `value`; 1 for nothing at all. */
export function niceCeiling(value: number): number {
  if (!(value > 0) || !Number.isFinite(value)) return 1;
  const magnitude = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 2.5, 5, 10]) if (value <= step * magnitude * (1 + 1e-9)) return step * magnitude;
  return 10 * magnitude;
}

/** Ticks on round times within [startMs, endMs], at least `minPixels` apart on `width` pixels. */
export function timeTicks(startMs: number, endMs: number, width: number, minPixels: number): number[] {
  const fitting = Math.max(1, Math.floor(width / minPixels));
  const steps = [5, 10, 15, 30, 60, 120, 300].map((seconds) => seconds * 1000);
  const step = steps.find((candidate) => (endMs - startMs) / candidate <= fitting) ?? steps.at(-1)!;
  const ticks: number[] = [];
  for (let tick = Math.ceil(startMs / step) * step; tick <= endMs; tick += step) ticks.push(tick);
  return ticks;
}

/** The shortest window that holds the data: a new chart is not an empty one. */
export function windowMs(spanMs: number): number {
  return spanMs <= 58_000 ? 60_000 : spanMs <= 118_000 ? 120_000 : 300_000;
}
