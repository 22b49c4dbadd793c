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

test('82540EM: what overflows the ring is counted by the NIC, and everything else delivered', async () => {
  const frames = 100_000;
  const { state, onLine } = sender(async (wire) => {
    await wire.numbered(0, frames, 0);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await wire.end();
  });
  const outcome = await boot(prepared, {
    nic: 'e1000',
    onLine,
    scenario: `
load pci=all ring=64 spin=0 idle_us=5000 buffer_mb=64 block_kb=1024
tap read /dev/ringtap0 idle_ms=1500 mode=block ready=/tmp/ready1 & ready 1
echo READY
wait
counters
rmmod ringtap`,
  });
  await state.done;
  const seen = outcome.results[0]!;
  const missed = outcome.counters.get('nic/missed') ?? 0;
  assert.ok(missed > 0, 'nothing overflowed');
  assert.ok(seen.end, 'the closing frame was lost');
  assert.is(seen.packets + missed, frames, 'received + missed = sent');
  assert.is(seen.bad + seen.duplicates + seen.foreign + seen.lost, 0);
  assert.is(seen.inversions, 0, 'one segment keeps the order');
  assert.is(outcome.counters.get('nic/received'), seen.packets + 1);
  assert.is(unaccounted(outcome), 0);
});

test('the cable comes out and in; the device is unbound under its listeners, and bound again', async () => {
  const { state, onLine } = sender(async (wire) => {
    await wire.numbered(0, 2_000_000_000, 64).catch(() => {});
  });
  let plugged = Promise.resolve();
  const outcome = await boot(prepared, {
    nic: 'e1000e',
    onLine: (line, wire) => {
      onLine(line, wire);
      if (line === 'UNPLUG') plugged = wire!.link(false);
      if (line === 'PLUG') plugged = plugged.then(() => wire!.link(true));
    },
    scenario: `
link() { for i in $(seq 100); do [ $(cat $D/nic/link_up) = $1 ] && echo LINK $1 && return; sleep 0.1; done; }
insmod /ringtap.ko pci=0000:ff:00.0
[ -e /dev/ringtap0 ] && echo "WRONG took a NIC it was not given"
rmmod ringtap
load pci=all segments=4 buffer_mb=32 block_kb=256
link 1; echo UNPLUG; link 0; echo PLUG; link 1
counters
tap read /dev/ringtap0 packets=1000000000 ready=/tmp/ready1 &
tap read /dev/ringtap0 packets=1000000000 mode=block ready=/tmp/ready2 & ready 1; ready 2
echo READY
sleep 1
A=$(cat $D/source)
echo $A > /sys/bus/pci/drivers/ringtap/unbind
wait
[ -e /dev/ringtap0 ] && echo "WRONG still there"
echo $A > /sys/bus/pci/drivers/ringtap/bind
tap read /dev/ringtap0 packets=5000 idle_ms=0
rmmod ringtap`,
  });
  await state.done;
  await plugged;
  assert.is(outcome.lines.filter((line) => line.startsWith('LINK ')).join(), 'LINK 1,LINK 0,LINK 1');
  assert.is(outcome.counters.get('nic/link_changes'), 3);
  assert.is(outcome.results.length, 3);
  const [first, second, again] = outcome.results;
  assert.ok(first!.packets > 0 && second!.packets > 0);
  assert.is(first!.packets + first!.lost, second!.packets + second!.lost, 'both saw the same, to the last');
  assert.ok(again!.packets >= 5000);
  for (const seen of outcome.results) assert.is(seen.bad + seen.duplicates, 0);
});

test.run();
