/**
 * SQL of strangers against a real DuckDB: it reads the views and nothing else, writes nothing, changes no
 * setting, and is stopped at its limits while the gateway goes on.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ApiError, Client } from '../../proto/client.js';
import { DuckPool, duckProblem } from '../../server/flows/duck-process.js';
import { conversation, numbered, pcap, storeOf, withoutRecorder } from '../server/captures.js';
import { ringtap, startGateway, temporaryDirectory, waitFor, withoutEngine } from '../server/helpers.js';

const skip = withoutEngine() ?? withoutRecorder() ?? duckProblem();
if (skip) console.log(`SKIP ${skip}`);
const check = skip ? test.skip : test;

const client7 = { address: '10.1.1.7', port: 40_000 };
const web = { address: '10.1.1.1', port: 80 };
const FRAMES = [
  ...numbered(500),
  ...conversation(client7, web, [
    ['>', 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n'],
    ['<', 'HTTP/1.1 200 OK\r\n\r\nhello'],
  ]),
];

async function gatewayOf(limits = {}) {
  const store = storeOf(FRAMES);
  const gateway = await startGateway({ store: [store], limits: { flow_poll_ms: 100, ...limits } });
  const client = new Client({ url: `http://127.0.0.1:${gateway.port}` });
  await waitFor('flow records', () => existsSync(join(store, 'flows')), 10_000);
  for (let i = 0; i < 100; i++) {
    const { rows } = await client.sql({ sql: 'SELECT count(*) FROM flows' });
    if (Number(rows[0]![0]) > 0) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { store, gateway, client };
}

const failed = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: ApiError) => error,
  );

check('the views answer; numbers are numbers, limits are kept', async () => {
  const { gateway, client } = await gatewayOf();
  const flows = await client.sql({
    sql: 'SELECT proto, sum(orig_packets + resp_packets) AS packets FROM flows GROUP BY proto ORDER BY proto',
  });
  assert.equal(
    flows.columns.map(({ name }) => name),
    ['proto', 'packets'],
  );
  assert.equal(flows.rows, [
    ['tcp', FRAMES.length - 500],
    ['udp', 500],
  ]);
  const segments = await client.sql({ sql: 'SELECT packets, interface FROM segments' });
  assert.equal(segments.rows, [[FRAMES.length, 'tap.pcap']]);
  const host = await client.sql({
    sql: 'SELECT http_host, service, conn_state FROM flows WHERE resp_port = 80',
  });
  assert.equal(host.rows, [['a.example', 'http', 'SF']]);
  const some = await client.sql({ sql: 'SELECT * FROM range(5000)', limit: 10 });
  assert.equal([some.rows.length, some.truncated], [10, true]);
  const exact = await client.sql({ sql: 'SELECT * FROM range(10)', limit: 10 });
  assert.equal([exact.rows.length, exact.truncated], [10, false]);
  const odd = await client.sql({
    sql: "SELECT NULL, 'x', 9007199254740993::BIGINT, 1.5::DOUBLE, [1, 2], {'a': 1}, true",
  });
  assert.equal(odd.rows, [[null, 'x', '9007199254740993', 1.5, [1, 2], { a: 1 }, true]]);
  await gateway.app.close();
});

check('nothing but reading the views is possible', async () => {
  const { store, gateway, client } = await gatewayOf();
  const canary = join(temporaryDirectory(), 'canary');
  writeFileSync(canary, 'secret-canary');
  const loot = join(temporaryDirectory(), 'loot');
  const own = join(store, 'flows', '*', '*', '*.parquet');
  const hostile = [
    `COPY flows TO '${loot}'`,
    `COPY (SELECT 1) TO '${loot}' (FORMAT csv)`,
    `EXPORT DATABASE '${loot}'`,
    `ATTACH '${loot}' AS other`,
    `ATTACH ':memory:' AS other`,
    `CREATE TABLE t AS SELECT 1`,
    `CREATE TEMP TABLE t AS SELECT 1`,
    `CREATE MACRO m() AS 1`,
    `DROP VIEW flows`,
    `INSERT INTO segments VALUES ('x')`,
    `DELETE FROM segments`,
    `UPDATE segments SET packets = 0`,
    `SELECT * FROM read_csv('${canary}')`,
    `SELECT * FROM read_csv('/etc/passwd')`,
    `SELECT * FROM '/etc/passwd'`,
    `SELECT * FROM '${canary}'`,
    `SELECT * FROM read_text('${canary}')`,
    `SELECT * FROM read_blob('/proc/self/environ')`,
    `SELECT * FROM sniff_csv('${canary}')`,
    `SELECT * FROM read_json('${canary}')`,
    `SELECT * FROM read_parquet('${own}')`,
    `SELECT * FROM parquet_metadata('${own}')`,
    `SELECT * FROM glob('/etc/*')`,
    `SELECT * FROM 'https://127.0.0.1/x.parquet'`,
    `SELECT getenv('HOME')`,
    'INSTALL httpfs',
    'LOAD httpfs',
    "SET memory_limit = '100GB'",
    'SET enable_external_access = true',
    'RESET lock_configuration',
    'PRAGMA enable_external_access',
    'PRAGMA database_list',
    "PRAGMA memory_limit='100GB'",
    'CALL pragma_version()',
    "CALL enable_logging('QueryLog')",
    `SELECT * FROM enable_logging('QueryLog', storage := 'file', storage_config := {'path': '${loot}'})`,
    'CHECKPOINT',
    'VACUUM',
    'BEGIN TRANSACTION',
    'SELECT 1; SELECT 2',
    `SELECT 1; COPY flows TO '${loot}'`,
    `EXPLAIN ANALYZE COPY flows TO '${loot}'`,
    `PREPARE p AS COPY flows TO '${loot}'`,
    `SELECT * FROM query('COPY flows TO ''${loot}''')`,
    `WITH x AS (INSERT INTO segments VALUES (1) RETURNING *) SELECT * FROM x`,
    `IMPORT DATABASE '${loot}'`,
    'CREATE SECRET s (TYPE s3)',
    '',
    ';',
    'SELEC 1',
    'SELECT * FROM nothing',
    `SELECT '\0'`,
    '('.repeat(5000),
    `SELECT ${'('.repeat(3000)}1${')'.repeat(3000)}`,
  ];
  const before = readFileSync('/etc/passwd', 'utf8').split('\n')[0]!;
  for (const sql of hostile) {
    const answer = await client.sql({ sql }).then(
      (value) => ({ value, error: null }),
      (error: ApiError) => ({ value: null, error }),
    );
    const text = JSON.stringify(answer.value ?? answer.error!.message);
    assert.not.match(text, 'secret-canary', sql);
    assert.ok(!text.includes(before), sql);
    assert.ok(!text.includes(store), `${sql}: ${text}`);
    // What DuckDB tells of itself, and of nothing else.
    const harmless =
      sql.includes('FROM enable_logging(') || sql === 'PRAGMA database_list' || sql.includes('1)))');
    if (!harmless) assert.ok(answer.error && [400, 422].includes(answer.error.status), `${sql}: ${text}`);
  }
  assert.not(existsSync(loot), 'nothing was written');
  // Whatever they tried: the next one finds everything as it was.
  assert.equal((await client.sql({ sql: 'SELECT count(*) FROM segments' })).rows, [[1]]);
  await gateway.app.close();
});

check('memory, time and size are limited; the gateway answers meanwhile', async () => {
  const { gateway, client } = await gatewayOf({
    sql_timeout_ms: 1500,
    sql_memory_bytes: 128 << 20,
    sql_result_bytes: 1 << 20,
  });
  const bombs = [
    'SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000000) c WHERE a.range + b.range = c.range * 7',
    "SELECT length(string_agg(repeat('x', 1000000), '')) FROM range(5000)",
    'SELECT len(list(range)) FROM range(300000000)',
    'SELECT max(a.range) FROM range(50000000) a GROUP BY a.range ORDER BY 1 LIMIT 1',
    'WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r',
  ];
  let slowest_ms = 0;
  let last = performance.now();
  const beat = setInterval(() => {
    slowest_ms = Math.max(slowest_ms, performance.now() - last);
    last = performance.now();
  }, 10);
  const all = await Promise.all(bombs.map((sql) => failed(client.sql({ sql }))));
  clearInterval(beat);
  for (const [i, error] of all.entries()) assert.is(error?.status, 422, `${bombs[i]}: ${error?.message}`);
  assert.ok(slowest_ms < 1000, `the event loop stood still for ${slowest_ms} ms`);
  const wide = await client.sql({ sql: "SELECT repeat('y', 100000) FROM range(1000)" });
  assert.ok(wide.truncated && wide.rows.length < 12 && wide.rows.length > 5, `${wide.rows.length} rows`);
  assert.equal((await client.sql({ sql: 'SELECT 1' })).rows, [[1]]);
  await gateway.app.close();
});

check('too many statements are told to come again', async () => {
  const { gateway, client } = await gatewayOf({ sql_concurrent: 1, sql_waiting: 2, sql_timeout_ms: 1000 });
  const slow =
    'SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range = b.range + 1 OR a.range * 3 = b.range';
  const all = await Promise.all(Array.from({ length: 6 }, () => failed(client.sql({ sql: slow }))));
  const statuses = all.map((error) => error?.status ?? 200);
  assert.ok(statuses.includes(429), `${statuses}`);
  assert.ok(statuses.filter((status) => status !== 429).length >= 3, `${statuses}`);
  await gateway.app.close();
});

check('a process killed in the middle fails its statement only', async () => {
  const pool = new DuckPool({
    sql_memory_bytes: 128 << 20,
    sql_timeout_ms: 200,
    sql_concurrent: 1,
    sql_waiting: 4,
    sql_idle_ms: 1000,
  });
  const ask = (sql: string) =>
    pool.run({ views: [], sql, parameters: [], rows_max: 10, bytes_max: 1000, hostile: true });
  const error = await failed(
    ask(
      'SELECT count(*) FROM range(100000) a, range(100000) b, range(100000) c WHERE a.range + b.range = c.range * 7',
    ),
  );
  assert.match(error!.message, 'longer than 0.2 s');
  assert.equal((await ask('SELECT 42')).rows, [[42]]);
  await pool.close();
});

check('DuckDB reads the Parquet of `ringtap flows`', async () => {
  const file = join(temporaryDirectory(), 'cli.pcap');
  writeFileSync(file, pcap(FRAMES));
  const out = join(temporaryDirectory(), 'flows.parquet');
  const { execFileSync } = await import('node:child_process');
  const { paths } = await import('../../server/paths.js');
  writeFileSync(
    out,
    execFileSync(process.execPath, [paths.cli, 'flows', file, '--format', 'parquet'], { maxBuffer: 1 << 28 }),
  );
  const csv = (await ringtap(['flows', file])).stdout.trim().split('\n');
  const pool = new DuckPool({
    sql_memory_bytes: 128 << 20,
    sql_timeout_ms: 20_000,
    sql_concurrent: 1,
    sql_waiting: 4,
    sql_idle_ms: 1000,
  });
  const views = [{ name: 'flows', columns: [['proto', 'VARCHAR']] as [string, string][], files: [out] }];
  const { rows } = await pool.run({
    views,
    sql: 'SELECT count(*), sum(orig_packets + resp_packets), count(DISTINCT community_id), max(syn_ack_rtt_ns), min(epoch_ns(first_ts)) FROM flows',
    parameters: [],
    rows_max: 1,
    bytes_max: 1000,
    hostile: false,
  });
  assert.equal(rows[0]!.slice(0, 2), [csv.length - 1, FRAMES.length]);
  assert.equal(rows[0]!.slice(3), [1_000_000, '1750000000000000000']);
  await pool.close();
});

test.run();
