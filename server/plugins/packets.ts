/** Packets of stored captures: pages with a stable cursor, one packet, its tree, exports. */
import type { FastifyInstance } from 'fastify';
import type { PacketLine } from '../../asm/host/index.js';
import type {
  CaptureQuery,
  CoverageAnswer,
  ExportFormat,
  PacketAnswer,
  PacketDetail,
  PacketPage,
  PacketTree,
} from '../../proto/api.js';
import { CONTENT_TYPES, tableStream } from '../formats/table.js';
import { type Archive, archiveOf } from '../jobs/archive.js';
import { RequestError } from '../jobs/failure.js';
import { BYTES_COLUMN, PACKET_COLUMNS, packetRow, packetRows } from '../jobs/lines.js';
import { cursorText, type Query, readCursor, readQuery } from '../jobs/query.js';
import type { Packets } from '../jobs/reader.js';
import type { Limits } from '../limits.js';
import type { PacketHit } from '../store/types.js';
import {
  after,
  coverageSchema,
  cursor,
  exportLimit,
  failures,
  format,
  idParams,
  integer,
  list,
  object,
  packetDetailSchema,
  packetSchema,
  parametersOf,
  question,
  streamed,
  text,
  textOrNull,
  whole,
} from './schemas.js';
import { abortSignal, sendStream } from './streams.js';

interface ExportParameters extends CaptureQuery {
  format: ExportFormat;
  limit?: number;
  after?: string;
  bytes: boolean;
}

interface PageParameters extends CaptureQuery {
  limit?: number;
  cursor?: string;
}

const treeSchema = {
  $id: 'tree',
  ...object({
    field: text,
    label: text,
    value: text,
    offset: integer,
    length: integer,
    children: { type: 'array', items: { $ref: 'tree#' } },
  }),
} as const;

export function registerPackets(app: FastifyInstance, archive: Archive | null, limits: Limits): void {
  app.addSchema(treeSchema);
  app.get<{ Querystring: PageParameters }>(
    '/api/v1/packets',
    {
      schema: {
        summary: 'A page of packets, in stored order',
        querystring: parametersOf({
          ...question,
          limit: whole(1, limits.page_rows, `packets at most, default ${limits.page_rows_default}`),
          cursor,
        }),
        response: {
          200: object({ packets: list(packetSchema), next: textOrNull, coverage: coverageSchema }),
          ...failures,
        },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      return packetPage(archiveOf(archive), request.query, request.ip, abortSignal(reply));
    },
  );

  app.get<{ Params: { id: string } }>(
    '/api/v1/packets/:id',
    {
      schema: {
        summary: 'One packet with its bytes in hexadecimal',
        params: idParams,
        response: { 200: packetDetailSchema, ...failures },
      },
    },
    async (request) => packetDetail(archiveOf(archive), request.params.id),
  );

  app.get<{ Params: { id: string } }>(
    '/api/v1/packets/:id/tree',
    {
      schema: {
        summary: 'The tree of a packet’s fields with the bytes each comes from',
        params: idParams,
        response: { 200: object({ id: text, tree: list({ $ref: 'tree#' }), bytes: text }), ...failures },
      },
    },
    async (request) => packetTree(archiveOf(archive), request.params.id),
  );

  app.get<{ Querystring: ExportParameters }>(
    '/api/v1/exports/packets',
    {
      schema: {
        summary: 'The list of packets as NDJSON, CSV or Parquet, streamed',
        content: Object.values(CONTENT_TYPES),
        querystring: parametersOf({
          ...question,
          format,
          limit: exportLimit(limits),
          after,
          bytes: { type: 'boolean', default: false, description: 'the captured bytes too, hexadecimal' },
        }),
        response: streamed,
      },
    },
    async (request, reply) => {
      const { reader, decoder } = archiveOf(archive);
      const { format: wanted, limit = limits.export_rows, after: from, bytes, ...asked } = request.query;
      const packets = await reader.open(readQuery(asked), {
        caller: request.ip,
        limit,
        signal: abortSignal(reply),
        ...(from !== undefined && { after: from }),
      });
      const columns = bytes ? [...PACKET_COLUMNS, BYTES_COLUMN] : PACKET_COLUMNS;
      const rows = tableStream(wanted, columns, packetRows(packets, decoder, bytes));
      return sendStream(request, reply, rows, {
        type: CONTENT_TYPES[wanted],
        filename: `packets.${wanted}`,
        stall_ms: limits.stream_stall_ms,
        ended: () => void packets.return(undefined as never),
      });
    },
  );
}

async function packetPage(
  archive: Archive,
  { limit = archive.limits.page_rows_default, cursor: at, ...asked }: PageParameters,
  caller: string,
  signal: AbortSignal,
): Promise<PacketPage> {
  const { query, after: behind } = pageOf(at, asked);
  const packets = await archive.reader.open(query, {
    caller,
    limit,
    signal,
    timeout_ms: archive.limits.answer_timeout_ms,
    ...(behind !== null && { after: behind }),
  });
  const { rows, coverage } = await gathered(packets, archive);
  const last = rows.at(-1)?.id ?? behind;
  const more = coverage.stopped !== null && last !== null;
  return { packets: rows, next: more ? cursorText(query, { after: last }) : null, coverage };
}

/** The question of a page: its own, or its cursor's. */
function pageOf(cursor: string | undefined, asked: CaptureQuery): { query: Query; after: string | null } {
  if (cursor === undefined) return { query: readQuery(asked), after: null };
  if (Object.keys(asked).length > 0)
    throw new RequestError(400, 'cursor: holds the whole question; send it with limit only');
  const { query, more } = readCursor(cursor);
  if (typeof more.after !== 'string' || more.after.length > 512)
    throw new RequestError(400, 'cursor: not one of a page of packets');
  return { query: readQuery(query), after: more.after };
}

async function gathered(
  packets: Packets,
  { decoder }: Archive,
): Promise<{ rows: PacketAnswer[]; coverage: CoverageAnswer }> {
  const rows: PacketAnswer[] = [];
  const groups = packetRows(packets, decoder);
  for (;;) {
    const { done, value } = await groups.next();
    if (done) return { rows, coverage: value };
    rows.push(...value);
  }
}

const GONE = { expired: 410, missing: 410, damaged: 409, forbidden: 403 } as const;

/** Throws RequestError that says why the packet is not to be had. */
async function found({ store }: Archive, id: string): Promise<PacketHit> {
  if (!/^[^/\0]{1,400}:\d{1,15}$/.test(id))
    throw new RequestError(404, `${id} is no packet: its name is SEGMENT:OFFSET, as in a list of packets`);
  const hit = await store.packet(id).catch((error: Error) => {
    throw new RequestError(404, error.message);
  });
  if ('bytes' in hit) return hit;
  throw new RequestError(GONE[hit.reason], hit.message);
}

const hexadecimal = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

async function packetDetail(archive: Archive, id: string): Promise<PacketDetail> {
  const hit = await found(archive, id);
  const session = await archive.decoder.session();
  try {
    const [line] = await session.feed([hit], 'lines');
    const [community = null] = await session.feed([hit], 'communities');
    return { ...packetRow(hit, line as PacketLine), community_id: community, bytes: hexadecimal(hit.bytes) };
  } finally {
    await session.close();
  }
}

async function packetTree(archive: Archive, id: string): Promise<PacketTree> {
  const hit = await found(archive, id);
  return { id: hit.id, tree: await archive.decoder.tree(hit), bytes: hexadecimal(hit.bytes) };
}
