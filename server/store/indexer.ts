/**
 * Keeps the indexes of a store up to date: a thread of its own at the lowest priority makes one part after another,
 * newest segments first, those being written included. Reads the catalogue of its owner, on the owner's thread.
 */
import { closeSync, existsSync, openSync, unlinkSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { INDEX_EXTENTS_MAX } from '../../asm/host/block-index.js';
import type { Catalogue } from './catalogue.js';
import type { IndexDone, IndexJob } from './index-build.js';
import { INDEX_HEADER_BYTES, identityOf } from './index-file.js';
import type { StoreWorkerData } from './messages.js';
import { byStamp } from './order.js';
import type { Segment } from './segment.js';

const NICE_MAX = 19;
const LOOK_EVERY_MS = 1000;
/** After a failure a segment is left alone for so long. */
const RETRY_MS = 60_000;
/** A growing segment's part is made anew when it has grown by so many extents, or by a quarter. */
const GROWN_MIN = 4;

export interface IndexerOptions {
  /** Share of the time the thread may be busy, 0 to 1. */
  duty?: number;
  nice?: number;
  /** A sentence for people. */
  onProblem?: (problem: string) => void;
}

type Answer = IndexDone | { failure: string; code: string | null };

export class Indexer {
  readonly #catalogue: Catalogue;
  readonly #duty: number;
  readonly #onProblem: (problem: string) => void;
  readonly #worker: Worker;
  readonly #retry = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  #busy = false;
  #closed = false;
  /** Read and indexed so far, and the time it took. */
  bytes = 0;
  milliseconds = 0;

  constructor(catalogue: Catalogue, module: WebAssembly.Module, options: IndexerOptions = {}) {
    this.#catalogue = catalogue;
    this.#duty = options.duty ?? 1;
    this.#onProblem = options.onProblem ?? (() => {});
    const data: StoreWorkerData = { module, nice: options.nice ?? NICE_MAX };
    this.#worker = new Worker(new URL('./index-worker.js', import.meta.url), { workerData: data });
    this.#worker.unref();
    this.#worker.on('error', (error) => {
      this.#closed = true;
      this.#onProblem(`the indexing thread failed: ${error.message}; queries go on without new indexes`);
    });
  }

  /** Goes on for as long as the store is open. */
  start(): void {
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS);
    this.#timer.unref();
    void this.#look();
  }

  /** Everything that can be indexed now; resolves when that is done. */
  async catchUp(wanted: (segment: Segment) => boolean = () => true): Promise<void> {
    for (let next = this.#next(wanted); next && !this.#closed; next = this.#next(wanted))
      await this.#make(next);
  }

  async #look(): Promise<void> {
    if (this.#busy || this.#closed) return;
    this.#busy = true;
    try {
      this.#catalogue.refresh();
      await this.catchUp();
    } catch (error) {
      this.#onProblem(`indexing: ${(error as Error).message}`);
    } finally {
      this.#busy = false;
    }
  }

  #next(wanted: (segment: Segment) => boolean): Segment | undefined {
    const now = Date.now();
    return this.#catalogue
      .segments()
      .filter((segment) => isDue(segment) && wanted(segment) && (this.#retry.get(segment.stem) ?? 0) <= now)
      .sort((a, b) => Number(a.sealed) - Number(b.sealed) || byStamp(b, a))[0];
  }

  async #make(segment: Segment): Promise<void> {
    try {
      const answer = await this.#ask(jobOf(segment, this.#duty));
      if ('failure' in answer) throw Object.assign(new Error(answer.failure), { code: answer.code });
      this.bytes += answer.bytesRead;
      this.milliseconds += answer.milliseconds;
      if (existsSync(segment.path)) segment.reloadIndex();
      else unlinkSync(segment.indexPath); // retention was faster
    } catch (error) {
      this.#retry.set(segment.stem, Date.now() + RETRY_MS);
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return; // deleted meanwhile
      this.#onProblem(`${segment.indexPath} cannot be made: ${message}; queries scan the segment instead`);
    }
  }

  #ask(job: IndexJob): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => reject(error);
      this.#worker.once('error', failed);
      this.#worker.once('message', (answer: Answer) => {
        this.#worker.off('error', failed);
        resolve(answer);
      });
      this.#worker.postMessage(job);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearInterval(this.#timer);
    await this.#worker.terminate();
  }
}

/** Extents of the last part when it has room for more, else 0. */
function openPart(segment: Segment): number {
  const last = segment.index?.parts.at(-1);
  return last && last.extents.length < INDEX_EXTENTS_MAX ? last.extents.length : 0;
}

function isDue(segment: Segment): boolean {
  if (!segment.head) return false;
  const pending = segment.closed - segment.covered;
  if (segment.sealed) return pending > 0;
  return pending >= Math.max(GROWN_MIN, openPart(segment) / 4);
}

/** The next part of a segment that is due. Throws when the segment cannot be opened. */
function jobOf(segment: Segment, duty: number): IndexJob {
  const { parts } = segment.index ?? { parts: [] };
  const reopened = openPart(segment) > 0 ? parts.at(-1) : undefined;
  const firstExtent = reopened?.firstExtent ?? segment.covered;
  const last = parts.at(-1);
  const extents = segment.extents.slice(
    firstExtent,
    Math.min(segment.closed, firstExtent + INDEX_EXTENTS_MAX),
  );
  const fd = openSync(segment.path, 'r');
  try {
    return {
      path: segment.path,
      indexPath: segment.indexPath,
      identity: identityOf(fd, segment.head!, segment.extents[0]!),
      linktypes: segment.head!.interfaces.map(({ linktype }) => linktype),
      firstExtent,
      extents,
      at: reopened?.offset ?? (last ? last.offset + last.bytes : INDEX_HEADER_BYTES),
      duty,
    };
  } finally {
    closeSync(fd);
  }
}
