/** Jobs over HTTP: begun, watched, followed, cancelled, expired, bounded; their results in every format. */
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ApiError, Client, lines } from '../../proto/client.js';
import { RequestError } from '../../server/jobs/failure.js';
import { type Job, Jobs } from '../../server/jobs/jobs.js';
import { Turns } from '../../server/jobs/turns.js';
import { numbered, storeOf, withoutRecorder } from './captures.js';
import { sleep, startGateway, waitFor, withoutEngine } from './helpers.js';

const skip = withoutEngine() ?? withoutRecorder();
if (skip) console.log(`SKIP ${skip}`);
const check = skip ? test.skip : test;

async function gatewayOf(limits = {}, count = 3000) {
  const gateway = await startGateway({ store: [storeOf(numbered(count))], limits });
  return { gateway, client: new Client({ url: `http://127.0.0.1:${gateway.port}` }) };
}

async function rowsOf(body: ReadableStream<Uint8Array>): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for await (const line of lines(body)) rows.push(JSON.parse(line));
  return rows;
}

const failed = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: ApiError) => error,
  );
const spools = () => readdirSync(tmpdir()).filter((name) => name.startsWith('ringtap-query-')).length;

check('a job tells its progress and keeps its results', async () => {
  const { gateway, client } = await gatewayOf();
  const job = await client.createQuery({ filter: 'udp port 7001', limit: 100_000 });
  const states: string[] = [];
  for await (const { state } of client.queryEvents(job.id)) states.push(state);
  assert.is(states.at(-1), 'done');
  const done = await client.query(job.id);
  assert.equal(
    [done.results, done.coverage!.segments, done.error, done.coverage!.stopped],
    [600, 1, null, null],
  );
  assert.is(done.progress.bytes_done, done.progress.bytes_total);
  assert.ok(Date.parse(done.expires!) > Date.now());
  const rows = await rowsOf(await client.queryResults(job.id));
  assert.is(rows.length, 601);
  const pages = await client.packets({ filter: 'udp port 7001', limit: 1000 });
  assert.equal(rows.slice(0, -1), pages.packets as unknown[]);
  assert.equal((rows.at(-1) as { coverage: { missing: unknown[] } }).coverage.missing, []);
  const csv = await new Response(await client.queryResults(job.id, { format: 'csv' })).text();
  assert.is(csv.trimEnd().split('\n').length, 602);
  const parquet = Buffer.from(
    await new Response(await client.queryResults(job.id, { format: 'parquet' })).arrayBuffer(),
  );
  assert.is(parquet.toString('latin1', 0, 4), 'PAR1');
  assert.ok(parquet.includes('ringtap.coverage'));
  assert.equal(
    (await client.queries()).queries.map(({ id }) => id),
    [job.id],
  );
  await client.deleteQuery(job.id);
  assert.is((await failed(client.query(job.id)))?.status, 404);
  assert.is(spools(), 0, 'nothing is left on disk');
  await gateway.app.close();
});

check('summaries are jobs too; limits are kept and said', async () => {
  const { gateway, client } = await gatewayOf({ job_spool_bytes: 20_000 });
  const summary = await client.createQuery({ kind: 'summary' });
  const rows = await rowsOf(await client.queryResults(summary.id)); // follows until it is done
  assert.equal([rows.length, rows[0]!.packets], [2, 3000]);
  assert.is((await failed(client.queryResults(summary.id, { format: 'csv' })))?.status, 400);
  const few = await client.createQuery({ limit: 10 });
  const limited = await rowsOf(await client.queryResults(few.id));
  assert.is(limited.length, 11);
  assert.is((limited.at(-1) as { coverage: { stopped: string } }).coverage.stopped, 'limit');
  const large = await client.createQuery({ limit: 100_000 });
  const cut = await rowsOf(await client.queryResults(large.id)); // more than its disk
  assert.is((cut.at(-1) as { coverage: { stopped: string } }).coverage.stopped, 'limit');
  assert.ok(cut.length < 3000);
  await gateway.app.close();
});

