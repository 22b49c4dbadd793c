/** The uplink against a real WebSocket server that welcomes, withholds, refuses, dies and comes back. */
import { writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type WebSocket, WebSocketServer } from 'ws';
import { count, decodeFrame, encodeFrame, long, nanoseconds, optionalCount } from '../../proto/frame.js';
import { PROTOCOL_VERSION } from '../../proto/gen/constants.js';
import type { ringtap } from '../../proto/gen/messages.js';
import {
  build,
  endAll,
  FAST,
  imbalance,
  type Outcome,
  type Running,
  run,
  scratch,
  shim,
  sleep,
  start,
  until,
} from './help.js';

build('all', 'asan');

interface Gateway {
  port: number;
  batches: ringtap.Batch[];
  raw: Buffer[];
  ledgers: ringtap.Ledger[];
  hellos: ringtap.Hello[];
  requests: IncomingMessage[];
  sockets: Set<WebSocket>;
  closeCodes: number[];
  close(): Promise<void>;
}

interface Behaviour {
  host?: string;
  port?: number;
  credit?: number;
  resume?: (gateway: Gateway) => number;
  ack?: boolean;
  onHello?: (socket: WebSocket) => void;
}

const gateways: Gateway[] = [];

function serve(behaviour: Behaviour = {}): Promise<Gateway> {
  return new Promise((resolve, reject) => {
    const server = new WebSocketServer({ port: behaviour.port ?? 0, host: behaviour.host ?? '127.0.0.1' });
    const gateway: Gateway = {
      port: 0,
      batches: [],
      raw: [],
      ledgers: [],
      hellos: [],
      requests: [],
      sockets: new Set(),
      closeCodes: [],
      close: () =>
        new Promise((done) => {
          for (const socket of gateway.sockets) socket.terminate();
          server.close(() => done());
        }),
    };
    gateways.push(gateway);
    server.on('error', reject);
    server.on('connection', (socket, request) => {
      gateway.sockets.add(socket);
      gateway.requests.push(request);
      socket.on('close', (code) => {
        gateway.sockets.delete(socket);
        gateway.closeCodes.push(code);
      });
      socket.on('message', (data: Buffer) => receive(gateway, behaviour, socket, data));
    });
    server.on('listening', () => {
      gateway.port = (server.address() as AddressInfo).port;
      resolve(gateway);
    });
  });
}

function receive(gateway: Gateway, behaviour: Behaviour, socket: WebSocket, data: Buffer): void {
  const frame = decodeFrame(data);
  if (frame.hello) {
    gateway.hellos.push(frame.hello as ringtap.Hello);
    if (behaviour.onHello) {
      behaviour.onHello(socket);
      return;
    }
    const resumeSeq = long(BigInt(behaviour.resume?.(gateway) ?? 0));
    socket.send(encodeFrame({ welcome: { probe: 7, creditBatches: behaviour.credit ?? 8, resumeSeq } }));
  } else if (frame.batch) {
    gateway.batches.push(frame.batch as ringtap.Batch);
    gateway.raw.push(data);
    if (behaviour.ack !== false) socket.send(encodeFrame({ ack: { seq: frame.batch.seq! } }));
  } else if (frame.ledger) {
    gateway.ledgers.push(frame.ledger as ringtap.Ledger);
  }
}

const url = (gateway: Gateway) => `ws://127.0.0.1:${gateway.port}/ws/ingest`;

async function stop(probe: Running): Promise<Outcome> {
  probe.child.kill('SIGINT');
  return probe.end;
}

/** The EPBs of a payload: [caplen, wirelen] each. Throws when a length does not fit. */
function packetBlocks(payload: Uint8Array): { caplen: number; wirelen: number; tsNs: bigint }[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const found = [];
  for (let at = 0; at < payload.length; ) {
    assert.is(view.getUint32(at, true), 6, 'only EPBs travel');
    const total = view.getUint32(at + 4, true);
    assert.is(view.getUint32(at + total - 4, true), total);
    const tsNs = (BigInt(view.getUint32(at + 12, true)) << 32n) | BigInt(view.getUint32(at + 16, true));
    found.push({ caplen: view.getUint32(at + 20, true), wirelen: view.getUint32(at + 24, true), tsNs });
    at += total;
  }
  return found;
}

