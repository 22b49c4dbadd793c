/** /ws/live over real sockets: fan-out byte for byte, late joiners, slow viewers and their gaps. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeFrame, GapCause } from '../../proto/frame.js';
import {
  CLOSE_BUSY,
  CLOSE_PROTOCOL,
  CLOSE_UNAUTHORIZED,
  CLOSE_VERSION,
  PROTOCOL_VERSION,
} from '../../proto/gen/constants.js';
import {
  Client,
  payload,
  sleep,
  startGateway,
  type TestGateway,
  TestProbe,
  u64,
  viewer,
  waitFor,
  withoutEngine,
} from './helpers.js';

let gateway: TestGateway;
test.before.each(async () => {
  gateway = await startGateway({ limits: { summary_interval_ms: 50 } });
});
test.after.each(async () => {
  await gateway.app.close();
});

const bytesOf = (client: Client, body: string) =>
  client.raw.filter((_, i) => client.frames[i]?.body === body).map((raw) => raw.toString('hex'));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('every viewer gets every batch and ledger byte for byte, in order', async () => {
  const viewers = await Promise.all([viewer(gateway), viewer(gateway), viewer(gateway)]);
  const probe = await TestProbe.connect(gateway);
  const sent: string[] = [];
  for (let i = 0; i < 40; i++) sent.push(hex(probe.batch(1 + (i % 5))));
  // Unknown fields must survive too: the gateway forwards bytes, not its own encoding of them.
  const ledger = Buffer.concat([
    encodeFrame({ ledger: { probe: probe.number, stored: u64(7) } }),
    Buffer.from([0xf8, 0x01, 0x2a]),
  ]);
  probe.socket.send(ledger);
  for (const client of viewers) {
    await waitFor(
      '40 batches and the ledger',
      () => client.all('batch').length === 40 && client.all('ledger').length === 1,
    );
    assert.equal(bytesOf(client, 'batch'), sent);
    assert.equal(bytesOf(client, 'ledger'), [ledger.toString('hex')]);
  }
});

test('a late joiner learns of known probes, also gone ones, and of the latest ledger', async () => {
  const probe = await TestProbe.connect(gateway, { name: 'tap-1' });
  probe.batch();
  probe.send({ ledger: { probe: 1, stored: u64(1) } });
  probe.send({ ledger: { probe: 1, stored: u64(2) } });
  await waitFor('the ledger', () => Number(gateway.gateway.registry.get(1)?.ledger?.ledger.stored) === 2);
  const early = await viewer(gateway);
  const { probeUp } = await early.first('probeUp');
  assert.equal([probeUp?.probe, probeUp?.connected, Number(probeUp?.lastSeq)], [1, true, 1]);
  assert.is(probeUp?.hello?.probeName, 'tap-1');
  assert.is(probeUp?.hello?.synthetic, true);
  assert.is(Number((await early.first('ledger')).ledger?.stored), 2);
  assert.is(early.all('batch').length, 0);
  probe.end();
  assert.is((await early.first('probeDown')).probeDown?.probe, 1);
  const late = await viewer(gateway);
  assert.is((await late.first('probeUp')).probeUp?.connected, false);
});

test('subscriptions choose probes and leave batches out', async () => {
  const one = await TestProbe.connect(gateway, { name: 'one', runId: Buffer.alloc(16, 1) });
  const two = await TestProbe.connect(gateway, { name: 'two', runId: Buffer.alloc(16, 2) });
  const only = await viewer(gateway, { probes: [2] });
  const thin = await viewer(gateway, { summariesOnly: true });
  await only.first('probeUp');
  await waitFor('both probes', () => thin.all('probeUp').length === 2);
  one.batch();
  two.batch();
  two.send({ ledger: { probe: 2 } });
  await only.first('ledger');
  await thin.first('ledger');
  assert.equal(
    only.all('batch').map(({ batch }) => batch?.probe),
    [2],
  );
  assert.equal(
    only.all('probeUp').map(({ probeUp }) => probeUp?.probe),
    [2],
  );
  assert.is(thin.all('batch').length, 0);
  only.send({ subscribe: { protocol: PROTOCOL_VERSION } });
  await waitFor('the wider subscription', () => only.all('probeUp').length === 3);
  one.batch();
  await waitFor('a batch of probe 1', () => only.all('batch').some(({ batch }) => batch?.probe === 1));
});

test('a slow viewer gets gaps that add up; a fast one beside it misses nothing', async () => {
  const limits = { viewer_queue_bytes: 400_000, viewer_queue_frames: 64, viewer_socket_bytes: 64 * 1024 };
  const small = await startGateway({ limits });
  const slow = await viewer(small);
  const fast = await viewer(small);
  const probe = await TestProbe.connect(small);
  await slow.first('probeUp');
  slow.socket.pause();
  const body = payload(50, 1000); // about 53 kB
  const batches = 400; // 21 MB: more than the kernel's socket buffers take
  for (let i = 0; i < batches; i++) {
    probe.batch(50, body);
    if (i % 16 === 15) await waitFor('acks', () => probe.acked() >= i - 15);
  }
  probe.send({ ledger: { probe: 1, stored: u64(20_000) } });
  await waitFor('the fast viewer to have all', () => fast.all('batch').length === batches);
  assert.is(fast.all('gap').length, 0);
  slow.socket.resume();
  await slow.first('ledger'); // never dropped
  await waitFor('the last batch', () => Number(slow.all('batch').at(-1)?.batch?.seq) === batches);
  assert.ok(slow.all('gap').length > 0, 'something was dropped');
  let expected = 1;
  let packets = 0;
  for (const { batch, gap } of slow.frames) {
    if (batch) {
      assert.is(Number(batch.seq), expected++);
      packets += batch.packets ?? 0;
    }
    if (!gap) continue;
    assert.is(gap.cause, GapCause.VIEWER_SLOW);
    assert.is(Number(gap.firstSeq), expected);
    expected = Number(gap.lastSeq) + 1;
    packets += Number(gap.packets);
  }
  assert.equal([expected - 1, packets], [batches, batches * 50]);
  await small.app.close();
});

test('a viewer that takes nothing is cut off; others and the probe do not notice', async () => {
  const small = await startGateway({
    limits: { viewer_stall_ms: 200, viewer_socket_bytes: 64 * 1024, viewer_queue_bytes: 400_000 },
  });
  const stalled = await viewer(small);
  const other = await viewer(small);
  const probe = await TestProbe.connect(small);
  await stalled.first('probeUp');
  stalled.socket.pause();
  const body = payload(50, 1000);
  for (let i = 0; i < 400; i++) {
    probe.batch(50, body);
    if (i % 16 === 15) await waitFor('acks', () => probe.acked() >= i - 15);
  }
  await waitFor('the stalled viewer to be cut off', () => small.gateway.viewers.size === 1);
  await waitFor('the other to have all', () => other.all('batch').length === 400);
  assert.is(other.closed, null);
  assert.ok(small.gateway.counters.droppedBatches > 0, 'its drops stay in the accounts');
  assert.is(small.gateway.counters.droppedBatches * 50, small.gateway.counters.droppedPackets);
  stalled.end();
  await small.app.close();
});

test('wrong viewers are refused with a reason', async () => {
  const cases: [number, (client: Client) => void][] = [
    [CLOSE_PROTOCOL, (client) => client.send({ hello: { protocol: PROTOCOL_VERSION } })],
    [CLOSE_PROTOCOL, (client) => client.socket.send('subscribe')],
    [CLOSE_PROTOCOL, (client) => client.socket.send(Buffer.from([0xff, 0xff]))],
    [CLOSE_VERSION, (client) => client.send({ subscribe: { protocol: 99 } })],
    [1009, (client) => client.socket.send(Buffer.alloc(10_000))],
    [
      CLOSE_PROTOCOL,
      (client) => {
        for (let i = 0; i < 50; i++) client.send({ subscribe: { protocol: PROTOCOL_VERSION } });
      },
    ],
  ];
  for (const [code, act] of cases) {
    const client = await new Client(`${gateway.url}/ws/live`).opened();
    act(client);
    assert.is((await client.close()).code, code);
  }
  await waitFor('no viewer to be left', () => gateway.gateway.viewers.size === 0);
});

test('limits: silence, and one viewer too many', async () => {
  const small = await startGateway({ limits: { greeting_timeout_ms: 60, viewers: 1 } });
  const one = await viewer(small);
  await sleep(20);
  const two = new Client(`${small.url}/ws/live`);
  assert.is((await two.close()).code, CLOSE_BUSY);
  assert.is(one.closed, null);
  one.end();
  await waitFor('room', () => small.gateway.viewers.size === 0);
  const silent = new Client(`${small.url}/ws/live`);
  assert.is((await silent.close()).code, CLOSE_PROTOCOL);
  await small.app.close();
});

test('a viewer needs the token, by header or cookie', async () => {
  const token = 'correct-horse-battery';
  const guarded = await startGateway({ token });
  const url = `${guarded.url}/ws/live`;
  assert.is((await new Client(url).close()).code, CLOSE_UNAUTHORIZED);
  assert.is((await new Client(url, { cookie: `ringtap_token=${token}x` }).close()).code, CLOSE_UNAUTHORIZED);
  const client = await new Client(url, { cookie: `other=1; ringtap_token=${token}` }).opened();
  client.send({ subscribe: { protocol: PROTOCOL_VERSION } });
  await waitFor('the viewer', () => guarded.gateway.viewers.size === 1);
  assert.is(client.closed, null);
  await guarded.app.close();
});

test('shutdown tells every peer', async () => {
  const own = await startGateway();
  const watcher = await viewer(own);
  const probe = await TestProbe.connect(own);
  await own.app.close();
  assert.is((await watcher.close()).code, 1001);
  assert.is((await probe.close()).code, 1001);
  assert.match(probe.all('refusal')[0]?.refusal?.message ?? '', 'shutting down');
});

const missing = withoutEngine();
if (missing) console.log(`SKIP summaries: ${missing}`);
else {
  test('summaries count what the batches hold, each second, to every viewer', async () => {
    const watcher = await viewer(gateway);
    const probe = await TestProbe.connect(gateway);
    for (let i = 0; i < 10; i++) probe.batch(20);
    const done = () =>
      watcher.all('summary').find(({ summary }) => Number(summary?.packets) === 200)?.summary;
    const summary = await waitFor('a summary of all packets', done);
    assert.equal(
      [summary.probe, Number(summary.batches), Number(summary.flows), Number(summary.viewers)],
      [1, 10, 20, 1],
    );
    const udp = summary.protocols?.find(({ name }) => name === 'udp');
    assert.is(Number(udp?.packets), 200);
    assert.is(Number(summary.wireBytes), 200 * 60);
  });

  test('a payload that is no pcapng is counted and costs itself only', async () => {
    const watcher = await viewer(gateway);
    const probe = await TestProbe.connect(gateway);
    probe.batch(5);
    probe.batch(1, Buffer.alloc(64, 0xee));
    probe.batch(5);
    const { analysis } = gateway.gateway;
    await waitFor('the damage to be counted', () => analysis.counters.damaged === 1);
    await waitFor('the rest', () =>
      watcher.all('summary').some(({ summary }) => Number(summary?.packets) === 10),
    );
    assert.is(probe.closed, null);
  });

  test('a new run starts its summary at zero', async () => {
    const probe = await TestProbe.connect(gateway);
    probe.batch(5);
    const summary = () => gateway.gateway.registry.get(1)?.summary?.packets;
    await waitFor('the first summary', () => summary() === 5);
    probe.end();
    await waitFor('it to be gone', () => !gateway.gateway.registry.get(1)?.link);
    const next = await TestProbe.connect(gateway, { runId: Buffer.alloc(16, 7) });
    next.batch(3);
    await waitFor('the new summary', () => summary() === 3);
  });
}

test.run();
