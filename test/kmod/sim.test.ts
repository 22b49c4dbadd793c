/** The core, on simulated descriptors: segments, listeners, overruns, filter, snaplen, hostile users. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { boot, cases, prepare, segments, unaccounted } from './guest.js';

const prepared = prepare();
const RING = 4096;

test('1, 2 and 4 segments, 1 and 4 listeners, one stalled: only the stalled one loses, counted', async () => {
  const frames = 60_000;
  const outcome = await boot(prepared, {
    scenario: `
echo 0 > /proc/sys/kernel/printk
for s in 1 2 4; do for l in 1 4; do
echo CASE $s/$l
load sim=1 segments=$s buffer_mb=8 block_kb=128 ring=${RING}
rm -f /tmp/ready*
n=1; while [ $n -lt $l ]; do
m=packet; [ $n = 2 ] && m=block
tap read /dev/ringtap0 packets=${frames} mode=$m ready=/tmp/ready$n & n=$((n+1))
done
stall=0; [ $l = 4 ] && stall=2000
tap read /dev/ringtap0 packets=${frames} mode=block stall_ms=$stall ready=/tmp/ready$l &
n=1; while [ $n -le $l ]; do ready $n; n=$((n+1)); done
echo "${frames} 256 60000 wait" > $D/generate
wait
counters
rmmod ringtap
done; done`,
  });
  const seenCases = cases(outcome);
  assert.is(seenCases.size, 6);
  for (const [name, seen] of seenCases) {
    const [segmentCount, listeners] = name.split('/').map(Number);
    assert.is(seen.results.length, listeners, name);
    for (const result of seen.results) {
      assert.is(result.packets + result.lost, frames, `${name}: delivered + lost`);
      assert.is(result.offered, frames, name);
      assert.is(result.pending, 0, name);
      assert.is(result.bad + result.duplicates + result.foreign, 0, name);
      assert.ok(result.displacement <= RING, `${name}: ${result.displacement} places late`);
      if (segmentCount === 1) assert.is(result.inversions, 0, `${name}: one segment keeps the order`);
    }
    const losers = seen.results.filter((result) => result.lost > 0);
    assert.is(losers.length, listeners === 4 ? 1 : 0, `${name}: ${JSON.stringify(seen.results)}`);
    const whole = seen.results.find((result) => result.lost === 0);
    assert.is(whole?.inversions, segments(seen, 'reordered'), `${name}: displaced packets are counted`);
    assert.is(segments(seen, 'received'), frames, name);
    assert.is(segments(seen, 'published'), frames, name);
    assert.is(unaccounted(seen), 0, name);
  }
});

test('overrun, filter, snaplen, frames from user space, a partial block after flush_ms', async () => {
  const outcome = await boot(prepared, {
    scenario: `
echo 0 > /proc/sys/kernel/printk
echo CASE overrun
load sim=1 ring=64 buffer_mb=16 block_kb=256 spin=0 idle_us=20000
tap read /dev/ringtap0 idle_ms=1500 packets=1 ready=/tmp/ready1 & ready 1
echo "20000 64 0 drop" > $D/generate
wait; counters; rmmod ringtap
load sim=1 segments=2 buffer_mb=16 block_kb=256
echo CASE filter
tap read /dev/ringtap0 packets=25000 filter=odd ready=/tmp/ready2 & ready 2
echo "50000 64 50000 wait" > $D/generate
wait; counters
echo CASE snaplen
tap read /dev/ringtap0 packets=20000 snaplen=100 ready=/tmp/ready3 & ready 3
echo "20000 0 50000 wait" > $D/generate
wait; cat $D/snaplen | sed 's/^/SNAPLEN /'
echo CASE inject
tap read /dev/ringtap0 mode=block limit_ms=8000 ready=/tmp/ready4 & ready 4
tap inject /dev/ringtap0 20000 777
wait
echo CASE flush
tap read /dev/ringtap0 mode=block packets=10 ready=/tmp/ready5 & ready 5
echo "10 64 0 wait" > $D/generate
wait; rmmod ringtap`,
  });
  const seen = cases(outcome);
  const overrun = seen.get('overrun');
  const missed = overrun?.counters.get('nic/missed') ?? 0;
  assert.ok(missed > 0, 'nothing overran');
  const unclaimed = overrun ? segments(overrun, 'unclaimed') : 0; // after the listener left
  assert.is((overrun?.results[0]?.packets ?? 0) + unclaimed + missed, 20_000, 'received + missed = sent');

  const filtered = seen.get('filter')!;
  assert.is(filtered.results[0]?.packets, 25_000);
  assert.is(segments(filtered, 'filtered'), 25_000);
  assert.is(unaccounted(filtered), 0);

  const cut = seen.get('snaplen')!;
  assert.is(cut.results[0]?.packets, 20_000);
  assert.is(cut.results[0]?.bad, 0);
  // Sizes run through 64…1514; those above 100 bytes were cut, and their wire length kept.
  const sizes = Array.from({ length: 20_000 }, (_, i) => 64 + ((50_000 + i) % 1451));
  assert.is(
    cut.results[0]?.bytes,
    sizes.reduce((sum, size) => sum + size, 0),
  );
  assert.is(cut.results[0]?.truncated, sizes.filter((size) => size > 100).length);
  assert.ok(cut.lines.includes('SNAPLEN 262144'), 'the choice outlived its listener');

  const injected = seen.get('inject')!;
  assert.is(injected.results[0]?.packets, 20_000);
  assert.is(injected.results[0]?.bad, 0);
  assert.is(seen.get('flush')?.results[0]?.packets, 10);
  assert.is(seen.get('flush')?.results[0]?.blocks, 1);
});

test('hostile user space under traffic; bad parameters; unloading while open is refused', async () => {
  const outcome = await boot(prepared, {
    scenario: `
echo 0 > /proc/sys/kernel/printk
for p in segments=0 segments=17 ring=100 ring=65536 frame_bytes=3000 block_kb=2 block_kb=131 buffer_mb=0 \\
  buffer_mb=4 listeners=0 listeners=65 cpus=99 cpus=-1 flush_ms=0 netdev=none netdev=lo sim=9; do
insmod /ringtap.ko $p 2>/dev/null && echo "WRONG $p was accepted" && rmmod ringtap
done
load sim=1 segments=2 buffer_mb=16 block_kb=256
for o in "" "1" "x y z w" "10 8 0 wait" "10 70000 0 wait" "10 64 0 hurry" "-1"; do
(echo "$o" > $D/generate) 2>/dev/null && echo "WRONG generate took '$o'"
done
echo "100000000 0 60000 drop" > $D/generate
(echo "1 64 0 wait" > $D/generate) 2>/dev/null && echo "WRONG a second order was taken"
tap hostile /dev/ringtap0
tap read /dev/ringtap0 packets=60000 idle_ms=0 &
sleep 0.2
rmmod ringtap 2>/dev/null && echo "WRONG unloaded while open"
wait
ls $D/listeners | sed 's/^/WRONG listener left over: /'
for i in 1 2 3 4 5 6 7 8; do dd if=/dev/urandom of=/dev/ringtap0 bs=5000 count=1 2>/dev/null; done
rmmod ringtap
echo OK`,
  });
  assert.ok(outcome.lines.some((line) => /^HOSTILE \d{3,} tried, 0 wrong$/.test(line)));
  assert.ok(outcome.lines.includes('OK'));
});

test.run();