test('says hello with token, section and name; batches and ledgers add up to the last packet', async () => {
  const dir = scratch();
  const gateway = await serve();
  writeFileSync(join(dir, 'token'), 'secret-token\n');
  const args = [
    '--ring=synth',
    '--synth',
    'pps=5000,size=mix,count=4000',
    '--name',
    'probe-1',
    '--uplink-snaplen',
    '96',
  ];
  const probe = start([
    ...args,
    '--store',
    dir,
    '--gateway',
    url(gateway),
    '--token-file',
    join(dir, 'token'),
    '--stats-interval',
    '0.2',
  ]);
  const { code, ledgers } = await probe.end;
  assert.is(code, 0);
  const final = ledgers.at(-1)!;
  assert.is(imbalance(final), '');
  assert.equal([final.final, final.offered, final.sent, final.uplink_drops], [true, 4000, 4000, 0]);

  const hello = gateway.hellos[0]!;
  assert.equal(
    [
      hello.protocol,
      hello.probeName,
      hello.interfaceName,
      hello.source,
      hello.synthetic,
      hello.uplinkSnaplen,
    ],
    [PROTOCOL_VERSION, 'probe-1', 'synth', 'synth', true, 96],
  );
  assert.is(hello.runId.length, 16);
  const section = Buffer.from(hello.section);
  assert.is(section.readUInt32LE(0), 0x0a0d0d0a);
  assert.is(section.readUInt32LE(section.readUInt32LE(4)), 1, 'the IDB follows');
  assert.is(gateway.requests[0]!.headers.authorization, 'Bearer secret-token');
  assert.is(gateway.requests[0]!.url, '/ws/ingest');

  // The probe may be gone before what it sent last is read here.
  await until(() => gateway.closeCodes.length > 0, 'its goodbye');
  let before = 0;
  gateway.batches.forEach((batch, index) => {
    const blocks = packetBlocks(batch.payload);
    assert.is(count(batch.seq), index + 1);
    assert.is(count(batch.packetsBefore), before);
    assert.is(batch.packets, blocks.length);
    assert.is(batch.probe, 7);
    assert.ok(count(batch.blockSeq) >= 1);
    assert.ok(blocks.every((block) => block.caplen <= 96 && block.caplen <= block.wirelen));
    assert.is(nanoseconds(batch.firstTsNs), blocks[0]!.tsNs);
    assert.is(nanoseconds(batch.lastTsNs), blocks.at(-1)!.tsNs);
    before += batch.packets;
  });
  assert.is(before, 4000);
  const last = gateway.ledgers.at(-1)!;
  assert.ok(last.final, 'the last frame is the final ledger');
  assert.equal([count(last.stored), count(last.sent), count(last.unaccounted)], [4000, 4000, 0]);
  assert.is(optionalCount(last.ifDrops), null, 'unknown is absent, not 0');
  assert.is(optionalCount(last.ringDrops), 0);
  assert.equal(gateway.closeCodes, [1000], 'and it says goodbye');
  await gateway.close();
});

test('a batch frame has its golden bytes', async () => {
  const gateway = await serve();
  const args = [
    '--ring=synth',
    '--synth',
    'seed=7,pps=0,size=60,flows=1,count=1,clock=fixed',
    '--uplink-snaplen',
    '16',
  ];
  const probe = start([...args, '--gateway', url(gateway)]);
  assert.is((await probe.end).code, 0);
  await until(() => gateway.raw.length > 0, 'the batch');
  const stamp = '0000a0d885573416'; // 1600000000000000000 ns, fixed64
  const payload =
    `${'06000000'}${'30000000'}${'00000000'}${'85573416'}${'0000a0d8'}${'10000000'}${'3e000000'}` +
    `${'020000020003'}${'020000010000'}${'86dd6000'}`; // the frame's first 16 bytes: MACs, IPv6
  // Frame.batch of 76 bytes: probe 7, seq 1, stamps, packets 1, offered_total 1, block_seq absent, payload of 48
  const golden = `124c${'0807'}${'1001'}19${stamp}21${stamp}${'2801'}${'3801'}${'7a30'}${payload}${'30000000'}`;
  assert.is(gateway.raw[0]!.toString('hex'), golden);
  const batch = gateway.batches[0]!;
  assert.is(Buffer.from(encodeFrame({ batch })).toString('hex'), golden, 'and TypeScript writes the same');
  await gateway.close();
});

