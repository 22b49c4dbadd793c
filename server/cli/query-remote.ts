/** `ringtap query --url`: the same questions to a gateway elsewhere, through its API. */
import type { CaptureQuery, CoverageAnswer, PacketAnswer } from '../../proto/api.js';
import { ApiError, Client } from '../../proto/client.js';
import { Failure, UsageError } from './command.js';

/** Packets of one request. */
const PAGE = 1000;

export interface RemoteQuery {
  url: string;
  token: string | undefined;
  query: CaptureQuery;
  limit: number;
}

/** Errors of the gateway as those of a command: a filter's mistake is wrong usage. */
async function asked<T>(answer: Promise<T>, filter: string): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.position === null) throw new Failure(error.message);
    throw new UsageError(`filter: ${error.message}\n  ${filter}\n  ${' '.repeat(error.position)}^`);
  }
}

/** Pages of packets; returns the coverage of the last one. */
export async function* remotePackets({
  url,
  token,
  query,
  limit,
}: RemoteQuery): AsyncGenerator<PacketAnswer[], CoverageAnswer | null, void> {
  const client = new Client({ url, ...(token === undefined ? {} : { token }) });
  let coverage: CoverageAnswer | null = null;
  let cursor: string | undefined;
  for (let left = limit; left > 0; ) {
    const options = { limit: Math.min(left, PAGE), ...(cursor === undefined ? {} : { cursor }) };
    const page = await asked(
      client.packets({ ...(cursor === undefined ? query : {}), ...options }),
      query.filter ?? '',
    );
    coverage = page.coverage;
    left -= page.packets.length;
    yield page.packets;
    if (page.next === null) break;
    cursor = page.next;
  }
  return coverage;
}

/** The answer as a pcapng file, in pieces; its last block says what it covers. */
export async function* remoteSlice({
  url,
  token,
  query,
  limit,
}: RemoteQuery): AsyncGenerator<Uint8Array, void, void> {
  const client = new Client({ url, ...(token === undefined ? {} : { token }) });
  const options = limit === Number.POSITIVE_INFINITY ? {} : { limit };
  const body = await asked(client.slice({ ...query, ...options }), query.filter ?? '');
  for await (const piece of body as unknown as AsyncIterable<Uint8Array>) yield piece;
}
