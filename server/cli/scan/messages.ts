/** What a scan of one file (or a part of one) is asked and answers: plain data, it crosses threads. */
import type { CaptureFormat, Totals } from '../../../asm/host/index.js';

/** A run of whole records of a file, read after the file's head (its header, or section and interfaces). */
export interface Part {
  head_bytes: number;
  from: number;
  to: number;
}

export interface ScanTask {
  file: string;
  filter: string | null;
  /** Null: the whole file. */
  part: Part | null;
  /** Only `matched` is wanted: packets need no decoding. */
  countOnly: boolean;
}

export interface ScanResult {
  format: CaptureFormat;
  totals: Totals;
  /** Packets that passed the filter. */
  matched: number;
  filterProblem: string | null;
  /** Why reading ended early, or null. */
  error: string | null;
}

export interface ScanWorkerData {
  module: WebAssembly.Module;
  tasks: readonly ScanTask[];
  shared: SharedArrayBuffer;
}

/** `index` is the task's. */
export type FromScanWorker = { index: number; result: ScanResult } | { index: number; failure: string };

/** What all scanning threads share: which task is next, and how many bytes were read. */
export class Progression {
  readonly shared: SharedArrayBuffer;
  readonly #counters: BigInt64Array;

  constructor(shared = new SharedArrayBuffer(16)) {
    this.shared = shared;
    this.#counters = new BigInt64Array(shared);
  }

  /** Index of a task that is now the caller's; beyond the last one when none is left. */
  take(): number {
    return Number(Atomics.add(this.#counters, 0, 1n));
  }

  readonly addBytes = (more: number): void => {
    Atomics.add(this.#counters, 1, BigInt(more));
  };

  get bytesRead(): number {
    return Number(Atomics.load(this.#counters, 1));
  }
}