test('the gateway dies and comes back: recording loses nothing, unacknowledged batches come again', async () => {
  const dir = scratch();
  const first = await serve({ ack: false, credit: 4 });
  const probe = start(['--ring=synth', '--synth', 'pps=2000', '--store', dir, '--gateway', url(first)]);
  await until(() => first.batches.length === 4, 'four unacknowledged batches');
  await sleep(200);
  assert.is(first.batches.length, 4, 'never more than the credit');
  const { port } = first;
  await first.close();
  await until(
    () => /gateway 127\.0\.0\.1:\d+: (connection lost|not reachable)/.test(probe.messages()),
    'a line',
  );
  const second = await serve({ port, resume: () => 2 });
  await until(() => second.batches.length > 10, 'batches again');
  const { code, ledgers } = await stop(probe);
  assert.is(code, 0);
  const final = ledgers.at(-1)!;
  assert.is(imbalance(final), '');
  assert.is(final.stored, final.ring_received);
  assert.is(final.uplink_drops, 0);
  assert.ok(
    ledgers.every((l) => l.alarms.length === 0),
    'nothing was lost: no alarm',
  );
  assert.equal(second.hellos[0]!.runId, first.hellos[0]!.runId);
  const seqs = second.batches.map((batch) => count(batch.seq));
  assert.equal(
    seqs,
    seqs.map((_, index) => index + 3),
    'goes on behind resume_seq, in order, no gap',
  );
  await second.close();
});

test('a gateway that takes nothing: the oldest unsent are shed, counted exactly, recording goes on', async () => {
  const dir = scratch();
  const stuck = await serve({ ack: false, credit: 1 });
  const probe = start(['--ring=synth', '--synth', 'pps=3000', '--store', dir, '--gateway', url(stuck)]);
  await until(() => (probe.last()?.uplink_drops ?? 0) > 0, 'drops', 20_000);
  const { port } = stuck;
  await stuck.close();
  const open = await serve({ port, credit: 64 });
  await until(() => open.batches.length > 70, 'the rest');
  const { ledgers } = await stop(probe);
  const final = ledgers.at(-1)!;
  assert.is(imbalance(final), '');
  assert.is(final.stored, final.ring_received);
  assert.ok(final.uplink_drops > 0);
  // What the gateway can tell from packets_before is what the probe says it lost.
  let expected = 0;
  let missed = 0;
  for (const batch of open.batches) {
    missed += count(batch.packetsBefore) - expected;
    expected = count(batch.packetsBefore) + batch.packets;
  }
  assert.is(missed, final.uplink_drops);
  await open.close();
});

test('over --uplink-pps the excess is sampled out and counted', async () => {
  const gateway = await serve();
  const probe = start([
    ...['--ring=synth', '--synth', 'pps=20000,size=60,count=20000', '--uplink-pps', '2000'],
    ...['--gateway', url(gateway)],
  ]);
  const { code, ledgers } = await probe.end;
  assert.is(code, 0);
  const final = ledgers.at(-1)!;
  assert.is(imbalance(final), '');
  assert.is(final.unrecorded, 20000, 'live only: nothing was recorded, and it says so');
  assert.ok(final.sent > 1000 && final.sent < 4000, `sent ${final.sent}`);
  assert.is(final.sampled_out, 20000 - final.sent - final.uplink_drops);
  await gateway.close();
});

