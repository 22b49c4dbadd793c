/**
 * The store against real frames: what it shows, what it says was missed, and that hostile or
 * contradictory frames change nothing but a count.
 */
import Long from 'long';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeFrame, encodeFrame, type FrameFields } from '../../proto/frame.js';
import type { ConnectionState } from '../../web/data/connection.js';
import { EngineClient, IN_FLIGHT_BYTES_MAX } from '../../web/data/engine-client.js';
import { LiveStore, PROBES_KEPT } from '../../web/data/store.js';
import { recordedLoss, waterfall } from '../../web/data/waterfall.js';
import { RecordingPort } from './support/engine-port.js';
import { TestProbe } from './support/gateway.js';

function setup() {
  const clock = { ms: 1_700_000_000_000 };
  const port = new RecordingPort();
  const pending: (() => void)[] = [];
  const store = new LiveStore({ now: () => clock.ms, schedule: (publish) => pending.push(publish) });
  const engine = new EngineClient(port, {
    onReady: () => store.onEngineReady(),
    onFailed: (message) => store.onEngineFailed(message),
    onTaken: (probe, packets, damage) => store.onTaken(probe, packets, damage),
    onStats: (stats) => store.onStats(stats),
  });
  store.use(engine);
  const publish = () => {
    for (const each of pending.splice(0)) each();
    return store.state;
  };
  const receive = (...frames: FrameFields[]) => {
    for (const fields of frames) {
      const bytes = encodeFrame(fields).slice();
      store.onFrame(decodeFrame(bytes), bytes.buffer);
    }
    return publish();
  };
  const connect = (phase: ConnectionState['phase'], reason: string | null = null) => {
    store.onConnection({ phase, sinceMs: clock.ms, retryAtMs: null, failures: 0, reason });
    return publish();
  };
  connect('open');
  return { clock, port, pending, store, publish, receive, connect };
}

const titles = (store: LiveStore) => store.state.events.map(({ title }) => title);

test('a probe, its ledger and its batches appear, exactly', () => {
  const { port, receive } = setup();
  const probe = new TestProbe(3);
  const batch = probe.batch(40);
  probe.ringDrops = 2;
  const state = receive(
    probe.up(),
    batch,
    probe.ledger({ filtered: null, inFlight: Long.fromNumber(5), unaccounted: Long.ZERO }),
    probe.summary(),
  );
  const shown = state.shown!;
  assert.is(shown.identity.name, 'edge-1');
  assert.is(shown.ledger?.stored, 40);
  assert.is(shown.ledger?.filtered, null);
  assert.is(shown.ledger?.ringDrops, 2);
  assert.is(shown.gateway?.packets, 40);
  assert.is(shown.sequence.received, 40);
  assert.equal(shown.sample, { seen: 40, of: 40 });
  const [sent] = port.of('batch');
  assert.is(sent!.packets, 40);
  assert.is(sent!.firstNo, 1);
  assert.equal(new Uint8Array(sent!.buffer, sent!.offset, sent!.length), batch.batch!.payload!);
  assert.is(port.of('start').length, 1);
});

test('publication is coalesced', () => {
  const { pending, store, receive, publish } = setup();
  const probe = new TestProbe(1);
  receive(probe.up());
  let published = 0;
  store.subscribe(() => published++);
  for (let i = 0; i < 100; i++) {
    const bytes = encodeFrame(probe.batch(1)).slice();
    store.onFrame(decodeFrame(bytes), bytes.buffer);
  }
  assert.is(pending.length, 1);
  publish();
  assert.is(published, 1);
});

test('a published state does not change afterwards', () => {
  const { store, receive } = setup();
  const probe = new TestProbe(1);
  const before = receive(probe.up(), probe.batch(10), probe.ledger()).shown!;
  receive(probe.batch(5), probe.ledger());
  assert.is(before.sequence.received, 10);
  assert.is(before.ledger?.stored, 10);
  assert.is(store.state.shown!.sequence.received, 15);
});

