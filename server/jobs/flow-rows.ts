/**
 * Flow records that answer a question. A pcap filter is about packets: with one, the records wanted are those
 * that have a packet in the range that passes it, found by a scan.
 */
import type { CoverageAnswer } from '../../proto/api.js';
import type { FlowQuestion, FlowRow } from '../flows/types.js';
import type { Coverage } from '../store/types.js';
import type { Archive } from './archive.js';
import { coverageAnswer, emptyCoverage } from './coverage.js';
import { RequestError } from './failure.js';
import type { Query } from './query.js';
import type { ReadOptions } from './reader.js';

/** The question as the flow store takes it, and the coverage of the scan it took; null when it took none. */
export async function flowQuestion(
  archive: Archive,
  query: Query,
  options: ReadOptions,
): Promise<{ question: FlowQuestion; scanned: Coverage | null }> {
  if (archive.flows.problem) throw new RequestError(501, archive.flows.problem);
  const { range, filter } = query.packets;
  const { fields } = query;
  if (!filter) return { question: { range, fields, communities: null }, scanned: null };
  const { communities, coverage } = await communitiesOf(archive, query, options);
  return { question: { range, fields, communities }, scanned: coverage };
}

/** Flows with a packet that passes the filter, at most as many as a question may name. */
async function communitiesOf(
  { reader, decoder, limits }: Archive,
  { packets: { range, filter } }: Query,
  options: ReadOptions,
): Promise<{ communities: string[]; coverage: Coverage }> {
  const enough = new AbortController();
  const signals = [enough.signal, options.signal].filter((signal) => signal !== undefined);
  const query = { packets: { range, filter }, fields: {} };
  const packets = await reader.open(query, { ...options, signal: AbortSignal.any(signals) });
  const session = await decoder.session();
  const found = new Set<string>();
  try {
    for (;;) {
      const { done, value } = await packets.next();
      if (done) {
        const full = enough.signal.aborted;
        return { communities: [...found], coverage: full ? { ...value, stopped: 'limit' } : value };
      }
      if (enough.signal.aborted || value.length === 0) continue;
      for (const name of await session.feed(value, 'communities'))
        if (name !== null && found.size < limits.matched_flows) found.add(name);
      if (found.size >= limits.matched_flows) enough.abort();
    }
  } finally {
    await packets.return(emptyCoverage('cancelled'));
    await session.close();
  }
}

/** What the answer rests on: the records there are, and the scan if there was one. */
export async function flowCoverage(
  archive: Archive,
  query: Query,
  scanned: Coverage | null,
): Promise<Coverage> {
  const own = await archive.flows.coverage(query.packets.range);
  if (!scanned) return own;
  const known = new Set(scanned.missing.map(({ reason, segment }) => `${reason} ${segment}`));
  const more = own.missing.filter(({ reason, segment }) => !known.has(`${reason} ${segment}`));
  return { ...scanned, missing: [...scanned.missing, ...more] };
}

/** All records, in groups, by time of their first packet. */
export async function* flowRows(
  archive: Archive,
  query: Query,
  limit: number,
  options: ReadOptions,
): AsyncGenerator<FlowRow[], CoverageAnswer, void> {
  const { question, scanned } = await flowQuestion(archive, query, options);
  const coverage = await flowCoverage(archive, query, scanned);
  let left = limit;
  // One more than wanted tells whether there are more.
  for await (const rows of archive.flows.rows(question, limit + 1)) {
    if (options.signal?.aborted) return coverageAnswer({ ...coverage, stopped: 'cancelled' });
    const taken = rows.slice(0, left);
    if (taken.length > 0) yield taken;
    left -= taken.length;
    if (taken.length < rows.length) return coverageAnswer({ ...coverage, stopped: 'limit' });
  }
  return coverageAnswer(coverage);
}
