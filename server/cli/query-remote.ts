/** Answers of a gateway elsewhere, over its HTTP API, as `ringtap query` takes them from a store here. */
import type { CaptureQuery, CoverageAnswer, PacketAnswer } from '../../proto/api.js';
import { ApiError, Client, lines } from '../../proto/client.js';
import { BT_ISB, OPT_COMMENT, OPT_END } from '../../proto/gen/constants.js';
import { readCoverage } from '../jobs/coverage.js';
import { frozen } from '../jobs/query.js';
import type { SliceResult } from '../store/slice.js';
import type { Coverage, PacketHit, PacketQuery, ScanOptions } from '../store/types.js';
import { Failure, UsageError } from './command.js';
import type { QuerySource } from './query-source.js';

/** The last block of a slice: comments of at most 64 KiB each. */
const TAIL_BYTES = 4 << 20;
const GROUP_ROWS = 1000;

export function remoteSource(url: string, token: string | null): QuerySource {
  const client = new Client({ url, ...(token !== null && { token }) });
  return {
    packets: (query, options) => pointing(remotePackets(client, query, options), query.filter),
    slice: (query, options) => pointing(remoteSlice(client, query, options), query.filter),
    problems: () => [],
    close: async () => {},
  };
}

function asked(
  query: PacketQuery,
  { limit, after }: ScanOptions,
): CaptureQuery & { limit?: number; after?: string } {
  const question = frozen({ packets: query, fields: {} });
  return { ...question, ...(limit !== undefined && { limit }), ...(after !== undefined && { after }) };
}

/** What is wrong with the question is wrong usage; what is wrong with the gateway a failure. */
async function* pointing<T, R>(
  answer: AsyncGenerator<T, R, void>,
  filter: string,
): AsyncGenerator<T, R, void> {
  try {
    return yield* answer;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const place = error.position === null ? '' : `\n  ${filter}\n  ${' '.repeat(error.position)}^`;
    if (error.status === 400) throw new UsageError(`${error.message}${place}`);
    throw new Failure(error.message);
  }
}

type Line = (PacketAnswer & { bytes: string }) | { coverage: CoverageAnswer };

async function* remotePackets(
  client: Client,
  query: PacketQuery,
  options: ScanOptions,
): AsyncGenerator<PacketHit[], Coverage, void> {
  let hits: PacketHit[] = [];
  for await (const text of lines(await client.exportPackets({ ...asked(query, options), bytes: true }))) {
    const line = JSON.parse(text) as Line;
    if ('coverage' in line) {
      if (hits.length > 0) yield hits;
      return readCoverage(line.coverage);
    }
    const { id, ts, ifindex, linktype, wirelen, bytes } = line;
    hits.push({
      id,
      tsNs: BigInt(ts.replace('.', '')),
      ifindex,
      linktype,
      wirelen,
      bytes: Buffer.from(bytes, 'hex'),
    });
    if (hits.length < GROUP_ROWS) continue;
    yield hits;
    hits = [];
  }
  throw new Failure('the gateway broke off its answer: what was printed is not all');
}

async function* remoteSlice(
  client: Client,
  query: PacketQuery,
  options: ScanOptions,
): AsyncGenerator<Uint8Array, SliceResult, void> {
  let tail = Buffer.alloc(0);
  for await (const piece of await client.slice(asked(query, options))) {
    tail = Buffer.concat([tail, piece]);
    tail = tail.subarray(Math.max(0, tail.length - TAIL_BYTES));
    yield piece;
  }
  const result = resultIn(tail);
  if (!result) throw new Failure('the gateway broke off its answer: the file is not complete');
  return result;
}

/** The gateway's last block tells what the slice holds: without it the answer was cut. */
function resultIn(tail: Buffer): SliceResult | null {
  if (tail.length < 24) return null;
  const length = tail.readUInt32LE(tail.length - 4);
  const at = tail.length - length;
  if (at < 0 || length < 24 || tail.readUInt32LE(at) !== BT_ISB) return null;
  for (let option = at + 20; option + 4 <= tail.length - 4; ) {
    const code = tail.readUInt16LE(option);
    const size = tail.readUInt16LE(option + 2);
    if (code === OPT_END) return null;
    const text = tail.toString('utf8', option + 4, option + 4 + size);
    if (code === OPT_COMMENT && text.startsWith('{"packets":')) {
      const { packets, coverage } = JSON.parse(text) as { packets: number; coverage: CoverageAnswer };
      return { packets, coverage: readCoverage(coverage) };
    }
    option += 4 + ((size + 3) & ~3);
  }
  return null;
}
