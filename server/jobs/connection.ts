/** The packets of one connection: which records belong to it, and its streams put together from the store. */
import type { FlowStream, StreamSide } from '../../proto/api.js';
import { type FlowRow, nsOf, wantedOf } from '../flows/types.js';
import type { Archive } from './archive.js';
import { coverageAnswer, emptyCoverage } from './coverage.js';
import { RequestError } from './failure.js';
import { Conversation } from './follow.js';
import { flowsFilter } from './reader.js';
import type { Segment } from './transport.js';

/** Records of a connection cut by segment ends lie no further apart than a connection may be silent. */
const SILENCE_NS = 3_600_000_000_000n;
const RECORDS_MAX = 1000;
const PACKETS_PER_STEP = 500;

/**
 * All records of the connection that `flow` is one of, oldest first. A record that was cut by its segment's end
 * goes on in the next one of that Community ID, unless that begins with a SYN.
 */
export async function recordsOf({ flows }: Archive, flow: FlowRow): Promise<FlowRow[]> {
  const all = await flows.ofCommunity(flow.community_id as string, RECORDS_MAX);
  const at = all.findIndex(({ id }) => id === flow.id);
  if (at < 0) return [flow];
  let first = at;
  while (first > 0 && goesOn(all[first - 1] as FlowRow, all[first] as FlowRow)) first--;
  let last = at;
  while (last + 1 < all.length && goesOn(all[last] as FlowRow, all[last + 1] as FlowRow)) last++;
  return all.slice(first, last + 1);
}

function goesOn(before: FlowRow, after: FlowRow): boolean {
  const cut = before.ended === 'drained' && before.segment !== after.segment;
  const begins = /^\^?S/.test(String(after.history ?? ''));
  return cut && !begins && nsOf(after.first_ts as string) - nsOf(before.last_ts as string) < SILENCE_NS;
}

/** Follows the connection. Ends are those of its first record, which saw who opened it. */
export async function follow(
  archive: Archive,
  flow: FlowRow,
  bytes_max: number,
  options: { caller: string; signal: AbortSignal },
): Promise<FlowStream> {
  const { reader, decoder, limits } = archive;
  if (flow.proto !== 'tcp' && flow.proto !== 'udp')
    throw new RequestError(422, `a flow of ${flow.proto} has no stream: only TCP and UDP have`);
  const records = await recordsOf(archive, flow);
  const [first, last] = [records[0] as FlowRow, records.at(-1) as FlowRow];
  const range = { fromNs: nsOf(first.first_ts as string), toNs: nsOf(last.last_ts as string) + 1n };
  const enough = new AbortController();
  const packets = await reader.open(
    { packets: { range, filter: flowsFilter([first]) }, fields: {} },
    {
      caller: options.caller,
      signal: AbortSignal.any([enough.signal, options.signal]),
      timeout_ms: limits.answer_timeout_ms,
      limit: limits.follow_packets,
    },
  );
  const session = await decoder.session(records.map(wantedOf)).catch(async (error) => {
    await packets.return(emptyCoverage('cancelled'));
    throw error;
  });
  const conversation = new Conversation(endsOf(first), bytes_max);
  try {
    for (;;) {
      const { done, value } = await packets.next();
      if (done) {
        conversation.end();
        const stopped = enough.signal.aborted ? 'limit' : value.stopped;
        return answer(flow, first, conversation, coverageAnswer({ ...value, stopped }));
      }
      for (let at = 0; at < value.length && !conversation.truncated; at += PACKETS_PER_STEP) {
        const hits = value.slice(at, at + PACKETS_PER_STEP);
        for (const [i, segment] of (await session.feed(hits, 'segments')).entries())
          if (segment) conversation.add(hits[i]?.tsNs as bigint, segment satisfies Segment);
      }
      if (conversation.truncated) enough.abort();
    }
  } finally {
    await packets.return(emptyCoverage('cancelled'));
    await session.close();
  }
}

function endsOf(row: FlowRow) {
  return {
    orig_addr: row.orig_addr as string,
    orig_port: row.orig_port as number,
    resp_addr: row.resp_addr as string,
    resp_port: row.resp_port as number,
  };
}

function answer(
  { id, proto }: FlowRow,
  first: FlowRow,
  conversation: Conversation,
  coverage: FlowStream['coverage'],
): FlowStream {
  const side = (which: 'orig' | 'resp'): StreamSide => {
    const { bytes, gap_bytes, packets } = conversation[which];
    const [address, port] = [first[`${which}_addr`] as string, first[`${which}_port`] as number];
    return { address, port, bytes, gap_bytes, packets };
  };
  const { chunks, truncated } = conversation;
  return {
    flow: id,
    protocol: proto as string,
    orig: side('orig'),
    resp: side('resp'),
    chunks,
    truncated,
    coverage,
  };
}
