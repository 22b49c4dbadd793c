/** /ws/ingest over real sockets: greeting, sequence, credit, acks, and everything a probe may do wrong. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeFrame } from '../../proto/frame.js';
import {
  BATCH_BYTES_MAX,
  CLOSE_BUSY,
  CLOSE_PROTOCOL,
  CLOSE_SEQUENCE,
  CLOSE_TOO_BIG,
  CLOSE_UNAUTHORIZED,
  CLOSE_VERSION,
  CREDIT_BATCHES_DEFAULT,
  FRAME_BYTES_MAX,
} from '../../proto/gen/constants.js';
import {
  Client,
  hello,
  payload,
  sleep,
  startGateway,
  type TestGateway,
  TestProbe,
  u64,
  viewer,
  waitFor,
} from './helpers.js';

let gateway: TestGateway;
test.before.each(async () => {
  gateway = await startGateway();
});
test.after.each(async () => {
  await gateway.app.close();
});

const ingest = async (to = gateway, headers = {}) => new Client(`${to.url}/ws/ingest`, headers).opened();

test('Hello is answered with a number, the credit and where to resume', async () => {
  const probe = await TestProbe.connect(gateway);
  assert.is(probe.number, 1);
  assert.is(probe.credit, CREDIT_BATCHES_DEFAULT);
  assert.is(probe.resumeSeq, 0);
});

test('batches are acknowledged, a lone one after the delay, many by the quarter of the credit', async () => {
  const probe = await TestProbe.connect(gateway);
  probe.batch();
  await waitFor('the ack of a lone batch', () => probe.acked() === 1);
  for (let i = 0; i < 63; i++) probe.batch();
  await waitFor('the last ack', () => probe.acked() === 64);
  assert.ok(probe.all('ack').length <= 8, 'acks are batched');
});

test('a resumed run goes on at its sequence; duplicates are acknowledged and ignored', async () => {
  const probe = await TestProbe.connect(gateway);
  const frames = [probe.batch(), probe.batch(), probe.batch()];
  await waitFor('acks', () => probe.acked() === 3);
  probe.end();
  const again = await TestProbe.connect(gateway);
  assert.is(again.number, probe.number);
  assert.is(again.resumeSeq, 3);
  const watcher = await viewer(gateway);
  await watcher.first('probeUp');
  for (const frame of frames) again.socket.send(frame);
  Object.assign(again, { seq: 3, packetsBefore: 6 });
  again.batch();
  await waitFor('the new batch', () => watcher.all('batch').length === 1);
  assert.is(watcher.all('gap').length, 0);
  assert.is(gateway.gateway.counters.duplicates, 3);
  assert.is(gateway.gateway.registry.get(1)?.run.gapBatches, 0);
  assert.is(again.closed, null);
});

test('missing sequences are a gap with the exact number of packets', async () => {
  const watcher = await viewer(gateway);
  const probe = await TestProbe.connect(gateway);
  probe.batch(2);
  probe.next(5);
  probe.next(7);
  probe.batch(1);
  const { gap } = await watcher.first('gap');
  assert.is(gap?.probe, 1);
  assert.equal([Number(gap?.firstSeq), Number(gap?.lastSeq), Number(gap?.packets)], [2, 3, 12]);
  const order = watcher.frames
    .map((frame) => frame.body)
    .filter((body) => body === 'batch' || body === 'gap');
  assert.equal(order, ['batch', 'gap', 'batch']);
  const { run } = gateway.gateway.registry.get(1) as { run: { gapBatches: number; gapPackets: number } };
  assert.equal([run.gapBatches, run.gapPackets], [2, 12]);
});

test('what a run sent before this gateway is told apart from a gap', async () => {
  const watcher = await viewer(gateway);
  const probe = await TestProbe.connect(gateway);
  for (let i = 0; i < 9; i++) probe.next(10);
  probe.batch(1);
  await watcher.first('batch');
  assert.is(watcher.all('gap').length, 0);
  const run = gateway.gateway.registry.get(1)?.run;
  assert.equal([run?.beforeBatches, run?.beforePackets, run?.gapBatches, run?.gapPackets], [9, 90, 0, 0]);
});

test('a new run of the same interface keeps the number and starts its sequence anew', async () => {
  const probe = await TestProbe.connect(gateway);
  probe.batch();
  await waitFor('the ack', () => probe.acked() === 1);
  probe.end();
  await waitFor('the disconnect', () => !gateway.gateway.registry.get(1)?.link);
  const next = await TestProbe.connect(gateway, { runId: Buffer.alloc(16, 2) });
  assert.equal([next.number, next.resumeSeq], [1, 0]);
});

test('equal names at the same time stay apart', async () => {
  const one = await TestProbe.connect(gateway);
  const two = await TestProbe.connect(gateway, { runId: Buffer.alloc(16, 2) });
  assert.equal([one.number, two.number], [1, 2]);
});

test('a second connection of one run replaces the first, which is told', async () => {
  const first = await TestProbe.connect(gateway);
  const second = await TestProbe.connect(gateway);
  assert.is(second.number, first.number);
  assert.is((await first.close()).code, CLOSE_PROTOCOL);
  second.batch();
  await waitFor('the ack', () => second.acked() === 1);
});

const wrong: [name: string, code: number, act: (probe: TestProbe) => void][] = [
  ['garbage', CLOSE_PROTOCOL, (probe) => probe.socket.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'))],
  ['an empty frame', CLOSE_PROTOCOL, (probe) => probe.socket.send(Buffer.alloc(0))],
  ['text', CLOSE_PROTOCOL, (probe) => probe.socket.send('hello')],
  ['a second Hello', CLOSE_PROTOCOL, (probe) => probe.send(hello())],
  ['a frame of the other side', CLOSE_PROTOCOL, (probe) => probe.send({ ack: { seq: u64(1) } })],
  ['another probe’s number', CLOSE_PROTOCOL, (probe) => probe.send({ batch: { probe: 99, seq: u64(1) } })],
  ['another probe’s ledger', CLOSE_PROTOCOL, (probe) => probe.send({ ledger: { probe: 99 } })],
  ['sequence 0', CLOSE_SEQUENCE, (probe) => probe.send({ batch: { probe: 1, seq: u64(0) } })],
  [
    'a sequence beyond 2^53',
    CLOSE_SEQUENCE,
    (probe) => probe.send({ batch: { probe: 1, seq: u64(2 ** 60) } }),
  ],
  [
    'a sequence that goes back',
    CLOSE_SEQUENCE,
    (probe) => {
      probe.batch();
      probe.batch();
      probe.send({ batch: { probe: 1, seq: u64(1) } });
    },
  ],
  [
    'packets_before that goes back',
    CLOSE_SEQUENCE,
    (probe) => {
      probe.batch(5);
      probe.send({ batch: { probe: 1, seq: u64(2), packets: 1, packetsBefore: u64(3) } });
    },
  ],
  [
    'packets missing without a gap',
    CLOSE_SEQUENCE,
    (probe) => probe.send({ batch: { probe: 1, seq: u64(1), packets: 1, packetsBefore: u64(3) } }),
  ],
  [
    'a payload over the limit',
    CLOSE_TOO_BIG,
    (probe) => probe.send({ batch: { probe: 1, seq: u64(1), payload: Buffer.alloc(BATCH_BYTES_MAX + 1) } }),
  ],
  ['a frame over the limit', CLOSE_TOO_BIG, (probe) => probe.socket.send(Buffer.alloc(FRAME_BYTES_MAX + 1))],
  [
    'a flood of ledgers',
    CLOSE_PROTOCOL,
    (probe) => {
      for (let i = 0; i < 100; i++) probe.send({ ledger: { probe: 1 } });
    },
  ],
  [
    'more batches than credit',
    CLOSE_SEQUENCE,
    (probe) => {
      const many = Buffer.concat(
        Array.from({ length: 200 }, () => maskedMessage(probe.next(0, Buffer.alloc(0)))),
      );
      (probe.socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(many);
    },
  ],
];

/** A client message as it travels (RFC 6455 5.2) with a zero mask, to send many in one segment. */
function maskedMessage(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0x82, 0x80 | bytes.length, 0, 0, 0, 0]), bytes]);
}