test('a silent jump, an announced gap and a repeated batch are each accounted once', () => {
  const { port, store, receive } = setup();
  const probe = new TestProbe(1);
  receive(probe.up(), probe.batch(10));
  probe.batch(1234);
  const repeated = probe.batch(10);
  receive(repeated, repeated);
  assert.is(store.state.shown!.sequence.missed, 1234);
  assert.match(titles(store)[0]!, '1,234 packets not shown here');
  const lost = probe.batch(66);
  receive({
    gap: {
      probe: 1,
      firstSeq: lost.batch!.seq!,
      lastSeq: lost.batch!.seq!,
      packets: Long.fromNumber(66),
      cause: 1,
    },
  });
  assert.is(store.state.shown!.sequence.missed, 1300);
  const count = store.state.events.length;
  receive(probe.batch(10));
  assert.is(store.state.shown!.sequence.missed, 1300);
  assert.is(store.state.events.length, count);
  assert.is(port.of('batch').length, 3);
  assert.ok(store.state.shown!.gapMarksMs.length === 0, 'no marks before a ledger gives the clock');
});

test('losses in quick succession are one event that adds up', () => {
  const { clock, store, receive } = setup();
  const probe = new TestProbe(1);
  receive(probe.up(), probe.batch(10));
  const told = () => titles(store).filter((title) => title.includes('not shown here'));
  for (let i = 0; i < 40; i++) {
    probe.batch(100);
    receive(probe.batch(10));
    clock.ms += 500;
  }
  assert.equal(told(), ['4,000 packets not shown here']);
  clock.ms += 60_000;
  probe.batch(1);
  receive(probe.batch(10));
  assert.equal(told(), ['1 packet not shown here', '4,000 packets not shown here']);
});

test('after a reconnect the page says what was missed and that recording went on', () => {
  const { clock, port, store, receive, connect } = setup();
  const probe = new TestProbe(1);
  receive(probe.up(), probe.batch(10), probe.ledger());
  connect('waiting', 'the connection was lost');
  assert.is(store.state.shown!.connected, false);
  clock.ms += 6200;
  probe.batch(1234);
  connect('connecting');
  connect('open');
  assert.is(titles(store)[0], 'Gateway was away 6.2 s');
  const again = new TestProbe(9); // the gateway gave the same run another number
  Object.assign(again, { seq: probe.seq, sent: probe.sent, bytes: probe.bytes });
  receive(again.up(), again.batch(20), again.ledger());
  const event = store.state.events.find(({ title }) => title.startsWith('Gateway was away'))!;
  assert.match(event.detail, '1,234 packets are missing here');
  assert.match(event.detail, 'recording continued, 1,254 packets stored meanwhile');
  assert.is(store.state.probes.length, 1);
  assert.is(port.of('start').length, 1, 'the same run keeps its engine');
  assert.is(store.state.shown!.sequence.missed, 1234);
});

test('what a restarted gateway and a resending probe say about an absence is counted once', () => {
  const { clock, store, receive, connect } = setup();
  const probe = new TestProbe(1);
  receive(probe.up(), probe.batch(10), probe.batch(10), probe.ledger());
  connect('waiting', 'the connection was lost');
  clock.ms += 4000;
  connect('open');
  const resent = probe.batch(5); // kept by the probe, unacknowledged
  probe.batch(300); // shed by it
  const all = {
    probe: 1,
    firstSeq: Long.fromNumber(1),
    lastSeq: Long.fromNumber(2),
    packets: Long.fromNumber(20),
    cause: 2,
  };
  const shed = {
    ...all,
    firstSeq: Long.fromNumber(4),
    lastSeq: Long.fromNumber(4),
    packets: Long.fromNumber(300),
  };
  receive(probe.up(), { gap: all }, resent, { gap: shed }, probe.batch(7), probe.ledger());
  assert.is(store.state.shown!.sequence.missed, 300);
  const told = store.state.events.filter(({ title, detail }) => /not shown|missing/.test(title + detail));
  assert.equal(
    told.map(({ title }) => title),
    ['Gateway was away 4.0 s'],
  );
  assert.match(
    told[0]!.detail,
    '300 packets are missing here; recording continued, 312 packets stored meanwhile',
  );
  assert.equal(store.state.shown!.sample, { seen: 32, of: 332 });
  clock.ms += 10_000;
  probe.batch(9);
  receive(probe.batch(1));
  assert.is(titles(store)[0], '9 packets not shown here');
});

