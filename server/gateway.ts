/**
 * The gateway's heart: what probes deliver goes to the viewers byte for byte, to the analysis thread,
 * and into the accounts. Everything here is synchronous and bounded; nothing waits for a peer.
 */
import type { FastifyBaseLogger } from 'fastify';
import type { Batch, Ledger } from '../proto/frame.js';
import { Analysis } from './analysis/analysis.js';
import type { IngestSink } from './ingest/session.js';
import { gapFrame, probeDownFrame, probeUpFrame, summaryFrame } from './live/frames.js';
import type { Viewer, ViewerHost } from './live/viewer.js';
import type { GatewayOptions } from './options.js';
import type { ProbeHello } from './probes/hello.js';
import { type Probe, type ProbeLink, ProbeRegistry, type ProbeSummary } from './probes/registry.js';
import type { Envelope, SequenceGap } from './probes/run.js';
import { refuse } from './refusal.js';

export interface GatewayCounters {
  batches: number;
  packets: number;
  bytes: number;
  duplicates: number;
  /** Of viewers that have left; those of present ones are in their queues. */
  droppedBatches: number;
  droppedPackets: number;
}

export class Gateway implements IngestSink, ViewerHost {
  readonly registry: ProbeRegistry;
  readonly analysis: Analysis;
  readonly viewers = new Set<Viewer>();
  readonly started = new Date();
  readonly counters: GatewayCounters = {
    batches: 0,
    packets: 0,
    bytes: 0,
    duplicates: 0,
    droppedBatches: 0,
    droppedPackets: 0,
  };
  readonly #log: FastifyBaseLogger;

  constructor(options: GatewayOptions, log: FastifyBaseLogger) {
    this.#log = log;
    this.registry = new ProbeRegistry(options.limits);
    this.analysis = new Analysis({
      wasmFile: options.wasmFile,
      limits: options.limits,
      log,
      onSummary: (number, summary) => this.#summary(number, summary),
    });
  }

  probeUp(hello: ProbeHello, link: ProbeLink): Probe {
    const { probe, resumed, forgot } = this.registry.admit(hello, link);
    if (forgot) this.analysis.forget(forgot.number);
    if (!resumed) this.analysis.open(probe.number, hello.section);
    this.#log.info(
      { probe: probe.number, name: hello.name, interface: hello.interfaceName },
      'probe connected',
    );
    this.#control(probe.number, probeUpFrame(probe));
    return probe;
  }

  batch(probe: Probe, envelope: Envelope, batch: Batch, frame: Buffer, gap: SequenceGap | null): void {
    this.counters.batches++;
    this.counters.packets += envelope.packets;
    this.counters.bytes += frame.length;
    if (gap) {
      const range = { probe: probe.number, ...gap };
      const bytes = gapFrame(range, 'uplink');
      for (const viewer of this.viewers) viewer.data(bytes, range, false);
    }
    const range = {
      probe: probe.number,
      firstSeq: envelope.seq,
      lastSeq: envelope.seq,
      packets: envelope.packets,
    };
    for (const viewer of this.viewers) viewer.data(frame, range, true);
    this.analysis.batch(probe.number, batch.payload, envelope.packets);
  }

  duplicate(): void {
    this.counters.duplicates++;
  }

  ledger(probe: Probe, ledger: Ledger, frame: Buffer): void {
    probe.ledger = { frame, ledger, at_ms: performance.now() };
    this.#control(probe.number, frame);
  }

  probeDown(probe: Probe, link: ProbeLink, reason: string): void {
    if (!this.registry.leave(probe, link)) return;
    const why = probe.ledger?.ledger.final ? 'the recording ended' : reason;
    this.#log.info({ probe: probe.number }, `probe gone: ${why}`);
    this.#control(probe.number, probeDownFrame(probe.number, why));
  }

  /** Throws when there is no room. */
  join(viewer: Viewer, max: number): void {
    if (this.viewers.size >= max) throw refuse.busy(`${max} viewers are connected: no room for another`);
    this.viewers.add(viewer);
  }

  subscribed(viewer: Viewer): void {
    for (const probe of this.registry.all()) {
      viewer.control(probe.number, probeUpFrame(probe));
      if (probe.ledger) viewer.control(probe.number, probe.ledger.frame);
    }
  }

  left(viewer: Viewer): void {
    if (!this.viewers.delete(viewer)) return;
    this.counters.droppedBatches += viewer.queue.droppedBatches;
    this.counters.droppedPackets += viewer.queue.droppedPackets;
  }

  close(): Promise<void> {
    return this.analysis.close();
  }

  #control(probe: number, frame: Uint8Array): void {
    for (const viewer of this.viewers) viewer.control(probe, frame);
  }

  #summary(number: number, summary: ProbeSummary): void {
    const probe = this.registry.get(number);
    if (!probe) return;
    probe.summary = summary;
    if (probe.link) this.#control(number, summaryFrame(number, summary, this.viewers.size));
  }
}
