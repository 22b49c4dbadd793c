/**
 * The flow store as DuckDB over Parquet files. Each question gets a database in memory of its own, in another
 * process, with the files there are at that moment: nothing to keep in step, nothing to repair.
 */
import { basename } from 'node:path';
import type { SqlAnswer } from '../../proto/api.js';
import { emptyCoverage, overlaps } from '../jobs/coverage.js';
import { RequestError } from '../jobs/failure.js';
import { timeText } from '../jobs/range.js';
import type { Coverage, SegmentInfo, Store, TimeRange } from '../store/types.js';
import { FLOW_ROW_COLUMNS } from './columns.js';
import type { DuckResult, ViewSpec } from './duck-messages.js';
import { DuckError, type DuckLimits, DuckPool, type DuckQuestion, duckProblem } from './duck-process.js';
import { type FlowFile, flowFiles } from './files.js';
import { FLOW_VIEW_COLUMNS, getSql, pageSql, type Sql } from './sql-text.js';
import type { FlowOrder, FlowPlace, FlowQuestion, FlowRow, FlowRows, FlowStore, SqlLimits } from './types.js';

export interface DuckFlowLimits extends DuckLimits {
  sql_result_bytes: number;
}

const GROUP_ROWS = 5000;
const BY_TIME: FlowOrder = { column: 'first_ts', descending: false };
const SEGMENT_COLUMNS: [string, string][] = [
  ['segment', 'VARCHAR'],
  ['interface', 'VARCHAR'],
  ['run', 'VARCHAR'],
  ['stripe', 'INTEGER'],
  ['stripes', 'INTEGER'],
  ['first_ts', 'TIMESTAMP_NS'],
  ['last_ts', 'TIMESTAMP_NS'],
  ['packets', 'BIGINT'],
  ['bytes', 'BIGINT'],
  ['sealed', 'BOOLEAN'],
];
/** Files may be replaced between being listed and being read; then they are listed again. */
const ATTEMPTS = 3;

export class DuckFlowStore implements FlowStore {
  readonly problem = duckProblem();
  readonly #store: Store;
  readonly #directories: readonly string[];
  readonly #limits: DuckFlowLimits;
  readonly #own: DuckPool;
  /** Strangers' statements wait for each other, never for us. */
  readonly #strangers: DuckPool;

  constructor(store: Store, directories: readonly string[], limits: DuckFlowLimits) {
    this.#store = store;
    this.#directories = directories;
    this.#limits = limits;
    this.#own = new DuckPool(limits);
    this.#strangers = new DuckPool(limits);
  }

  async page(
    question: FlowQuestion,
    order: FlowOrder,
    limit: number,
    after: FlowPlace | null,
  ): Promise<FlowRows> {
    const { columns, rows } = await this.#ask(pageSql(question, order, limit + 1, after), limit + 1);
    const found = rows.slice(0, limit).map((row) => rowOf(columns, row));
    const last = rows[limit - 1];
    const key = columns.findIndex(({ name }) => name === 'page_key');
    const more = rows.length > limit && last;
    return {
      rows: found,
      next: more ? { value: last[key] as string, id: found.at(-1)?.id as string } : null,
    };
  }

  async *rows(question: FlowQuestion, limit: number): AsyncGenerator<FlowRow[], void, void> {
    let after: FlowPlace | null = null;
    for (let left = limit; left > 0; ) {
      const page: FlowRows = await this.page(question, BY_TIME, Math.min(left, GROUP_ROWS), after);
      if (page.rows.length > 0) yield page.rows;
      left -= page.rows.length;
      after = page.next;
      if (!after) return;
    }
  }