test('sampling on purpose is part of what this page did not see', () => {
  const { store, receive } = setup();
  const probe = new TestProbe(1);
  const sampled = (total: number) => ({ sampledOutTotal: Long.fromNumber(total) });
  receive(probe.up(), probe.batch(10, sampled(500)), probe.batch(10, sampled(560)));
  assert.equal(store.state.shown!.sample, { seen: 20, of: 80 });
});

test('a new run of a probe starts its counts again', () => {
  const { port, store, receive } = setup();
  const probe = new TestProbe(1);
  receive(probe.up(), probe.batch(10));
  receive({ probeDown: { probe: 1, reason: 'the connection was lost' } });
  assert.is(store.state.shown!.downReason, 'the connection was lost');
  const next = new TestProbe(2, { runId: 8 });
  receive(next.up(), next.batch(3));
  assert.is(store.state.probes.length, 1);
  assert.is(store.state.shown!.sequence.received, 3);
  assert.is(port.of('stop').length, 1);
  assert.is(port.of('start').length, 2);
  assert.match(titles(store)[0]!, 'was restarted');
});

test('a connected probe is shown before one that is away, and a choice is kept', () => {
  const { store, receive } = setup();
  const gone = new TestProbe(1, { name: 'a', runId: 1 });
  gone.connected = false;
  const here = new TestProbe(2, { name: 'b', runId: 2 });
  receive(gone.up(), here.up());
  assert.is(store.state.shown!.identity.name, 'b');
  store.select(store.state.probes.find(({ identity }) => identity.name === 'a')!.key);
  receive(here.batch(1));
  assert.is(store.state.shown!.identity.name, 'a');
});

test('alarms and a ledger that does not balance are told once', () => {
  const { store, receive } = setup();
  const probe = new TestProbe(1);
  probe.alarms = ['drive /data1 is full: free space or add a drive', 'the ring dropped 17 packets'];
  receive(probe.up(), probe.ledger());
  probe.alarms[1] = 'the ring dropped 29 packets';
  receive(probe.ledger(), probe.ledger({ unaccounted: Long.fromNumber(-3) }));
  assert.is(titles(store).filter((title) => title.includes('the ring dropped')).length, 1);
  assert.is(titles(store).filter((title) => title.includes('drive /data1')).length, 1);
  assert.is(titles(store).filter((title) => title.includes('does not balance')).length, 1);
  assert.is(store.state.shown!.ledger?.unaccounted, -3);
});

test('a worker that falls behind is given no more, and that is counted', () => {
  const { port, store, receive } = setup();
  const probe = new TestProbe(1);
  receive(probe.up());
  const payload = new Uint8Array(1 << 20);
  const batches = IN_FLIGHT_BYTES_MAX / payload.length;
  for (let i = 0; i < batches + 2; i++) receive(probe.batch(7, { payload }));
  assert.is(port.of('batch').length, batches);
  assert.is(store.state.shown!.shedPackets, 14);
  assert.equal(store.state.shown!.sample, { seen: batches * 7, of: (batches + 2) * 7 });
  port.report({ type: 'taken', probe: 1, bytes: payload.length, packets: 7, damage: null });
  receive(probe.batch(7, { payload }));
  assert.is(port.of('batch').length, batches + 1);
});

test('frames of unknown probes, without introduction or with hostile text do no harm', () => {
  const { store, receive } = setup();
  const probe = new TestProbe(5);
  receive(
    probe.batch(1),
    probe.ledger(),
    probe.summary(),
    { probeUp: { probe: 1 } },
    { probeDown: { probe: 77 } },
    { welcome: { probe: 1 } },
  );
  assert.is(store.state.probes.length, 0);
  assert.is(store.state.damagedFrames, 2);
  receive(new TestProbe(1, { name: `evil\u202e\u0000${'x'.repeat(5000)}` }).up());
  const { name } = store.state.shown!.identity;
  assert.is(name.length, 64);
  assert.not.ok(name.includes('\u202e') || name.includes('\u0000'));
});

