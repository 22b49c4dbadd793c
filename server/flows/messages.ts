/** What passes between the gateway and the thread that makes flow records. Plain data. */
import type { Member } from './segment-flows.js';

export interface FlowThreadData {
  wasmFile: string;
  max_flows: number;
  read_bytes_per_second: number;
}

/** Reads on in a segment (or all stripes of one), and writes what it found. */
export interface FlowTask {
  /** Of the first member. */
  stem: string;
  members: Member[];
  /** Final file; growing ones lie beside it. */
  path: string;
  sealed: boolean;
}

export interface FlowResult {
  stem: string;
  /** The final file is there. */
  done: boolean;
  flows: number;
  /** Blocks that could not be read to their end. */
  damaged: number;
  error: string | null;
}

export type ToFlowThread = { type: 'work'; task: FlowTask } | { type: 'forget'; stem: string };
