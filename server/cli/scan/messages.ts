/** What a scan of one file (or a part of one) is asked and answers: plain data, it crosses threads. */
import type { CaptureFormat, Totals } from '../../../asm/host/index.js';

/** A run of whole blocks of a recorder's segment, read after the segment's head (section and interfaces). */
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
  /** Bytes read so far by all threads, as one BigInt64 the threads add to. */
  read: SharedArrayBuffer;
}

export type FromScanWorker = { id: number; result: ScanResult } | { id: number; failure: string };
