/** A real receive ring, driven by our module in a guest: 82574L for exactness, 82540EM for overflow. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { boot, prepare, segments, unaccounted, type Wire } from './guest.js';

const prepared = prepare();
const FRAMES = 1_000_000;

/** Starts sending when the guest says READY; errors surface in the returned promise. */
function sender(send: (wire: Wire) => Promise<void>) {
  const state = { done: Promise.resolve() };
  return {
    state,
    onLine: (line: string, wire: Wire | null) => {
      if (line === 'READY' && wire) state.done = send(wire);
    },
  };
}

test('82574L: a million frames of all sizes, each exactly once, two segments, two listeners', async () => {
  const { state, onLine } = sender(async (wire) => {
    await wire.numbered(0, FRAMES / 2, 64);
    await wire.numbered(FRAMES / 2, FRAMES / 2, 256);
    await wire.end();
  });
  const outcome = await boot(prepared, {
    nic: 'e1000e',
    onLine,
    scenario: `
load pci=all segments=2 buffer_mb=64 block_kb=1024
tap read /dev/ringtap0 idle_ms=1000 limit_ms=80000 ready=/tmp/ready1 &
tap read /dev/ringtap0 idle_ms=1000 limit_ms=80000 mode=block ready=/tmp/ready2 &
ready 1; ready 2
echo READY
wait
counters
rmmod ringtap`,
  });
  await state.done;
  assert.is(outcome.results.length, 2);
  for (const seen of outcome.results) {
    assert.is(seen.packets + seen.lost, FRAMES + (seen.end ? 0 : 1));
    assert.is(seen.bad, 0, 'contents differ');
    assert.is(seen.duplicates, 0);
    assert.is(seen.foreign, 0);
    assert.is(seen.offered, seen.delivered + seen.lost + seen.pending);
  }
  const seen = outcome.results.find((result) => result.lost === 0);
  assert.ok(seen, 'both listeners lost packets');
  // Order is disturbed at segment borders only, and every displaced packet is counted.
  assert.is(seen.inversions, segments(outcome, 'reordered'));
  assert.is(outcome.counters.get('nic/received'), FRAMES + 1);
  assert.is(outcome.counters.get('nic/missed'), 0);
  assert.is(segments(outcome, 'received'), FRAMES + 1);
  assert.is(unaccounted(outcome), 0);
});

test.run();
