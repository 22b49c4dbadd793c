/** What an EngineClient and the engine in its worker say to each other. Structured-clone data; buffers are transferred. */
import type { EngineOptions } from './engine.js';
import type { FlowsOptions } from './flows.js';
import type { CaptureFormat, Flow, SeriesPoint, StreamError, Totals, TreeNode } from './types.js';

/** Packets as columns, entry i of each belonging to packet i. Buffers are the receiver's. */
export interface PacketColumns {
  length: number;
  /** Nanoseconds since the epoch; meaningless where `timed` is 0. */
  tsNs: BigInt64Array;
  /** 1 when the block carried a time. */
  timed: Uint8Array;
  caplen: Uint32Array;
  wirelen: Uint32Array;
  linktype: Uint32Array;
  ifindex: Uint16Array;
  /** Flow.id of the innermost flow; -1 when the packet has none. */
  flowId: Int32Array;
  /** 1 when the packet passed the filter. */
  matched: Uint8Array;
}

export interface Pushed {
  /** The chunk's own buffer, back for the next one. */
  buffer: ArrayBuffer;
  /** Packets that became whole, when asked for. */
  packets: PacketColumns | null;
  /** What stopped the stream, or null. */
  error: StreamError | null;
}

export interface Snapshot {
  totals: Totals;
  format: CaptureFormat;
  matched: number;
  flowCount: number;
  flowsEvicted: number;
  filterProblem: string | null;
}

/** Each operation with its argument and result. */
export interface Operations {
  load: { argument: { source: WebAssembly.Module | ArrayBuffer; options: EngineOptions }; result: unknown };
  begin: { argument: null; result: unknown };
  push: {
    argument: { buffer: ArrayBuffer; offset: number; length: number; packets: boolean };
    result: Pushed;
  };
  end: { argument: null; result: StreamError | null };
  reset: { argument: null; result: unknown };
  setFilter: { argument: string | null; result: unknown };
  snapshot: { argument: null; result: Snapshot };
  flows: { argument: FlowsOptions; result: Flow[] };
  series: { argument: number; result: SeriesPoint[] };
  decode: { argument: { linktype: number; bytes: Uint8Array; wirelen: number }; result: TreeNode[] };
}

export type Operation = keyof Operations;

export interface Request {
  id: number;
  operation: Operation;
  argument: unknown;
}

export interface Problem {
  name: 'EngineError' | 'FilterError' | 'Error';
  message: string;
  /** Of a FilterError, in the expression. */
  position: number | null;
}

export type Reply = { id: number; result: unknown } | { id: number; problem: Problem };

/**
 * One end of a channel between two threads. `webEnd` and `nodeEnd` make one from what the environment
 * has; anything else that carries structured clones in order will do.
 */
export interface ChannelEnd {
  post(message: unknown, transfer: ArrayBuffer[]): void;
  /** At most one listener. */
  listen(onMessage: (message: unknown) => void, onFailure: (reason: string) => void): void;
  close(): void;
}
