/**
 * The worker's side of the conversation: takes requests one at a time, feeds the probes' engines,
 * and reports the one on display. Reports are paced here, so a flood of batches cannot flood the
 * page. Runs on any MessagePort-like pair: a dedicated worker in the page, a MessageChannel in Node.
 */
import { type Engine, type EngineOptions, FilterError } from '../../asm/host/index.js';
import type { FlowSort, Report, Request } from './messages.js';
import { ProbeEngine } from './probe-engine.js';
import { rowCount, rowOf, type Segment } from './retention.js';

export interface Port {
  postMessage(message: Report, transfer: ArrayBuffer[]): void;
}

export type EngineLoader = (options: EngineOptions) => Promise<Engine>;

/** Flows a probe's engine keeps; the re-reading engine's flow table is of no use. */
export const MAX_FLOWS = 65_536;
const READER_MAX_FLOWS = 1024;

/** At most this often is the list, and the statistics, reported while packets flow. */
export const WINDOW_INTERVAL_MS = 50;
export const STATS_INTERVAL_MS = 500;

interface Frozen {
  segments: readonly Segment[];
  total: number;
  newer: number;
}

export class Service {
  readonly #port: Port;
  readonly #loadEngine: EngineLoader;
  readonly #probes = new Map<number, ProbeEngine>();
  #queue: Promise<void> = Promise.resolve();
  #shown: number | null = null;
  #sort: FlowSort = 'bytes';
  #expression: string | null = null;
  #view = { first: 0, count: 0 };
  #frozen: Frozen | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #windowDueMs: number | null = null;
  #statsDueMs: number | null = null;
  #lastWindowMs = 0;
  #lastStatsMs = 0;

  constructor(port: Port, loadEngine: EngineLoader) {
    this.#port = port;
    this.#loadEngine = loadEngine;
  }

  /** Load one engine to learn early whether it can be loaded at all. */
  async open(): Promise<void> {
    try {
      await this.#loadEngine({ maxFlows: READER_MAX_FLOWS });
      this.#post({ type: 'ready' });
    } catch (error) {
      this.#post({ type: 'failed', message: (error as Error).message });
    }
  }

  /** Requests are handled strictly in order, each to its end. */
  receive(request: Request): Promise<void> {
    this.#queue = this.#queue
      .then(() => this.#handle(request))
      .catch((error: Error) => {
        this.#post({ type: 'failed', message: error.message });
      });
    return this.#queue;
  }

  /** Stop the timer; nothing is reported afterwards. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #handle(request: Request): Promise<void> {
    switch (request.type) {
      case 'start':
        return this.#start(request.probe, request.section);
      case 'stop':
        this.#probes.delete(request.probe);
        return;
      case 'batch':
        return this.#batch(request);
      case 'show':
        if (request.probe !== this.#shown) this.#frozen = null;
        this.#shown = request.probe;
        this.#sort = request.sort;
        return this.#reportSoon(true);
      case 'view':
        this.#view = { first: request.first, count: request.count };
        return this.#reportWindow();
      case 'freeze':
        return this.#freeze(request.id, request.anchorNo);
      case 'thaw':
        this.#frozen = null;
        return this.#reportWindow();
      case 'filter':
        return this.#filter(request.id, request.expression);
      case 'open':
        return this.#open(request.id, request.no);
    }
  }

  async #start(probe: number, section: Uint8Array): Promise<void> {
    const counter = await this.#loadEngine({ maxFlows: MAX_FLOWS });
    const reader = await this.#loadEngine({ maxFlows: READER_MAX_FLOWS });
    const engine = new ProbeEngine(counter, reader, section);
    engine.filter(this.#expression, []);
    this.#probes.set(probe, engine);
  }

  #batch(batch: Extract<Request, { type: 'batch' }>): void {
    const payload = new Uint8Array(batch.buffer, batch.offset, batch.length);
    const engine = this.#probes.get(batch.probe);
    const taken = engine?.take(payload, batch.firstNo, batch.packets);
    this.#post({
      type: 'taken',
      probe: batch.probe,
      bytes: batch.length,
      packets: taken?.packets ?? 0,
      damage: taken ? taken.damage : 'a batch of a probe that never introduced itself',
    });
    if (batch.probe !== this.#shown || !taken) return;
    if (this.#frozen) this.#frozen.newer += taken.rows;
    this.#reportSoon();
  }

  #filter(id: number, expression: string | null): void {
    const error = this.#tryFilter(expression);
    this.#post({ type: 'filtered', id, error });
    if (error) return;
    this.#expression = expression;
    this.#recountFrozen();
    this.#reportWindow();
  }

  /** What is wrong with the expression, or null; then it is in force in every probe. */
  #tryFilter(expression: string | null): { message: string; position: number } | null {
    try {
      for (const engine of this.#probes.values()) this.#filterOne(engine, expression);
      return null;
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      for (const engine of this.#probes.values()) this.#filterOne(engine, this.#expression);
      return { message: error.message, position: error.position };
    }
  }

  #filterOne(engine: ProbeEngine, expression: string | null): void {
    engine.filter(expression, engine === this.#shownEngine ? (this.#frozen?.segments ?? []) : []);
  }

  // What came after the freeze and has been evicted since can no longer be filtered: it leaves the count.
  #recountFrozen(): void {
    const engine = this.#shownEngine;
    if (!this.#frozen || !engine) return;
    const last = this.#frozen.segments.at(-1);
    const end = last ? last.firstNo + last.packets : 0;
    this.#frozen.total = rowCount(this.#frozen.segments);
    this.#frozen.newer = rowCount(engine.retention.segments.filter((segment) => segment.firstNo >= end));
  }

  #freeze(id: number, anchorNo: number | null): void {
    const engine = this.#shownEngine;
    if (!engine) {
      this.#post({ type: 'frozen', id, index: 0, total: 0 });
      return;
    }
    if (!this.#frozen) {
      const segments = engine.retention.freeze();
      this.#frozen = { segments, total: rowCount(segments), newer: 0 };
      this.#view.first = Math.max(0, this.#frozen.total - this.#view.count);
    }
    const { segments, total } = this.#frozen;
    const index = anchorNo === null ? this.#view.first : rowOf(segments, anchorNo);
    this.#post({ type: 'frozen', id, index, total });
    this.#reportWindow();
  }

  #open(id: number, no: number): void {
    const engine = this.#shownEngine;
    const segments = this.#frozen?.segments ?? engine?.retention.segments ?? [];
    this.#post({ type: 'opened', id, packet: engine?.open(segments, no) ?? null });
  }

