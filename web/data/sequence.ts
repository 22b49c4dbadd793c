/**
 * Exact accounts of one run's batches as this browser got them. Every batch carries the number of
 * packets in all batches before it (Batch.packets_before), so what is missing is known to the
 * packet even when the gateway never said that anything was lost. Pure; never guesses.
 *
 * Invariant: before + received + missed = packets_before + packets of the last batch.
 */

export type Arrival = { kind: 'batch'; missing: number; announced: boolean } | { kind: 'duplicate' };

/** The accounts at one moment. */
export interface SequenceAccounts {
  /** Packets sent before this page's first batch; null until one arrived. */
  before: number | null;
  received: number;
  batches: number;
  missed: number;
  /** Every packet sent up to and including the last batch received. */
  end: number;
}

export class SequenceTracker {
  /** Packets sent before this page's first batch; null until one arrived. */
  before: number | null = null;
  received = 0;
  batches = 0;
  duplicates = 0;
  /** Batches whose packets_before contradicts the ones already seen: a fault of the sender. */
  contradictions = 0;
  lastSeq = 0;
  #end = 0;
  #settled = 0;
  #announced: number | null = null;

  /** Packets known to have been sent but not received here. */
  get missed(): number {
    return this.#settled + (this.#announced ?? 0);
  }

  get accounts(): SequenceAccounts {
    const { before, received, batches, missed } = this;
    return { before, received, batches, missed, end: this.#end };
  }

  /** The gateway says batches up to `lastSeq` will not come. `packets` null: it does not know how many. */
  gap(lastSeq: number, packets: number | null): void {
    if (this.before === null || lastSeq <= this.lastSeq) return;
    this.#announced = (this.#announced ?? 0) + (packets ?? 0);
  }

  /** A batch resent after a reconnect is a duplicate and must not be parsed again. */
  batch(seq: number, packets: number, packetsBefore: number): Arrival {
    if (this.before !== null && seq <= this.lastSeq) {
      this.duplicates++;
      return { kind: 'duplicate' };
    }
    const announced = this.#announced !== null;
    let missing = 0;
    if (this.before === null) this.before = packetsBefore;
    else missing = packetsBefore - this.#end;
    if (missing < 0) {
      this.contradictions++;
      missing = 0;
    }
    this.#settled += missing;
    this.#announced = null;
    this.lastSeq = seq;
    this.#end = Math.max(this.#end, packetsBefore) + packets;
    this.received += packets;
    this.batches++;
    return { kind: 'batch', missing, announced };
  }
}
