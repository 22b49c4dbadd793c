/**
 * The columns of a stored flow record: those of every flow (formats/flow-columns.ts) and what the store adds:
 * identity, what the application layer said, and where the packets lie.
 */
import type { Flow } from '../../asm/host/index.js';
import { COLUMNS, type Column, type ColumnType, type Value } from '../formats/flow-columns.js';
import type { Cell, CellType, Row, TableColumn } from '../formats/table.js';
import { timeText } from '../jobs/range.js';

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

function cellOf({ type }: Column, value: Value): Cell {
  if (value === null) return null;
  if (type === 'texts') return (value as string[]).join(' ');
  return typeof value === 'bigint' ? timeText(value) : (value as Cell);
}

/** The row of a flow. */
export function rowOf(flow: Flow, extras: FlowExtras): Row {
  const row: Row = { ...extras };
  for (const column of COLUMNS) row[column.name] = cellOf(column, column.value(flow));
  return row;
}
