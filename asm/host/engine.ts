/** The engine's public class (signatures first; bodies follow in the next commits). */
import { EngineError } from './errors.js';
import type { PacketRows } from './rows.js';
import type { CaptureFormat, Flow, SeriesPoint, StreamError, Totals, TreeNode } from './types.js';

export interface EngineOptions {
  /** Flows kept at once; beyond it the least recently seen are evicted. Default 262144. */
  maxFlows?: number;
  /** Seed of the flow hash; random by default. Give one for repeatable tests. */
  seed?: bigint;
}
export interface FlowsOptions {
  sort?: 'bytes' | 'packets' | 'last' | 'first';
  limit?: number;
}
/** The texts of one packet-list line. */
export interface Description {
  source: string;
  destination: string;
  protocol: string;
  info: string;
}

const later = (): never => {
  throw new EngineError('under construction');
};

export class Engine {
  static async load(
    _source: WebAssembly.Module | BufferSource,
    _options: EngineOptions = {},
  ): Promise<Engine> {
    return later();
  }
  /** Start a new stream; totals, flows and series are kept. */
  begin(): void {
    later();
  }
  /** Feed bytes, split anywhere. Rows are valid only during the callback. */
  push(_chunk: Uint8Array, _onRows?: (rows: PacketRows) => void): void {
    later();
  }
  /** End of input. Null when the stream was whole. */
  end(): StreamError | null {
    return later();
  }
  /** Forget everything but the filter. */
  reset(): void {
    later();
  }
  get error(): StreamError | null {
    return later();
  }
  get format(): CaptureFormat {
    return later();
  }
  get flowCount(): number {
    return later();
  }
  get flowsEvicted(): number {
    return later();
  }
  /** Packets that passed the filter so far; all of them when none is set. */
  get matched(): number {
    return later();
  }
  totals(): Totals {
    return later();
  }
  flows(_options: FlowsOptions = {}): Flow[] {
    return later();
  }
  /** Traffic per second over the last SERIES_SECONDS seconds, oldest first. */
  series(_sinceSec?: number): SeriesPoint[] {
    return later();
  }
  /** Throws FilterError with the position in the expression. Null or blank removes the filter. */
  setFilter(_expression: string | null): void {
    later();
  }
  /** Packet tree with byte ranges. Never throws on hostile bytes. */
  decode(_linktype: number, _bytes: Uint8Array, _wirelen?: number): TreeNode[] {
    return later();
  }
  describe(_linktype: number, _bytes: Uint8Array, _wirelen?: number): Description {
    return later();
  }
}
