/**
 * What waits for one viewer. Bounded by bytes and frames of batches: above either the oldest batch is
 * dropped and becomes part of a gap with its exact sequence range and packets. Control frames
 * (ledgers, summaries, probes coming and going) are never dropped here; the viewer bounds their number.
 * Pure data: one per viewer, no sockets, no timers.
 */

/** A range of one probe's batches this viewer will not get. `packets` null: not known. */
export interface GapRange {
  probe: number;
  firstSeq: number;
  lastSeq: number;
  packets: number | null;
}

/** `range` says which batches a frame carries (a batch) or stands for (an uplink gap). */
export interface Item {
  frame: Uint8Array;
  range: GapRange | null;
  isBatch: boolean;
}

export interface QueueLimits {
  viewer_queue_bytes: number;
  viewer_queue_frames: number;
}

export class ViewerQueue {
  readonly #limits: QueueLimits;
  readonly #items: Item[] = [];
  /** Index of the oldest item in #items; the array is compacted when half of it is spent. */
  #head = 0;
  readonly #dropped = new Map<number, GapRange>();
  #bytes = 0;
  #droppable = 0;
  droppedBatches = 0;
  droppedPackets = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }
  get controlFrames(): number {
    return this.#items.length - this.#head - this.#droppable;
  }
  get empty(): boolean {
    return this.#items.length === this.#head && this.#dropped.size === 0;
  }

  /** Queues one frame; may drop older batches, or this one if it alone is over the limit. */
  push(item: Item): void {
    this.#items.push(item);
    if (!item.range) return;
    this.#droppable++;
    this.#bytes += item.frame.length;
    while (
      this.#droppable > this.#limits.viewer_queue_frames ||
      this.#bytes > this.#limits.viewer_queue_bytes
    ) {
      this.#dropOldest();
    }
  }

  /** Gaps since the last call. They come before everything that waits: what is dropped is the oldest. */
  takeGaps(): GapRange[] {
    if (this.#dropped.size === 0) return [];
    const gaps = [...this.#dropped.values()];
    this.#dropped.clear();
    return gaps;
  }

  /** The oldest waiting frame. */
  shift(): Item | undefined {
    const item = this.#items[this.#head];
    if (!item) return undefined;
    this.#head++;
    this.#compact();
    if (item.range) this.#forget(item);
    return item;
  }

  #forget(item: Item): void {
    this.#droppable--;
    this.#bytes -= item.frame.length;
  }

  #compact(): void {
    if (this.#head < 64 || this.#head * 2 < this.#items.length) return;
    this.#items.splice(0, this.#head);
    this.#head = 0;
  }

  #dropOldest(): void {
    let index = this.#head;
    while (!this.#items[index]?.range) index++;
    const item = this.#items[index] as Item;
    if (index === this.#head) {
      this.#head++;
      this.#compact();
    } else this.#items.splice(index, 1);
    this.#forget(item);
    this.#addGap(item);
  }

  #addGap({ range, isBatch }: Item): void {
    if (!range) return;
    if (isBatch) {
      this.droppedBatches++;
      this.droppedPackets += range.packets ?? 0;
    }
    const gap = this.#dropped.get(range.probe);
    if (!gap) {
      this.#dropped.set(range.probe, { ...range });
      return;
    }
    gap.lastSeq = range.lastSeq;
    gap.packets = gap.packets === null || range.packets === null ? null : gap.packets + range.packets;
  }
}