  get #shownEngine(): ProbeEngine | null {
    return this.#shown === null ? null : (this.#probes.get(this.#shown) ?? null);
  }

  #reportSoon(now = false): void {
    const nowMs = performance.now();
    this.#windowDueMs ??= now ? nowMs : Math.max(nowMs, this.#lastWindowMs + WINDOW_INTERVAL_MS);
    this.#statsDueMs ??= now ? nowMs : Math.max(nowMs, this.#lastStatsMs + STATS_INTERVAL_MS);
    this.#reportDue();
  }

  // Called after every batch as well as by the timer, so a full queue of batches cannot starve it.
  #reportDue(): void {
    const nowMs = performance.now();
    if (this.#windowDueMs !== null && this.#windowDueMs <= nowMs) this.#reportWindow();
    if (this.#statsDueMs !== null && this.#statsDueMs <= nowMs) this.#reportStats(nowMs);
    const due = Math.min(
      this.#windowDueMs ?? Number.POSITIVE_INFINITY,
      this.#statsDueMs ?? Number.POSITIVE_INFINITY,
    );
    if (this.#timer !== null || due === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#reportDue();
      },
      Math.max(0, due - nowMs),
    );
  }

  #reportWindow(): void {
    this.#windowDueMs = null;
    this.#lastWindowMs = performance.now();
    const engine = this.#shownEngine;
    if (!engine || this.#shown === null) return;
    const segments = this.#frozen?.segments ?? engine.retention.segments;
    const total = this.#frozen?.total ?? engine.rowCount;
    const { count } = this.#view;
    const first = this.#frozen ? this.#view.first : Math.max(0, total - count);
    const rows = engine.rows(segments, first, count);
    this.#post({
      type: 'window',
      window: {
        probe: this.#shown,
        frozen: this.#frozen !== null,
        first,
        total,
        rows,
        newer: this.#frozen?.newer ?? 0,
        retained: engine.retention.packets,
      },
    });
  }

  #reportStats(nowMs: number): void {
    this.#statsDueMs = null;
    this.#lastStatsMs = nowMs;
    const engine = this.#shownEngine;
    if (!engine || this.#shown === null) return;
    this.#post({ type: 'stats', stats: engine.stats(this.#shown, this.#sort, nowMs) });
  }

  #post(report: Report): void {
    this.#port.postMessage(report, []);
  }
}
