/**
 * Scans on several threads: the calling one and workers, one engine each. Every thread takes the next task
 * when it is done with one, so nobody waits for anybody, and a worker that starts late does less. Threads
 * share nothing but two counters.
 */
import { Worker } from 'node:worker_threads';
import type { Engine } from '../../../asm/host/index.js';
import { Failure } from '../command.js';
import {
  type FromScanWorker,
  Progression,
  type ScanResult,
  type ScanTask,
  type ScanWorkerData,
} from './messages.js';
import { scan } from './scan.js';

interface Waiting {
  resolve(result: ScanResult): void;
  reject(error: Error): void;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

export class ScanCrew {
  /** The result of each task, in their order; they reject when a thread fails. */
  readonly results: readonly Promise<ScanResult>[];
  readonly #waiting: Waiting[] = [];
  readonly #progression = new Progression();
  readonly #workers: Worker[];
  #closed = false;

  /** `threads` is at least 2, the calling thread included, whose engine is `engine`. */
  constructor(module: WebAssembly.Module, engine: Engine, tasks: readonly ScanTask[], threads: number) {
    this.results = tasks.map(
      (_, index) =>
        new Promise<ScanResult>((resolve, reject) => {
          this.#waiting[index] = { resolve, reject };
        }),
    );
    for (const result of this.results) result.catch(() => {}); // whoever awaits it hears of it
    const workerData: ScanWorkerData = { module, tasks, shared: this.#progression.shared };
    this.#workers = Array.from({ length: threads - 1 }, () => {
      const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData });
      worker.on('message', (message: FromScanWorker) => this.#settle(message));
      worker.on('error', (error) => this.#fail(error));
      return worker;
    });
    this.#work(engine, tasks).catch((error) => this.#fail(error));
  }

  get bytesRead(): number {
    return this.#progression.bytesRead;
  }

  /** This thread's share. Between tasks results of the others, timers and signals are heard. */
  async #work(engine: Engine, tasks: readonly ScanTask[]): Promise<void> {
    for (
      let index = this.#progression.take();
      index < tasks.length && !this.#closed;
      index = this.#progression.take()
    ) {
      const result = await scan(engine, tasks[index] as ScanTask, this.#progression.addBytes);
      this.#waiting[index]?.resolve(result);
      await turn();
    }
  }

  #settle(message: FromScanWorker): void {
    const waiting = this.#waiting[message.index];
    if ('result' in message) waiting?.resolve(message.result);
    else waiting?.reject(new Failure(message.failure));
  }

  #fail(error: Error): void {
    const failure =
      error instanceof Failure ? error : new Failure(`a scanning thread failed: ${error.message}`);
    for (const { reject } of this.#waiting) reject(failure);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
