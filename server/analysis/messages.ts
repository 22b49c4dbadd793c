/** What the gateway and its analysis thread say to each other. Payload buffers are transferred. */
import type { ProbeSummary } from '../probes/registry.js';

export interface AnalysisData {
  wasmFile: string;
  summary_interval_ms: number;
  max_flows: number;
}

export type ToAnalysis =
  /** A run begins: its section, and an empty engine. `run` comes back with its summaries. */
  | { type: 'open'; probe: number; run: number; section: Uint8Array }
  | { type: 'batch'; probe: number; payload: Uint8Array }
  | { type: 'close'; probe: number };

export type FromAnalysis =
  /** A batch has been parsed (or given up): its bytes no longer count as queued. */
  | { type: 'took'; bytes: number; damaged: string | null; probe: number }
  | { type: 'summaries'; summaries: (readonly [probe: number, run: number, summary: ProbeSummary])[] };
