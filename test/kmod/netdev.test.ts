/** Any interface as the source: exact delivery from a veth, VLAN tags put back, the interface vanishing. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { boot, cases, prepare, segments, unaccounted } from './guest.js';

const prepared = prepare();

/** A veth pair without IPv6, whose neighbour discovery would add packets nobody sent. */
const PAIR = `
echo 0 > /proc/sys/kernel/printk
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
insmod /veth.ko
ip2 link add tx0 type veth peer name rx0
ip2 link set tx0 up; ip2 link set rx0 up`;

test('a veth: every frame once, tags put back, the stack still served, or not when consumed', async () => {
  const outcome = await boot(prepared, {
    scenario: `${PAIR}
echo CASE plain
load netdev=rx0 segments=2 buffer_mb=16 block_kb=256
tap read /dev/ringtap0 ready=/tmp/ready1 & ready 1
tap send tx0 60000 200 40000
wait; counters
echo CASE tagged
tap read /dev/ringtap0 mode=block idle_ms=1500 ready=/tmp/ready2 & ready 2
tap send tx0 20000 128 40000 1234
wait
rmmod ringtap
mkdir -p /run
ip2 addr add 192.0.2.1/24 dev rx0; ip2 link set rx0 up
ip2 netns add far; ip2 link set tx0 netns far
ip2 netns exec far ip2 addr add 192.0.2.2/24 dev tx0
ip2 netns exec far ip2 link set tx0 up
load netdev=rx0 buffer_mb=16 block_kb=256
ping -c 2 -W 5 192.0.2.2 >/dev/null && echo STACK passed
rmmod ringtap
load netdev=rx0 netdev_consume=1 buffer_mb=16 block_kb=256
ip2 neigh flush all
ping -c 1 -W 1 192.0.2.2 >/dev/null || echo STACK cut off
rmmod ringtap`,
  });
  const seen = cases(outcome);
  const plain = seen.get('plain')!;
  assert.is(plain.results[0]?.packets, 60_000);
  assert.is(plain.results[0]?.lost, 0);
  assert.is(plain.results[0]?.bad, 0);
  assert.is(plain.counters.get('nic/missed'), 0);
  assert.is(plain.results[0]?.inversions, segments(plain, 'reordered'));
  assert.is(unaccounted(plain), 0);
  const tagged = seen.get('tagged')!.results[0];
  assert.is(tagged?.packets, 20_000);
  assert.is(tagged?.tagged, 20_001);
  assert.is(tagged?.bad, 0);
  assert.ok(outcome.lines.includes('STACK passed'));
  assert.ok(outcome.lines.includes('STACK cut off'));
});

test('overrun is counted; the interface vanishes under its listeners; 100 loads and unloads under traffic', async () => {
  const outcome = await boot(prepared, {
    scenario: `${PAIR}
echo CASE overrun
load netdev=rx0 ring=64 spin=0 idle_us=20000 buffer_mb=16 block_kb=256
tap read /dev/ringtap0 idle_ms=1000 ready=/tmp/ready1 & ready 1
tap send tx0 20000 64 0
wait; counters
rmmod ringtap
echo CASE cycles
(while :; do tap send tx0 20000 300 20000 >/dev/null; done) & sender=$!
free() { awk '/MemAvailable/ {print $2}' /proc/meminfo; }
before=$(free)
i=0; while [ $i -lt 100 ]; do
load netdev=rx0 sim=1 segments=2 buffer_mb=8 block_kb=128
if [ $((i % 5)) = 0 ]; then
echo "1000000 64 0 drop" > $D/generate
tap read /dev/ringtap0 packets=500 idle_ms=0 >/dev/null || echo "FAIL cycle $i"
fi
rmmod ringtap || echo "FAIL rmmod in cycle $i"
i=$((i+1)); done
kill $sender; while pidof tap >/dev/null; do sleep 0.1; done
for i in 1 2 3 4 5 6 7 8 9 10; do echo 3 > /proc/sys/vm/drop_caches; after=$(free); [ $((before - after)) -lt 16384 ] && break; sleep 0.5; done
echo "LEAK $((before - after))"
echo CASE vanish
load netdev=rx0 segments=2 buffer_mb=16 block_kb=256
tap read /dev/ringtap0 ready=/tmp/ready2 &
tap read /dev/ringtap0 mode=block ready=/tmp/ready3 & ready 2; ready 3
tap send tx0 5000 100 0 >/dev/null & sleep 0.3
ip2 link del tx0
wait
cat $D/nic/link_up | sed 's/^/LINK /'
(: < /dev/ringtap0) 2>/dev/null && echo "WRONG opened what is gone"
counters
rmmod ringtap`,
  });
  const seen = cases(outcome);
  const overrun = seen.get('overrun')!;
  const missed = overrun.counters.get('nic/missed') ?? 0;
  const result = overrun.results[0]!;
  assert.ok(missed > 0, 'nothing overran');
  assert.is(result.packets + missed + (result.end ? 0 : -1), 20_000, 'received + missed = sent');
  assert.is(result.bad, 0);

  const leak = Number(/LEAK (-?\d+)/.exec(outcome.lines.join('\n'))?.[1] ?? Number.NaN);
  // The kernel itself keeps some 2 MiB pages at hand for each CPU. A buffer lost in each cycle would show a
  // hundredfold; small things lost are kmemleak's business (test:kmod-debug).
  assert.ok(leak < 32 * 1024, `${leak} KiB less memory after 100 cycles of 16 MiB each`);

  const vanish = seen.get('vanish')!;
  assert.is(vanish.results.length, 2, 'both listeners end by themselves');
  assert.is(vanish.results[0]?.packets, vanish.results[1]?.packets);
  assert.ok(vanish.lines.includes('LINK 0'));
  assert.is(unaccounted(vanish), 0);
});

test.run();
