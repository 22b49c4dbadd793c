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

/**
 * Reads the first of some properties that the engine may or may not fill, under their snake_case or
 * camelCase names. Names are made once: this runs for every cell of a hundred thousand flows.
 */
function optional(...names: string[]): (flow: Flow) => unknown {
  const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const keys = names.flatMap((name) => [...new Set([camel(name), name])]);
  return (flow) => {
    const record = flow as unknown as Record<string, unknown>;
    for (const key of keys) {
      const value = record[key];
      if (value !== undefined && value !== null) return value;
    }
    return null;
  };
}

function text(...names: string[]): Column {
  const read = optional(...names);
  const value = (flow: Flow) => {
    const found = read(flow);
    return found === null || found === '' ? null : String(found);
  };
  return { name: names[0] as string, type: 'text', value };
}

function count(...names: string[]): Column {
  const read = optional(...names);
  const value = (flow: Flow) => {
    const found = read(flow);
    return typeof found === 'number' || typeof found === 'bigint' ? Number(found) : null;
  };
  return { name: names[0] as string, type: 'count', value };
}

function interval(name: string, ...properties: string[]): Column {
  const read = optional(`${name}_ns`, ...properties);
  const value = (flow: Flow) => {
    const found = read(flow);
    return typeof found === 'number' || typeof found === 'bigint' ? BigInt(found) : null;
  };
  return { name, type: 'interval_ns', value };
}

function texts(name: string): Column {
  const read = optional(name);
  const value = (flow: Flow) => {
    const found = read(flow);
    if (found === null) return null;
    return Array.isArray(found) ? found.map(String) : [String(found)];
  };
  return { name, type: 'texts', value };
}

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
