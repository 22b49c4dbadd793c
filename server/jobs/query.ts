/**
 * A question as the API takes it, checked, and as the store understands it. Also what a page's cursor
 * holds. Pure.
 */

import { explainFilter, FilterError } from '../../asm/host/index.js';
import type { CaptureQuery } from '../../proto/api.js';
import { LINKTYPE_ETHERNET } from '../../proto/gen/constants.js';
import type { PacketQuery } from '../store/types.js';
import { RequestError } from './failure.js';
import { parseRange, timeText } from './range.js';

/** Fields of flows; all given must hold. */
export interface FlowFields {
  service?: string;
  sni?: string;
  dns_name?: string;
  community_id?: string;
  conn_state?: string;
  bytes_over?: number;
}

export interface Query {
  packets: PacketQuery;
  fields: FlowFields;
}

const FIELD_NAMES = ['service', 'sni', 'dns_name', 'community_id', 'conn_state', 'bytes_over'] as const;
const CONN_STATES = 'S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH'.split(' ');
const text = (maxLength: number, description: string) =>
  ({ type: 'string', maxLength, description }) as const;

/** JSON schema of each part of a question. */
export const queryProperties = {
  from: text(64, 'earliest time: now-5m, ISO 8601 or seconds since 1970'),
  to: text(64, 'time the range ends before'),
  filter: text(4096, 'pcap-filter expression'),
  service: text(64, 'service of the flow, as Zeek names it: dns, http, ssl, quic'),
  sni: text(255, 'server name of TLS or QUIC; *.example.org for all below'),
  dns_name: text(255, 'name asked for by DNS; *.example.org for all below'),
  community_id: { ...text(64, 'Community ID of the flow'), pattern: '^1:[A-Za-z0-9+/]{27}=$' },
  conn_state: { type: 'string', enum: CONN_STATES, description: 'Zeek’s conn_state' },
  bytes_over: {
    type: 'integer',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'flows of more bytes',
  },
} as const;

export const hasFields = (fields: FlowFields): boolean => Object.keys(fields).length > 0;

/** Throws RequestError for what is no time and for a filter that does not compile. */
export function readQuery(given: CaptureQuery, now_ns = BigInt(Date.now()) * 1_000_000n): Query {
  const filter = given.filter?.trim() ?? '';
  checkFilter(filter, given.filter ?? '');
  const fields: FlowFields = {};
  for (const name of FIELD_NAMES)
    if (given[name] !== undefined && given[name] !== '') Object.assign(fields, { [name]: given[name] });
  return { packets: { range: parseRange(given.from, given.to, now_ns), filter }, fields };
}

function checkFilter(filter: string, given: string): void {
  if (filter === '') return;
  try {
    explainFilter(filter, LINKTYPE_ETHERNET);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    const position = error.position + given.indexOf(filter);
    throw new RequestError(400, `filter: ${error.message}`, { position });
  }
}

/** The question with its times made absolute: asking it again later means the same. */
export function frozen({ packets: { range, filter }, fields }: Query): CaptureQuery {
  const from = timeText(range.fromNs);
  const to = timeText(range.toNs);
  return { ...(from !== null && { from }), ...(to !== null && { to }), ...(filter && { filter }), ...fields };
}

/** Opaque text that carries a question and where its next page begins. */
export function cursorText(query: Query, more: Record<string, unknown>): string {
  return Buffer.from(JSON.stringify({ v: 1, q: frozen(query), ...more })).toString('base64url');
}

/** Throws RequestError when the text is none of ours. Values in it are as hostile as any parameter. */
export function readCursor(cursor: string): { query: CaptureQuery; more: Record<string, unknown> } {
  const wrong = new RequestError(400, 'cursor: not one this gateway gave out; ask for the first page again');
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw wrong;
  }
  if (typeof value !== 'object' || value === null) throw wrong;
  const { v, q, ...more } = value as Record<string, unknown>;
  if (v !== 1 || typeof q !== 'object' || q === null) throw wrong;
  const query = q as Record<string, unknown>;
  for (const [name, part] of Object.entries(query)) {
    const expected = name === 'bytes_over' ? 'number' : 'string';
    if (!Object.hasOwn(queryProperties, name) || typeof part !== expected) throw wrong;
  }
  return { query: query as CaptureQuery, more };
}
