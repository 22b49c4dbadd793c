/** The app by injection: headers, hosts, errors, login, static files, status and its schema. */
import { writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildApp } from '../../server/app.js';
import { hostAllowed, originAllowed } from '../../server/hosts.js';
import { isLoopback, OptionsError, parseListen, readTokenFile } from '../../server/options.js';
import { gatewayStatus } from '../../server/status.js';
import { Client, startGateway, TestProbe, temporaryDirectory, u64, waitFor } from './helpers.js';

const isOptionsError = (error: unknown) => error instanceof OptionsError;
const TOKEN = 'correct-horse-battery';
const host = '127.0.0.1:8474';

function dashboard(): string {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'index.html'), '<!doctype html><title>Ringtap</title>');
  writeFileSync(join(directory, '.secret'), 'hidden');
  writeFileSync(join(directory, 'ringtap.wasm'), Buffer.from([0, 0x61, 0x73, 0x6d]));
  return directory;
}

async function build(options: Parameters<typeof buildApp>[0] = {}) {
  return (await buildApp({ logLevel: 'silent', dashboardDir: dashboard(), ...options })).app;
}

test('every answer carries the security headers, errors too', async () => {
  const app = await build();
  for (const url of ['/', '/api/v1/status', '/nowhere']) {
    const { headers } = await app.inject({ url, headers: { host } });
    const csp = String(headers['content-security-policy']);
    assert.match(csp, "script-src 'self' 'wasm-unsafe-eval'");
    assert.match(csp, "frame-ancestors 'none'");
    assert.not.match(csp, 'unsafe-inline');
    assert.is(headers['x-content-type-options'], 'nosniff');
    assert.is(headers['referrer-policy'], 'no-referrer');
  }
  await app.close();
});

test('on loopback only this machine’s names are served', async () => {
  const app = await build();
  for (const [name, status] of [
    ['localhost:8474', 200],
    ['127.0.0.1', 200],
    ['[::1]:9', 200],
    ['LOCALHOST', 200],
    ['evil.example', 403],
    ['127.0.0.1.evil.example', 403],
    ['localhost:8474:1', 403],
    ['local host', 403],
  ] as const) {
    const answer = await app.inject({ url: '/api/v1/status', headers: { host: name } });
    assert.is(answer.statusCode, status, name);
  }
  await app.close();
  assert.ok(hostAllowed('tap.example:8474', '0.0.0.0'));
  assert.not(hostAllowed(undefined, '0.0.0.0'));
  assert.ok(originAllowed('https://tap.example', 'tap.example'));
  assert.not(originAllowed('null', 'tap.example'));
  assert.not(originAllowed('http://tap.example.evil', 'tap.example'));
});

test('WebSockets of foreign pages and hosts, and unknown paths, get an HTTP answer', async () => {
  const gateway = await startGateway();
  const refused = async (path: string, headers: Record<string, string>) => {
    const client = new Client(`${gateway.url}${path}`, headers);
    const status = await new Promise((resolve) => {
      client.socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
      client.socket.on('open', () => resolve('open'));
    });
    client.end();
    return status;
  };
  assert.is(await refused('/ws/live', { origin: 'http://evil.example' }), 403);
  assert.is(await refused('/ws/ingest', { origin: 'http://evil.example' }), 403);
  assert.is(await refused('/ws/live', { host: 'evil.example' }), 403);
  assert.is(await refused('/ws/other', {}), 404);
  assert.is(await refused('/__proto__', {}), 404);
  assert.is(await refused('/ws/live', { origin: `http://127.0.0.1:${gateway.port}` }), 'open');
  await gateway.app.close();
});

test('errors are JSON with a message and nothing of the inside', async () => {
  const app = await build();
  app.get('/fails', async () => {
    throw new Error('/secret/path');
  });
  const missing = await app.inject({ url: '/api/v1/nope?token=secret', headers: { host } });
  assert.is(missing.statusCode, 404);
  assert.equal(missing.json(), { error: 'Not Found', message: 'nothing is served at /api/v1/nope' });
  const method = await app.inject({ method: 'POST', url: '/api/v1/status', headers: { host } });
  assert.is(method.statusCode, 404);
  const failed = await app.inject({ url: '/fails', headers: { host } });
  assert.is(failed.statusCode, 500);
  assert.not.match(failed.body, 'secret');
  await app.close();
});

test('the dashboard is served with validators; nothing beside it is', async () => {
  const app = await build();
  const page = await app.inject({ url: '/', headers: { host } });
  assert.match(page.body, 'Ringtap');
  assert.is(page.headers['cache-control'], 'no-cache');
  const etag = String(page.headers.etag);
  const again = await app.inject({ url: '/', headers: { host, 'if-none-match': etag } });
  assert.is(again.statusCode, 304);
  const wasm = await app.inject({ url: '/ringtap.wasm', headers: { host } });
  assert.is(wasm.headers['content-type'], 'application/wasm');
  for (const url of [
    '/../package.json',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/..%2f..%2fetc/passwd',
    '/.secret',
    '//etc/passwd',
  ]) {
    const answer = await app.inject({ url, headers: { host } });
    assert.ok(answer.statusCode === 404 || answer.statusCode === 403 || answer.statusCode === 400, url);
    assert.not.match(answer.body, /root:|hidden|"name"/);
  }
  await app.close();
});

test('without a built dashboard it says so', async () => {
  const app = await build({ dashboardDir: '/nonexistent' });
  const page = await app.inject({ url: '/', headers: { host } });
  assert.is(page.statusCode, 503);
  assert.match(page.json().message, 'npm run setup');
  await app.close();
});

