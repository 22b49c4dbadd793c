/** SQL over flow records and segments, for strangers: read-only views, and limits on all else. */
import type { FastifyInstance } from 'fastify';
import type { SqlRequest } from '../../proto/api.js';
import { type Archive, archiveOf } from '../jobs/archive.js';
import type { Limits } from '../limits.js';
import { errorSchema } from './errors.js';
import { failures, integer, list, object, text, whole } from './schemas.js';
import { abortSignal } from './streams.js';

export function registerSql(app: FastifyInstance, archive: Archive | null, limits: Limits): void {
  app.post<{ Body: SqlRequest }>(
    '/api/v1/sql',
    {
      schema: {
        summary: 'One SELECT over the views flows and segments',
        body: {
          type: 'object',
          required: ['sql'],
          properties: {
            sql: { type: 'string', minLength: 1, maxLength: limits.sql_chars },
            limit: whole(1, limits.sql_rows, `rows at most, default ${limits.sql_rows_default}`),
          },
          additionalProperties: false,
        },
        response: {
          200: object({
            columns: list(object({ name: text, type: text })),
            rows: list(list({})),
            truncated: { type: 'boolean' },
            milliseconds: integer,
          }),
          ...failures,
          422: errorSchema,
          503: errorSchema,
        },
      },
    },
    async (request, reply) => {
      const { sql, limit = limits.sql_rows_default } = request.body;
      reply.header('cache-control', 'no-store');
      return archiveOf(archive).flows.sql(sql, { rows: limit, signal: abortSignal(reply) });
    },
  );
}
