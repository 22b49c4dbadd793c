/**
 * What a flow store is to those who ask it. DuckDB over Parquet files is one (duckdb.ts); a database across
 * the network may be another. Plain data, no I/O.
 */
import type { SqlAnswer } from '../../proto/api.js';
import type { WantedFlow } from '../jobs/decoder-messages.js';
import type { FlowFields } from '../jobs/query.js';
import type { Coverage, TimeRange } from '../store/types.js';

/** A flow record as JSON has it: times and intervals are text `seconds.nanoseconds`, unknown is null. */
export type FlowRow = { id: string; segment: string } & Record<string, string | number | null>;

export interface FlowQuestion {
  /** Flows that were there at some time of the range. */
  range: TimeRange;
  fields: FlowFields;
  /** Only these Community IDs; null for all. */
  communities: string[] | null;
}

export interface FlowOrder {
  /** A column that rows can be sorted by (SORT_COLUMNS). */
  column: string;
  descending: boolean;
}

export interface FlowPlace {
  /** The last row's sort value, as the store gave it, and its id. */
  value: string | number | null;
  id: string;
}

export interface FlowRows {
  rows: FlowRow[];
  /** Where the next page begins; null at the end. */
  next: FlowPlace | null;
}

export interface SqlLimits {
  rows: number;
  signal?: AbortSignal;
}

export interface FlowStore {
  /** Why it cannot answer; null when it can. */
  readonly problem: string | null;
  page(question: FlowQuestion, order: FlowOrder, limit: number, after: FlowPlace | null): Promise<FlowRows>;
  /** In groups, by time of the first packet. */
  rows(question: FlowQuestion, limit: number): AsyncGenerator<FlowRow[], void, void>;
  get(id: string): Promise<FlowRow | null>;
  /** All records with that Community ID, oldest first, at most `limit`. */
  ofCommunity(community: string, limit: number): Promise<FlowRow[]>;
  /** What an answer about that range rests on. */
  coverage(range: TimeRange): Promise<Coverage>;
  /** Runs a statement of a stranger. Throws RequestError for what it may not do and when limits are reached. */
  sql(sql: string, limits: SqlLimits): Promise<SqlAnswer>;
  close(): Promise<void>;
}

/** What identifies a flow's packets among others. */
export function wantedOf(row: FlowRow): WantedFlow {
  return {
    community: row.community_id as string,
    fromNs: nsOf(row.first_ts as string),
    toNs: nsOf(row.last_ts as string),
  };
}

/** Nanoseconds of `seconds.nanoseconds`. */
export function nsOf(text: string): bigint {
  const [, sign, seconds, digits] = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(text) as unknown as string[];
  const magnitude = BigInt(seconds as string) * 1_000_000_000n + BigInt((digits ?? '').padEnd(9, '0'));
  return sign ? -magnitude : magnitude;
}
