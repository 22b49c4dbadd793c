/**
 * Flows as one Parquet file in memory: times are TIMESTAMP(NANOS, UTC), intervals and counts INT64, ports
 * INT32, texts UTF-8; unknown is null. Its size is bounded by the engine's flow table.
 */
import { parquetWriteBuffer, type SchemaElement } from 'hyparquet-writer';
import type { Flow } from '../../asm/host/index.js';
import { VERSION } from '../paths.js';
import { COLUMNS, type Column, type ColumnType, type Value } from './flow-columns.js';

const ROW_GROUP_ROWS = 100_000;

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

export function parquetFile(flows: readonly Flow[]): Uint8Array {
  const columnData = COLUMNS.map((column) => ({
    name: nameOf(column),
    data: flows.map((flow) => stored(column.type, column.value(flow))),
  }));
  const schema: SchemaElement[] = [
    { name: 'flow', num_children: COLUMNS.length },
    ...COLUMNS.map((column) => ({
      name: nameOf(column),
      repetition_type: 'OPTIONAL' as const,
      ...ELEMENTS[column.type],
    })),
  ];
  const options = { columnData, schema, rowGroupSize: ROW_GROUP_ROWS, createdBy: `ringtap ${VERSION}` };
  return new Uint8Array(parquetWriteBuffer(options));
}
