/** Flow records of stored captures: pages sorted by any column, one record, its streams, exports. */
import type { FastifyInstance } from 'fastify';
import type { CaptureQuery, ExportFormat, FlowPage } from '../../proto/api.js';
import { FLOW_ROW_COLUMNS } from '../flows/columns.js';
import { SORT_COLUMNS } from '../flows/sql-text.js';
import type { FlowOrder, FlowPlace, FlowRow } from '../flows/types.js';
import { CONTENT_TYPES, tableStream } from '../formats/table.js';
import { type Archive, archiveOf } from '../jobs/archive.js';
import { follow, recordsOf } from '../jobs/connection.js';
import { coverageAnswer } from '../jobs/coverage.js';
import { RequestError } from '../jobs/failure.js';
import { flowCoverage, flowQuestion, flowRows } from '../jobs/flow-rows.js';
import { cursorText, type Query, readCursor, readQuery } from '../jobs/query.js';
import type { Limits } from '../limits.js';
import { errorSchema } from './errors.js';
import {
  coverageSchema,
  cursor,
  exportLimit,
  failures,
  flowSchema,
  format,
  idParams,
  integer,
  list,
  object,
  parametersOf,
  question,
  streamed,
  text,
  textOrNull,
  whole,
} from './schemas.js';
import { abortSignal, sendStream } from './streams.js';

interface PageParameters extends CaptureQuery {
  sort?: string;
  order?: 'asc' | 'desc';
  limit?: number;
  cursor?: string;
}

const sideSchema = object({
  address: text,
  port: integer,
  bytes: integer,
  gap_bytes: integer,
  packets: integer,
});
const streamSchema = object({
  flow: text,
  protocol: text,
  orig: sideSchema,
  resp: sideSchema,
  chunks: list(
    object({
      side: { type: 'string', enum: ['orig', 'resp'] },
      ts: text,
      offset: integer,
      data: textOrNull,
      gap_bytes: integer,
    }),
  ),
  truncated: { type: 'boolean' },
  coverage: coverageSchema,
});

const flowFailures = { ...failures, 422: errorSchema, 503: errorSchema } as const;