  async get(id: string): Promise<FlowRow | null> {
    const stem = id.slice(0, Math.max(0, id.lastIndexOf('~')));
    const files = flowFiles(this.#directories).filter((file) => file.stem === stem);
    if (files.length === 0) return null;
    const { columns, rows } = await this.#ask(getSql(id), 1, files);
    return rows[0] ? rowOf(columns, rows[0]) : null;
  }

  async ofCommunity(community: string, limit: number): Promise<FlowRow[]> {
    const question = {
      range: { fromNs: null, toNs: null },
      fields: { community_id: community },
      communities: null,
    };
    return (await this.page(question, BY_TIME, limit, null)).rows;
  }

  /** Segments whose records are there; what is missing says also whose are still to be made. */
  async coverage(range: TimeRange): Promise<Coverage> {
    const stems = new Set(flowFiles(this.#directories).map(({ stem }) => stem));
    const segments = (await this.#store.segments()).filter((segment) => overlaps(segment.range, range));
    const present = new Set(segments.map(({ stem }) => stem));
    const lacking = segments.filter(
      (segment) => segment.packets > 0 && !hasRecords(stems, segments, segment),
    );
    const missing = (await this.#store.missing(range)).filter(
      ({ segment }) => !segment || !stems.has(segment),
    );
    for (const { stem, range: own, packets } of lacking) {
      const message = `flow records of segment ${stem} are not made yet: ask again in a moment`;
      missing.push({ reason: 'missing', segment: stem, range: own, packets, message });
    }
    const ends = segments.flatMap(({ range: own }) =>
      own.fromNs === null || own.toNs === null ? [] : [own],
    );
    const within =
      ends.length > 0 ? spanOf(ends as { fromNs: bigint; toNs: bigint }[]) : emptyCoverage().range;
    const outlived = [...stems].filter((stem) => !present.has(stem)).length;
    return { ...emptyCoverage(), range: within, segments: segments.length + outlived, missing };
  }

  async sql(sql: string, { rows, signal }: SqlLimits): Promise<SqlAnswer> {
    if (this.problem) throw new RequestError(501, this.problem);
    const question = {
      sql,
      parameters: [],
      rows_max: rows,
      bytes_max: this.#limits.sql_result_bytes,
      hostile: true,
    };
    for (let attempt = 1; ; attempt++) {
      const views = [this.#flowsView(), await this.#segmentsView()];
      try {
        return await this.#strangers.run({ ...question, views }, signal);
      } catch (error) {
        if (!isFileFault(error) || attempt === ATTEMPTS) throw this.#requestError(error);
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#own.close(), this.#strangers.close()]);
  }

  /** Our own SQL. */
  async #ask({ sql, parameters }: Sql, rows_max: number, files?: FlowFile[]): Promise<DuckResult> {
    if (this.problem) throw new RequestError(501, this.problem);
    const rest = { sql, parameters, rows_max, bytes_max: this.#limits.sql_result_bytes, hostile: false };
    for (let attempt = 1; ; attempt++) {
      const question: DuckQuestion = { ...rest, views: [this.#flowsView(files)] };
      try {
        return await this.#own.run(question);
      } catch (error) {
        if (!isFileFault(error) || attempt === ATTEMPTS) throw this.#requestError(error);
      }
    }
  }

  #flowsView(files = flowFiles(this.#directories)): ViewSpec {
    return { name: 'flows', columns: FLOW_VIEW_COLUMNS, files: files.map(({ path }) => path) };
  }

  async #segmentsView(): Promise<ViewSpec> {
    const rows = (await this.#store.segments()).map((segment) => {
      const { stem, interfaceName, runId, stripe, stripes, range, packets, bytes, sealed } = segment;
      const last = range.toNs === null ? null : range.toNs - 1n;
      return [
        stem,
        interfaceName,
        runId,
        stripe,
        stripes,
        stamp(range.fromNs),
        stamp(last),
        packets,
        bytes,
        sealed ? 'true' : 'false',
      ];
    });
    return { name: 'segments', columns: SEGMENT_COLUMNS, rows };
  }

  /** What a caller is told: directories are nobody's business. */
  #requestError(error: unknown): unknown {
    if (!(error instanceof DuckError)) return error;
    const status = { statement: 400, limit: 422, file: 503, missing: 501 }[error.fault];
    let message = error.message;
    for (const { path } of flowFiles(this.#directories)) message = message.replaceAll(path, basename(path));
    for (const directory of this.#directories) message = message.replaceAll(directory, 'DIR');
    if (error.fault === 'missing')
      message = `DuckDB cannot be loaded (${message}): npm install @duckdb/node-api`;
    return new RequestError(status, `sql: ${message}`);
  }
}

const isFileFault = (error: unknown) => error instanceof DuckError && error.fault === 'file';

/** Of a striped run the records of all stripes are in the file of the first. */
function hasRecords(
  stems: ReadonlySet<string>,
  segments: readonly SegmentInfo[],
  segment: SegmentInfo,
): boolean {
  if (stems.has(segment.stem)) return true;
  if (segment.stripes === 1 || segment.runId === null) return false;
  return segments.some(({ stem, runId }) => runId === segment.runId && stems.has(stem));
}

function spanOf(ranges: readonly { fromNs: bigint; toNs: bigint }[]): { fromNs: bigint; toNs: bigint } {
  let [{ fromNs, toNs }] = ranges as [{ fromNs: bigint; toNs: bigint }];
  for (const range of ranges) {
    if (range.fromNs < fromNs) fromNs = range.fromNs;
    if (range.toNs > toNs) toNs = range.toNs;
  }
  return { fromNs, toNs };
}

/** As DuckDB casts it to TIMESTAMP_NS. */
function stamp(ns: bigint | null): string | null {
  if (ns === null) return null;
  const fraction = (((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n).toString().padStart(9, '0');
  return `${new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19).replace('T', ' ')}.${fraction}`;
}

const KINDS = new Map(FLOW_ROW_COLUMNS.map(({ name, type }) => [name, type]));

function rowOf(columns: DuckResult['columns'], values: readonly unknown[]): FlowRow {
  const row: Record<string, string | number | null> = {};
  for (const [i, { name }] of columns.entries()) {
    const kind = KINDS.get(name);
    const value = values[i] ?? null;
    if (kind === undefined) continue;
    if (value === null) row[name] = null;
    else if (kind === 'time' || kind === 'interval') row[name] = timeText(BigInt(value as string));
    else row[name] = kind === 'text' ? String(value) : Number(value);
  }
  return row as FlowRow;
}
