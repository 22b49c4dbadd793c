/** The viewer's queue against a plain model: order, bounds, exact gaps. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ViewerQueue } from '../../server/live/queue.js';
import { random } from './helpers.js';

const frame = new Uint8Array(100);
const batch = (probe: number, seq: number, packets: number | null = 10, bytes = frame) => ({
  frame: bytes,
  range: { probe, firstSeq: seq, lastSeq: seq, packets },
  isBatch: true,
});
const control = () => ({ frame, range: null, isBatch: false });

test('keeps order and drops nothing within its limits', () => {
  const queue = new ViewerQueue({ viewer_queue_bytes: 1000, viewer_queue_frames: 10 });
  for (let seq = 1; seq <= 10; seq++) queue.push(batch(1, seq));
  assert.equal(queue.takeGaps(), []);
  for (let seq = 1; seq <= 10; seq++) assert.is(queue.shift()?.range?.firstSeq, seq);
  assert.is(queue.shift(), undefined);
  assert.ok(queue.empty);
  assert.is(queue.bytes, 0);
});

test('drops the oldest by frames and by bytes, with exact ranges per probe', () => {
  const queue = new ViewerQueue({ viewer_queue_bytes: 100_000, viewer_queue_frames: 3 });
  for (let seq = 1; seq <= 4; seq++) {
    queue.push(batch(1, seq, seq));
    queue.push(batch(2, seq, seq * 10));
  }
  assert.equal(queue.takeGaps(), [
    { probe: 1, firstSeq: 1, lastSeq: 3, packets: 6 },
    { probe: 2, firstSeq: 1, lastSeq: 2, packets: 30 },
  ]);
  assert.equal([queue.droppedBatches, queue.droppedPackets], [5, 36]);
  const small = new ViewerQueue({ viewer_queue_bytes: 250, viewer_queue_frames: 100 });
  for (let seq = 1; seq <= 3; seq++) small.push(batch(1, seq));
  assert.equal(small.takeGaps(), [{ probe: 1, firstSeq: 1, lastSeq: 1, packets: 10 }]);
});

test('a frame larger than the whole queue becomes a gap itself', () => {
  const queue = new ViewerQueue({ viewer_queue_bytes: 50, viewer_queue_frames: 3 });
  queue.push(batch(1, 7));
  assert.is(queue.shift(), undefined);
  assert.not(queue.empty);
  assert.equal(queue.takeGaps(), [{ probe: 1, firstSeq: 7, lastSeq: 7, packets: 10 }]);
  assert.ok(queue.empty);
});

test('unknown packet numbers stay unknown in a sum', () => {
  const queue = new ViewerQueue({ viewer_queue_bytes: 1000, viewer_queue_frames: 1 });
  for (const packets of [1, null, 3]) queue.push(batch(1, 1, packets));
  assert.is(queue.takeGaps()[0]?.packets, null);
});

test('control frames are never dropped and keep their place', () => {
  const queue = new ViewerQueue({ viewer_queue_bytes: 1000, viewer_queue_frames: 2 });
  queue.push(control());
  for (let seq = 1; seq <= 5; seq++) queue.push(batch(1, seq));
  queue.push(control());
  assert.is(queue.controlFrames, 2);
  const order = [];
  for (let item = queue.shift(); item; item = queue.shift()) order.push(item.range?.firstSeq ?? 'control');
  assert.equal(order, ['control', 4, 5, 'control']);
});

test('random pushes and shifts: every batch is delivered or in exactly one gap', () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1e9);
  const next = random(seed);
  const queue = new ViewerQueue({ viewer_queue_bytes: 5000, viewer_queue_frames: 20 });
  const sent = [0, 0, 0];
  const got = [0, 0, 0];
  let controls = 0;
  const drain = (most: number) => {
    for (const gap of queue.takeGaps()) {
      assert.is(gap.firstSeq, (got[gap.probe] as number) + 1, `seed ${seed}`);
      got[gap.probe] = gap.lastSeq;
    }
    for (let i = 0; i < most; i++) {
      const item = queue.shift();
      if (!item) return;
      if (!item.range) controls--;
      else {
        assert.is(item.range.firstSeq, (got[item.range.probe] as number) + 1, `seed ${seed}`);
        got[item.range.probe] = item.range.firstSeq;
      }
    }
  };
  for (let step = 0; step < 20_000; step++) {
    const roll = next();
    const probe = Math.floor(next() * 3);
    if (roll < 0.6) {
      sent[probe] = (sent[probe] as number) + 1;
      queue.push(batch(probe, sent[probe] as number, 1, new Uint8Array(Math.floor(next() * 600))));
    } else if (roll < 0.7) {
      queue.push(control());
      controls++;
    } else drain(Math.floor(next() * 8));
    assert.ok(queue.bytes <= 5000);
  }
  drain(Number.POSITIVE_INFINITY);
  assert.equal(got, sent, `seed ${seed}`);
  assert.is(controls, 0);
  assert.is(queue.bytes, 0);
});

test.run();
