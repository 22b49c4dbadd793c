/**
 * Flows as Zeek's conn.log: tab-separated with the header that zeek-cut and Zeek's own readers expect.
 * Zeek's names and types; what the engine does not know is `-`. Pure.
 */
import type { Flow } from '../../asm/host/index.js';
import { column, type Value } from './flow-columns.js';
import { secondsText } from './flow-text.js';

const UNSET = '-';
const EMPTY = '(empty)';
const SET_SEPARATOR = ',';

interface Field {
  name: string;
  type: string;
  value(flow: Flow): Value;
}

const of = (name: string, type: string, source: string): Field => ({
  name,
  type,
  value: column(source).value,
});

/** Zeek leaves payload unset, as duration, for what did not last. */
function lasting(name: string, source: string): Field {
  const bytes = column(source);
  const duration = column('duration');
  const value = (flow: Flow) => (duration.value(flow) === null ? null : bytes.value(flow));
  return { name, type: 'count', value };
}

/** Zeek has one name for both ICMPs and knows no SCTP here. */
function protocol({ proto }: Flow): string {
  if (proto === 'tcp' || proto === 'udp') return proto;
  return proto === 'icmp' || proto === 'icmpv6' ? 'icmp' : 'unknown_transport';
}

const FIELDS: readonly Field[] = [
  of('ts', 'time', 'first_ts'),
  of('uid', 'string', 'uid'),
  of('id.orig_h', 'addr', 'orig_addr'),
  of('id.orig_p', 'port', 'orig_port'),
  of('id.resp_h', 'addr', 'resp_addr'),
  of('id.resp_p', 'port', 'resp_port'),
  { name: 'proto', type: 'enum', value: protocol },
  of('service', 'string', 'service'),
  of('duration', 'interval', 'duration'),
  // Zeek's orig_bytes are payload; our orig_bytes are whole frames.
  lasting('orig_bytes', 'orig_payload_bytes'),
  lasting('resp_bytes', 'resp_payload_bytes'),
  of('conn_state', 'string', 'conn_state'),
  { name: 'local_orig', type: 'bool', value: () => null },
  { name: 'local_resp', type: 'bool', value: () => null },
  of('missed_bytes', 'count', 'missed_bytes'),
  of('history', 'string', 'history'),
  of('orig_pkts', 'count', 'orig_packets'),
  of('orig_ip_bytes', 'count', 'orig_ip_bytes'),
  of('resp_pkts', 'count', 'resp_packets'),
  of('resp_ip_bytes', 'count', 'resp_ip_bytes'),
  of('tunnel_parents', 'set[string]', 'tunnel_parents'),
  of('ip_proto', 'count', 'ip_proto'),
  of('vlan', 'int', 'vlan'),
  of('inner_vlan', 'int', 'inner_vlan'),
  of('community_id', 'string', 'community_id'),
];

/** Bytes that would break the line, as \xHH; the markers for unset and empty too. */
function escaped(text: string, more = ''): string {
  if (text === UNSET) return '\\x2d';
  if (text === EMPTY) return '\\x28empty)';
  let out = '';
  for (const char of text) {
    const code = char.codePointAt(0) as number;
    const plain = code >= 0x20 && code !== 0x7f && char !== '\\' && !more.includes(char);
    out += plain ? char : `\\x${code.toString(16).padStart(2, '0')}`;
  }
  return out;
}

function cell(value: Value): string {
  if (value === null) return UNSET;
  if (typeof value === 'bigint') return secondsText(value);
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return value === '' ? EMPTY : escaped(value);
  return value.length ? value.map((item) => escaped(item, SET_SEPARATOR)).join(SET_SEPARATOR) : EMPTY;
}

/** `2026-01-31-23-59-59`, as Zeek stamps its logs, in UTC. */
function stamp(now: Date): string {
  return now.toISOString().slice(0, 19).replace(/[T:]/g, '-');
}

export function zeekHeader(now: Date): string[] {
  return [
    '#separator \\x09',
    `#set_separator\t${SET_SEPARATOR}`,
    `#empty_field\t${EMPTY}`,
    `#unset_field\t${UNSET}`,
    '#path\tconn',
    `#open\t${stamp(now)}`,
    `#fields\t${FIELDS.map(({ name }) => name).join('\t')}`,
    `#types\t${FIELDS.map(({ type }) => type).join('\t')}`,
  ];
}

export function zeekLine(flow: Flow): string {
  return FIELDS.map(({ value }) => cell(value(flow))).join('\t');
}

export function zeekFooter(now: Date): string {
  return `#close\t${stamp(now)}`;
}
