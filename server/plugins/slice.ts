/** Packets of stored captures as a pcapng file, streamed with back-pressure. */
import type { FastifyInstance } from 'fastify';
import type { CaptureQuery } from '../../proto/api.js';
import { type Archive, archiveOf } from '../jobs/archive.js';
import { readQuery } from '../jobs/query.js';
import { provenance, sliceStream } from '../jobs/slice.js';
import type { Limits } from '../limits.js';
import { after, exportLimit, parametersOf, question, streamed } from './schemas.js';
import { abortSignal, sendStream } from './streams.js';

const TYPE = 'application/x-pcapng';

export function registerSlice(app: FastifyInstance, archive: Archive | null, limits: Limits): void {
  app.get<{ Querystring: CaptureQuery & { limit?: number; after?: string } }>(
    '/api/v1/slice.pcapng',
    {
      schema: {
        summary: 'The packets themselves; comments say who asked, for what, and what is missing',
        content: [TYPE],
        querystring: parametersOf({ ...question, limit: exportLimit(limits), after }),
        response: streamed,
      },
    },
    async (request, reply) => {
      const { reader, store } = archiveOf(archive);
      const { limit, after: behind, ...asked } = request.query;
      const query = readQuery(asked);
      const packets = await reader.open(query, {
        caller: request.ip,
        signal: abortSignal(reply),
        ...(limit !== undefined && { limit }),
        ...(behind !== undefined && { after: behind }),
      });
      const comments = provenance(query, `${request.ip} over HTTP`, new Date());
      return sendStream(request, reply, sliceStream(packets, comments, await store.segments()), {
        type: TYPE,
        filename: 'slice.pcapng',
        stall_ms: limits.stream_stall_ms,
        ended: () => void packets.return(undefined as never),
      });
    },
  );
}
