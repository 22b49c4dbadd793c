/**
 * The store's scanning threads, shared fairly: each query is a lane with tasks of its own, and the lanes
 * take turns, so that a cheap query does not wait for a long one. What lanes have not yet consumed is
 * bounded: beyond RESULT_BYTES_MAX a lane gets no more threads until it takes what it has.
 */
import { Worker } from 'node:worker_threads';
import { FilterError } from '../../asm/host/errors.js';
import type { ScanFailure, ScanResult, ScanTask, StoreWorkerData } from './messages.js';

const RESULT_BYTES_MAX = 256 << 20;

interface Job {
  task: ScanTask;
  lane: Lane;
  /** Who does it; null while it waits. */
  worker: Worker | null;
  resolve(result: ScanResult): void;
  reject(error: Error): void;
}

/** Who does the tasks of one query. */
export interface TaskRunner {
  run(task: Omit<ScanTask, 'id'>): Promise<ScanResult>;
  /** The result was consumed. */
  release(result: ScanResult): void;
}

/** The tasks of one query. */
export class Lane implements TaskRunner {
  readonly jobs: Job[] = [];
  /** Results held by their consumer or on their way to it. */
  bytes = 0;
  readonly #pool: ScanPool;

  constructor(pool: ScanPool) {
    this.#pool = pool;
  }

  /** Resolves when a thread has done it. The result's bytes count until `release`. */
  run(task: Omit<ScanTask, 'id'>): Promise<ScanResult> {
    return this.#pool.add(this, task);
  }

  /** The result was consumed. */
  release(result: ScanResult): void {
    this.#pool.release(this, result.bytes.length);
  }

  /** Tasks not yet begun are dropped: their promises never settle. Results on their way are let go. */
  close(): void {
    this.#pool.leave(this);
  }
}

export class ScanPool {
  readonly #data: StoreWorkerData;
  readonly #threads: number;
  readonly #workers: Worker[] = [];
  readonly #idle: Worker[] = [];
  /** Lanes with tasks waiting; whose turn it is comes first. */
  #lanes: Lane[] = [];
  readonly #running = new Map<number, Job>();
  #held = 0;
  #next = 0;
  #closed = false;

  constructor(module: WebAssembly.Module, threads: number, nice: number) {
    this.#data = { module, nice };
    this.#threads = threads;
  }

  lane(): Lane {
    return new Lane(this);
  }

  get threads(): number {
    return this.#threads;
  }

  add(lane: Lane, task: Omit<ScanTask, 'id'>): Promise<ScanResult> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Error('the store is closed'));
      lane.jobs.push({ task: { ...task, id: this.#next++ }, lane, worker: null, resolve, reject });
      if (!this.#lanes.includes(lane)) this.#lanes.push(lane);
      this.#dispatch();
    });
  }

  release(lane: Lane, bytes: number): void {
    lane.bytes -= bytes;
    this.#held -= bytes;
    this.#dispatch();
  }

  leave(lane: Lane): void {
    lane.jobs.length = 0;
    this.#lanes = this.#lanes.filter((other) => other !== lane);
    this.#held -= lane.bytes;
    lane.bytes = 0;
    for (const job of this.#running.values()) if (job.lane === lane) job.resolve = () => {};
  }

  #dispatch(): void {
    for (;;) {
      const job = this.#pick();
      if (!job) return;
      const worker = this.#idle.pop() ?? this.#start();
      job.worker = worker;
      this.#running.set(job.task.id, job);
      worker.postMessage(job.task);
    }
  }

  /** The next lane's first task, when a thread is free for it. */
  #pick(): Job | undefined {
    if (this.#idle.length === 0 && this.#workers.length >= this.#threads) return undefined;
    for (let turn = this.#lanes.length; turn > 0; turn--) {
      const lane = this.#lanes.shift() as Lane;
      if (this.#held > RESULT_BYTES_MAX && lane.bytes > 0) {
        this.#lanes.push(lane);
        continue;
      }
      const job = lane.jobs.shift();
      if (lane.jobs.length > 0) this.#lanes.push(lane);
      if (job) return job;
    }
    return undefined;
  }

  #start(): Worker {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: this.#data });
    this.#workers.push(worker);
    worker.unref();
    worker.on('message', (message: ScanResult | ScanFailure) => {
      this.#idle.push(worker);
      this.#settle(message);
      this.#dispatch();
      this.#keepAlive();
    });
    worker.on('error', (error) => this.#fail(worker, error));
    return worker;
  }

  #settle(message: ScanResult | ScanFailure): void {
    const job = this.#running.get(message.id);
    this.#running.delete(message.id);
    if (!job) return;
    if ('message' in message) {
      const { message: text, position } = message;
      job.reject(position === null ? new Error(text) : new FilterError(text, position));
      return;
    }
    job.lane.bytes += message.bytes.length;
    this.#held += message.bytes.length;
    job.resolve(message);
  }

  /** Idle threads close their files, so that what retention deletes is freed. */
  #keepAlive(): void {
    if (this.#running.size === 0 && this.#lanes.length === 0)
      for (const worker of this.#workers) worker.postMessage('idle');
  }

  /** The query whose task it had fails; another thread takes its place when there is work. */
  #fail(worker: Worker, error: Error): void {
    remove(this.#workers, worker);
    remove(this.#idle, worker);
    for (const [id, job] of this.#running) {
      if (job.worker !== worker) continue;
      this.#running.delete(id);
      job.reject(new Error(`a scanning thread of the store failed: ${error.message}`));
    }
    this.#dispatch();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
