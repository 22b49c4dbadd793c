/**
 * The document, the routes and the client say the same; without a store every route says so; hostile
 * parameters are refused with an error for people, never with a failure of ours.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OPERATIONS } from '../../proto/api.js';
import { Client } from '../../proto/client.js';
import { buildApp } from '../../server/app.js';
import { OptionsError, parseAge } from '../../server/options.js';
import { numbered, storeOf, withoutRecorder } from './captures.js';
import { random, withoutEngine } from './helpers.js';

const host = '127.0.0.1:8474';
const skip = withoutEngine() ?? withoutRecorder();
if (skip) console.log(`SKIP ${skip}`);
const check = skip ? test.skip : test;

interface Parameter {
  name: string;
  in: string;
  required: boolean;
  schema: { type?: string; enum?: unknown[]; minimum?: number; maximum?: number; maxLength?: number };
}
interface OpenApiOperation {
  summary: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: { properties: Record<string, Parameter['schema']> } }> };
  responses: Record<string, unknown>;
}
type Document = Record<string, Record<string, OpenApiOperation>>;

async function build(options = {}) {
  const { app } = await buildApp({ logLevel: 'silent', ...options });
  const { paths } = (await app.inject({ url: '/api/v1/openapi.json', headers: { host } })).json();
  return { app, paths: paths as Document };
}

test('document, routes and client name the same operations', async () => {
  const { app, paths } = await build();
  const documented = Object.entries(paths)
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))
    .sort();
  const known = Object.values(OPERATIONS)
    .map(([method, path]) => `${method} ${path}`)
    .sort();
  assert.equal(documented, known);
  for (const operation of documented) {
    const [method, path] = operation.split(' ') as [string, string];
    const url = path.replace(/\{(\w+)\}/g, ':$1');
    assert.ok(app.hasRoute({ method: method.toUpperCase() as 'GET', url }), operation);
  }
  const client = new Client() as unknown as Record<string, unknown>;
  for (const name of Object.keys(OPERATIONS)) assert.type(client[name], 'function', name);
  await app.close();
});

test('every operation documents parameters, answers and errors', async () => {
  const { app, paths } = await build();
  for (const [path, methods] of Object.entries(paths))
    for (const [method, { summary, parameters = [], responses }] of Object.entries(methods)) {
      const where = `${method} ${path}`;
      assert.ok(summary.length > 5, where);
      const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      assert.equal(
        inPath,
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
        where,
      );
      assert.ok(
        Object.keys(responses).some((status) => status.startsWith('2')),
        where,
      );
      if (path !== '/api/v1/openapi.json') assert.ok('401' in responses, where);
    }
  const sorts = paths['/api/v1/flows']!.get!.parameters!.find(({ name }) => name === 'sort')!.schema.enum!;
  assert.ok(sorts.includes('bytes') && sorts.includes('first_ts'));
  await app.close();
});

test('without a store each route about stored captures says what to do', async () => {
  const { app, paths } = await build();
  for (const [path, methods] of Object.entries(paths))
    for (const [method, operation] of Object.entries(methods)) {
      if (path.endsWith('/status') || path.endsWith('/openapi.json')) continue;
      const payload = operation.requestBody ? (path.endsWith('/sql') ? { sql: 'SELECT 1' } : {}) : undefined;
      const url = path.replaceAll('{id}', 'x');
      const answer = await app.inject({
        method: method as 'GET',
        url,
        headers: { host },
        ...(payload && { payload }),
      });
      assert.is(answer.statusCode, 409, `${method} ${url}: ${answer.body}`);
      assert.match(answer.json().message, 'start it with --store DIR');
    }
  await app.close();
});

test('pages of other sites may not ask; tokens are needed as everywhere', async () => {
  const { app } = await build({ host: '0.0.0.0', token: 'correct-horse-battery' });
  const ask = (headers: Record<string, string>) =>
    app.inject({ url: '/api/v1/packets', headers: { host, ...headers } });
  assert.is((await ask({})).statusCode, 401);
  const authorization = 'Bearer correct-horse-battery';
  assert.is((await ask({ authorization })).statusCode, 409);
  assert.is((await ask({ authorization, 'sec-fetch-site': 'cross-site' })).statusCode, 403);
  assert.is((await ask({ authorization, 'sec-fetch-site': 'same-origin' })).statusCode, 409);
  await app.close();
});

test('a store that is not there, and ages that are none, are wrong options', async () => {
  await buildApp({ logLevel: 'silent', store: ['/etc/passwd'] }).then(
    () => assert.unreachable(),
    (error) => assert.instance(error, OptionsError),
  );
  assert.equal([parseAge(undefined), parseAge('30d'), parseAge('12h')], [null, 2_592_000, 43_200]);
  for (const text of ['', '30', 'd', '-1d', '1.5d', '9999999d'])
    assert.throws(() => parseAge(text), /retain-flows-age/);
});

const WORDS = [
  '', '0', '-1', '1', '1e9', '99999999999999999999', 'NaN', 'null', 'true', 'now', 'now-5m', 'now-99999999w', '2026-02-31', '1969-12-31', '9223372036.9',
  'tcp port 80', 'not', '((((', 'host 1.2.3.4 and (', 'port 70000', "'; DROP TABLE flows; --", '*.example', '%00', '\u0000', '../../../etc/passwd', 'ü€😀',
  'a'.repeat(5000), '[]', '{}', '1:AAAAAAAAAAAAAAAAAAAAAAAAAAA=', 'ringtap-tap.pcap-20200101T000000.000000000Z-000001:4096', 'x~1', 'SF', 'csv', 'desc', 'bytes', 'eyJ2IjoxLCJxIjp7fX0',
  Buffer.from(JSON.stringify({ v: 1, q: {}, after: 'x:1' })).toString('base64url'),
  Buffer.from(JSON.stringify({ v: 1, q: { from: '5' }, s: 'bytes', d: true, at: { value: 'x', id: 'y' } })).toString('base64url'),
  Buffer.from(JSON.stringify({ v: 1, q: { __proto__: 1, filter: {} }, s: '1; --' })).toString('base64url'),
]; // biome-ignore format: a list of words

check('random parameters of every operation never fail inside', async () => {
  const seed = Number(process.env.RINGTAP_SEED ?? Date.now() & 0xffff);
  console.log(`RINGTAP_SEED=${seed}`);
  const next = random(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
  const { app, paths } = await build({ store: [storeOf(numbered(20))] });
  const value = ({ schema }: Parameter): string => {
    if (next() < 0.5) return pick(WORDS);
    if (schema.enum) return String(pick(schema.enum));
    if (schema.type === 'integer') return String(Math.floor(next() * 2000));
    return pick(WORDS);
  };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const seen = new Map<number, number>();
  for (let i = 0; i < 250; i++) {
    const { path, method, operation } = pick(operations);
    const given = (operation.parameters ?? []).filter(() => next() < 0.3);
    const search = new URLSearchParams(
      given.filter((one) => one.in === 'query').map((one) => [one.name, value(one)]),
    );
    if (next() < 0.05) search.append(pick(['unknown', '__proto__', 'from', 'limit']), pick(WORDS));
    const url = `${path.replaceAll('{id}', encodeURIComponent(pick(WORDS) || 'x'))}?${search}`;
    const body = operation.requestBody && {
      [pick(['sql', 'filter', 'kind', 'limit', 'from'])]: pick([...WORDS, 5, null, []]),
    };
    const answer = await app.inject({
      method: method as 'GET',
      url,
      headers: { host },
      ...(body && { payload: body }),
    });
    const { statusCode } = answer;
    seen.set(statusCode, (seen.get(statusCode) ?? 0) + 1);
    assert.ok(
      statusCode < 500 || statusCode === 501,
      `${method} ${url} ${JSON.stringify(body)}: ${statusCode} ${answer.body}`,
    );
    assert.not.match(answer.body, /node_modules|\.js:\d+|root:x:/, url);
    if (statusCode >= 400 && statusCode !== 404) assert.type(answer.json().message, 'string', url);
  }
  assert.ok((seen.get(200) ?? 0) > 20 && (seen.get(400) ?? 0) > 20, JSON.stringify([...seen]));
  assert.is(
    (await app.inject({ url: '/api/v1/packets', headers: { host } })).json().packets.length,
    20,
    'all is well after it',
  );
  await app.close();
});

test.run();