test('IPv6, and a URL without a path: the Host header and /ws/ingest', async () => {
  for (const [host, authority] of [
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '[::1]'],
  ] as const) {
    const gateway = await serve({ host }).catch(() => null);
    if (!gateway) {
      console.log(`SKIP cannot listen on ${host} here`);
      continue;
    }
    for (const path of ['', '/', '/else/where']) {
      const args = [
        '--ring=synth',
        '--synth',
        'pps=1000',
        '--gateway',
        `ws://${authority}:${gateway.port}${path}`,
      ];
      const probe = start(args);
      gateway.requests.length = gateway.batches.length = 0;
      await until(() => gateway.batches.length > 0, `a batch by ${authority}`);
      const { messages } = await stop(probe);
      assert.equal(messages, []);
      const [request] = gateway.requests;
      assert.is(request!.headers.host, `${authority}:${gateway.port}`);
      assert.is(request!.headers.origin, undefined, 'only browsers have an origin');
      assert.is(request!.url, path.length > 1 ? path : '/ws/ingest');
    }
    await gateway.close();
  }
});

test("the gateway's ledgers keep their own time, whatever --stats-interval", async () => {
  for (const interval of ['0', '0.1', '30']) {
    const gateway = await serve();
    const probe = start(['--ring=synth', '--gateway', url(gateway), '--stats-interval', interval]);
    await until(() => gateway.hellos.length, 'hello');
    const began = Date.now();
    await until(() => gateway.ledgers.length >= 4, 'ledgers');
    const took = Date.now() - began;
    assert.ok(took > 2500, `one a second, not four in ${took} ms`);
    const { ledgers } = await stop(probe);
    await until(() => gateway.closeCodes.length > 0, 'its goodbye');
    assert.ok(gateway.ledgers.at(-1)!.final);
    if (interval !== '0.1') assert.is(ledgers.length, 1, 'and stderr keeps its own');
    await gateway.close();
  }
});

test('a resolver that does not answer: files and the final ledger are there, the end comes within 1.5 s', async () => {
  const dir = scratch();
  const env = { LD_PRELOAD: shim(), SHIM_RESOLVER_S: '25' };
  const args = ['--ring=synth', '--synth', 'pps=5000', '--store', dir, '--gateway', 'ws://gateway.invalid:1'];
  const probe = start(args, { binary: FAST, env });
  await until(() => probe.last()?.stored, 'stored packets');
  const began = Date.now();
  const { code, ledgers } = await stop(probe);
  const took = Date.now() - began;
  const final = ledgers.at(-1)!;
  assert.equal([code, final.final, final.stored], [0, true, final.ring_received]);
  assert.is(imbalance(final), '');
  assert.equal([final.sent, final.uplink_drops], [0, final.offered]);
  assert.ok(took < 5000, `${took} ms`);
});

test('a libwebsockets that gives up: told once, recording goes on, the end is not held up', async () => {
  const dir = scratch();
  const gateway = await serve();
  const env = { LD_PRELOAD: shim(), SHIM_SERVICE_CALLS: '30' };
  const args = [
    '--ring=synth',
    '--synth',
    'pps=20000',
    '--store',
    dir,
    '--gateway',
    `ws://127.0.0.1:${gateway.port}`,
  ];
  const probe = start(args, { binary: FAST, env });
  await until(() => probe.messages().includes('libwebsockets ended'), 'the line');
  const before = probe.last()?.stored ?? 0;
  await until(() => (probe.last()?.stored ?? 0) > before + 20_000, 'recording');
  const { code, ledgers, messages } = await stop(probe);
  const final = ledgers.at(-1)!;
  assert.is(code, 0);
  assert.is(imbalance(final), '');
  assert.equal([final.stored, final.uplink_drops > 0], [final.ring_received, true]);
  assert.is(messages.filter((line) => line.includes('libwebsockets ended')).length, 1);
  await gateway.close();
});

