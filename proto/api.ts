/**
 * What the HTTP API about stored captures takes and answers: the types that gateway, dashboard and command
 * line share. Plain data. Times are text `seconds.nanoseconds` since 1970, as a JSON number cannot hold
 * them; null is unknown. Names are snake_case, as in /api/v1/status.
 */

/** What is asked for; all parts must hold. Given as query string or JSON body. */
export interface CaptureQuery {
  /** `now`, `now-5m`, ISO 8601 (UTC unless it says so) or seconds since 1970. From is included, to is not. */
  from?: string;
  to?: string;
  /** pcap-filter expression. */
  filter?: string;
  /** Fields of the flows a packet belongs to, or of the flows wanted. */
  service?: string;
  /** Server name of TLS or QUIC; `*.example.org` for all below. So is dns_name. */
  sni?: string;
  dns_name?: string;
  community_id?: string;
  conn_state?: string;
  /** More than so many bytes on the wire, both ways. */
  bytes_over?: number;
}

export type MissingReason = 'expired' | 'missing' | 'damaged' | 'forbidden';

export interface MissingAnswer {
  reason: MissingReason;
  segment: string | null;
  from: string | null;
  to: string | null;
  packets: number | null;
  message: string;
}

/** What an answer rests on; with every answer, also an empty one. */
export interface CoverageAnswer {
  from: string | null;
  to: string | null;
  segments: number;
  blocks_pruned: number;
  blocks_scanned: number;
  bytes_scanned: number;
  ring_drops: number | null;
  pool_drops: number | null;
  store_drops: number | null;
  truncated: number;
  missing: MissingAnswer[];
  stopped: 'limit' | 'cancelled' | 'timeout' | null;
}

export interface PacketAnswer {
  /** `SEGMENT:OFFSET`: stays what it is. */
  id: string;
  ts: string;
  ifindex: number;
  linktype: number;
  caplen: number;
  wirelen: number;
  source: string;
  destination: string;
  protocol: string;
  info: string;
}

export interface PacketPage {
  packets: PacketAnswer[];
  /** Ask again with it alone for what follows; null: there is no more now. */
  next: string | null;
  coverage: CoverageAnswer;
}

export interface TreeAnswer {
  field: string;
  label: string;
  value: string;
  offset: number;
  length: number;
  children: TreeAnswer[];
}

export interface PacketDetail extends PacketAnswer {
  /** Of the innermost flow; null without one. */
  community_id: string | null;
  /** Captured bytes, hexadecimal. */
  bytes: string;
}

export interface PacketTree {
  id: string;
  tree: TreeAnswer[];
  bytes: string;
}

/** A flow record: Zeek's conn fields and what the application layer says (server/flows/columns.ts). */
export interface FlowAnswer {
  /** `SEGMENT~NUMBER`. */
  id: string;
  segment: string;
  [field: string]: string | number | null;
}

export interface FlowPage {
  flows: FlowAnswer[];
  next: string | null;
  coverage: CoverageAnswer;
}

export interface FlowDetail {
  flow: FlowAnswer;
  /** Ids of all records of this connection, oldest first: one per segment it reaches into. */
  records: string[];
}

export interface StreamChunk {
  side: 'orig' | 'resp';
  ts: string;
  /** Position in this side's stream of bytes. */
  offset: number;
  /** Base64; null for a gap. */
  data: string | null;
  /** Bytes that the capture does not have; 0 for data. */
  gap_bytes: number;
}

export interface StreamSide {
  address: string;
  port: number;
  bytes: number;
  gap_bytes: number;
  packets: number;
}

export interface FlowStream {
  flow: string;
  protocol: string;
  orig: StreamSide;
  resp: StreamSide;
  chunks: StreamChunk[];
  /** More was there than the limit on bytes let through. */
  truncated: boolean;
  coverage: CoverageAnswer;
}

