/**
 * Runs a query: plans it, keeps a few tasks in the pool, hands their packet blocks out in stored order and
 * gathers the coverage. Holds only results on their way. A segment that goes away meanwhile is a stated gap.
 */
import type { Catalogue } from './catalogue.js';
import { CoverageBuilder, overlaps } from './coverage.js';
import type { PieceResult, ScanResult } from './messages.js';
import type { Pruner } from './order.js';
import { type PlannedPiece, type PlannedTask, parseCursor, plan } from './plan.js';
import type { ScanPool, TaskRunner } from './pool.js';
import type { Segment } from './segment.js';
import type { Extent, Hole } from './segment-file.js';
import type { Coverage, PacketQuery, ScanOptions, TimeRange } from './types.js';

/** Packet blocks of an answer as they lie in their segments. Valid until the next one is asked for. */
export interface Batch {
  bytes: Uint8Array;
  /** Where each packet block starts in `bytes`, and in its segment. */
  starts: Uint32Array;
  offsets: Float64Array;
  /** Whose they are, in order. */
  parts: { segment: Segment; packets: number }[];
}

export interface ScanContext {
  catalogue: Catalogue;
  pool: ScanPool;
  prune: Pruner;
  /** Does the first tasks, when it is there. */
  inline: TaskRunner | null;
}

/** Tasks done without the pool, when that is wanted. */
const INLINE_TASKS = 2;
/** An answer of at most so many packets is likely to be complete with them. */
const FEW_PACKETS = 10_000;

export async function* scanBatches(
  { catalogue, pool, prune, inline }: ScanContext,
  query: PacketQuery,
  options: ScanOptions,
): AsyncGenerator<Batch, Coverage, void> {
  const coverage = new CoverageBuilder(query.range);
  const cursor = options.after === undefined ? null : parseCursor(options.after);
  const tasks = plan(catalogue, query.range, cursor, prune, coverage);
  noteMissing(catalogue, query.range, coverage);
  const lane = pool.lane();
  const run = new Run(catalogue, query, options, coverage, tasks, inline, lane);
  try {
    yield* run.batches(pool.threads + 1);
  } finally {
    lane.close();
  }
  return coverage.result();
}

/** What is known to be lacking before anything is read. */
export function noteMissing(catalogue: Catalogue, range: TimeRange, coverage: CoverageBuilder): void {
  for (const segment of catalogue.expired().values())
    if (overlaps(range, segment.range.fromNs, segment.range.toNs && segment.range.toNs - 1n))
      coverage.expired(segment);
  for (const segment of catalogue.missing()) {
    const [first, last] = [segment.extents.at(0)?.firstNs ?? null, segment.extents.at(-1)?.lastNs ?? null];
    const packets = segment.extents.reduce((sum, extent) => sum + extent.packets, 0);
    const whole = { fromNs: first, toNs: last === null ? null : last + 1n };
    if (overlaps(range, first, last)) coverage.gone(segment, whole, packets, false);
  }
  for (const segment of catalogue.segments()) {
    if (segment.problem) coverage.unreadable(segment, segment.problem);
    for (const hole of segment.holes) {
      const between = around(segment, hole);
      if (overlaps(range, between.fromNs, between.toNs && between.toNs - 1n))
        coverage.damaged(segment, hole, between);
    }
  }
}

/** Between which stamps a hole lies. */
function around({ extents }: Segment, { offset }: Hole): TimeRange {
  const before = extents.findLast((extent) => extent.offset < offset && extent.packets > 0);
  const behind = extents.find((extent) => extent.offset > offset && extent.packets > 0);
  return { fromNs: before?.lastNs ?? null, toNs: behind ? behind.firstNs + 1n : null };
}

/** Stamps of the extents that a hole is in. */
function within(extents: readonly Extent[], { offset, bytes }: Hole): TimeRange {
  const hit = extents.filter(
    (extent) => extent.offset < offset + bytes && offset < extent.offset + extent.bytes,
  );
  return { fromNs: hit[0]?.firstNs ?? null, toNs: hit.length ? hit.at(-1)!.lastNs + 1n : null };
}

interface Begun {
  task: PlannedTask;
  runner: TaskRunner;
  result: Promise<ScanResult>;
}

class Run {
  readonly #catalogue: Catalogue;
  readonly #query: PacketQuery;
  readonly #options: ScanOptions;
  readonly #coverage: CoverageBuilder;
  readonly #tasks: PlannedTask[];
  readonly #inline: TaskRunner | null;
  readonly #lane: TaskRunner;
  readonly #gone = new Set<Segment>();
  #left: number;
  #packets = 0;
  #bytesDone = 0;
  readonly #bytesTotal: number;

