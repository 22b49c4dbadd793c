/**
 * The gateway's side of the analysis thread: a bounded queue to it that sheds and counts when the
 * thread lags, and a new thread when one crashes. Never blocks the caller, never throws.
 */
import { Worker } from 'node:worker_threads';
import type { FastifyBaseLogger } from 'fastify';
import type { Limits } from '../limits.js';
import type { ProbeSummary } from '../probes/registry.js';
import type { AnalysisData, FromAnalysis, ToAnalysis } from './messages.js';

export interface AnalysisCounters {
  batches: number;
  /** Payloads not parsed because the thread lagged or was being restarted, and their packets. */
  shedBatches: number;
  shedPackets: number;
  /** Payloads that were no whole pcapng blocks. */
  damaged: number;
  restarts: number;
}

export interface AnalysisOptions {
  wasmFile: string;
  limits: Limits;
  log: FastifyBaseLogger;
  onSummary(probe: number, summary: ProbeSummary): void;
}

export class Analysis {
  readonly counters: AnalysisCounters = {
    batches: 0,
    shedBatches: 0,
    shedPackets: 0,
    damaged: 0,
    restarts: 0,
  };
  readonly #options: AnalysisOptions;
  /** The runs being analysed, by probe: a new thread is told of them again. */
  readonly #runs = new Map<number, { run: number; section: Uint8Array }>();
  #lastRun = 0;
  readonly #damageLogged = new Set<number>();
  #worker: Worker | null = null;
  #queuedBytes = 0;
  #backoff_ms: number;
  #restartTimer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: AnalysisOptions) {
    this.#options = options;
    this.#backoff_ms = options.limits.analysis_restart_min_ms;
    this.#start();
  }

  /** A new run: counts begin at zero. */
  open(probe: number, section: Uint8Array): void {
    const run = ++this.#lastRun;
    this.#runs.set(probe, { run, section });
    this.#damageLogged.delete(probe);
    this.#post({ type: 'open', probe, run, section });
  }

  /** Copies the payload (the frame's own bytes go on to viewers) and hands the copy over. */
  batch(probe: number, payload: Uint8Array, packets: number): void {
    if (!this.#worker || this.#queuedBytes + payload.length > this.#options.limits.analysis_queue_bytes) {
      this.counters.shedBatches++;
      this.counters.shedPackets += packets;
      return;
    }
    this.counters.batches++;
    this.#queuedBytes += payload.length;
    const copy = Uint8Array.prototype.slice.call(payload);
    this.#post({ type: 'batch', probe, payload: copy }, [copy.buffer as ArrayBuffer]);
  }

  forget(probe: number): void {
    this.#runs.delete(probe);
    this.#post({ type: 'close', probe });
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#restartTimer) clearTimeout(this.#restartTimer);
    await this.#worker?.terminate();
  }

  #post(message: ToAnalysis, transfer: ArrayBuffer[] = []): void {
    this.#worker?.postMessage(message, transfer);
  }

  #start(): void {
    const { wasmFile, limits } = this.#options;
    const workerData: AnalysisData = {
      wasmFile,
      summary_interval_ms: limits.summary_interval_ms,
      max_flows: limits.analysis_flows,
    };
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData });
    worker.on('message', (message: FromAnalysis) => this.#message(message));
    worker.on('error', (error) => this.#options.log.error(`analysis thread failed: ${error.message}`));
    worker.on('exit', () => this.#exited());
    this.#worker = worker;
    this.#queuedBytes = 0;
    for (const [probe, { run, section }] of this.#runs) this.#post({ type: 'open', probe, run, section });
  }

  #message(message: FromAnalysis): void {
    if (message.type === 'took') {
      this.#queuedBytes -= message.bytes;
      if (message.damaged !== null) this.#damaged(message.probe, message.damaged);
      return;
    }
    this.#backoff_ms = this.#options.limits.analysis_restart_min_ms;
    for (const [probe, run, summary] of message.summaries) {
      // A run that began meanwhile must not show its predecessor's numbers.
      if (this.#runs.get(probe)?.run === run) this.#options.onSummary(probe, summary);
    }
  }

  #damaged(probe: number, reason: string): void {
    this.counters.damaged++;
    if (this.#damageLogged.has(probe)) return;
    this.#damageLogged.add(probe);
    this.#options.log.warn({ probe }, `a payload cannot be parsed: ${reason}`);
  }

  #exited(): void {
    this.#worker = null;
    if (this.#closed) return;
    this.counters.restarts++;
    this.#restartTimer = setTimeout(() => this.#start(), this.#backoff_ms);
    this.#backoff_ms = Math.min(this.#backoff_ms * 2, this.#options.limits.analysis_restart_max_ms);
  }
}
