/** Packets over HTTP from real stores: equal to tcpdump's as sets, paged, named, described, exported, sliced. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PacketAnswer } from '../../proto/api.js';
import { type ApiError, Client, lines } from '../../proto/client.js';
import { conversation, numbered, record, START_NS, storeOf, udp, withoutRecorder } from './captures.js';
import { ringtap, startGateway, temporaryDirectory, withoutEngine } from './helpers.js';

const skip = withoutEngine() ?? withoutRecorder();
if (skip) console.log(`SKIP ${skip}`);
const check = skip ? test.skip : test;

async function gatewayOf(store: string, options: Parameters<typeof startGateway>[0] = {}) {
  const gateway = await startGateway({ store: [store], ...options });
  return { gateway, client: new Client({ url: `http://127.0.0.1:${gateway.port}` }) };
}

const web = { address: '10.1.1.1', port: 80 };
const formula = conversation({ address: '10.1.1.7', port: 40_000 }, web, [
  ['>', 'GET /=cmd HTTP/1.1\r\nHost: a.example\r\n\r\n'],
  ['<', 'HTTP/1.1 200 OK\r\n\r\nhello'],
]);
const FRAMES = [...numbered(2000), ...formula];

async function whole(body: ReadableStream<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function allPages(client: Client, query: object, limit: number): Promise<PacketAnswer[]> {
  const packets: PacketAnswer[] = [];
  let page = await client.packets({ ...query, limit });
  for (;;) {
    packets.push(...page.packets);
    if (page.next === null) return packets;
    page = await client.packets({ cursor: page.next, limit });
  }
}

/** A packet of a capture as one text: time and bytes. */
function packetTexts(file: string, filter: string): string[] {
  const args = ['-r', file, '-nn', '-tt', '-xx', '--nano', ...(filter ? [filter] : [])];
  const text = execFileSync('tcpdump', args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return text
    .split(/\n(?=\d)/)
    .filter(Boolean)
    .map((packet) => {
      const ts = packet.split(' ')[0];
      const hex = [...packet.matchAll(/0x[0-9a-f]{4}: +([0-9a-f ]+)/g)]
        .map(([, part]) => part?.replaceAll(' ', ''))
        .join('');
      return `${ts} ${hex}`;
    })
    .sort();
}

const FILTERS = [
  '',
  'udp',
  'tcp port 80',
  'host 10.0.1.2',
  'udp dst portrange 7000-7001 and net 10.0.2.0/24',
  'greater 200',
  'port 9',
  'not udp',
];

check('pages and slices hold the packets that tcpdump finds, for every filter', async () => {
  const store = storeOf(FRAMES, ['-C', '1']);
  const files = readdirSync(store).filter((name) => name.endsWith('.pcapng'));
  const { gateway, client } = await gatewayOf(store);
  const slice = join(temporaryDirectory(), 'slice.pcapng');
  for (const filter of FILTERS) {
    const expected = files.flatMap((name) => packetTexts(join(store, name), filter)).sort();
    writeFileSync(slice, await whole(await client.slice({ filter })));
    assert.equal(packetTexts(slice, ''), expected, `slice ${filter}`);
    const pages = await allPages(client, { filter }, 997);
    assert.equal(
      pages.map(({ ts }) => ts).sort(),
      expected.map((packet) => packet.split(' ')[0]),
      filter,
    );
    assert.is(new Set(pages.map(({ id }) => id)).size, pages.length, 'every id once');
    const cli = await ringtap(['query', '--store', store, '-f', filter, '--json']);
    const listed = cli.stdout
      .split('\n')
      .filter((line) => line.includes('"ts"'))
      .map((line) => JSON.parse(line).ts);
    assert.equal(listed.sort(), pages.map(({ ts }) => ts).sort(), `CLI ${filter}`);
  }
  await gateway.app.close();
});

check('`ringtap query --url` answers as `--store` does: lines, files, errors', async () => {
  const store = storeOf(FRAMES, ['-C', '1']);
  const { gateway } = await gatewayOf(store);
  const url = `http://127.0.0.1:${gateway.port}`;
  for (const args of [
    ['-f', 'tcp port 80', '--json'],
    ['-f', 'udp port 7003', '--limit', '7'],
  ]) {
    const [here, there] = [
      await ringtap(['query', '--store', store, ...args]),
      await ringtap(['query', '--url', url, ...args]),
    ];
    assert.ok(here.stdout.length > 100, here.stderr);
    assert.equal([there.code, there.stdout], [here.code, here.stdout], there.stderr);
  }
  const out = join(temporaryDirectory(), 'remote.pcapng');
  const written = await ringtap(['query', '--url', url, '-f', 'tcp', '-w', out]);
  assert.match(written.stderr, `${formula.length} packets written`);
  assert.match(written.stderr, 'coverage: ');
  assert.is(packetTexts(out, '').length, formula.length);
  const wrong = await ringtap(['query', '--url', url, '-f', 'udp and prot']);
  assert.is(wrong.code, 2);
  assert.match(wrong.stderr, /filter: .*\n +udp and prot\n +\^/);
  await gateway.app.close();
  const silent = await ringtap(['query', '--url', url, '-f', 'udp']);
  assert.is(silent.code, 1);
  assert.match(silent.stderr, 'does not answer');
});

check('a page goes on behind its last packet while packets are recorded', async () => {
  const store = storeOf(numbered(300));
  const { gateway, client } = await gatewayOf(store);
  const first = await client.packets({ limit: 100, filter: 'udp' });
  record(numbered(200, 100, START_NS + 10_000_000_000n), store, [], 'later');
  const rest = [];
  for (let next = first.next; next !== null; ) {
    const page = await client.packets({ cursor: next, limit: 77 });
    rest.push(...page.packets);
    next = page.next;
  }
  const ids = [...first.packets, ...rest].map(({ id }) => id);
  assert.is(ids.length, 500);
  assert.is(new Set(ids).size, 500);
  const reference = await allPages(client, { filter: 'udp' }, 1000);
  assert.equal(
    ids,
    reference.map(({ id }) => id),
  );
  await gateway.app.close();
});

check('a packet, its tree and its bytes are found by its id', async () => {
  const store = storeOf(FRAMES);
  const { gateway, client } = await gatewayOf(store);
  const { packets } = await client.packets({
    filter: 'tcp[tcpflags] & tcp-push == 0 and tcp port 80 and greater 80',
  });
  const [request] = packets;
  const detail = await client.packet(request!.id);
  const { id: _, ...line } = request!;
  assert.equal(
    { ...detail, id: undefined, bytes: undefined, community_id: undefined },
    { ...line, id: undefined, bytes: undefined, community_id: undefined },
  );
  assert.match(detail.community_id!, /^1:/);
  assert.is(detail.bytes, formula[3]!.bytes.toString('hex'));
  const { tree, bytes } = await client.packetTree(request!.id);
  assert.is(bytes, detail.bytes);
  const host = tree
    .at(-1)!
    .children.flatMap(({ children }) => children)
    .find(({ field }) => field === 'http.host')!;
  assert.is(
    Buffer.from(bytes, 'hex')
      .subarray(host.offset, host.offset + host.length)
      .toString(),
    'a.example',
  );
  for (const id of [
    'nonsense',
    'a:b',
    `${request!.id}9`,
    `${request!.id.split(':')[0]}:0`,
    'ringtap-x-1:4096',
    '../../etc/passwd:1',
  ])
    await client.packet(id).then(
      () => assert.unreachable(id),
      (error: ApiError) =>
        assert.ok([404, 410].includes(error.status), `${id}: ${error.status} ${error.message}`),
    );
  await gateway.app.close();
});

check('exports: NDJSON, CSV and Parquet say the same, and their coverage; formulas do nothing', async () => {
  const evil = udp({ address: '10.3.3.3', port: 5 }, { address: '10.3.3.4', port: 53 }, Buffer.from('=1+1'));
  const store = storeOf([...numbered(50), { ts_ns: START_NS + 9_000_000_000n, bytes: evil }]);
  const { gateway, client } = await gatewayOf(store);
  const rows: Record<string, unknown>[] = [];
  for await (const line of lines(await client.exportPackets({ filter: 'udp' }))) rows.push(JSON.parse(line));
  const coverage = rows.pop() as { coverage: { segments: number } };
  assert.is(rows.length, 51);
  assert.is(coverage.coverage.segments, 1);
  const csv = (await whole(await client.exportPackets({ filter: 'udp', format: 'csv' })))
    .toString()
    .trimEnd()
    .split('\n');
  assert.is(csv[0], 'id,ts,ifindex,linktype,caplen,wirelen,source,destination,protocol,info');
  assert.is(csv.length, 53);
  assert.match(csv.at(-1)!, /^# coverage: \{.*"segments":1/);
  for (const line of csv.slice(1, -1)) assert.not.match(line, /(^|,)[=+@]/);
  const parquet = await whole(await client.exportPackets({ filter: 'udp', format: 'parquet' }));
  const read = await parquetReadObjects({
    file: parquet.buffer.slice(parquet.byteOffset, parquet.byteOffset + parquet.length) as ArrayBuffer,
  });
  assert.equal(
    read.map(({ id }) => id),
    rows.map(({ id }) => id),
  );
  await gateway.app.close();
});

check('a limit ends the answer and says so; cancelled readers leave no question behind', async () => {
  const store = storeOf(numbered(5000));
  const { gateway, client } = await gatewayOf(store, { limits: { scans_per_caller: 2, scans: 2 } });
  const page = await client.packets({ limit: 3 });
  assert.is(page.coverage.stopped, 'limit');
  assert.is(page.packets.length, 3);
  for (let i = 0; i < 5; i++) {
    const abort = new AbortController();
    const body = await client.exportPackets({}, abort.signal);
    const reader = body.getReader();
    await reader.read();
    abort.abort();
    await reader.read().catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.is((await client.packets({ limit: 1 })).packets.length, 1);
  await gateway.app.close();
});

/** The comments of a capture, by capinfos and tshark alike. */
function comments(file: string): string {
  return execFileSync('strings', ['-n', '8', file], { encoding: 'utf8', maxBuffer: 1 << 28 });
}

check('an empty slice explains itself; what was deleted or damaged is named', async () => {
  const store = storeOf(numbered(20_000), ['-C', '1']);
  const names = readdirSync(store)
    .filter((name) => name.endsWith('.pcapng'))
    .sort();
  assert.ok(names.length >= 3);
  const expired = names[0]!.replace('.pcapng', '');
  const { gateway, client } = await gatewayOf(store);
  const edge = (await client.segments()).segments[0]!;
  const line = {
    stem: expired,
    first_ts_ns: `${edge.from!.replace('.', '')}`,
    last_ts_ns: `${edge.to!.replace('.', '')}`,
    packets: edge.packets,
  };
  appendFileSync(join(store, 'expired.jsonl'), `${JSON.stringify(line)}\n`);
  rmSync(join(store, names[0]!));
  const page = await client.packets({ filter: 'host 192.0.2.1' });
  assert.equal(page.packets, []);
  assert.equal(
    page.coverage.missing.map(({ reason, segment }) => [reason, segment]),
    [['expired', expired]],
  );
  const slice = join(temporaryDirectory(), 'empty.pcapng');
  writeFileSync(slice, await whole(await client.slice({ filter: 'host 192.0.2.1' })));
  assert.equal(packetTexts(slice, ''), []);
  assert.match(comments(slice), `segment ${expired} was deleted by retention`);
  assert.match(comments(slice), 'filter: host 192.0.2.1');
  assert.match(comments(slice), 'asked by: 127.0.0.1');
  const timeline = await client.timeline({ bins: 10 });
  assert.is(timeline.missing[0]!.segment, expired);
  assert.is(
    timeline.bins.reduce((sum, { packets }) => sum + packets, 0),
    20_000 - edge.packets,
  );
  // Damage in the middle of another: what is whole is still answered.
  const damaged = join(store, names[1]!);
  const before = (await client.packets({ limit: 1 })).coverage.missing.length;
  await gateway.app.close();
  truncateSync(damaged, 300_000);
  const again = await gatewayOf(store);
  const { coverage } = await again.client.packets({ limit: 1000 });
  assert.ok(
    coverage.missing.some(
      ({ reason, segment }) => reason === 'damaged' && segment === names[1]!.replace('.pcapng', ''),
    ),
    JSON.stringify(coverage.missing),
  );
  assert.ok(coverage.missing.length > before);
  await again.gateway.app.close();
});

check('deletion by retention during a streamed slice ends in a stated gap', async () => {
  const store = storeOf(numbered(40_000, 1200), ['-C', '4']);
  const names = readdirSync(store)
    .filter((name) => name.endsWith('.pcapng'))
    .sort();
  assert.ok(names.length >= 8, `${names.length} segments`);
  const { gateway, client } = await gatewayOf(store);
  const reader = (await client.slice({})).getReader();
  const pieces = [(await reader.read()).value!];
  const last = names.at(-1)!;
  appendFileSync(join(store, 'expired.jsonl'), `${JSON.stringify({ stem: last.replace('.pcapng', '') })}\n`);
  rmSync(join(store, last));
  for (let step = await reader.read(); !step.done; step = await reader.read()) pieces.push(step.value);
  const slice = join(temporaryDirectory(), 'gap.pcapng');
  writeFileSync(slice, Buffer.concat(pieces));
  const counted = execFileSync('capinfos', ['-Mc', slice], { encoding: 'utf8' });
  const found = Number(/Number of packets:\s+(\d+)/.exec(counted)?.[1]);
  assert.ok(found > 0 && found < 40_000, `${found} packets`);
  assert.match(
    comments(slice),
    `segment ${last.replace('.pcapng', '')} was deleted by retention while the query ran`,
  );
  await gateway.app.close();
});

check('a filter error says where; a wrong time what is expected', async () => {
  const { gateway, client } = await gatewayOf(storeOf(numbered(5)));
  const failure = (query: object) =>
    client.packets(query).then(
      () => assert.unreachable(),
      (error: ApiError) => error,
    );
  const wrong = (await failure({ filter: '  udp and prot 3' })) as ApiError;
  assert.equal([wrong.status, wrong.position], [400, 10]);
  assert.match(((await failure({ from: 'yesterday' })) as ApiError).message, /^from: yesterday: expected/);
  assert.match(((await failure({ from: 'now', to: 'now-1h' })) as ApiError).message, 'is not before');
  assert.is(((await failure({ cursor: 'abc' })) as ApiError).status, 400);
  assert.is(((await failure({ fliter: 'udp' })) as ApiError).status, 400);
  const recent = await client.packets({ from: 'now-5m' });
  assert.equal([recent.packets, recent.next], [[], null]);
  const exact = await client.packets({ from: '2025-06-15T15:06:40.001Z', to: '1750000000.003' });
  assert.equal(
    exact.packets.map(({ ts }) => ts),
    ['1750000000.001000000', '1750000000.002000000'],
  );
  await gateway.app.close();
});

check('the summary counts what the packets are', async () => {
  const { gateway, client } = await gatewayOf(storeOf(FRAMES));
  const summary = await client.summary({ bins: 5 });
  assert.equal(
    [summary.packets, summary.protocols.udp, summary.protocols.tcp],
    [FRAMES.length, 2000, formula.length],
  );
  assert.is(
    summary.series.points.reduce((sum, { packets }) => sum + packets, 0),
    FRAMES.length,
  );
  assert.ok(summary.series.points.length <= 5);
  assert.is(
    summary.original_bytes,
    FRAMES.reduce((sum, { bytes }) => sum + bytes.length, 0),
  );
  assert.is(summary.talkers.destination![0]!.key, '10.9.9.9');
  const part = await client.summary({ filter: 'tcp port 80' });
  assert.equal([part.packets, part.tcp_conversations], [formula.length, 1]);
  await gateway.app.close();
});

test.run();
