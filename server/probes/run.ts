/**
 * One run of one probe as the gateway sees it: where its sequence stands and what is missing.
 * Pure data, no sockets; throws RefusalError for envelopes that cannot be true.
 */
import type { Batch } from '../../proto/frame.js';
import { count } from '../../proto/frame.js';
import { refuse } from '../refusal.js';

/** Batches that never came. `packets` is exact: the probe numbers its packets too. */
export interface SequenceGap {
  firstSeq: number;
  lastSeq: number;
  packets: number;
}

/** What the gateway reads of a Batch; its payload stays bytes. */
export interface Envelope {
  seq: number;
  packets: number;
  packetsBefore: number;
}

export function envelopeOf(batch: Batch): Envelope {
  return { seq: count(batch.seq), packets: batch.packets, packetsBefore: count(batch.packetsBefore) };
}

export class Run {
  readonly id: string;
  /** Last Batch.seq taken, 0 for none. */
  lastSeq = 0;
  /** Packets up to and including lastSeq, missing ones too. */
  packets = 0;
  gapBatches = 0;
  gapPackets = 0;
  /** Sent before this gateway's first batch: to an earlier gateway, or shed while there was none. */
  beforeBatches = 0;
  beforePackets = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** Takes one batch: 'duplicate', or the gap before it (null for none). */
  take({ seq, packets, packetsBefore }: Envelope): 'duplicate' | SequenceGap | null {
    if (seq < 1 || !Number.isSafeInteger(seq) || !Number.isSafeInteger(packetsBefore + packets)) {
      throw refuse.sequence(`Batch.seq ${seq} is out of range: it counts 1, 2, 3…`);
    }
    if (seq <= this.lastSeq) return 'duplicate';
    const missing = packetsBefore - this.packets;
    const batches = seq - this.lastSeq - 1;
    if (missing < 0 || (batches === 0 && missing > 0)) {
      throw refuse.sequence(
        `Batch.packets_before is ${packetsBefore} at seq ${seq}, after ${this.packets} packets up to seq ${this.lastSeq}`,
      );
    }
    const first = this.lastSeq === 0;
    const gap = { firstSeq: this.lastSeq + 1, lastSeq: seq - 1, packets: missing };
    this.lastSeq = seq;
    this.packets = packetsBefore + packets;
    if (batches === 0) return null;
    // What came before this gateway is not its gap: viewers that were there count it themselves.
    if (first) {
      this.beforeBatches = batches;
      this.beforePackets = missing;
      return null;
    }
    this.gapBatches += batches;
    this.gapPackets += missing;
    return gap;
  }
}
