/** The SQL of questions about flows. Values travel as parameters, never in the text. Pure. */
import type { CellType, TableColumn } from '../formats/table.js';
import type { TimeRange } from '../store/types.js';
import { FLOW_ROW_COLUMNS } from './columns.js';
import type { FlowOrder, FlowPlace, FlowQuestion } from './types.js';

export interface Sql {
  sql: string;
  parameters: (string | number | null)[];
}

const TYPES: Record<CellType, string> = {
  text: 'VARCHAR',
  count: 'BIGINT',
  port: 'INTEGER',
  time: 'TIMESTAMP_NS',
  interval: 'BIGINT',
};

const nameOf = ({ name, type }: TableColumn) => (type === 'interval' ? `${name}_ns` : name);

/** Name and type of each column of the view `flows`. */
export const FLOW_VIEW_COLUMNS: [string, string][] = FLOW_ROW_COLUMNS.map((column) => [
  nameOf(column),
  TYPES[column.type],
]);

/** What rows are read from: names as in answers; times as text of nanoseconds, which JSON can hold. */
const SELECTED = FLOW_ROW_COLUMNS.map((column) => {
  const name = nameOf(column);
  if (column.type === 'time') return `CAST(epoch_ns(${name}) AS VARCHAR) AS ${column.name}`;
  return column.type === 'interval' ? `CAST(${name} AS VARCHAR) AS ${column.name}` : name;
}).join(', ');

/** By what flows can be sorted, and how: never null, so that pages can go on from any value. */
const SORTS: Record<string, string> = {
  bytes: '(coalesce(orig_bytes, 0) + coalesce(resp_bytes, 0))',
  packets: '(coalesce(orig_packets, 0) + coalesce(resp_packets, 0))',
};
for (const { name, type } of FLOW_ROW_COLUMNS) {
  if (type === 'text') SORTS[name] = `coalesce(${name}, '')`;
  else if (type === 'time') SORTS[name] = `epoch_ns(${name})`;
  else SORTS[name] = `coalesce(${type === 'interval' ? `${name}_ns` : name}, -1)`;
}
export const SORT_COLUMNS = Object.keys(SORTS);

class Conditions {
  readonly texts: string[] = [];
  readonly parameters: Sql['parameters'] = [];

  add(text: string, ...parameters: Sql['parameters']): void {
    this.texts.push(text);
    this.parameters.push(...parameters);
  }

  /** Flows that were there at some time of the range. */
  range({ fromNs, toNs }: TimeRange): void {
    if (fromNs !== null) this.add('epoch_ns(last_ts) >= CAST(? AS BIGINT)', String(fromNs));
    if (toNs !== null) this.add('epoch_ns(first_ts) < CAST(? AS BIGINT)', String(toNs));
  }

  /** A DNS name, or `*.name` for all below it. */
  host(list: string, name: string): void {
    const wanted = name.toLowerCase().replace(/\.$/, '');
    const hosts = `list_transform(string_split(coalesce(${list}, ''), ' '), lambda host: lower(host))`;
    if (!wanted.startsWith('*.')) this.add(`list_contains(${hosts}, ?)`, wanted);
    else this.add(`len(list_filter(${hosts}, lambda host: ends_with(host, ?))) > 0`, wanted.slice(1));
  }

  get where(): string {
    return this.texts.length > 0 ? `WHERE ${this.texts.join(' AND ')}` : '';
  }
}

function conditions({ range, fields, communities }: FlowQuestion): Conditions {
  const found = new Conditions();
  found.range(range);
  const { service, sni, dns_name, community_id, conn_state, bytes_over } = fields;
  if (service !== undefined) found.add("list_contains(string_split(coalesce(service, ''), ','), ?)", service);
  if (sni !== undefined) found.host('sni', sni);
  if (dns_name !== undefined) found.host('dns_names', dns_name);
  if (community_id !== undefined) found.add('community_id = ?', community_id);
  if (conn_state !== undefined) found.add('conn_state = ?', conn_state);
  if (bytes_over !== undefined) found.add(`${SORTS.bytes} > CAST(? AS BIGINT)`, String(bytes_over));
  // One text: a list of thousands of parameters would take longer to bind than to search.
  if (communities) found.add("list_contains(string_split(?, ' '), community_id)", communities.join(' '));
  return found;
}

/** The column `page_key` holds what the rows are sorted by, as text. */
export function pageSql(
  question: FlowQuestion,
  order: FlowOrder,
  limit: number,
  after: FlowPlace | null,
): Sql {
  const key = SORTS[order.column] as string;
  const found = conditions(question);
  const [compare, direction] = order.descending ? ['<', 'DESC'] : ['>', 'ASC'];
  if (after) {
    const numeric = !key.startsWith('coalesce(') || !key.endsWith("'')");
    const value = numeric ? 'CAST(? AS BIGINT)' : '?';
    found.add(
      `(${key} ${compare} ${value} OR (${key} = ${value} AND id > ?))`,
      String(after.value),
      String(after.value),
      after.id,
    );
  }
  const sql = `SELECT ${SELECTED}, CAST(${key} AS VARCHAR) AS page_key FROM flows ${found.where} ORDER BY ${key} ${direction}, id ASC LIMIT ${Number(limit)}`;
  return { sql, parameters: found.parameters };
}

export function getSql(id: string): Sql {
  return { sql: `SELECT ${SELECTED} FROM flows WHERE id = ? LIMIT 1`, parameters: [id] };
}
