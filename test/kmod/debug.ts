/**
 * `npm run test:kmod-debug`, outside the usual run: everything hostile and everything that ends, on kernels that
 * check memory (KASAN, kmemleak) and locking (lockdep, RCU, object lifetimes); and checkpatch.
 */
import { spawnSync } from 'node:child_process';
import { boot, type Prepared, prepare } from './guest.js';

const LIMIT_MS = 600_000;

const SCENARIO = `
echo 0 > /proc/sys/kernel/printk
mount -t debugfs debug /sys/kernel/debug
ip2 link add tx0 type veth peer name rx0
ip2 link set tx0 up; ip2 link set rx0 up
for s in 1 4; do
load sim=1 segments=$s buffer_mb=8 block_kb=128
rm -f /tmp/ready*
tap read /dev/ringtap0 packets=20000 limit_ms=120000 ready=/tmp/ready1 &
tap read /dev/ringtap0 packets=20000 limit_ms=120000 mode=block stall_ms=1000 ready=/tmp/ready2 &
ready 1; ready 2
echo "20000 0 20000 wait" > $D/generate
wait
echo "100000000 0 5000 drop" > $D/generate
tap hostile /dev/ringtap0
rmmod ringtap
done
i=0; while [ $i -lt 10 ]; do
load sim=1 netdev=rx0 pci=all segments=2 buffer_mb=4 block_kb=128
rm -f /tmp/ready*
echo "1000000 64 0 drop" > $D/generate
tap read /dev/ringtap0 packets=200 idle_ms=0 limit_ms=120000 snaplen=90 filter=odd
tap read /dev/ringtap1 limit_ms=120000 ready=/tmp/ready1 & ready 1
tap send tx0 1000 200 5000 7; wait
rmmod ringtap
i=$((i+1)); done
load netdev=rx0 pci=all segments=2 buffer_mb=4 block_kb=128
tap read /dev/ringtap0 limit_ms=120000 ready=/tmp/ready3 &
tap read /dev/ringtap1 limit_ms=120000 mode=block ready=/tmp/ready4 & ready 3; ready 4
tap send tx0 1000 200 0 >/dev/null & sleep 0.2; ip2 link del tx0
A=$(cat /sys/class/ringtap/ringtap1/source); echo $A > /sys/bus/pci/drivers/ringtap/unbind
wait
rmmod ringtap
if [ -e /sys/kernel/debug/kmemleak ]; then
sleep 6; echo scan > /sys/kernel/debug/kmemleak; sleep 6; echo scan > /sys/kernel/debug/kmemleak
sed 's/^/TROUBLE /' /sys/kernel/debug/kmemleak
fi
[ -e /proc/lockdep_stats ] && grep -E 'debug_locks|lock-classes' /proc/lockdep_stats`;

/** Where the guest's clock runs through the checkers, nothing is fast: only the outcome counts. */
async function runOn(name: string, prepared: Prepared): Promise<boolean> {
  const started = Date.now();
  try {
    await boot(prepared, { scenario: SCENARIO, nic: 'e1000e', limitMs: LIMIT_MS });
    process.stdout.write(`ok   ${name} kernel: clean in ${Math.round((Date.now() - started) / 1000)} s\n`);
    return true;
  } catch (error) {
    process.stdout.write(`FAIL ${name} kernel: ${(error as Error).message}\n`);
    return false;
  }
}

const usual = prepare();
const built = spawnSync(process.execPath, ['scripts/kmod-debug.mjs'], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
});
if (built.status !== 0) process.exit(1);
const { kernels, checkpatch } = JSON.parse(built.stdout) as {
  kernels: { name: string; kernel: string; ko: string }[];
  checkpatch: string[];
};
let failed = checkpatch.length > 0 ? 1 : 0;
process.stdout.write(failed ? `FAIL checkpatch\n${checkpatch.join('\n')}\n` : 'ok   checkpatch\n');
for (const { name, kernel, ko } of kernels) {
  const modules = [{ version: name, headers: '', ko, sparse: false, warnings: [] }];
  if (!(await runOn(name, { kernel, moduleDirectory: null, modules, tap: usual.tap }))) failed++;
}
process.exit(failed ? 1 : 0);
