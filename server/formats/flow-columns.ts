/**
 * The columns of a flow record, once for every format. A writer asks a column for its value and prints
 * it; null means unknown. What the engine does not tell yet is looked up by name, so a field it learns to
 * fill appears in every format without a change here.
 */
import type { Flow } from '../../asm/host/index.js';

export type ColumnType =
  /** Text; may hold bytes a peer chose. */
  | 'text'
  /** A count or number, exact below 2^53. */
  | 'count'
  | 'port'
  /** Nanoseconds since the epoch (bigint). */
  | 'time_ns'
  /** Nanoseconds (bigint). */
  | 'interval_ns'
  /** Several texts. */
  | 'texts';

export type Value = string | number | bigint | string[] | null;

export interface Column {
  name: string;
  type: ColumnType;
  value(flow: Flow): Value;
}

/** A property that the engine may or may not fill, under its snake_case or camelCase name. */
function optional(flow: Flow, name: string): unknown {
  const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const record = flow as unknown as Record<string, unknown>;
  return record[camel] ?? record[name] ?? null;
}

function first(flow: Flow, names: string[]): unknown {
  for (const name of names) {
    const value = optional(flow, name);
    if (value !== null) return value;
  }
  return null;
}

const text = (name: string, ...others: string[]): Column => ({
  name,
  type: 'text',
  value: (flow) => {
    const value = first(flow, [name, ...others]);
    return value === null || value === '' ? null : String(value);
  },
});

const count = (name: string, ...others: string[]): Column => ({
  name,
  type: 'count',
  value: (flow) => {
    const value = first(flow, [name, ...others]);
    return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : null;
  },
});

const interval = (name: string, ...others: string[]): Column => ({
  name,
  type: 'interval_ns',
  value: (flow) => {
    const value = first(flow, [`${name}_ns`, ...others]);
    return typeof value === 'number' || typeof value === 'bigint' ? BigInt(value) : null;
  },
});

const texts = (name: string): Column => ({
  name,
  type: 'texts',
  value: (flow) => {
    const value = optional(flow, name);
    if (value === null) return null;
    return Array.isArray(value) ? value.map(String) : [String(value)];
  },
});

/** Last minus first packet; unknown for a single packet, as in Zeek. */
const duration: Column = {
  name: 'duration',
  type: 'interval_ns',
  value: (flow) => {
    const { firstTsNs, lastTsNs } = flow;
    return lastTsNs > firstTsNs ? lastTsNs - firstTsNs : null;
  },
};

export const COLUMNS: readonly Column[] = [
  { name: 'proto', type: 'text', value: (flow) => flow.proto },
  { name: 'orig_addr', type: 'text', value: (flow) => flow.origAddr },
  { name: 'orig_port', type: 'port', value: (flow) => flow.origPort },
  { name: 'resp_addr', type: 'text', value: (flow) => flow.respAddr },
  { name: 'resp_port', type: 'port', value: (flow) => flow.respPort },
  { name: 'first_ts', type: 'time_ns', value: (flow) => flow.firstTsNs },
  { name: 'last_ts', type: 'time_ns', value: (flow) => flow.lastTsNs },
  { name: 'orig_packets', type: 'count', value: (flow) => flow.origPackets },
  { name: 'resp_packets', type: 'count', value: (flow) => flow.respPackets },
  { name: 'orig_bytes', type: 'count', value: (flow) => flow.origBytes },
  { name: 'resp_bytes', type: 'count', value: (flow) => flow.respBytes },
  { name: 'ip_proto', type: 'count', value: (flow) => flow.ipProto },
  duration,
  text('uid'),
  text('community_id'),
  text('service'),
  text('conn_state'),
  text('history'),
  count('orig_ip_bytes'),
  count('resp_ip_bytes'),
  count('orig_payload_bytes'),
  count('resp_payload_bytes'),
  count('missed_bytes'),
  interval('rtt', 'tcp_rtt_ns', 'handshake_rtt_ns'),
  count('orig_retransmissions', 'orig_retransmits'),
  count('resp_retransmissions', 'resp_retransmits'),
  count('orig_out_of_order'),
  count('resp_out_of_order'),
  count('orig_zero_window', 'orig_zero_windows'),
  count('resp_zero_window', 'resp_zero_windows'),
  texts('tunnel_parents'),
];

/** The column of that name; a wrong name is a bug. */
export function column(name: string): Column {
  const found = COLUMNS.find((one) => one.name === name);
  if (!found) throw new Error(`no flow column ${name}`);
  return found;
}