test('a flood of probes is bounded', () => {
  const { port, store, receive } = setup();
  for (let i = 0; i < 5 * PROBES_KEPT; i++) receive(new TestProbe(i, { name: `p${i}`, runId: i }).up());
  assert.is(store.state.probes.length, PROBES_KEPT);
  assert.is(port.of('start').length - port.of('stop').length, PROBES_KEPT);
});

test('a failed engine and damaged batches are told, the ledger goes on', () => {
  const { port, store, receive, publish } = setup();
  const probe = new TestProbe(1);
  receive(probe.up(), probe.batch(4));
  const { key } = store.state.shown!;
  port.report({ type: 'taken', probe: key, bytes: 0, packets: 2, damage: 'block length 7 at byte 120' });
  port.report({ type: 'failed', message: 'no memory' });
  publish();
  assert.is(store.state.shown!.damagedBatches, 1);
  assert.is(store.state.shown!.parsed, 2);
  assert.equal(store.state.engine, { phase: 'failed', message: 'no memory' });
  receive(probe.batch(4), probe.ledger());
  assert.is(port.of('batch').length, 1);
  assert.is(store.state.shown!.ledger?.stored, 8);
});

test('the waterfall balances and unknown stays unknown', () => {
  const { store, receive } = setup();
  const probe = new TestProbe(1);
  probe.batch(500);
  probe.ringDrops = 25;
  receive(
    probe.up(),
    probe.batch(75),
    probe.ledger({
      inFlight: Long.fromNumber(5),
      stored: Long.fromNumber(570),
    }),
  );
  const [recorder, uplink, browser] = waterfall(store.state.shown!);
  const value = (rows: typeof recorder, field: string) => rows!.rows.find((row) => row.field === field)!;
  assert.is(value(recorder, 'ring_received').value, 600);
  assert.is(value(recorder, 'filtered').value, null);
  assert.is(value(recorder, 'stored').value, 570);
  assert.is(value(recorder, 'in_flight').value, 5);
  const drops = value(recorder, 'ring_drops');
  assert.ok(Math.abs(drops.to - 1) < 1e-9 && Math.abs(drops.from - 575 / 600) < 1e-9);
  assert.is(value(uplink, 'sent').value, 575);
  assert.is(value(browser, 'before').value, 500);
  assert.is(value(browser, 'received').value, 75);
  assert.is(recordedLoss(store.state.shown!), 25);
  receive(probe.ledger({ ringDrops: null }));
  assert.is(recordedLoss(store.state.shown!), null);
});

test('what shaping removed has its rows where something was, and the bar still balances', () => {
  const { store, receive } = setup();
  const probe = new TestProbe(1);
  receive(probe.up(), probe.batch(60), probe.ledger());
  const fields = () => waterfall(store.state.shown!)[0]!.rows.map(({ field }) => field);
  assert.not(fields().some((field) => /cutoff|duplicates|sliced|starved/.test(field)));
  const shaping = {
    ringReceived: Long.fromNumber(100),
    cutoff: Long.fromNumber(30),
    duplicates: Long.fromNumber(10),
    slicedBytes: Long.fromNumber(5_000_000_000),
    ringStarved: Long.ZERO,
  };
  receive(probe.ledger(shaping));
  const rows = waterfall(store.state.shown!)[0]!.rows;
  const row = (name: string) => rows.find(({ field }) => field === name);
  const near = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);
  near(row('cutoff')!.from, 0.7);
  near(row('duplicates')!.to, 0.7);
  near(row('duplicates')!.from, 0.6);
  near(row('stored')!.to, 0.6);
  assert.not(row('duplicates')!.loss, 'removed on purpose is not lost');
  assert.is(row('sliced_bytes')!.value, 5_000_000_000);
  assert.is(row('ring_starved'), undefined);
  assert.is(recordedLoss(store.state.shown!), 0);
  receive(probe.ledger({ ...shaping, ringStarved: Long.fromNumber(7) }));
  assert.ok(fields().includes('ring_starved'));
});

test.run();
