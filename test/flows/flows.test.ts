/** Flow records of real stores: equal to the command line's, with what the application layer says; pages, streams. */

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { FlowAnswer } from '../../proto/api.js';
import { type ApiError, Client, lines } from '../../proto/client.js';
import { duckProblem } from '../../server/flows/duck-process.js';
import { flowFiles } from '../../server/flows/files.js';
import { paths } from '../../server/paths.js';
import {
  clientHello,
  conversation,
  dnsQuery,
  type Frame,
  numbered,
  START_NS,
  storeOf,
  udp,
  withoutRecorder,
} from '../server/captures.js';
import { ringtap, startGateway, temporaryDirectory, waitFor, withoutEngine } from '../server/helpers.js';

const skip = withoutEngine() ?? withoutRecorder() ?? duckProblem();
if (skip) console.log(`SKIP ${skip}`);
const check = skip ? test.skip : test;

const someone = { address: '10.1.1.7', port: 40_000 };
const web = { address: '10.1.1.1', port: 80 };
const secure = { address: '10.1.1.1', port: 443 };
const resolver = { address: '10.1.1.53', port: 53 };

const HTTP: Frame[] = conversation(someone, web, [
  ['>', 'GET /one HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test/1\r\n\r\n'],
  ['<', `HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n${'a'.repeat(5000)}`],
  ['>', 'GET /two HTTP/1.1\r\nHost: shop.example\r\n\r\n'],
  ['<', 'HTTP/1.1 204 No Content\r\n\r\n'],
]);
const TLS: Frame[] = conversation(
  { ...someone, port: 40_001 },
  secure,
  [['>', clientHello('www.secret.example').toString('latin1')]],
  {
    start_ns: START_NS + 1_000_000_000n,
  },
).map((frame) => frame);
const DNS: Frame[] = ['one.example', 'two.example', 'one.example'].map((name, i) => ({
  ts_ns: START_NS + 2_000_000_000n + BigInt(i),
  bytes: udp({ ...someone, port: 5000 }, resolver, dnsQuery(i, name)),
}));
const FRAMES = [...numbered(60), ...HTTP, ...TLS, ...DNS];

async function gatewayOf(store: string, options: Parameters<typeof startGateway>[0] = {}) {
  const gateway = await startGateway({
    ...options,
    store: [store],
    limits: { flow_poll_ms: 100, ...options.limits },
  });
  return { gateway, client: new Client({ url: `http://127.0.0.1:${gateway.port}` }) };
}

/** Waits until every segment has its final records. */
async function recorded(store: string): Promise<void> {
  const segments = () => readdirSync(store).filter((name) => name.endsWith('.pcapng')).length;
  await waitFor(
    'flow records',
    () => flowFiles([store]).filter(({ growing }) => !growing).length >= segments(),
    60_000,
  );
}

const tuple = (flow: Record<string, unknown>) =>
  [
    'proto',
    'orig_addr',
    'orig_port',
    'resp_addr',
    'resp_port',
    'first_ts',
    'last_ts',
    'orig_packets',
    'resp_packets',
    'orig_bytes',
    'resp_bytes',
    'conn_state',
    'service',
    'history',
    'community_id',
    'duration',
    'syn_ack_rtt',
    'orig_retransmits',
  ].map((name) => flow[name] ?? null);
const sorted = (rows: unknown[][]) => rows.map((row) => JSON.stringify(row)).sort();

async function allFlows(client: Client, query: object, limit: number): Promise<FlowAnswer[]> {
  const flows: FlowAnswer[] = [];
  let page = await client.flows({ ...query, limit });
  for (;;) {
    flows.push(...page.flows);
    if (page.next === null) return flows;
    page = await client.flows({ cursor: page.next, limit });
  }
}

