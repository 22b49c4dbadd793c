/** What a job does, by its kind, and the columns of its results. */
import type { CoverageAnswer, JobKind } from '../../proto/api.js';
import { FLOW_ROW_COLUMNS } from '../flows/columns.js';
import type { Row, TableColumn } from '../formats/table.js';
import type { Archive } from './archive.js';
import { flowRows } from './flow-rows.js';
import type { JobContext, Work } from './jobs.js';
import { PACKET_COLUMNS, packetRows } from './lines.js';
import type { Query } from './query.js';
import type { ReadOptions } from './reader.js';
import { BINS_DEFAULT, storedRange, summarize } from './summary.js';

/** Null: the result is no table (a summary). */
export function columnsOf(kind: JobKind): readonly TableColumn[] | null {
  if (kind === 'summary') return null;
  return kind === 'flows' ? FLOW_ROW_COLUMNS : PACKET_COLUMNS;
}

/** The work of a job; `limit` bounds its results. */
export function workOf(archive: Archive, kind: JobKind, query: Query, limit: number): Work {
  return async (context) => {
    const full = new AbortController();
    const signal = AbortSignal.any([full.signal, context.signal]);
    const { onProgress } = context;
    const options = { caller: null, signal, onProgress, timeout_ms: archive.limits.job_timeout_ms };
    if (kind === 'summary') return summary(archive, query, options, context);
    const rows =
      kind === 'flows'
        ? flowRows(archive, query, limit, options)
        : packetRows(await archive.reader.open(query, { ...options, limit }), archive.decoder);
    return appended(rows, context, full);
  };
}

/** Rows that do not fit end the scan by `full`; then it says what it had looked at. */
async function appended(
  rows: AsyncGenerator<Row[], CoverageAnswer, void>,
  { append }: JobContext,
  full: AbortController,
): Promise<CoverageAnswer> {
  for (;;) {
    const { done, value } = await rows.next();
    if (done) return full.signal.aborted ? { ...value, stopped: 'limit' } : value;
    if (!full.signal.aborted && !(await append(value))) full.abort();
  }
}

async function summary(
  archive: Archive,
  query: Query,
  options: ReadOptions,
  { append }: JobContext,
): Promise<CoverageAnswer> {
  const range = await storedRange(archive.store, query.packets.range);
  const found = await archive.reader.open(query, options);
  const { coverage, ...rest } = await summarize(found, archive.decoder, range, BINS_DEFAULT);
  await append([rest as unknown as Row]); // printed as JSON and nothing else
  return coverage;
}
