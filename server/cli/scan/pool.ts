/**
 * Scans on worker threads: one engine and one task at a time per thread. Results come back in the order
 * of the tasks. Threads share nothing but a counter of bytes read.
 */
import { Worker } from 'node:worker_threads';
import { Failure } from '../command.js';
import type { FromScanWorker, ScanResult, ScanTask, ScanWorkerData } from './messages.js';

interface Waiting {
  task: ScanTask;
  resolve(result: ScanResult): void;
  reject(error: Error): void;
}

export class ScanPool {
  readonly #workers: Worker[];
  readonly #queue: number[] = [];
  readonly #waiting = new Map<number, Waiting>();
  readonly #read = new SharedArrayBuffer(8);
  #next = 0;
  #failure: Error | null = null;

  constructor(module: WebAssembly.Module, threads: number) {
    const workerData: ScanWorkerData = { module, read: this.#read };
    this.#workers = Array.from({ length: threads }, () => {
      const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData });
      worker.on('error', (error) => this.#fail(error));
      return worker;
    });
    for (const worker of this.#workers) {
      worker.on('message', (message: FromScanWorker) => {
        this.#settle(message);
        this.#give(worker);
      });
    }
  }

  get bytesRead(): number {
    return Number(Atomics.load(new BigInt64Array(this.#read), 0));
  }

  /** The result of each task, in their order; rejects when a thread fails. */
  run(tasks: ScanTask[]): Promise<ScanResult>[] {
    const results = tasks.map(
      (task) =>
        new Promise<ScanResult>((resolve, reject) => {
          const id = this.#next++;
          this.#waiting.set(id, { task, resolve, reject });
          this.#queue.push(id);
        }),
    );
    for (const result of results) result.catch(() => {}); // whoever awaits it hears of it
    for (const worker of this.#workers) this.#give(worker);
    return results;
  }

  #give(worker: Worker): void {
    const id = this.#failure ? undefined : this.#queue.shift();
    if (id !== undefined) worker.postMessage({ id, task: this.#waiting.get(id)?.task });
  }

  #settle(message: FromScanWorker): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ('result' in message) waiting?.resolve(message.result);
    else waiting?.reject(new Failure(message.failure));
  }

  #fail(error: Error): void {
    this.#failure = new Failure(`a scanning thread failed: ${error.message}`);
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