  constructor(
    catalogue: Catalogue,
    query: PacketQuery,
    options: ScanOptions,
    coverage: CoverageBuilder,
    tasks: PlannedTask[],
    inline: TaskRunner | null,
    lane: TaskRunner,
  ) {
    this.#catalogue = catalogue;
    this.#query = query;
    this.#options = options;
    this.#coverage = coverage;
    this.#tasks = tasks;
    this.#bytesTotal = tasks.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#inline = inline;
    this.#lane = lane;
    this.#left = options.limit ?? Number.MAX_SAFE_INTEGER;
  }

  async *batches(window: number): AsyncGenerator<Batch, void, void> {
    const { signal } = this.#options;
    const waiting: Begun[] = [];
    let next = 0;
    for (let done = 0; done < this.#tasks.length; done++) {
      const ahead = this.#inline && done < INLINE_TASKS && this.#left <= FEW_PACKETS ? 1 : window;
      while (next < this.#tasks.length && waiting.length < ahead && this.#left > 0)
        waiting.push(this.#begin(next++));
      if (signal?.aborted || this.#left === 0) break;
      const { task, runner, result } = waiting.shift() as Begun;
      const outcome = await settled(result, signal);
      if (!outcome) break;
      const batch = this.#take(task, outcome);
      this.#report();
      if (batch.starts.length > 0) yield batch;
      runner.release(outcome);
    }
    if (signal?.aborted) this.#coverage.stopped = isTimeout(signal) ? 'timeout' : 'cancelled';
    else if (this.#left === 0) this.#coverage.stopped = 'limit';
  }

  #begin(number: number): Begun {
    const task = this.#tasks[number] as PlannedTask;
    const runner = this.#inline && number < INLINE_TASKS ? this.#inline : this.#lane;
    const result = runner.run({
      filter: this.#query.filter,
      ...this.#query.range,
      pieces: task.pieces.map(({ piece }) => piece),
      limit: this.#left,
      withoutBytes: this.#options.withoutBytes ?? false,
    });
    result.catch(() => {}); // whoever awaits it hears of it
    return { task, runner, result };
  }

  #take(task: PlannedTask, result: ScanResult): Batch {
    const packets = Math.min(result.starts.length, this.#left);
    const parts = task.pieces.map((planned, i) => this.#part(planned, result.pieces[i] as PieceResult));
    this.#left -= packets;
    this.#packets += packets;
    this.#bytesDone += task.bytes;
    const { bytes, starts, offsets } = result;
    if (packets === starts.length) this.#coverage.truncated += result.truncated;
    else this.#countTruncated(bytes, starts.subarray(0, packets));
    return { bytes, starts: starts.subarray(0, packets), offsets: offsets.subarray(0, packets), parts };
  }

  #part(
    { segment, extents, piece }: PlannedPiece,
    result: PieceResult,
  ): { segment: Segment; packets: number } {
    if (result.failure === null) for (const extent of extents) this.#coverage.look(segment, extent, true);
    else this.#lost(segment, piece.offset, result.failure);
    for (const hole of result.damaged) this.#coverage.damaged(segment, hole, within(extents, hole));
    return { segment, packets: result.found };
  }

  /** Once per segment: the gap is from its first extent that could not be read to its end. */
  #lost(segment: Segment, offset: number, errno: string): void {
    if (this.#gone.has(segment)) return;
    this.#gone.add(segment);
    if (errno !== 'ENOENT') {
      this.#coverage.unreadable(segment, `it cannot be read: ${errno}`);
      return;
    }
    const planned = this.#tasks
      .flatMap(({ pieces }) => pieces)
      .filter((one) => one.segment === segment && one.piece.offset >= offset);
    const extents = planned.flatMap((piece) => piece.extents);
    const range = { fromNs: extents[0]?.firstNs ?? null, toNs: (extents.at(-1)?.lastNs ?? 0n) + 1n };
    const packets = extents.reduce((sum, extent) => sum + extent.packets, 0);
    this.#coverage.gone(segment, range, packets, this.#catalogue.expired().has(segment.stem));
  }

  #countTruncated(bytes: Uint8Array, starts: Uint32Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (const start of starts)
      if (view.getUint32(start + 20, true) < view.getUint32(start + 24, true)) this.#coverage.truncated++;
  }

  #report(): void {
    const [bytesDone, bytesTotal] = [this.#bytesDone, this.#bytesTotal];
    this.#options.onProgress?.({ bytesDone, bytesTotal, packets: this.#packets });
  }
}

const isTimeout = ({ reason }: AbortSignal) => reason instanceof Error && reason.name === 'TimeoutError';

/** Null when the signal came first. */
function settled(result: Promise<ScanResult>, signal: AbortSignal | undefined): Promise<ScanResult | null> {
  if (!signal) return result;
  return new Promise((resolve, reject) => {
    const abort = () => resolve(null);
    signal.addEventListener('abort', abort, { once: true });
    result.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
