/** Gathers what an answer rests on while a scan goes along. */
import type { ExpiredSegment } from './expired.js';
import type { Segment } from './segment.js';
import type { Extent, Hole } from './segment-file.js';
import type { Coverage, MissingPart, TimeRange } from './types.js';

/** Whether a half-open range and stamps first to last have anything in common; null is unbounded. */
export function overlaps({ fromNs, toNs }: TimeRange, first: bigint | null, last: bigint | null): boolean {
  return (
    (fromNs === null || last === null || last >= fromNs) && (toNs === null || first === null || first < toNs)
  );
}

const sum = (a: number | null, b: number | null) => (a === null || b === null ? null : a + b);

export class CoverageBuilder {
  readonly #range: TimeRange;
  readonly #segments = new Set<string>();
  #first: bigint | null = null;
  #last: bigint | null = null;
  blocksPruned = 0;
  blocksScanned = 0;
  bytesScanned = 0;
  truncated = 0;
  #ringDrops: number | null = 0;
  #poolDrops: number | null = 0;
  #storeDrops: number | null = 0;
  readonly missing: MissingPart[] = [];
  stopped: Coverage['stopped'] = null;

  constructor(range: TimeRange) {
    this.#range = range;
  }

  /** Blocks inside the asked range that were scanned, or ruled out by index. */
  look(segment: Segment, extent: Extent, scanned: boolean): void {
    this.#segments.add(segment.stem);
    if (scanned) {
      this.blocksScanned += extent.blocks;
      this.bytesScanned += extent.bytes;
    } else this.blocksPruned += extent.blocks;
    this.#ringDrops = sum(this.#ringDrops, extent.ringDrops);
    this.#poolDrops = sum(this.#poolDrops, extent.poolDrops);
    this.#storeDrops = sum(this.#storeDrops, extent.storeDrops);
    if (extent.packets === 0) return;
    if (this.#first === null || extent.firstNs < this.#first) this.#first = extent.firstNs;
    if (this.#last === null || extent.lastNs > this.#last) this.#last = extent.lastNs;
  }

  /** Blocks outside the asked range. */
  skip(extent: Extent): void {
    this.blocksPruned += extent.blocks;
  }

  expired({ stem, range, packets }: ExpiredSegment): void {
    const message = `segment ${stem} was deleted by retention`;
    this.missing.push({ reason: 'expired', segment: stem, range, packets, message });
  }

  gone(segment: Segment, range: TimeRange, packets: number | null, expired: boolean): void {
    const { stem } = segment;
    const message = expired
      ? `segment ${stem} was deleted by retention while the query ran`
      : `segment ${stem} is gone: its file was deleted or moved`;
    this.missing.push({ reason: expired ? 'expired' : 'missing', segment: stem, range, packets, message });
  }

  unreadable(segment: Segment, problem: string): void {
    const message = `segment ${segment.stem}: ${problem}`;
    this.missing.push({
      reason: 'damaged',
      segment: segment.stem,
      range: { fromNs: null, toNs: null },
      packets: null,
      message,
    });
  }

  /** `range`: between the stamps before and behind it. */
  damaged(segment: Segment, { offset, bytes }: Hole, range: TimeRange): void {
    const message = `segment ${segment.stem}: ${bytes} bytes at offset ${offset} are damaged and were skipped; ringtap verify tells more`;
    this.missing.push({ reason: 'damaged', segment: segment.stem, range, packets: null, message });
  }

  result(): Coverage {
    const { fromNs, toNs } = this.#range;
    const first = this.#first !== null && fromNs !== null && fromNs > this.#first ? fromNs : this.#first;
    const end = this.#last === null ? null : this.#last + 1n;
    return {
      range: { fromNs: first, toNs: end !== null && toNs !== null && toNs < end ? toNs : end },
      segments: this.#segments.size,
      blocksPruned: this.blocksPruned,
      blocksScanned: this.blocksScanned,
      bytesScanned: this.bytesScanned,
      ringDrops: this.#ringDrops,
      poolDrops: this.#poolDrops,
      storeDrops: this.#storeDrops,
      truncated: this.truncated,
      missing: this.missing,
      stopped: this.stopped,
    };
  }
}
