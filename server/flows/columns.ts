/**
 * The columns of a stored flow record: those of every flow (formats/flow-columns.ts) and what the store adds:
 * identity, what the application layer said, and where the packets lie.
 */
import type { Flow } from '../../asm/host/index.js';
import { COLUMNS, type ColumnType, type Value } from '../formats/flow-columns.js';
import type { CellType, StoredCell, TableColumn } from '../formats/table.js';

/** What a record has beyond the engine's flow. */
export interface FlowExtras {
  /** `SEGMENT~NUMBER`. */
  id: string;
  segment: string;
  /** Of TLS or QUIC, from the client's hello. */
  sni: string | null;
  /** Offered protocols, separated by spaces. */
  alpn: string | null;
  ja4: string | null;
  /** Names asked for by DNS, separated by spaces; bounded. */
  dns_names: string | null;
  http_host: string | null;
  user_agent: string | null;
  /** Id of the first packet whose innermost flow this is; null for a flow that only carries others. */
  first_packet: string | null;
  /**
   * Ids of its first packet in each 4 MiB of a segment, separated by spaces: reading from each to the end of
   * those 4 MiB finds all its packets, if `blocks_complete` is 1.
   */
  blocks: string | null;
  blocks_complete: number;
}

const EXTRA_COLUMNS: readonly TableColumn[] = [
  { name: 'sni', type: 'text' },
  { name: 'alpn', type: 'text' },
  { name: 'ja4', type: 'text' },
  { name: 'dns_names', type: 'text' },
  { name: 'http_host', type: 'text' },
  { name: 'user_agent', type: 'text' },
  { name: 'first_packet', type: 'text' },
  { name: 'blocks', type: 'text' },
  { name: 'blocks_complete', type: 'port' },
];

const TYPES: Record<ColumnType, CellType> = {
  text: 'text',
  texts: 'text',
  count: 'count',
  port: 'port',
  time_ns: 'time',
  interval_ns: 'interval',
};

/** In the order of every format. */
export const FLOW_ROW_COLUMNS: readonly TableColumn[] = [
  { name: 'id', type: 'text' },
  { name: 'segment', type: 'text' },
  ...COLUMNS.map(({ name, type }) => ({ name, type: TYPES[type] })),
  ...EXTRA_COLUMNS,
];

/** A record as it is stored: a cell per column of FLOW_ROW_COLUMNS; times and intervals are bigint nanoseconds. */
export type FlowRecord = StoredCell[];

const EXTRA_NAMES = EXTRA_COLUMNS.map(({ name }) => name as keyof FlowExtras);

/** An array and no object: there are a hundred thousand of them, of fifty cells each. */
export function recordOf(flow: Flow, extras: FlowExtras): FlowRecord {
  const record: FlowRecord = [extras.id, extras.segment];
  for (const column of COLUMNS) {
    const value: Value = column.value(flow);
    record.push(Array.isArray(value) ? value.join(' ') : value);
  }
  for (const name of EXTRA_NAMES) record.push(extras[name]);
  return record;
}
