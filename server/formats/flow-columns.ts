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

/** What a flow says under one of its names, checked by the compiler; null when the engine does not know. */
function optional(name: keyof Flow): (flow: Flow) => unknown {
  return (flow) => flow[name] ?? null;
}

function text(name: string, source: keyof Flow): Column {
  const read = optional(source);
  const value = (flow: Flow) => {
    const found = read(flow);
    return found === null || found === '' ? null : String(found);
  };
  return { name, type: 'text', value };
}

function count(name: string, source: keyof Flow): Column {
  const read = optional(source);
  const value = (flow: Flow) => {
    const found = read(flow);
    return typeof found === 'number' || typeof found === 'bigint' ? Number(found) : null;
  };
  return { name, type: 'count', value };
}

function interval(name: string, source: keyof Flow): Column {
  const read = optional(source);
  const value = (flow: Flow) => {
    const found = read(flow);
    return typeof found === 'number' || typeof found === 'bigint' ? BigInt(found) : null;
  };
  return { name, type: 'interval_ns', value };
}

function texts(name: string, source: keyof Flow): Column {
  const read = optional(source);
  const value = (flow: Flow) => {
    const found = read(flow);
    return Array.isArray(found) && found.length ? found.map(String) : null;
  };
  return { name, type: 'texts', value };
}

const lasting = optional('durationNs');

/** The engine's, else last minus first packet; unknown for a single packet, as in Zeek. */
const duration: Column = {
  name: 'duration',
  type: 'interval_ns',
  value: (flow) => {
    const found = (lasting(flow) as bigint | null) ?? flow.lastTsNs - flow.firstTsNs;
    return found > 0n ? found : null;
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
  text('uid', 'uid'),
  text('community_id', 'communityId'),
  text('service', 'service'),
  text('conn_state', 'connState'),
  text('history', 'history'),
  count('orig_ip_bytes', 'origIpBytes'),
  count('resp_ip_bytes', 'respIpBytes'),
  count('orig_payload_bytes', 'origPayloadBytes'),
  count('resp_payload_bytes', 'respPayloadBytes'),
  count('missed_bytes', 'missedBytes'),
  interval('rtt', 'handshakeRttNs'),
  interval('syn_ack_rtt', 'synAckRttNs'),
  interval('ack_rtt', 'ackRttNs'),
  count('orig_retransmits', 'origRetransmits'),
  count('resp_retransmits', 'respRetransmits'),
  count('orig_out_of_order', 'origOutOfOrder'),
  count('resp_out_of_order', 'respOutOfOrder'),
  count('orig_zero_windows', 'origZeroWindows'),
  count('resp_zero_windows', 'respZeroWindows'),
  count('vlan', 'vlan'),
  count('inner_vlan', 'innerVlan'),
  texts('tunnel_parents', 'tunnelParents'),
  text('ended', 'ended'),
];

/** The column of that name; a wrong name is a bug. */
export function column(name: string): Column {
  const found = COLUMNS.find((one) => one.name === name);
  if (!found) throw new Error(`no flow column ${name}`);
  return found;
}