test('login: the token moves from the URL into a cookie scripts cannot read', async () => {
  const app = await build({ host: '0.0.0.0', token: TOKEN });
  const get = (url: string, headers = {}) =>
    app.inject({ url, headers: { host: 'tap.example', ...headers } });
  for (const url of [
    '/',
    '/api/v1/status',
    '/ringtap.wasm',
    '/nowhere',
    '/?token=wrong',
    `/api/v1/status?token=${TOKEN}`,
    '//',
    '/?token=a&token=b',
  ]) {
    assert.is((await get(url)).statusCode, 401, url);
  }
  const login = await get(`/?token=${TOKEN}`);
  assert.is(login.statusCode, 303);
  assert.is(login.headers.location, '/');
  const cookie = String(login.headers['set-cookie']);
  assert.match(cookie, 'HttpOnly');
  assert.match(cookie, 'SameSite=Strict');
  assert.is((await get('/', { cookie: cookie.split(';')[0] })).statusCode, 200);
  assert.is((await get('/api/v1/status', { authorization: `Bearer ${TOKEN}` })).statusCode, 200);
  assert.is((await get('/api/v1/status', { authorization: `Basic ${TOKEN}` })).statusCode, 401);
  await app.close();
});

test('options: beyond loopback a token is needed', async () => {
  for (const address of ['0.0.0.0', '::', '192.0.2.1', 'tap.example', '127.evil.example']) {
    assert.not(isLoopback(address), address);
    await buildApp({ host: address, logLevel: 'silent' }).then(
      () => assert.unreachable(),
      (error) => assert.instance(error, OptionsError),
    );
  }
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', 'localhost'])
    assert.ok(isLoopback(address), address);
});

test('options: --listen and token files', () => {
  assert.equal(parseListen('127.0.0.1:0'), { host: '127.0.0.1', port: 0 });
  assert.equal(parseListen('[::1]:8474'), { host: '::1', port: 8474 });
  for (const text of ['', '8474', ':8474', '::1:8474', 'a:99999', 'a:-1', 'a:b', '[x]:1', 'a:1:2']) {
    assert.throws(() => parseListen(text), isOptionsError, text);
  }
  const file = join(temporaryDirectory(), 'token');
  writeFileSync(file, `${TOKEN}\n`);
  assert.is(readTokenFile(file), TOKEN);
  for (const bad of [
    '',
    'short',
    'two words are too many',
    'semi;colon;semi;colon',
    `${'x'.repeat(20)}\nsecond`,
  ]) {
    writeFileSync(file, bad);
    assert.throws(() => readTokenFile(file), isOptionsError, bad);
  }
  assert.throws(() => readTokenFile('/nonexistent'), isOptionsError);
});

/** Every key path of a value, arrays by their first element. */
function keys(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return keys(value[0], `${path}[]`);
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value)
    .flatMap(([key, inner]) => keys(inner, `${path}.${key}`))
    .sort();
}

test('status: the schema drops no field, unknown is null, numbers are the probe’s', async () => {
  const gateway = await startGateway();
  const probe = await TestProbe.connect(gateway, { name: 'tap-1', interfaceName: 'eth7' });
  probe.batch(3);
  probe.next(4);
  probe.batch(5);
  const get = async () => (await gateway.app.inject({ url: '/api/v1/status', headers: { host } })).json();
  await waitFor('acks', () => probe.acked() === 3);
  const before = (await get()).probes[0];
  assert.equal([before.ledger, before.ledger_age_seconds], [null, null]);
  probe.send({
    ledger: {
      probe: 1,
      tsNs: u64(5),
      stored: u64(8),
      ringDrops: u64(0),
      alarms: ['disk'],
      unaccounted: u64(0),
    },
  });
  await waitFor('the ledger', () => gateway.gateway.registry.get(1)?.ledger);
  const status = await get();
  const [tap] = status.probes;
  assert.equal([tap.name, tap.interface, tap.connected, tap.synthetic], ['tap-1', 'eth7', true, true]);
  assert.equal(
    [tap.ledger.stored, tap.ledger.ring_drops, tap.ledger.if_drops, tap.ledger.filtered],
    [8, 0, null, null],
  );
  assert.equal([tap.ledger.ts_ns, tap.ledger.alarms], ['5', ['disk']]);
  assert.equal(tap.gaps, { batches: 1, packets: 4 });
  assert.is(tap.last_seq, 3);
  assert.type(tap.ledger_age_seconds, 'number');
  const known = gateway.gateway.registry.get(1);
  if (known) {
    known.summary = { packets: 1, wireBytes: 2, malformed: 3, flows: 4, batches: 5, protocols: { tcp: 6 } };
  }
  assert.equal(keys(await get()), keys(gatewayStatus(gateway.gateway)));
  assert.equal((await get()).probes[0].summary.protocols, { tcp: 6 });
  await gateway.app.close();
});

test('openapi.json names every API route', async () => {
  const app = await build();
  const document = (await app.inject({ url: '/api/v1/openapi.json', headers: { host } })).json();
  assert.is(document.openapi, '3.1.0');
  assert.ok('/api/v1/openapi.json' in document.paths); // api-openapi.test.ts holds all of them against the routes
  const schema = document.paths['/api/v1/status'].get.responses['200'].content['application/json'].schema;
  assert.ok(schema.properties.probes.items.properties.ledger);
  await app.close();
});

test('a request whose headers never end is cut off', async () => {
  const gateway = await startGateway({
    limits: { headers_timeout_ms: 100, request_timeout_ms: 100, timeout_check_ms: 50 },
  });
  const socket = createConnection(gateway.port, '127.0.0.1');
  let closed = false;
  socket.on('close', () => {
    closed = true;
  });
  socket.on('error', () => {});
  socket.resume();
  socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ');
  await waitFor('the connection to be cut', () => closed, 5000);
  await gateway.app.close();
});

test.run();