for (const [name, code, act] of wrong) {
  test(`${name}: refused with a reason, other probes go on`, async () => {
    const other = await TestProbe.connect(gateway, { runId: Buffer.alloc(16, 9), name: 'other' });
    const probe = await TestProbe.connect(gateway);
    probe.number = 1;
    const number = 2; // `wrong` speaks of probe 1: make it so
    assert.is(other.number + 1, number);
    act(retarget(probe, number));
    const closed = await probe.close();
    assert.is(closed.code, code);
    assert.ok((probe.all('refusal')[0]?.refusal?.message ?? '').length > 5, 'says why');
    other.batch();
    await waitFor('the other probe’s ack', () => other.acked() === 1);
  });
}

/** Lets a case written for probe 1 speak as the probe it is. */
function retarget(probe: TestProbe, number: number): TestProbe {
  const send = probe.send.bind(probe);
  probe.number = number;
  probe.send = (fields) => {
    if (fields.batch?.probe === 1) fields.batch.probe = number;
    if (fields.ledger?.probe === 1) fields.ledger.probe = number;
    send(fields);
  };
  return probe;
}

test('a frame far over the limit ends the connection by WebSocket’s own code', async () => {
  const probe = await TestProbe.connect(gateway);
  probe.socket.send(Buffer.alloc(3 * FRAME_BYTES_MAX));
  assert.is((await probe.close()).code, 1009);
});

