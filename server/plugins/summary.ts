/** Stored captures at a glance: segments, a timeline from block headers, the summary of a question's packets. */
import type { FastifyInstance } from 'fastify';
import type { CaptureQuery, SegmentAnswer } from '../../proto/api.js';
import { type Archive, archiveOf } from '../jobs/archive.js';
import { readQuery } from '../jobs/query.js';
import { parseRange, timeText } from '../jobs/range.js';
import { BINS_DEFAULT, BINS_MAX, storedRange, summarize } from '../jobs/summary.js';
import { timeline } from '../jobs/timeline.js';
import type { Limits } from '../limits.js';
import type { SegmentInfo } from '../store/types.js';
import { nowNs } from '../store/when.js';
import {
  coverageSchema,
  failures,
  integer,
  integerOrNull,
  list,
  missingSchema,
  object,
  parametersOf,
  question,
  text,
  textOrNull,
  whole,
} from './schemas.js';
import { abortSignal } from './streams.js';

const boolean = { type: 'boolean' } as const;
const counts = { type: 'object', additionalProperties: integer } as const;

const segmentSchema = object({
  segment: text,
  interface: text,
  run: textOrNull,
  stripe: integer,
  stripes: integer,
  from: textOrNull,
  to: textOrNull,
  packets: integer,
  bytes: integer,
  sealed: boolean,
  indexed: boolean,
});

const summarySchema = object({
  packets: integer,
  captured_bytes: integer,
  original_bytes: integer,
  first_ts: textOrNull,
  last_ts: textOrNull,
  truncated: integer,
  malformed: integer,
  tcp_conversations: integer,
  udp_conversations: integer,
  protocols: counts,
  series: object({
    bin_seconds: integer,
    points: list(object({ ts: text, packets: integer, bytes: integer })),
  }),
  talkers: { type: 'object', additionalProperties: list(object({ key: text, bytes: integer })) },
  distinct: counts,
  coverage: coverageSchema,
});

const timelineSchema = object({
  from: textOrNull,
  to: textOrNull,
  bin_seconds: integer,
  bins: list(object({ ts: text, packets: integer, bytes: integer, drops: integerOrNull, gaps: integer })),
  retention_edge: textOrNull,
  missing: list(missingSchema),
});

export function segmentAnswer(segment: SegmentInfo): SegmentAnswer {
  const { stem, interfaceName, runId, stripe, stripes, range, packets, bytes, sealed, indexed } = segment;
  const ends = { from: timeText(range.fromNs), to: timeText(range.toNs) };
  return {
    segment: stem,
    interface: interfaceName,
    run: runId,
    stripe,
    stripes,
    ...ends,
    packets,
    bytes,
    sealed,
    indexed,
  };
}

export function registerSummary(app: FastifyInstance, archive: Archive | null, limits: Limits): void {
  app.get<{ Querystring: CaptureQuery & { bins: number } }>(
    '/api/v1/summary',
    {
      schema: {
        summary: 'Totals, protocols, series and talkers of the packets asked for',
        querystring: parametersOf({
          ...question,
          bins: { ...whole(1, BINS_MAX, 'points of the series at most'), default: BINS_DEFAULT },
        }),
        response: { 200: summarySchema, ...failures },
      },
    },
    async (request, reply) => {
      const { store, reader, decoder } = archiveOf(archive);
      const { bins, ...asked } = request.query;
      const query = readQuery(asked);
      reply.header('cache-control', 'no-store');
      const range = await storedRange(store, query.packets.range);
      const packets = await reader.open(query, {
        caller: request.ip,
        signal: abortSignal(reply),
        timeout_ms: limits.answer_timeout_ms,
      });
      return summarize(packets, decoder, range, bins);
    },
  );

  app.get(
    '/api/v1/segments',
    {
      schema: {
        summary: 'The segments of the store, oldest first, the growing ones included',
        response: { 200: object({ segments: list(segmentSchema) }), ...failures },
      },
    },
    async (_request, reply) => {
      reply.header('cache-control', 'no-store');
      return { segments: (await archiveOf(archive).store.segments()).map(segmentAnswer) };
    },
  );

  app.get<{ Querystring: { from?: string; to?: string; bins: number } }>(
    '/api/v1/timeline',
    {
      schema: {
        summary: 'Packets, bytes and losses over time, from block headers; how far back the store reaches',
        querystring: parametersOf({
          from: question.from,
          to: question.to,
          bins: { ...whole(1, limits.timeline_bins, 'bins at most'), default: limits.timeline_bins_default },
        }),
        response: { 200: timelineSchema, ...failures },
      },
    },
    async (request, reply) => {
      const { from, to, bins } = request.query;
      reply.header('cache-control', 'no-store');
      return timeline(archiveOf(archive).store, parseRange(from, to, nowNs()), bins);
    },
  );
}