check('a job is cancelled while it is read', async () => {
  const { gateway, client } = await gatewayOf({}, 20_000);
  const job = await client.createQuery({ limit: 1_000_000 });
  const results = rowsOf(await client.queryResults(job.id)).catch((error) => error);
  await client.deleteQuery(job.id);
  await results; // ends, in whatever way
  assert.is((await failed(client.query(job.id)))?.status, 404);
  await gateway.app.close();
});

check('a wrong question is refused at once', async () => {
  const { gateway, client } = await gatewayOf({}, 10);
  const wrong = (await failed(client.createQuery({ filter: 'udp port' })))!;
  assert.equal([wrong.status, typeof wrong.position], [400, 'number']);
  assert.is((await failed(client.createQuery({ kind: 'nothing' as 'packets' })))?.status, 400);
  assert.is((await failed(client.createQuery({ limit: 1e12 })))?.status, 400);
  assert.is((await failed(client.query('none')))?.status, 404);
  await gateway.app.close();
});

check('many questions at once are all answered', async () => {
  const { gateway, client } = await gatewayOf({ scan_turns: 2 });
  const jobs = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      client.createQuery({ filter: `udp port ${7000 + (i % 5)}`, limit: 10_000 }),
    ),
  );
  const pages = Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      client.packets({ filter: `udp port ${7000 + (i % 5)}`, limit: 1000 }),
    ),
  );
  const results = await Promise.all(jobs.map(async ({ id }) => rowsOf(await client.queryResults(id))));
  for (const rows of results) assert.is(rows.length, 601);
  for (const { packets } of await pages) assert.is(packets.length, 600);
  await gateway.app.close();
});

/** A job whose work waits to be let go. */
function held(jobs: Jobs, caller: string, begun: string[]): { job: Job; release: () => void } {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const work = async ({ signal }: { signal: AbortSignal }) => {
    begun.push(caller);
    await Promise.race([gate, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
    return null as never;
  };
  return { job: jobs.create({ kind: 'packets', query: {}, limit: 1, caller, work }), release };
}

test('places go to callers with fewer jobs first; finished jobs make room and expire', async () => {
  const jobs = new Jobs({ jobs: 6, jobs_running: 2, job_keep_ms: 50, job_spool_bytes: 1000 });
  const begun: string[] = [];
  const all = ['a', 'a', 'a', 'a', 'b'].map((caller) => held(jobs, caller, begun));
  await waitFor('two to begin', () => begun.length === 2);
  assert.equal(begun, ['a', 'a']);
  all[0]!.release();
  await waitFor('another to begin', () => begun.length === 3);
  assert.equal(begun, ['a', 'a', 'b'], 'b came last but has nothing at work');
  held(jobs, 'c', begun);
  assert.is(all[0]!.job.state, 'done');
  await waitFor('expiry', () => !jobs.all().includes(all[0]!.job));
  held(jobs, 'c', begun);
  assert.throws(
    () => held(jobs, 'c', begun),
    (error: unknown) => error instanceof RequestError && error.statusCode === 429,
  );
  await jobs.close();
  assert.is(jobs.all().length, 0);
});

test('turns: bounded in all and per caller, first come first served', async () => {
  const turns = new Turns({ scans: 3, scans_per_caller: 2, scan_turns: 1 });
  const leave = [turns.admit('a'), turns.admit('a')];
  const busy = (error: unknown) =>
    error instanceof RequestError && error.statusCode === 429 && error.retryAfter_s !== null;
  assert.throws(() => turns.admit('a'), busy);
  leave.push(turns.admit('b'));
  assert.throws(() => turns.admit('c'), busy);
  leave[0]!();
  leave[0]!(); // twice is once
  turns.admit('c');
  assert.throws(() => turns.admit('d'), busy);
  const order: string[] = [];
  const step = (name: string) =>
    turns.take(async () => {
      order.push(name);
      await sleep(1);
      order.push(name);
    });
  await Promise.all([
    step('1'),
    step('2'),
    turns
      .take(async () => {
        throw new Error('x');
      })
      .catch(() => {}),
    step('3'),
  ]);
  assert.equal(order, ['1', '1', '2', '2', '3', '3']);
});

test.run();
