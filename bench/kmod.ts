/**
 * The kernel module in an emulated guest: frames a second through the core by segments and frame size, beside the
 * bare copy; and packets kept by `ringtapd` over the module and over AF_PACKET under the same flood of one veth.
 * The guest is emulated instruction by instruction: its absolute numbers say nothing, only the ratios compare.
 */
import { existsSync } from 'node:fs';
import { boot, type Outcome, prepare } from '../test/kmod/guest.js';
import { type Benchmark, median, type Row } from './harness.js';

const PROBE = 'build/native/ringtapd';
const SIZES = [64, 512, 1514];
const SEGMENTS = [1, 2];
const FLOOD_FRAMES = 150_000;

function coreScenario(rounds: number, frames: number): string {
  const one = (segments: number) => `
load sim=1 segments=${segments} buffer_mb=64 block_kb=1024
${SIZES.map((bytes) => `tap bench /dev/ringtap0 ${frames} ${bytes} | sed 's/^/${segments} /'`).join('\n')}
rmmod ringtap`;
  return Array.from({ length: rounds }, () => SEGMENTS.map(one).join('')).join('');
}

function coreRows(outcome: Outcome, frames: number): Row[] {
  const times = new Map<string, { ring: number[]; copy: number[] }>();
  for (const line of outcome.lines) {
    const match = /^(\d) BENCH (\d+) (\S+) (\S+)/.exec(line);
    if (!match) continue;
    const key = `${match[1]} segment(s), ${match[2]} B`;
    const sums = times.get(key) ?? { ring: [], copy: [] };
    sums.ring.push(Number(match[3]));
    sums.copy.push(Number(match[4]));
    times.set(key, sums);
  }
  return [...times].map(([label, { ring, copy }]) => {
    const ours = frames / median(ring) / 1e6;
    const peer = frames / median(copy) / 1e6;
    const base = { metric: 'frames through the ring', unit: 'Mpps (emulated)', better: 'higher' as const };
    return { case: label, ...base, ours, peerName: 'memcpy alone', peer, ratio: ours / peer };
  });
}

/** Either probe gets the same flood; what its final ledger says it stored is what it kept. */
function floodScenario(rounds: number): string {
  const probe = (ring: string) => `
rm -rf /tmp/store /tmp/ledger
ringtapd --ring=${ring} -i rx0 -B 65536 --store /tmp/store 2>/tmp/ledger & probe=$!
while ! grep -q '"final":false' /tmp/ledger 2>/dev/null; do sleep 0.1; done
tap send tx0 ${FLOOD_FRAMES} 64 0 >/dev/null
sleep 1; kill -INT $probe; wait $probe
echo "KEPT ${ring} $(grep '"final":true' /tmp/ledger | grep -oE '"stored":[0-9]+' | cut -d: -f2)"`;
  const round = `${probe('afpacket')}
load netdev=rx0 netdev_consume=1 buffer_mb=64 block_kb=1024${probe('kmod')}
rmmod ringtap`;
  return `
mount -t tmpfs tmp /tmp
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
insmod /veth.ko
ip2 link add tx0 type veth peer name rx0
ip2 link set tx0 up; ip2 link set rx0 up
${round.repeat(rounds)}`;
}

function floodRows(outcome: Outcome): Row[] {
  const kept = (ring: string) =>
    median(
      outcome.lines
        .filter((line) => line.startsWith(`KEPT ${ring} `))
        .map((line) => (Number(line.split(' ')[2]) / (FLOOD_FRAMES + 1)) * 100),
    );
  const ours = kept('kmod');
  const peer = kept('afpacket');
  return [
    {
      case: 'flood of 64 B through a veth, two CPUs',
      metric: 'packets kept by ringtapd',
      unit: '% (emulated)',
      ours,
      peerName: 'AF_PACKET v3',
      peer,
      ratio: ours / peer,
      better: 'higher',
    },
  ];
}

async function run({ quick }: { quick: boolean }): Promise<Row[]> {
  const prepared = prepare();
  const rounds = quick ? 1 : 5;
  const frames = quick ? 200_000 : 500_000;
  const core = await boot(prepared, { scenario: coreScenario(rounds, frames), cpus: 2, limitMs: 600_000 });
  const rows = coreRows(core, frames);
  if (!existsSync(PROBE)) return rows;
  const files = { 'bin/ringtapd': PROBE };
  const flood = await boot(prepared, { scenario: floodScenario(quick ? 1 : 5), files, limitMs: 600_000 });
  return [...rows, ...floodRows(flood)];
}

export const kmod: Benchmark = {
  name: 'kmod',
  about: 'the kernel module in an emulated guest: Mpps by segments and size; beside memcpy and AF_PACKET',
  run,
};
