/**
 * The stored order: runs by time, within a run blocks by sequence, whatever directories they lie in. A segment
 * without a run is one by itself. Pure.
 */
import type { Segment } from './segment.js';
import type { Extent } from './segment-file.js';

/** Segments whose blocks are merged by sequence. */
export type RunSegments = Segment[];

/** The stamp and sequence of a name put segments of one recorder in order. */
function stamp(stem: string): string {
  return /-(\d{8}T\d{6}\.?\d*Z?-\d+)$/.exec(stem)?.[1] ?? stem;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function byStamp(a: Segment, b: Segment): number {
  return compare(stamp(a.stem), stamp(b.stem)) || compare(a.stem, b.stem);
}

/** Oldest run first, and in each the oldest segment first. */
export function runsOf(segments: readonly Segment[]): RunSegments[] {
  const runs = new Map<string, RunSegments>();
  for (const segment of [...segments].sort(byStamp)) {
    const key = segment.head?.run?.id ?? segment.stem;
    const run = runs.get(key);
    if (run) run.push(segment);
    else runs.set(key, [segment]);
  }
  return [...runs.values()];
}

export interface Place {
  segment: Segment;
  extent: Extent;
  /** False: the index says that it cannot hold a match. */
  wanted: boolean;
}

/** Asks an index about a segment: a test by number of extent, or null when all may hold a match. */
export type Pruner = (segment: Segment) => ((extent: number) => boolean) | null;

/** All extents of a run by their first block's sequence. */
export function* extentsOf(run: RunSegments, prune: Pruner): Generator<Place> {
  const stripes = new Map<number, Segment[]>();
  for (const segment of run) {
    const stripe = segment.head?.run?.stripe ?? 0;
    stripes.set(stripe, [...(stripes.get(stripe) ?? []), segment]);
  }
  const heads = [...stripes.values()]
    .map((segments) => walk(segments, prune))
    .map((walker) => ({ walker, at: walker.next() }));
  for (;;) {
    let first: (typeof heads)[number] | null = null;
    for (const head of heads) {
      if (head.at.done) continue;
      if (!first || first.at.done || head.at.value.extent.seq < first.at.value.extent.seq) first = head;
    }
    if (!first || first.at.done) return;
    yield first.at.value;
    first.at = first.walker.next();
  }
}

function* walk(segments: Segment[], prune: Pruner): Generator<Place, undefined> {
  for (const segment of segments) {
    const wanted = prune(segment);
    for (const [i, extent] of segment.extents.entries())
      yield { segment, extent, wanted: wanted?.(i) ?? true };
  }
}