check('records equal those of `ringtap flows`, and name their packets', async () => {
  const store = storeOf(FRAMES);
  const { gateway, client } = await gatewayOf(store);
  await recorded(store);
  const file = join(store, readdirSync(store).find((name) => name.endsWith('.pcapng'))!);
  const { stdout } = await ringtap(['flows', file, '--format', 'json']);
  const expected = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  for (const sort of ['bytes', 'first_ts', 'service', 'duration'])
    for (const order of ['asc', 'desc'] as const) {
      const flows = await allFlows(client, { sort, order }, 23);
      assert.equal(sorted(flows.map(tuple)), sorted(expected.map(tuple)), `${sort} ${order}`);
    }
  const byBytes = await allFlows(client, {}, 1000);
  const bytes = byBytes.map((flow) => Number(flow.orig_bytes) + Number(flow.resp_bytes));
  assert.equal(
    bytes,
    [...bytes].sort((a, b) => b - a),
  );
  for (const flow of byBytes.slice(0, 5)) {
    const packet = await client.packet(flow.first_packet as string);
    assert.is(packet.ts, flow.first_ts);
    assert.is(packet.community_id, flow.community_id);
  }
  await gateway.app.close();
});

check(
  'fields are found: host, SNI, ALPN, JA4, DNS names; flows and packets can be asked for by them',
  async () => {
    const store = storeOf(FRAMES);
    const { gateway, client } = await gatewayOf(store);
    await recorded(store);
    const one = async (query: object) => {
      const { flows } = await client.flows(query);
      assert.is(flows.length, 1, JSON.stringify(query));
      return flows[0]!;
    };
    const http = await one({ service: 'http' });
    assert.equal([http.http_host, http.user_agent, http.conn_state], ['shop.example', 'test/1', 'SF']);
    const dns = await one({ dns_name: 'two.example' });
    assert.is(dns.dns_names, 'one.example two.example');
    assert.is((await one({ dns_name: '*.example' })).id, dns.id);
    const tls = await one({ sni: '*.secret.example' });
    assert.equal([tls.sni, tls.alpn], ['www.secret.example', 'h2']);
    assert.match(String(tls.ja4), /^t12d02/);
    assert.is((await one({ community_id: http.community_id as string })).id, http.id);
    assert.is((await one({ bytes_over: 5000, conn_state: 'SF' })).id, http.id);
    assert.is((await one({ filter: 'tcp port 443' })).id, tls.id);
    assert.equal((await client.flows({ filter: 'tcp port 443', service: 'http' })).flows, []);
    const packets = await client.packets({ sni: 'WWW.secret.example', limit: 1000 });
    assert.equal(
      packets.packets.map(({ ts }) => ts),
      TLS.map(({ ts_ns }) => `${ts_ns / 1_000_000_000n}.${String(ts_ns % 1_000_000_000n).padStart(9, '0')}`),
    );
    assert.is((await client.packets({ sni: 'nobody.example' })).packets.length, 0);
    const summary = await client.summary({ service: 'http' });
    assert.equal([summary.packets, summary.tcp_conversations], [HTTP.length, 1]);
    const limited = await client.packets({ service: 'http', limit: 3 });
    assert.equal([limited.packets.length, limited.coverage.stopped], [3, 'limit']);
    const rest = await client.packets({ cursor: limited.next!, limit: 1000 });
    assert.is(rest.packets.length, HTTP.length - 3);
    const exported: string[] = [];
    for await (const line of lines(await client.exportFlows({ service: 'dns' }))) exported.push(line);
    assert.is(exported.length, 2);
    assert.is(JSON.parse(exported[0]!).id, dns.id);
    assert.is(JSON.parse(exported[1]!).coverage.segments, 1);
    await gateway.app.close();
  },
);

const joined = (chunks: { side: string; data: string | null }[], side: string) =>
  chunks
    .filter((chunk) => chunk.side === side && chunk.data)
    .map(({ data }) => Buffer.from(data!, 'base64').toString('latin1'))
    .join('');

