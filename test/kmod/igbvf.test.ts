/**
 * A true SR-IOV virtual function: QEMU 10's 82576, its PF under Debian's own driver, the VF under our module. No
 * counter shows what the emulated NIC drops before a VF's queue, so the traffic is paced.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type BootOptions,
  boot,
  cases,
  type Outcome,
  prepare,
  segments,
  unaccounted,
  type Wire,
} from './guest.js';

const prepared = prepare('kmod-vf');
const FRAMES = 100_000;
const BURST = 500;

async function paced(wire: Wire, first: number, frames: number): Promise<void> {
  for (let done = 0; done < frames; done += BURST) {
    await wire.numbered(first + done, BURST, 0);
    await sleep(2);
  }
  await wire.end();
}

/** On a busy host the PF's own driver finds its emulated NIC too slow and resets it: that boot says nothing of ours. */
async function bootCalm(options: BootOptions): Promise<Outcome> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await boot(prepared, options);
    } catch (error) {
      if (attempt === 3 || !/Reset adapter/.test((error as Error).message)) throw error;
      process.stdout.write('  the PF was reset by its driver: once more\n');
    }
  }
}

/** The PF up, and one VF of it; its address lies in $VF. */
const PF = `
for m in dca i2c-algo-bit igb; do insmod /$m.ko || echo "FAIL insmod $m"; done
PF=/sys/class/net/$(ls /sys/class/net | grep -v lo | head -1)
ip2 link set $(basename $PF) up
for i in $(seq 100); do [ "$(cat $PF/carrier)" = 1 ] && break; sleep 0.1; done
echo 1 > $PF/device/sriov_numvfs
VF=$(basename $(readlink $PF/device/virtfn0))
`;

test('82576 VF: every paced frame exactly once, two segments; the PF resets, the VF is bound again', async () => {
  let sent = Promise.resolve();
  const outcome = await bootCalm({
    nic: 'igb',
    onLine: (line, wire) => {
      if (line === 'READY' && wire) sent = paced(wire, 0, FRAMES);
      if (line === 'READY-AGAIN' && wire) sent = sent.then(() => paced(wire, FRAMES, BURST));
    },
    scenario: `${PF}
load pci=$VF segments=2 buffer_mb=64 block_kb=1024
echo SOURCE $(cat $D/source) is $VF
tap read /dev/ringtap0 idle_ms=5000 limit_ms=80000 ready=/tmp/ready1 &
tap read /dev/ringtap0 idle_ms=5000 limit_ms=80000 mode=block ready=/tmp/ready2 &
ready 1; ready 2
echo CASE traffic
echo READY
wait
counters
echo CASE again
echo $VF > /sys/bus/pci/drivers/ringtap-igbvf/unbind
[ -e /dev/ringtap0 ] && echo "WRONG still there"
ip2 link set $(basename $PF) down; ip2 link set $(basename $PF) up
for i in $(seq 100); do [ "$(cat $PF/carrier)" = 1 ] && break; sleep 0.1; done
echo $VF > /sys/bus/pci/drivers/ringtap-igbvf/bind
tap read /dev/ringtap0 idle_ms=5000 limit_ms=30000 ready=/tmp/ready3 & ready 3
echo READY-AGAIN
wait
counters
rmmod ringtap`,
  });
  await sent;
  const source = outcome.lines.find((line) => line.startsWith('SOURCE '))?.split(' ') ?? [];
  assert.match(source[1] ?? '', /^0000:/);
  assert.is(source[1], source[3]);
  const { traffic, again } = Object.fromEntries(cases(outcome));
  assert.is(traffic!.results.length, 2);
  for (const seen of traffic!.results) {
    assert.is(seen.packets, FRAMES);
    assert.is(seen.bad + seen.duplicates + seen.lost, 0);
    assert.ok(seen.end, 'the closing frame was lost');
    assert.is(seen.offered, seen.delivered + seen.lost + seen.pending);
  }
  assert.is(unaccounted(traffic!), 0);
  assert.is(traffic!.counters.get('nic/received'), segments(traffic!, 'received'));
  assert.is(traffic!.counters.get('nic/missed'), null, 'what a VF cannot see is unknown');
  assert.is(again!.results[0]!.packets, BURST);
  assert.is(again!.results[0]!.bad, 0);
});

test('a VF whose PF is silent is refused with a reason, and nothing is left behind', async () => {
  const outcome = await bootCalm({
    nic: 'igb',
    scenario: `${PF}
ip2 link set $(basename $PF) down
insmod /ringtap.ko pci=$VF
[ -e /dev/ringtap0 ] && echo "WRONG a device without a PF"
dmesg | grep -m1 'the PF does not answer' && echo REFUSED
rmmod ringtap`,
  });
  assert.ok(outcome.lines.includes('REFUSED'));
});

test.run();
