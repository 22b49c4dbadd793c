/**
 * One probe's connection: Hello, then batches and ledgers. Checks envelopes, never looks into
 * payloads. What it takes it hands to the gateway synchronously, so nothing queues here; a probe that
 * breaks the protocol loses its own connection only.
 */
import type { Batch, FrameFields, Ledger } from '../../proto/frame.js';
import { encodeFrame, long } from '../../proto/frame.js';
import { BATCH_BYTES_MAX } from '../../proto/gen/constants.js';
import { type Limits, RateLimit } from '../limits.js';
import type { ProbeHello } from '../probes/hello.js';
import { checkHello } from '../probes/hello.js';
import type { Probe, ProbeLink } from '../probes/registry.js';
import { type Envelope, envelopeOf, type SequenceGap } from '../probes/run.js';
import { refuse } from '../refusal.js';
import type { Peer } from '../sockets/peer.js';

/** Where an ingest session delivers. */
export interface IngestSink {
  probeUp(hello: ProbeHello, link: ProbeLink): Probe;
  /** A fresh batch, its frame as received, and the gap before it. */
  batch(probe: Probe, envelope: Envelope, batch: Batch, frame: Buffer, gap: SequenceGap | null): void;
  duplicate(probe: Probe): void;
  ledger(probe: Probe, ledger: Ledger, frame: Buffer): void;
  probeDown(probe: Probe, link: ProbeLink, reason: string): void;
}

type Frame = FrameFields & { body?: string };

export class IngestSession implements ProbeLink {
  readonly #peer: Peer;
  readonly #limits: Limits;
  readonly #sink: IngestSink;
  readonly #ledgers: RateLimit;
  readonly #ackEvery: number;
  #probe: Probe | null = null;
  /** Highest seq of this connection: within one, sequences only go up. */
  #connectionSeq = 0;
  /** Batches whose Ack is not on the wire yet: what the credit bounds. */
  #unacked = 0;
  /** Of those, batches no Ack was even written for. */
  #waiting = 0;
  #ackTimer: NodeJS.Timeout | null = null;

  constructor(peer: Peer, limits: Limits, sink: IngestSink) {
    this.#peer = peer;
    this.#limits = limits;
    this.#sink = sink;
    this.#ledgers = new RateLimit(limits.ledgers_per_second);
    this.#ackEvery = Math.max(1, limits.credit_batches >> 2);
  }

  onFrame(frame: Frame, bytes: Buffer): void {
    if (frame.body === 'refusal') throw refuse.protocol(`the probe left: ${frame.refusal?.message ?? ''}`);
    if (!this.#probe) {
      if (frame.body !== 'hello') throw refuse.protocol(`Hello must come first, not ${frame.body}`);
      this.#hello(frame.hello as NonNullable<FrameFields['hello']>);
    } else if (frame.body === 'batch') this.#batch(this.#probe, frame.batch as Batch, bytes);
    else if (frame.body === 'ledger') this.#ledger(this.#probe, frame.ledger as Ledger, bytes);
    else throw refuse.protocol(`a probe does not send ${frame.body} after Hello`);
  }

  onClose(reason: string): void {
    if (this.#ackTimer) clearTimeout(this.#ackTimer);
    if (this.#probe) this.#sink.probeDown(this.#probe, this, reason);
    this.#probe = null;
  }

  /** A newer connection of the same run took over; this one is most likely half open. */
  replaced(): void {
    this.#probe = null;
    this.#peer.refuse(refuse.protocol('another connection of this run took over'));
  }

  #hello(hello: NonNullable<FrameFields['hello']>): void {
    const probe = this.#sink.probeUp(checkHello(hello, this.#limits), this);
    this.#probe = probe;
    this.#peer.greeted();
    this.#send({
      welcome: {
        probe: probe.number,
        creditBatches: this.#limits.credit_batches,
        resumeSeq: long(probe.run.lastSeq),
      },
    });
  }

  #batch(probe: Probe, batch: Batch, frame: Buffer): void {
    const envelope = envelopeOf(batch);
    if (batch.probe !== probe.number)
      throw refuse.protocol(`Batch.probe is ${batch.probe}, not ${probe.number}`);
    if (batch.payload.length > BATCH_BYTES_MAX)
      throw refuse.tooBig(`Batch.payload over ${BATCH_BYTES_MAX} bytes`);
    if (envelope.seq < this.#connectionSeq) {
      throw refuse.sequence(`Batch.seq went back from ${this.#connectionSeq} to ${envelope.seq}`);
    }
    if (++this.#unacked > this.#limits.credit_batches) {
      throw refuse.sequence(`more than the credit of ${this.#limits.credit_batches} batches unacknowledged`);
    }
    const taken = probe.run.take(envelope);
    this.#connectionSeq = envelope.seq;
    if (taken === 'duplicate') this.#sink.duplicate(probe);
    else this.#sink.batch(probe, envelope, batch, frame, taken);
    this.#acknowledge(probe);
  }

  #acknowledge(probe: Probe): void {
    if (++this.#waiting >= this.#ackEvery) this.#sendAck(probe);
    else this.#ackTimer ??= setTimeout(() => this.#sendAck(probe), this.#limits.ack_delay_ms);
  }

  #sendAck(probe: Probe): void {
    if (this.#ackTimer) clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
    const acked = this.#waiting;
    this.#waiting = 0;
    // Credit comes back when the Ack has left: a probe that never reads its Acks runs out of it.
    this.#send({ ack: { seq: long(probe.run.lastSeq) } }, () => {
      this.#unacked -= acked;
    });
  }

  #ledger(probe: Probe, ledger: Ledger, frame: Buffer): void {
    if (ledger.probe !== probe.number)
      throw refuse.protocol(`Ledger.probe is ${ledger.probe}, not ${probe.number}`);
    if (!this.#ledgers.take()) {
      throw refuse.protocol(`more than ${this.#limits.ledgers_per_second} ledgers a second`);
    }
    this.#sink.ledger(probe, ledger, frame);
  }

  #send(fields: FrameFields, sent?: () => void): void {
    this.#peer.socket.send(encodeFrame(fields), (error) => {
      if (!error) sent?.();
    });
  }
}