export function registerFlows(app: FastifyInstance, archive: Archive | null, limits: Limits): void {
  app.get<{ Querystring: PageParameters }>(
    '/api/v1/flows',
    {
      schema: {
        summary: 'A page of flow records; sorted by first_ts, pages stay stable while flows are recorded',
        querystring: parametersOf({
          ...question,
          sort: { type: 'string', enum: SORT_COLUMNS, description: 'column, default bytes' },
          order: { type: 'string', enum: ['asc', 'desc'], description: 'default desc' },
          limit: whole(1, limits.page_rows, `flows at most, default ${limits.page_rows_default}`),
          cursor,
        }),
        response: {
          200: object({ flows: list(flowSchema), next: textOrNull, coverage: coverageSchema }),
          ...flowFailures,
        },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      return flowPage(archiveOf(archive), request.query, request.ip, abortSignal(reply));
    },
  );

  app.get<{ Params: { id: string } }>(
    '/api/v1/flows/:id',
    {
      schema: {
        summary: 'One flow record, and which others belong to its connection',
        params: idParams,
        response: { 200: object({ flow: flowSchema, records: list(text) }), ...flowFailures },
      },
    },
    async (request) => {
      const here = archiveOf(archive);
      const flow = await found(here, request.params.id);
      return { flow, records: (await recordsOf(here, flow)).map(({ id }) => id) };
    },
  );

  app.get<{ Params: { id: string }; Querystring: { max_bytes: number } }>(
    '/api/v1/flows/:id/stream',
    {
      schema: {
        summary: 'What both sides said: TCP put together by sequence numbers, gaps stated; UDP as it came',
        params: idParams,
        querystring: parametersOf({
          max_bytes: {
            ...whole(1, limits.follow_bytes, 'bytes of both sides together'),
            default: limits.follow_bytes_default,
          },
        }),
        response: { 200: streamSchema, ...flowFailures },
      },
    },
    async (request, reply) => {
      const here = archiveOf(archive);
      const options = { caller: request.ip, signal: abortSignal(reply) };
      return follow(here, await found(here, request.params.id), request.query.max_bytes, options);
    },
  );

  app.get<{ Querystring: CaptureQuery & { format: ExportFormat; limit?: number } }>(
    '/api/v1/exports/flows',
    {
      schema: {
        summary: 'Flow records as NDJSON, CSV or Parquet, streamed, by time of their first packet',
        content: Object.values(CONTENT_TYPES),
        querystring: parametersOf({ ...question, format, limit: exportLimit(limits) }),
        response: { ...streamed, ...flowFailures },
      },
    },
    async (request, reply) => {
      const { format: wanted, limit = limits.export_rows, ...asked } = request.query;
      const options = { caller: request.ip, signal: abortSignal(reply) };
      const rows = flowRows(archiveOf(archive), readQuery(asked), limit, options);
      const first = await rows.next(); // what is wrong with the question is said before the stream begins
      const all = (async function* () {
        if (first.done) return first.value;
        yield first.value;
        return yield* rows;
      })();
      return sendStream(request, reply, tableStream(wanted, FLOW_ROW_COLUMNS, all), {
        type: CONTENT_TYPES[wanted],
        filename: `flows.${wanted}`,
        stall_ms: limits.stream_stall_ms,
      });
    },
  );
}

async function found({ flows }: Archive, id: string): Promise<FlowRow> {
  if (flows.problem) throw new RequestError(501, flows.problem);
  const flow = /^[^/\0]{1,400}~\d{1,10}$/.test(id) ? await flows.get(id) : null;
  if (flow) return flow;
  throw new RequestError(404, `there is no flow ${id}: it expired with its segment, or never was`);
}

async function flowPage(
  archive: Archive,
  { limit = archive.limits.page_rows_default, cursor: at, sort, order, ...asked }: PageParameters,
  caller: string,
  signal: AbortSignal,
): Promise<FlowPage> {
  const page = at === undefined ? firstPage(asked, sort, order) : nextPage(at, { ...asked, sort, order });
  const options = { caller, signal, timeout_ms: archive.limits.answer_timeout_ms };
  const { question: wanted, scanned } = await flowQuestion(archive, page.query, options);
  const { rows, next } = await archive.flows.page(wanted, page.order, limit, page.after);
  const coverage = await flowCoverage(archive, page.query, scanned);
  const more = next && cursorText(page.query, { s: page.order.column, d: page.order.descending, at: next });
  const stopped = coverage.stopped ?? (next ? 'limit' : null);
  return { flows: rows, next: more, coverage: coverageAnswer({ ...coverage, stopped }) };
}

interface Page {
  query: Query;
  order: FlowOrder;
  after: FlowPlace | null;
}

function firstPage(asked: CaptureQuery, sort = 'bytes', order = 'desc'): Page {
  return { query: readQuery(asked), order: { column: sort, descending: order === 'desc' }, after: null };
}

/** Values of a cursor are checked as if a stranger had made them up. */
function nextPage(cursor: string, others: Record<string, unknown>): Page {
  if (Object.values(others).some((value) => value !== undefined))
    throw new RequestError(400, 'cursor: holds the whole question; send it with limit only');
  const { query, more } = readCursor(cursor);
  const { s: column, d: descending, at } = more as { s: unknown; d: unknown; at: unknown };
  const { value, id } = (at ?? {}) as { value: unknown; id: unknown };
  const ours = typeof column === 'string' && SORT_COLUMNS.includes(column) && typeof descending === 'boolean';
  if (!ours || typeof value !== 'string' || typeof id !== 'string')
    throw new RequestError(400, 'cursor: not one of a page of flows');
  return { query: readQuery(query), order: { column, descending }, after: { value, id } };
}