check(
  'following a connection gives both sides, each byte once, whatever happened to its segments',
  async () => {
    const sent = 'GET / HTTP/1.1\r\nHost: x.example\r\n\r\n';
    const body = Array.from({ length: 200 }, (_, i) => `line ${i} `).join('');
    const clean = conversation(
      someone,
      web,
      [
        ['>', sent],
        ['<', body],
      ],
      { segment_bytes: 100 },
    );
    // Retransmissions, disorder, an overlapping segment: the stream stays what it was.
    const [third, fourth] = [clean[9]!, clean[11]!];
    const messy = clean.map((frame) => ({ ...frame }));
    messy[9] = { ts_ns: third.ts_ns, bytes: fourth.bytes };
    messy[11] = { ts_ns: fourth.ts_ns, bytes: third.bytes };
    messy.push(
      { ts_ns: clean[15]!.ts_ns + 10n, bytes: clean[9]!.bytes },
      { ts_ns: clean[15]!.ts_ns + 20n, bytes: clean[13]!.bytes },
    );
    const store = storeOf(messy);
    const { gateway, client } = await gatewayOf(store);
    await recorded(store);
    const [flow] = (await client.flows({})).flows;
    const stream = await client.flowStream(flow!.id);
    assert.is(joined(stream.chunks, 'orig'), sent);
    assert.is(joined(stream.chunks, 'resp'), body);
    assert.equal([stream.resp.gap_bytes, stream.orig.gap_bytes, stream.truncated], [0, 0, false]);
    assert.is(stream.chunks[0]!.side, 'orig');
    const cut = await client.flowStream(flow!.id, { max_bytes: 50 });
    assert.ok(cut.truncated);
    assert.is(
      cut.chunks.reduce((sum, { data }) => sum + Buffer.from(data!, 'base64').length, 0),
      50,
    );
    await gateway.app.close();
  },
);

check('what the capture lacks is a gap of so many bytes, in its place', async () => {
  const body = 'x'.repeat(300) + 'y'.repeat(300) + 'z'.repeat(300);
  const frames = conversation(
    someone,
    web,
    [
      ['>', 'hello'],
      ['<', body],
    ],
    { segment_bytes: 300, step_ns: 100_000_000n },
  );
  const y = frames.findIndex(({ bytes }) => bytes.includes('yyy'));
  frames.splice(y, 1);
  const store = storeOf(frames);
  const { gateway, client } = await gatewayOf(store);
  await recorded(store);
  const [flow] = (await client.flows({})).flows;
  const { chunks, resp } = await client.flowStream(flow!.id);
  const theirs = chunks.filter(({ side }) => side === 'resp');
  assert.equal(
    theirs.map(({ offset, gap_bytes }) => [offset, gap_bytes]),
    [
      [0, 0],
      [300, 300],
      [600, 0],
    ],
  );
  assert.equal([resp.bytes, resp.gap_bytes], [600, 300]);
  await gateway.app.close();
});

check('datagrams are followed too; a flow of neither says so', async () => {
  const a = { address: '10.4.4.4', port: 1111 };
  const b = { address: '10.4.4.5', port: 2222 };
  const talk = ['ping', 'pong', 'ping again'].map((text, i) => ({
    ts_ns: START_NS + BigInt(i),
    bytes: i % 2 ? udp(b, a, Buffer.from(text)) : udp(a, b, Buffer.from(text)),
  }));
  const icmp = Buffer.from(talk[0]!.bytes);
  icmp[23] = 1;
  const store = storeOf([...talk, { ts_ns: START_NS + 100n, bytes: icmp }]);
  const { gateway, client } = await gatewayOf(store);
  await recorded(store);
  const { flows } = await client.flows({});
  const stream = await client.flowStream(flows.find(({ proto }) => proto === 'udp')!.id);
  assert.equal([joined(stream.chunks, 'orig'), joined(stream.chunks, 'resp')], ['pingping again', 'pong']);
  const error = await client.flowStream(flows.find(({ proto }) => proto === 'icmp')!.id).then(
    () => null,
    (one: ApiError) => one,
  );
  assert.is(error?.status, 422);
  assert.is(
    (
      await client.flow('ringtap-x-1~5').then(
        () => null,
        (one: ApiError) => one,
      )
    )?.status,
    404,
  );
  await gateway.app.close();
});

