/** Questions that take long, as jobs: create, watch, fetch results, cancel. */
import type { FastifyInstance } from 'fastify';
import type { ExportFormat, JobRequest } from '../../proto/api.js';
import { CONTENT_TYPES, ndjson, type Rows, tableStream } from '../formats/table.js';
import { type Archive, archiveOf } from '../jobs/archive.js';
import { coverageAnswer, emptyCoverage } from '../jobs/coverage.js';
import { RequestError } from '../jobs/failure.js';
import type { Job } from '../jobs/jobs.js';
import { frozen, readQuery } from '../jobs/query.js';
import { columnsOf, workOf } from '../jobs/work.js';
import type { Limits } from '../limits.js';
import {
  coverageSchema,
  failures,
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
import { sendStream } from './streams.js';

const jobSchema = object({
  id: text,
  kind: text,
  state: { type: 'string', enum: ['waiting', 'running', 'done', 'cancelled', 'failed'] },
  query: parametersOf(question),
  limit: integer,
  created: text,
  expires: textOrNull,
  progress: object({ bytes_done: integer, bytes_total: integer, packets: integer }),
  results: integer,
  coverage: { anyOf: [coverageSchema, { type: 'null' }] },
  error: textOrNull,
});

const EVENTS = 'text/event-stream; charset=utf-8';
/** Progress is told at most this often. */
const EVENT_MS = 200;

export function registerQueries(app: FastifyInstance, archive: Archive | null, limits: Limits): void {
  app.post<{ Body: JobRequest }>(
    '/api/v1/queries',
    {
      schema: {
        summary: 'Begins a query as a job',
        body: parametersOf({
          kind: { type: 'string', enum: ['packets', 'flows', 'summary'], default: 'packets' },
          limit: whole(1, limits.job_results, `results at most, default ${limits.job_results_default}`),
          ...question,
        }),
        response: { 201: jobSchema, ...failures },
      },
    },
    async (request, reply) => {
      const here = archiveOf(archive);
      const { kind = 'packets', limit = limits.job_results_default, ...asked } = request.body;
      const query = readQuery(asked);
      if (kind === 'flows' && here.flows.problem) throw new RequestError(501, here.flows.problem);
      const work = workOf(here, kind, query, limit);
      const job = here.jobs.create({ kind, query: frozen(query), limit, caller: request.ip, work });
      return reply.code(201).header('location', `/api/v1/queries/${job.id}`).send(job.answer());
    },
  );

  app.get(
    '/api/v1/queries',
    {
      schema: {
        summary: 'All jobs, oldest first',
        response: { 200: object({ queries: list(jobSchema) }), ...failures },
      },
    },
    async () => ({
      queries: archiveOf(archive)
        .jobs.all()
        .map((job) => job.answer()),
    }),
  );

  app.get<{ Params: { id: string } }>(
    '/api/v1/queries/:id',
    { schema: { summary: 'A job by its id', params: idParams, response: { 200: jobSchema, ...failures } } },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      return archiveOf(archive).jobs.get(request.params.id).answer();
    },
  );

  app.delete<{ Params: { id: string } }>(
    '/api/v1/queries/:id',
    {
      schema: {
        summary: 'Cancels a job that is not over, and forgets it',
        params: idParams,
        response: { 204: { type: 'null' }, ...failures },
      },
    },
    async (request, reply) => {
      archiveOf(archive).jobs.delete(request.params.id);
      return reply.code(204).send();
    },
  );

  app.get<{ Params: { id: string } }>(
    '/api/v1/queries/:id/events',
    {
      schema: {
        summary: 'The job as Server-Sent Events, each time it moves, until it is over',
        content: [EVENTS],
        params: idParams,
        response: streamed,
      },
    },
    async (request, reply) => {
      const job = archiveOf(archive).jobs.get(request.params.id);
      return sendStream(request, reply, events(job), { type: EVENTS, stall_ms: limits.stream_stall_ms });
    },
  );

  app.get<{ Params: { id: string }; Querystring: { format: ExportFormat } }>(
    '/api/v1/queries/:id/results',
    {
      schema: {
        summary: 'A job’s results from the first on, also while it runs',
        content: Object.values(CONTENT_TYPES),
        params: idParams,
        querystring: parametersOf({ format }),
        response: streamed,
      },
    },
    async (request, reply) => {
      const job = archiveOf(archive).jobs.get(request.params.id);
      const { format: wanted } = request.query;
      if (job.spec.kind === 'summary' && wanted !== 'ndjson')
        throw new RequestError(400, `format=${wanted}: a summary is no table; ask for ndjson`);
      const columns = columnsOf(job.spec.kind);
      const body = columns ? tableStream(wanted, columns, results(job)) : ndjson(results(job));
      return sendStream(request, reply, body, {
        type: CONTENT_TYPES[wanted],
        filename: `${job.spec.kind}.${wanted}`,
        stall_ms: limits.stream_stall_ms,
      });
    },
  );
}

async function* events(job: Job): AsyncGenerator<string, void, void> {
  for (;;) {
    const changed = job.changed();
    yield `data: ${JSON.stringify(job.answer())}\n\n`;
    if (job.over) return;
    await changed;
    if (!job.over) await new Promise((resolve) => setTimeout(resolve, EVENT_MS));
  }
}

/** Follows the job. Throws when it failed, which cuts the stream: half an answer must not look whole. */
async function* results(job: Job): Rows {
  while (!job.spool && !job.over) await job.changed();
  if (job.spool) yield* job.spool.read();
  while (!job.over) await job.changed();
  if (job.state === 'failed') throw new Error(job.error ?? 'the query failed');
  return job.coverage ?? coverageAnswer(emptyCoverage('cancelled'));
}
