/**
 * The recorder's throughput over the last minutes, from differences of its own ledgers: what was
 * received on the interface, not what reached this browser. A stretch without ledgers becomes a
 * gap with its exact average, never a run of zeros. Pure; bounded to HISTORY_POINTS.
 */

/** Points kept: five minutes of seconds. */
export const HISTORY_POINTS = 300;
const POINT_NS = 950_000_000n;
const GAP_FACTOR = 2.5;

/** A span of time ending at `endMs` (probe's clock) and the mean rates in it. */
export interface ThroughputPoint {
  startMs: number;
  endMs: number;
  packetsPerSecond: number;
  bitsPerSecond: number;
  /** No ledger came for a while: the mean is exact, its shape is unknown. */
  gap: boolean;
}

interface Reading {
  tsNs: bigint;
  packets: number;
  bytes: number;
}

export class Throughput {
  points: readonly ThroughputPoint[] = [];
  #last: Reading | null = null;

  /** The newest complete point, null before there is one. */
  get latest(): ThroughputPoint | null {
    return this.points.at(-1) ?? null;
  }

  /** Take one ledger's totals. Going back in time or count (a new run) starts over. */
  add(reading: Reading): void {
    const last = this.#last;
    if (!last || reading.tsNs < last.tsNs || reading.packets < last.packets || reading.bytes < last.bytes) {
      this.#last = reading;
      if (last) this.points = [];
      return;
    }
    if (reading.tsNs - last.tsNs < POINT_NS) return;
    const seconds = Number(reading.tsNs - last.tsNs) / 1e9;
    this.#append({
      startMs: Number(last.tsNs / 1_000_000n),
      endMs: Number(reading.tsNs / 1_000_000n),
      packetsPerSecond: (reading.packets - last.packets) / seconds,
      bitsPerSecond: ((reading.bytes - last.bytes) * 8) / seconds,
      gap: false,
    });
    this.#last = reading;
  }

  // A new array each time: whoever drew the old one can tell that it changed. What counts as a gap
  // is judged anew, because how often this probe reports shows only after some ledgers.
  #append(point: ThroughputPoint): void {
    const points = [...this.points.slice(-(HISTORY_POINTS - 1)), point];
    const usualMs =
      points.length < 2 ? 1000 : Math.min(...points.map(({ startMs, endMs }) => endMs - startMs));
    const gapMs = GAP_FACTOR * Math.max(1000, usualMs);
    this.points = points.map((each) => ({ ...each, gap: each.endMs - each.startMs > gapMs }));
  }
}