test('wrong greetings', async () => {
  const cases: [number, Parameters<Client['send']>[0]][] = [
    [CLOSE_PROTOCOL, { batch: { probe: 1, seq: u64(1) } }],
    [CLOSE_VERSION, hello({ protocol: 2 })],
    [CLOSE_PROTOCOL, hello({ runId: Buffer.alloc(3) })],
    [CLOSE_PROTOCOL, hello({ name: '' })],
    [CLOSE_PROTOCOL, hello({ name: 'x'.repeat(300) })],
    [CLOSE_PROTOCOL, hello({ interfaceName: 'eth0\u001b[2J' })],
    [CLOSE_PROTOCOL, hello({ section: Buffer.alloc(4) })],
    [CLOSE_PROTOCOL, hello({ section: Buffer.alloc(100_000) })],
  ];
  for (const [code, fields] of cases) {
    const client = await ingest();
    client.send(fields);
    assert.is((await client.close()).code, code, JSON.stringify(fields).slice(0, 80));
    assert.is(client.all('refusal').length, 1);
  }
  assert.is([...gateway.gateway.registry.all()].length, 0);
});

test('no Hello in time is refused', async () => {
  const quick = await startGateway({ limits: { greeting_timeout_ms: 50 } });
  const client = await ingest(quick);
  assert.is((await client.close()).code, CLOSE_PROTOCOL);
  await quick.app.close();
});

test('a probe that answers no ping is cut off and stays known', async () => {
  const quick = await startGateway({ limits: { ping_interval_ms: 20, pong_timeout_ms: 60 } });
  const probe = await TestProbe.connect(quick);
  probe.socket.pause();
  await waitFor('the probe to be given up', () => quick.gateway.registry.get(1)?.link === null);
  probe.end();
  await quick.app.close();
});

test('too many probes: the longest-gone makes room, else busy', async () => {
  const small = await startGateway({ limits: { probes: 2 } });
  const connect = (id: number) =>
    TestProbe.connect(small, { runId: Buffer.alloc(16, id), name: `probe-${id}` });
  const first = await connect(1);
  await connect(2);
  const third = await ingest(small);
  third.send(hello({ runId: Buffer.alloc(16, 3), name: 'probe-3' }));
  assert.is((await third.close()).code, CLOSE_BUSY);
  first.end();
  await waitFor('the first to be gone', () => small.gateway.registry.get(1)?.link === null);
  assert.is((await connect(4)).number, 3);
  assert.is(small.gateway.registry.get(1), undefined);
  await small.app.close();
});

test('a token is needed where one is set, and compared whole', async () => {
  const token = 'correct-horse-battery';
  const guarded = await startGateway({ token });
  for (const authorization of ['', 'Bearer ', `Bearer ${token}x`, `Bearer ${token.slice(0, -1)}`, token]) {
    const client = new Client(`${guarded.url}/ws/ingest`, authorization ? { authorization } : {});
    assert.is((await client.close()).code, CLOSE_UNAUTHORIZED, authorization);
  }
  const probe = await TestProbe.connect(guarded, {}, { authorization: `Bearer ${token}` });
  assert.is(probe.number, 1);
  await guarded.app.close();
});

test('a probe’s own Refusal ends the connection', async () => {
  const watcher = await viewer(gateway);
  const probe = await TestProbe.connect(gateway);
  probe.send({ refusal: { code: 1000, message: 'going home' } });
  await probe.close();
  const { probeDown } = await watcher.first('probeDown');
  assert.match(probeDown?.reason ?? '', 'going home');
});

test('every prefix of a batch frame is refused or taken, never a crash', async () => {
  const bytes = encodeFrame({ batch: { probe: 1, seq: u64(1), packets: 1, payload: payload(1) } });
  for (let length = 0; length < bytes.length; length += 7) {
    const probe = await TestProbe.connect(gateway, { runId: Buffer.alloc(16, 100 + (length % 100)) });
    probe.socket.send(bytes.subarray(0, length));
    await Promise.race([waitFor('an answer', () => probe.closed ?? probe.all('ack')[0]), sleep(3000)]);
    assert.ok(probe.closed || probe.acked() >= 0);
    probe.end();
    await waitFor('it to be gone', () => ![...gateway.gateway.registry.all()].some(({ link }) => link));
  }
});

test.run();