check('a connection over several segments is one stream of several records', async () => {
  const script: ['>' | '<', string][] = Array.from({ length: 60 }, (_, i) => [
    '<',
    `${String(i).padStart(4, '0')}${'d'.repeat(49_996)}`,
  ]);
  const frames = conversation(someone, web, [['>', 'go'], ...script], { segment_bytes: 1400 });
  const store = storeOf(frames, ['-C', '1']);
  const { gateway, client } = await gatewayOf(store);
  await recorded(store);
  const { flows } = await client.flows({ sort: 'first_ts', order: 'asc' });
  assert.ok(flows.length >= 3, `${flows.length} records`);
  const { records } = await client.flow(flows[1]!.id);
  assert.equal(
    records,
    flows.map(({ id }) => id),
  );
  const stream = await client.flowStream(flows[1]!.id, { max_bytes: 8 << 20 });
  assert.is(joined(stream.chunks, 'resp'), script.map(([, text]) => text).join(''));
  assert.equal([stream.resp.gap_bytes, stream.orig.address], [0, someone.address]);
  await gateway.app.close();
});

check('flows of a segment still being written are there within seconds', async () => {
  const store = join(temporaryDirectory(), 'growing');
  const recorder = spawn(
    paths.probe,
    [
      '--ring=synth',
      '--synth',
      'seed=3,pps=2000,size=100-200,flows=20',
      '--store',
      store,
      '--flush-interval',
      '0.2',
      '--stats-interval',
      '0',
    ],
    { stdio: 'ignore' },
  );
  try {
    await waitFor(
      'a segment',
      () => existsSync(store) && readdirSync(store).some((name) => name.endsWith('.pcapng')),
      10_000,
    );
    const { gateway, client } = await gatewayOf(store);
    let flows: FlowAnswer[] = [];
    const started = performance.now();
    while (flows.length < 20 && performance.now() - started < 15_000) {
      flows = (await client.flows({ limit: 1000 })).flows;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(flows.length >= 20, `${flows.length} flows`);
    assert.ok(flowFiles([store]).every(({ growing }) => growing));
    recorder.kill('SIGTERM');
    await recorded(store);
    const total = (await allFlows(client, { sort: 'first_ts', order: 'asc' }, 1000)).reduce(
      (sum, { orig_packets, resp_packets }) => sum + Number(orig_packets) + Number(resp_packets),
      0,
    );
    const { packets, protocols } = await client.summary({});
    assert.is(total, packets - protocols.arp!, 'all but ARP are of a flow');
    await gateway.app.close();
  } finally {
    recorder.kill('SIGKILL');
  }
});

check('records go with their packets, or stay as long as they are told to', async () => {
  for (const [retainFlows_s, stay] of [
    [null, false],
    [100 * 365 * 86_400, true],
    [60, false],
  ] as const) {
    const store = storeOf(HTTP);
    const { gateway, client } = await gatewayOf(store, { retainFlows_s });
    await recorded(store);
    const [flow] = (await client.flows({})).flows;
    for (const name of readdirSync(store)) if (name.startsWith('ringtap-')) rmSync(join(store, name));
    if (stay) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.is((await client.flow(flow!.id)).flow.http_host, 'shop.example');
      const stream = await client.flowStream(flow!.id);
      assert.equal(stream.chunks, []);
      assert.is(stream.coverage.missing[0]?.reason, 'missing');
    } else await waitFor('the records to go', () => flowFiles([store]).length === 0, 10_000);
    await gateway.app.close();
  }
});

test.run();
