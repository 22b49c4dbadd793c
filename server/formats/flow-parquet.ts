/**
 * Flows as Parquet, a row group at a time, so that memory does not grow with their number: times are
 * TIMESTAMP(NANOS, UTC), intervals and counts INT64, ports INT32, texts UTF-8; unknown is null.
 */
import { ByteWriter, ParquetWriter, type SchemaElement } from 'hyparquet-writer';
import type { Flow } from '../../asm/host/index.js';
import { VERSION } from '../paths.js';
import { COLUMNS, type Column, type ColumnType, type Value } from './flow-columns.js';

const ROW_GROUP_ROWS = 32_768;

const ELEMENTS: Record<ColumnType, Omit<SchemaElement, 'name'>> = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  texts: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  count: { type: 'INT64' },
  port: { type: 'INT32' },
  time_ns: { type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'NANOS' } },
  interval_ns: { type: 'INT64' },
};

/** The value as the column's physical type wants it. */
function stored(type: ColumnType, value: Value): string | number | bigint | null {
  if (value === null) return null;
  if (type === 'texts') return (value as string[]).join(' ');
  return type === 'count' ? BigInt(value as number) : (value as string | number | bigint);
}

/** Intervals say their unit in their name, as Parquet has no type for them that readers agree on. */
function nameOf({ name, type }: Column): string {
  return type === 'interval_ns' ? `${name}_ns` : name;
}

const SCHEMA: SchemaElement[] = [
  { name: 'flow', num_children: COLUMNS.length },
  ...COLUMNS.map((column) => ({
    name: nameOf(column),
    repetition_type: 'OPTIONAL' as const,
    ...ELEMENTS[column.type],
  })),
];

/** One file: add flows, then end. Bytes go to `write` as they come and are valid during the call only. */
export class ParquetFlows {
  readonly #bytes = new ByteWriter();
  readonly #file = new ParquetWriter({
    writer: this.#bytes,
    schema: SCHEMA,
    createdBy: `ringtap ${VERSION}`,
  });
  readonly #write: (bytes: Uint8Array) => void;
  #waiting: Flow[] = [];

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  add(flows: readonly Flow[]): void {
    for (const flow of flows) {
      this.#waiting.push(flow);
      if (this.#waiting.length === ROW_GROUP_ROWS) this.#group();
    }
  }

  end(): void {
    if (this.#waiting.length) this.#group();
    this.#file.finish();
    this.#out();
  }

  #group(): void {
    const flows = this.#waiting;
    this.#waiting = [];
    const columnData = COLUMNS.map((column) => ({
      name: nameOf(column),
      data: flows.map((flow) => stored(column.type, column.value(flow))),
    }));
    this.#file.write({ columnData, rowGroupSize: ROW_GROUP_ROWS });
    this.#out();
  }

  /** The writer counts its offset apart from the buffer, which starts anew. */
  #out(): void {
    this.#write(this.#bytes.getBytes());
    this.#bytes.index = 0;
  }
}

export function parquetFile(flows: readonly Flow[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const file = new ParquetFlows((bytes) => parts.push(bytes.slice()));
  file.add(flows);
  file.end();
  return new Uint8Array(Buffer.concat(parts));
}
