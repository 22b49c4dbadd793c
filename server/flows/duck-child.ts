/**
 * DuckDB in a process of its own: it may be killed at any time, and what it does to its memory hurts nobody
 * else. A database in memory per statement, with views as asked for; then it is locked: no files but the
 * views', no extensions, no settings. A stranger's statement must be one SELECT.
 */
import { writeFileSync } from 'node:fs';
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { DuckAnswer, DuckRequest, DuckResult, ViewSpec } from './duck-messages.js';

type Duck = typeof import('@duckdb/node-api');
type Fault = Extract<DuckAnswer, { failure: string }>['fault'];

class DuckFailure extends Error {
  readonly fault: Fault;
  constructor(fault: Fault, message: string) {
    super(message);
    this.fault = fault;
  }
}

const THREADS = 2;
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
const named = (text: string) => `"${text.replaceAll('"', '""')}"`;

let duck: Promise<Duck> | null = null;

async function load(): Promise<Duck> {
  try {
    duck ??= import('@duckdb/node-api');
    return await duck;
  } catch (error) {
    throw new DuckFailure('missing', (error as Error).message.split('\n')[0] as string);
  }
}

async function instance(memory_bytes: number): Promise<DuckDBInstance> {
  const { DuckDBInstance } = await load();
  return DuckDBInstance.create(':memory:', {
    memory_limit: `${Math.floor(memory_bytes / 2 ** 20)}MiB`,
    threads: String(THREADS),
    temp_directory: '', // memory is the limit: nothing spills to a disk that has another use
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    allow_persistent_secrets: 'false',
    allow_unredacted_secrets: 'false',
  });
}

async function makeView(connection: DuckDBConnection, view: ViewSpec): Promise<void> {
  const empty = view.columns.map(([name, type]) => `NULL::${type} AS ${named(name)}`).join(', ');
  if (view.rows) {
    const columns = view.columns.map(([name, type]) => `${named(name)} ${type}`).join(', ');
    await connection.run(`CREATE TABLE ${named(view.name)} (${columns})`);
    const marks = `(${view.columns.map(() => '?').join(', ')})`;
    for (const row of view.rows)
      await connection.run(`INSERT INTO ${named(view.name)} VALUES ${marks}`, row as never[]);
    return;
  }
  const files = view.files?.length ? `[${view.files.map(quoted).join(', ')}]` : null;
  // By name, so that files written by another version, with more or fewer columns, are read too.
  const known = `SELECT ${empty} WHERE false`;
  const source = files
    ? `${known} UNION ALL BY NAME SELECT * FROM read_parquet(${files}, union_by_name = true, hive_partitioning = false)`
    : known;
  await connection.run(`CREATE VIEW ${named(view.name)} AS ${source}`);
}

async function lock(connection: DuckDBConnection, views: readonly ViewSpec[]): Promise<void> {
  const files = views.flatMap((view) => view.files ?? []);
  await connection.run(`SET allowed_paths = [${files.map(quoted).join(', ')}]`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

/** One SELECT and nothing else, by DuckDB's own parser. */
async function onlySelect(connection: DuckDBConnection, sql: string): Promise<void> {
  const { StatementType } = await load();
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1)
    throw new DuckFailure('statement', `expected one statement, not ${statements.count}`);
  const prepared = await statements.prepare(0);
  const allowed = [StatementType.SELECT, StatementType.EXPLAIN];
  if (!allowed.includes(prepared.statementType))
    throw new DuckFailure(
      'statement',
      `only SELECT is allowed here, not ${StatementType[prepared.statementType]}`,
    );
  prepared.destroySync();
}

async function fetchRows(
  connection: DuckDBConnection,
  request: DuckRequest,
): Promise<Omit<DuckResult, 'milliseconds'>> {
  const result = await connection.stream(request.sql, request.parameters as never[]);
  const columns = result.columnNames().map((name, i) => ({ name, type: String(result.columnType(i)) }));
  const { JsonDuckDBValueConverter } = await load();
  const plain = plainer(columns);
  const rows: unknown[][] = [];
  let bytes = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) return { columns, rows, truncated: false };
    for (const row of chunk.convertRows(JsonDuckDBValueConverter)) {
      if (rows.length === request.rows_max) return { columns, rows, truncated: true };
      bytes += JSON.stringify(row).length;
      if (bytes > request.bytes_max) return { columns, rows, truncated: true };
      rows.push(row.map(plain));
    }
  }
}

const WHOLE = /^-?\d{1,16}$/;

/** The converter makes text of 64-bit numbers; those a JSON number holds exactly are numbers here. */
function plainer(columns: readonly { type: string }[]) {
  const whole = columns.map(({ type }) => /^U?(BIG|HUGE)INT$/.test(type));
  return (value: unknown, i: number) => {
    const number = whole[i] && typeof value === 'string' && WHOLE.test(value) ? Number(value) : Number.NaN;
    return Number.isSafeInteger(number) ? number : value;
  };
}

async function run(request: DuckRequest): Promise<DuckResult> {
  const started = performance.now();
  const database = await instance(request.memory_bytes);
  const connection = await database.connect();
  let late = false;
  const timer = setInterval(() => {
    if (performance.now() - started < request.timeout_ms) return;
    late = true;
    connection.interrupt(); // again and again: it stops one step of a statement
  }, 50);
  try {
    for (const view of request.views) await makeView(connection, view);
    await lock(connection, request.views);
    if (request.hostile) await onlySelect(connection, request.sql);
    const result = await fetchRows(connection, request);
    return { ...result, milliseconds: Math.round(performance.now() - started) };
  } catch (error) {
    if (late)
      throw new DuckFailure('limit', `it took longer than ${request.timeout_ms / 1000} s and was stopped`);
    throw faultOf(error as Error, request);
  } finally {
    clearInterval(timer);
    connection.closeSync();
    database.closeSync();
  }
}

function faultOf(error: Error, { memory_bytes }: DuckRequest): DuckFailure {
  if (error instanceof DuckFailure) return error;
  if (/^Out of Memory|could not allocate/i.test(error.message))
    return new DuckFailure('limit', `it needs more than ${Math.floor(memory_bytes / 2 ** 20)} MiB of memory`);
  if (/^(IO Error|Invalid Input Error: .*parquet)/i.test(error.message))
    return new DuckFailure('file', error.message);
  return new DuckFailure('statement', error.message);
}

try {
  writeFileSync('/proc/self/oom_score_adj', '1000'); // short of memory, the kernel ends this process first
} catch {
  // another system: its limits hold all the same
}
process.on('message', async (request: DuckRequest) => {
  let answer: DuckAnswer;
  try {
    answer = { id: request.id, ...(await run(request)) };
  } catch (error) {
    const fault = error instanceof DuckFailure ? error.fault : 'statement';
    answer = { id: request.id, failure: (error as Error).message, fault };
  }
  process.send?.(answer);
});
process.once('disconnect', () => process.exit(0)); // the gateway is gone
