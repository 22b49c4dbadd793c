/**
 * Rows as CSV, NDJSON or Parquet, streamed: nothing is held but the group at hand. The coverage of the rows
 * is the last line (`{"coverage": …}`, or `# coverage: …` in CSV), in Parquet the file's metadata.
 */
import { ByteWriter, ParquetWriter, type SchemaElement } from 'hyparquet-writer';
import type { CoverageAnswer, ExportFormat } from '../../proto/api.js';
import { VERSION } from '../paths.js';
import { csvText } from './flow-text.js';

/** `time` and `interval` are text `seconds.nanoseconds` in the row. */
export type CellType = 'text' | 'count' | 'port' | 'time' | 'interval';
export type Cell = string | number | null;

export interface TableColumn {
  name: string;
  type: CellType;
}

/** As it is stored: times and intervals are nanoseconds. */
export type StoredCell = string | number | bigint | null;

export type Row = Record<string, Cell>;
export type Rows = AsyncGenerator<Row[], CoverageAnswer, void>;

export const CONTENT_TYPES: Record<ExportFormat, string> = {
  ndjson: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  parquet: 'application/vnd.apache.parquet',
};

export function tableStream(
  format: ExportFormat,
  columns: readonly TableColumn[],
  rows: Rows,
): AsyncGenerator<Uint8Array | string, void, void> {
  if (format === 'parquet') return parquet(columns, rows);
  if (format === 'csv') return csv(columns, rows);
  return ndjson(rows, (row) => Object.fromEntries(columns.map(({ name }) => [name, row[name] ?? null])));
}

/** A line per row. */
export async function* ndjson(rows: Rows, cut: (row: Row) => unknown = (row) => row) {
  const line = (row: Row) => JSON.stringify(cut(row));
  const coverage = yield* mapped(rows, (group) => `${group.map(line).join('\n')}\n`);
  yield `${JSON.stringify({ coverage })}\n`;
}

async function* csv(columns: readonly TableColumn[], rows: Rows) {
  yield `${columns.map(({ name }) => name).join(',')}\n`;
  const cell = (value: Cell | undefined) =>
    value === null || value === undefined ? '' : typeof value === 'number' ? String(value) : csvText(value);
  const line = (row: Row) => columns.map(({ name }) => cell(row[name])).join(',');
  const coverage = yield* mapped(rows, (group) => `${group.map(line).join('\n')}\n`);
  yield `# coverage: ${JSON.stringify(coverage)}\n`;
}

/** Each group that has rows, made into something; returns the coverage. */
async function* mapped<T>(rows: Rows, make: (group: Row[]) => T): AsyncGenerator<T, CoverageAnswer, void> {
  try {
    for (;;) {
      const { done, value } = await rows.next();
      if (done) return value;
      if (value.length > 0) yield make(value);
    }
  } finally {
    await rows.return(undefined as never);
  }
}

// In UTC, but not said to be: of times "adjusted to UTC" DuckDB keeps microseconds only.
const ELEMENTS: Record<CellType, Omit<SchemaElement, 'name'>> = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  count: { type: 'INT64' },
  port: { type: 'INT32' },
  time: { type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'NANOS' } },
  interval: { type: 'INT64' },
};

const nameOf = ({ name, type }: TableColumn) => (type === 'interval' ? `${name}_ns` : name);

/** Nanoseconds of `seconds.nanoseconds`. */
function nanoseconds(text: string): bigint {
  const [seconds = '0', digits = ''] = text.replace('-', '').split('.');
  const magnitude = BigInt(seconds) * 1_000_000_000n + BigInt(digits.padEnd(9, '0'));
  return text.startsWith('-') ? -magnitude : magnitude;
}

function stored(type: CellType, value: Cell): StoredCell {
  if (value === null) return null;
  if (type === 'text') return String(value);
  if (type === 'port') return Number(value);
  return type === 'count' ? BigInt(value) : nanoseconds(String(value));
}

/** Rows of a row group: what is held in memory of a Parquet file in the making. */
const GROUP_ROWS = 50_000;

async function* parquet(columns: readonly TableColumn[], rows: Rows) {
  const file = new ParquetStream(columns);
  let held: Row[] = [];
  const grouped = mapped(rows, (group) => {
    held.push(...group);
    if (held.length < GROUP_ROWS) return null;
    const bytes = file.group(held);
    held = [];
    return bytes;
  });
  let coverage: CoverageAnswer;
  try {
    for (;;) {
      const { done, value } = await grouped.next();
      if (done) {
        coverage = value;
        break;
      }
      if (value) yield value;
    }
  } finally {
    await grouped.return(undefined as never);
  }
  if (held.length > 0) yield file.group(held);
  yield file.end({ 'ringtap.coverage': JSON.stringify(coverage) });
}

/** A Parquet file made piece by piece; whoever calls writes the pieces one after another. */
export class ParquetStream {
  readonly #columns: readonly TableColumn[];
  readonly #bytes = new ByteWriter();
  readonly #writer: ParquetWriter;

  constructor(columns: readonly TableColumn[]) {
    this.#columns = columns;
    const schema: SchemaElement[] = [
      { name: 'row', num_children: columns.length },
      ...columns.map((column) => ({
        name: nameOf(column),
        repetition_type: 'OPTIONAL' as const,
        ...ELEMENTS[column.type],
      })),
    ];
    this.#writer = new ParquetWriter({ writer: this.#bytes, schema, createdBy: `ringtap ${VERSION}` });
  }

  group(rows: readonly Row[]): Uint8Array {
    return this.#write((column) => rows.map((row) => stored(column.type, row[column.name] ?? null)));
  }

  /** Rows as arrays, a cell per column. */
  groupOf(records: readonly StoredCell[][]): Uint8Array {
    return this.#write(({ type }, i) =>
      records.map((cells) => {
        const value = cells[i] as StoredCell;
        return type === 'count' && typeof value === 'number' ? BigInt(value) : value;
      }),
    );
  }

  #write(cells: (column: TableColumn, i: number) => StoredCell[]): Uint8Array {
    const columnData = this.#columns.map((column, i) => ({
      name: nameOf(column),
      data: cells(column, i),
      // What readers skip row groups by; of the others they would only cost time.
      statistics: column.type === 'time',
    }));
    this.#writer.write({ columnData, rowGroupSize: GROUP_ROWS });
    return this.#taken();
  }

  end(metadata: Record<string, string> = {}): Uint8Array {
    this.#writer.kvMetadata = Object.entries(metadata).map(([key, value]) => ({ key, value }));
    this.#writer.finish();
    return this.#taken();
  }

  #taken(): Uint8Array {
    const bytes = this.#bytes.getBytes().slice();
    this.#bytes.index = 0;
    return bytes;
  }
}