test('sanitized: a gateway that restarts again and again while every packet is recorded', async () => {
  const dir = scratch();
  let gateway = await serve({ credit: 2 });
  const { port } = gateway;
  const args = ['--synth', 'pps=20000,size=mix', '--store', dir, '--gateway', url(gateway), '-C', '2'];
  const probe = start([...args, '--stats-interval', '0.1', '--exit-with-parent']);
  for (let round = 1; round <= 5; round++) {
    await until(() => gateway.batches.length > 1, `batches in round ${round}`);
    await gateway.close();
    gateway = await serve({ port, credit: 1 + round, ack: round % 2 === 0 });
  }
  await until(() => gateway.batches.length > 1, 'batches at last');
  const { code, ledgers } = await stop(probe);
  const final = ledgers.at(-1)!;
  assert.is(code, 0);
  assert.is(imbalance(final), '');
  for (const line of ledgers) assert.is(line.unaccounted, 0);
  await gateway.close();
});

test('a refusal is told once, with its reason', async () => {
  const dir = scratch();
  const gateway = await serve({
    onHello: (socket) => {
      socket.send(encodeFrame({ refusal: { code: 4003, message: 'token unknown; ask\u001b[2J for one' } }));
      socket.close(4003, 'token unknown');
    },
  });
  const probe = start(['--ring=synth', '--store', dir, '--gateway', url(gateway)]);
  await until(() => probe.messages().includes('token unknown'), 'the reason');
  await sleep(1200);
  const { messages, ledgers } = await stop(probe);
  assert.is(messages.filter((line) => line.includes('refused (4003)')).length, 1);
  assert.not.ok(messages.join().includes('\u001b'), 'no terminal control');
  assert.is(gateway.hellos.length, 1, 'an unauthorized probe does not hammer');
  assert.is(imbalance(ledgers.at(-1)!), '');
  await gateway.close();
});

test('hostile frames: garbage, too long, acknowledging the future; the probe reconnects and records on', async () => {
  const dir = scratch();
  let round = 0;
  const gateway = await serve({
    onHello: (socket) => {
      round++;
      if (round === 1) socket.send(Buffer.from('ffffffffffffffffff', 'hex'));
      else if (round === 2) socket.send(Buffer.alloc(200_000, 0x0a));
      else if (round === 3)
        socket.send(encodeFrame({ welcome: { probe: 1, creditBatches: 4, resumeSeq: long(999n) } }));
      else
        socket.send(encodeFrame({ welcome: { probe: 1, creditBatches: 0xffffffff, resumeSeq: long(0n) } }));
    },
  });
  const probe = start(['--ring=synth', '--store', dir, '--gateway', url(gateway)]);
  await until(() => gateway.batches.length > 3, 'batches on the fourth connection');
  const { code, messages, ledgers } = await stop(probe);
  assert.is(code, 0);
  assert.is(imbalance(ledgers.at(-1)!), '');
  for (const part of ['no Ringtap protobuf', 'over 65536 bytes', 'batch 999'])
    assert.ok(
      messages.some((line) => line.includes(part)),
      `${part} in ${messages.join('\n')}`,
    );
  await gateway.close();
});

test('no gateway at all: one line, everything recorded, a quick end', async () => {
  const dir = scratch();
  const began = Date.now();
  const args = [
    '--ring=synth',
    '--synth',
    'pps=2000,count=3000',
    '--store',
    dir,
    '--gateway',
    'ws://127.0.0.1:9',
  ];
  const { code, messages, ledgers } = run(args, { binary: FAST });
  assert.is(code, 0);
  assert.is(messages.filter((line) => line.includes('not reachable')).length, 1);
  assert.is(ledgers.at(-1)!.stored, 3000);
  assert.is(imbalance(ledgers.at(-1)!), '');
  assert.ok(Date.now() - began < 15_000);
});

test('wrong URL, token file: exit 2 or 1 and one line', () => {
  for (const bad of ['http://127.0.0.1', 'ws://', 'nonsense']) {
    const { code, messages } = run(['--ring=synth', '--gateway', bad]);
    assert.is(code, 2, bad);
    assert.is(messages.length, 1);
  }
  const { code, messages } = run([
    '--ring=synth',
    '--gateway',
    'ws://127.0.0.1:9',
    '--token-file',
    '/nonexistent',
  ]);
  assert.is(code, 1);
  assert.ok(messages[0]!.includes('/nonexistent'));
});

test.after(async () => {
  for (const gateway of gateways) await gateway.close(); // a failed test must not keep the process alive
});

test.after.each(endAll);
test.run();