export interface SummaryAnswer {
  packets: number;
  captured_bytes: number;
  original_bytes: number;
  first_ts: string | null;
  last_ts: string | null;
  truncated: number;
  malformed: number;
  tcp_conversations: number;
  udp_conversations: number;
  protocols: Record<string, number>;
  series: { bin_seconds: number; points: { ts: string; packets: number; bytes: number }[] };
  talkers: Record<string, { key: string; bytes: number }[]>;
  distinct: Record<string, number>;
  coverage: CoverageAnswer;
}

export interface SegmentAnswer {
  segment: string;
  interface: string;
  run: string | null;
  stripe: number;
  stripes: number;
  from: string | null;
  to: string | null;
  packets: number;
  bytes: number;
  sealed: boolean;
  indexed: boolean;
}

export interface SegmentsAnswer {
  segments: SegmentAnswer[];
}

export interface TimelineBin {
  ts: string;
  packets: number;
  bytes: number;
  /** Lost by the recorder; null: nobody can tell. */
  drops: number | null;
  /** Recorder blocks that are missing from the files. */
  gaps: number;
}

export interface TimelineAnswer {
  from: string | null;
  to: string | null;
  bin_seconds: number;
  bins: TimelineBin[];
  /** Oldest packet still stored: before it retention deleted, or nothing was recorded. */
  retention_edge: string | null;
  missing: MissingAnswer[];
}

export interface SqlRequest {
  sql: string;
  /** Rows at most. */
  limit?: number;
}

export interface SqlAnswer {
  columns: { name: string; type: string }[];
  /** Values as JSON; what a number cannot hold is text. */
  rows: unknown[][];
  /** There were more rows than the limit. */
  truncated: boolean;
  milliseconds: number;
}

export type JobKind = 'packets' | 'flows' | 'summary';
export type JobState = 'waiting' | 'running' | 'done' | 'cancelled' | 'failed';

export interface JobRequest extends CaptureQuery {
  kind?: JobKind;
  /** Results at most. */
  limit?: number;
}

export interface JobAnswer {
  id: string;
  kind: JobKind;
  state: JobState;
  query: CaptureQuery;
  limit: number;
  created: string;
  /** When it is forgotten, with its results. */
  expires: string | null;
  progress: { bytes_done: number; bytes_total: number; packets: number };
  results: number;
  /** Known when it is over. */
  coverage: CoverageAnswer | null;
  error: string | null;
}

export interface JobList {
  queries: JobAnswer[];
}

/** Every error. */
export interface ErrorAnswer {
  error: string;
  message: string;
  /** Index into the filter expression where it is wrong. */
  position?: number;
}

/** Formats of exports and of a job's results. */
export type ExportFormat = 'ndjson' | 'csv' | 'parquet';

/** Every operation, by the name of the client's method: held against the OpenAPI document by a test. */
export const OPERATIONS = {
  status: ['get', '/api/v1/status'],
  openapi: ['get', '/api/v1/openapi.json'],
  createQuery: ['post', '/api/v1/queries'],
  queries: ['get', '/api/v1/queries'],
  query: ['get', '/api/v1/queries/{id}'],
  deleteQuery: ['delete', '/api/v1/queries/{id}'],
  queryEvents: ['get', '/api/v1/queries/{id}/events'],
  queryResults: ['get', '/api/v1/queries/{id}/results'],
  packets: ['get', '/api/v1/packets'],
  packet: ['get', '/api/v1/packets/{id}'],
  packetTree: ['get', '/api/v1/packets/{id}/tree'],
  exportPackets: ['get', '/api/v1/exports/packets'],
  flows: ['get', '/api/v1/flows'],
  flow: ['get', '/api/v1/flows/{id}'],
  flowStream: ['get', '/api/v1/flows/{id}/stream'],
  exportFlows: ['get', '/api/v1/exports/flows'],
  sql: ['post', '/api/v1/sql'],
  summary: ['get', '/api/v1/summary'],
  segments: ['get', '/api/v1/segments'],
  timeline: ['get', '/api/v1/timeline'],
  slice: ['get', '/api/v1/slice.pcapng'],
} as const;
export type Operation = keyof typeof OPERATIONS;
