/** Reads the module's ring of seconds. */
import type { Module } from './module.js';
import type { SeriesPoint } from './types.js';

/** Seconds of the window that had packets, oldest first; `since` leaves earlier ones out. */
export function readSeries(module: Module, since: number): SeriesPoint[] {
  const { view } = module;
  const base = module.constant('SERIES_BASE');
  const stride = module.constant('BUCKET_STRIDE');
  const seconds = module.constant('SERIES_SECONDS');
  const points: SeriesPoint[] = [];
  for (let bucket = base; bucket < base + seconds * stride; bucket += stride) {
    const packets = module.count(bucket + module.constant('BUCKET_PACKETS'));
    if (!packets) continue;
    const sec = Number(view.getBigInt64(bucket + module.constant('BUCKET_SEC'), true));
    points.push({ sec, packets, bytes: module.count(bucket + module.constant('BUCKET_BYTES')) });
  }
  points.sort((a, b) => a.sec - b.sec);
  const newest = points.at(-1)?.sec ?? 0;
  return points.filter(({ sec }) => sec >= since && sec > newest - seconds);
}
