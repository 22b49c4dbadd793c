/** Exact accounts of batches: whatever is lost, announced or repeated, they balance to the packet. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SequenceTracker } from '../../web/data/sequence.js';

const balanced = ({ accounts }: SequenceTracker) =>
  assert.is(accounts.before! + accounts.received + accounts.missed, accounts.end);

test('what was sent before the page opened is not missing', () => {
  const tracker = new SequenceTracker();
  assert.equal(tracker.batch(51, 100, 5000), { kind: 'batch', missing: 0, announced: false });
  assert.equal(tracker.accounts, { before: 5000, received: 100, batches: 1, missed: 0, end: 5100 });
});

test('a jump in sequence is counted to the packet though nobody announced it', () => {
  const tracker = new SequenceTracker();
  tracker.batch(1, 10, 0);
  assert.equal(tracker.batch(5, 10, 1244), { kind: 'batch', missing: 1234, announced: false });
  assert.is(tracker.missed, 1234);
  balanced(tracker);
});

test('an announced gap is counted once, and exactly even when announced as unknown', () => {
  for (const announced of [300, null]) {
    const tracker = new SequenceTracker();
    tracker.batch(1, 10, 0);
    tracker.gap(4, announced);
    assert.is(tracker.missed, announced ?? 0);
    assert.equal(tracker.batch(5, 10, 310), { kind: 'batch', missing: 300, announced: true });
    assert.is(tracker.missed, 300);
    balanced(tracker);
  }
});

test('gaps before the first batch or about the past say nothing new', () => {
  const tracker = new SequenceTracker();
  tracker.gap(9, 100);
  tracker.batch(10, 5, 900);
  tracker.gap(10, 100);
  assert.is(tracker.missed, 0);
});

test('a batch sent again is told apart', () => {
  const tracker = new SequenceTracker();
  tracker.batch(1, 10, 0);
  tracker.batch(2, 10, 10);
  assert.equal(tracker.batch(2, 10, 10), { kind: 'duplicate' });
  assert.equal(tracker.batch(1, 10, 0), { kind: 'duplicate' });
  assert.is(tracker.received, 20);
  assert.is(tracker.duplicates, 2);
});

test('a sender that contradicts itself never makes the accounts negative', () => {
  const tracker = new SequenceTracker();
  tracker.batch(1, 10, 100);
  assert.equal(tracker.batch(2, 10, 50), { kind: 'batch', missing: 0, announced: false });
  assert.is(tracker.contradictions, 1);
  balanced(tracker);
});

test('random losses always balance', () => {
  let seed = 20_260_131;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
    return seed % below;
  };
  const tracker = new SequenceTracker();
  let before = 777;
  let lost = 0;
  for (let seq = 1; seq < 2000; seq++) {
    const packets = random(50);
    if (seq > 1 && random(4) === 0) {
      lost += packets;
      if (random(2)) tracker.gap(seq, random(2) ? packets : null);
    } else tracker.batch(seq, packets, before);
    before += packets;
  }
  tracker.batch(2000, 1, before);
  assert.is(tracker.missed, lost);
  balanced(tracker);
});

test.run();
