/** Schemas that the routes about stored captures share: they check requests, write answers and make the document. */
declare module 'fastify' {
  interface FastifySchema {
    summary?: string;
    /** Media types of answers that are not JSON. */
    content?: readonly string[];
  }
}

import { queryProperties } from '../jobs/query.js';
import type { Limits } from '../limits.js';
import { errorSchema } from './errors.js';

export const text = { type: 'string' } as const;
export const integer = { type: 'integer' } as const;
export const textOrNull = { type: ['string', 'null'] } as const;
export const integerOrNull = { type: ['integer', 'null'] } as const;
export const list = <T>(items: T) => ({ type: 'array', items }) as const;

/** All properties are required; others do not exist. */
export function object<T extends Record<string, unknown>>(properties: T) {
  return {
    type: 'object',
    required: Object.keys(properties),
    properties,
    additionalProperties: false,
  } as const;
}

/** A query string: unknown parameters are refused, so that a misspelt one is not silently nothing. */
export function parametersOf<T extends Record<string, unknown>>(properties: T) {
  return { type: 'object', properties, additionalProperties: false } as const;
}

export const question = queryProperties;
export const whole = (minimum: number, maximum: number, description: string) =>
  ({ type: 'integer', minimum, maximum, description }) as const;

export const cursor = {
  type: 'string',
  maxLength: 8192,
  description: '`next` of the page before; without other parameters but limit',
} as const;
export const after = {
  type: 'string',
  maxLength: 512,
  description: 'goes on behind the packet of this id',
} as const;
export const format = {
  type: 'string',
  enum: ['ndjson', 'csv', 'parquet'],
  default: 'ndjson',
  description: 'coverage is the last line, in Parquet the metadata ringtap.coverage',
} as const;
export const exportLimit = ({ export_rows }: Limits) => whole(1, export_rows, 'rows at most');

export const missingSchema = object({
  reason: { type: 'string', enum: ['expired', 'missing', 'damaged', 'forbidden'] },
  segment: textOrNull,
  from: textOrNull,
  to: textOrNull,
  packets: integerOrNull,
  message: text,
});

export const coverageSchema = object({
  from: textOrNull,
  to: textOrNull,
  segments: integer,
  blocks_pruned: integer,
  blocks_scanned: integer,
  bytes_scanned: integer,
  ring_drops: integerOrNull,
  pool_drops: integerOrNull,
  store_drops: integerOrNull,
  truncated: integer,
  missing: list(missingSchema),
  stopped: { type: ['string', 'null'], enum: ['limit', 'cancelled', 'timeout', null] },
});

const packetProperties = {
  id: text,
  ts: text,
  ifindex: integer,
  linktype: integer,
  caplen: integer,
  wirelen: integer,
  source: text,
  destination: text,
  protocol: text,
  info: text,
} as const;
export const packetSchema = object(packetProperties);
export const packetDetailSchema = object({ ...packetProperties, community_id: textOrNull, bytes: text });

/** A record's columns are those of server/flows/columns.ts. */
export const flowSchema = {
  type: 'object',
  required: ['id', 'segment'],
  properties: { id: text, segment: text },
  additionalProperties: { type: ['string', 'number', 'null'] },
} as const;

export const idParams = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string', minLength: 1, maxLength: 512 } },
} as const;

/** What any route about stored captures may answer instead. */
export const failures = {
  400: errorSchema,
  401: errorSchema,
  403: errorSchema,
  404: errorSchema,
  409: errorSchema,
  410: errorSchema,
  429: errorSchema,
  501: errorSchema,
} as const;
/** A stream has no JSON schema; errors before it do. */
export const streamed = { 200: {}, ...failures } as const;
