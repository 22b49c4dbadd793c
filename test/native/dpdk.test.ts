/** The DPDK source on virtual devices: packets, accounts, and what it says when it cannot. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  build,
  countPackets,
  endAll,
  FAST,
  generate,
  imbalance,
  liveObstacle,
  makeNetns,
  read,
  run,
  scratch,
  start,
  tsharkFields,
  until,
} from './help.js';

build('all', 'gen');
const PLUGIN = join('build', 'native', 'ringtap-dpdk.so');
const binary = FAST; // DPDK's own memory is not for sanitizers

/** Why DPDK cannot be tested here, or ''. */
function obstacle(): string {
  if (liveObstacle()) return liveObstacle();
  if (!existsSync(PLUGIN)) return 'libdpdk-dev is not installed';
  const { code, messages } = run(['--check', '--ring=dpdk', '--dpdk-args', vdev('net_null0')], { binary });
  return code === 0 ? '' : messages.join(' ') || 'no virtual device';
}
function vdev(device: string): string {
  return `--no-huge -m 256 --vdev=${device}`;
}
const missing = obstacle();
const dpdk: typeof test = missing
  ? (Object.assign((name: string) => console.log(`SKIP ${name}: ${missing}`), {}) as unknown as typeof test)
  : test;

const quiet = ['--stats-interval', '0.1', '-B', '16384'];
const only = (dir: string) => join(dir, readdirSync(dir)[0]!);

async function startDpdk(device: string, args: string[], netns?: string) {
  const options = netns ? { binary, netns } : { binary };
  const probe = start(['--ring=dpdk', '--dpdk-args', vdev(device), ...quiet, ...args], options);
  await until(() => probe.last(), 'the first ledger line', 40_000);
  return probe;
}

dpdk('net_af_packet: 100,000 numbered frames all stored, in order; drops unknown, not 0', async () => {
  const netns = makeNetns('p');
  const dir = scratch();
  // The device's own ring must hold what comes while this machine does something else.
  const device = 'net_af_packet0,iface=vb,blocksz=4096,framesz=2048,framecnt=16384';
  const probe = await startDpdk(device, ['-i', 'vb', '--store', dir], netns);
  const sent = await generate(netns, 100_000, 100_000, 100);
  await until(() => probe.last()!.ring_received >= sent, 'all received');
  probe.child.kill('SIGINT');
  const { code, ledgers, messages } = await probe.end;
  const final = ledgers.at(-1)!;
  assert.is(code, 0);
  assert.equal([imbalance(final), final.stored, final.ring_drops], ['', sent, null]);
  assert.match(messages.join('|'), /vb: dpdk: this driver does not count what it loses/);
  assert.equal(countPackets(only(dir)), { capinfos: sent, tcpdump: sent, tshark: sent });
  const bytes = read(only(dir));
  let next = 0;
  for (let pos = 0; pos < bytes.length; pos += bytes.readUInt32LE(pos + 4))
    if (bytes.readUInt32LE(pos) === 6) assert.is(bytes.readUInt32BE(pos + 28 + 42), next++);
  assert.match(
    execFileSync('capinfos', [only(dir)], { encoding: 'utf8' }),
    /DPDK net_af_packet; stamps: system clock/,
  );
});

dpdk('the interface goes down and up: an alarm and its end; deleted: a clean end, exit 1', async () => {
  const netns = makeNetns('u');
  const probe = await startDpdk('net_af_packet0,iface=vb', ['-i', 'vb', '-w', '/dev/null'], netns);
  execFileSync('ip', ['-n', netns, 'link', 'set', 'vb', 'down']);
  await until(() => probe.last()!.alarms.some((text) => /vb is down/.test(text)), 'the alarm');
  execFileSync('ip', ['-n', netns, 'link', 'set', 'vb', 'up']);
  await until(() => probe.last()!.alarms.length === 0, 'no alarm');
  await generate(netns, 100, 10000, 100);
  await until(() => probe.last()!.ring_received === 100, 'packets again');
  execFileSync('ip', ['-n', netns, 'link', 'del', 'vb']);
  const { code, ledgers, messages } = await probe.end;
  assert.is(code, 1);
  assert.match(messages.join('|'), /vb: the interface is gone/);
  assert.equal([ledgers.at(-1)!.stored, imbalance(ledgers.at(-1)!)], [100, '']);
});

dpdk('net_af_packet: a stripped tag is put back; a filter and snaplen work', async () => {
  const netns = makeNetns('v');
  const dir = scratch();
  const probe = await startDpdk('net_af_packet0,iface=vb', ['--store', dir, '-s', '60', 'udp'], netns);
  await generate(netns, 5, 10000, 100, 77);
  await generate(netns, 3, 10000, 100);
  await until(() => probe.last()!.ring_received === 8, 'all received');
  probe.child.kill('SIGINT');
  const final = (await probe.end).ledgers.at(-1)!;
  assert.is(imbalance(final), '');
  const rows = tsharkFields(only(dir), ['vlan.id', 'frame.len', 'frame.cap_len']);
  assert.equal(rows.slice(-3), Array(3).fill(['', '100', '60']));
  assert.ok(rows.slice(0, -3).every((row) => row.join() === '77,100,60'));
});

// A driver that counts: what came while nobody polled is stored or in imissed, to the packet.
dpdk('net_af_xdp: overflow is counted exactly, and an alarm', async () => {
  const netns = makeNetns('f');
  const device = vdev('net_af_xdp0,iface=vb');
  const check = run(['--check', '--ring=dpdk', '--dpdk-args', device, '-B', '16384'], { binary, netns });
  if (check.code !== 0) return console.log(`SKIP net_af_xdp: ${check.stdout}`);
  const dir = scratch();
  const probe = await startDpdk('net_af_xdp0,iface=vb', ['--store', dir], netns);
  await generate(netns, 100, 10000, 100);
  process.kill(probe.child.pid!, 'SIGSTOP');
  const sent = 100 + (await generate(netns, 20_000, 0, 100));
  process.kill(probe.child.pid!, 'SIGCONT');
  await until(() => probe.last()!.ring_received === sent, 'all received or counted');
  await until(() => probe.last()!.alarms.some((text) => /ring overflowed/.test(text)), 'the alarm');
  probe.child.kill('SIGINT');
  const final = (await probe.end).ledgers.at(-1)!;
  assert.equal([imbalance(final), final.ring_received], ['', sent]);
  assert.ok(final.ring_drops! > 1000 && final.stored > 100, `${final.ring_drops} of ${sent}`);
  assert.is(countPackets(only(dir)).capinfos, final.stored);
});

dpdk('net_pcap: the very packets of the file', async () => {
  const dir = scratch();
  const from = join(dir, 'in.pcapng');
  run(['--ring=synth', '--synth', 'seed=5,pps=0,size=60-1500,count=2000', '-w', from], { binary });
  execFileSync('editcap', ['-F', 'pcap', from, join(dir, 'in.pcap')]);
  const probe = await startDpdk(`net_pcap0,rx_pcap=${join(dir, 'in.pcap')}`, ['-w', join(dir, 'out.pcapng')]);
  await until(() => probe.last()!.ring_received === 2000, 'all received');
  probe.child.kill('SIGINT');
  const { code, ledgers } = await probe.end;
  assert.equal([code, ledgers.at(-1)!.stored, ledgers.at(-1)!.ring_drops], [0, 2000, 0]);
  const fields = [
    'frame.len',
    'ip.id',
    'ip.src',
    'tcp.seq_raw',
    'tcp.checksum',
    'udp.checksum',
    'icmp.checksum',
  ];
  assert.equal(tsharkFields(join(dir, 'out.pcapng'), fields), tsharkFields(join(dir, 'in.pcap'), fields));
});

dpdk('net_null at full speed: -c ends it, the accounts balance, the port is given back', async () => {
  const path = join(scratch(), 'x.pcapng');
  const args = [
    '--ring=dpdk',
    '--dpdk-args',
    vdev('net_null0,size=100'),
    '-w',
    path,
    '-c',
    '300000',
    '-B',
    '16384',
  ];
  const { code, ledgers } = run(args, { binary });
  const final = ledgers.at(-1)!;
  assert.equal([code, imbalance(final), final.stored], [0, '', 300_000]);
  assert.is(countPackets(path).capinfos, 300_000);
});

dpdk('net_ring: quiet, and ends when told to', async () => {
  const probe = await startDpdk('net_ring0', ['-w', '/dev/null']);
  probe.child.kill('SIGTERM');
  const { code, ledgers } = await probe.end;
  assert.equal([code, ledgers.at(-1)!.stored, ledgers.at(-1)!.ring_drops], [0, 0, 0]);
});

dpdk('-w -: nothing but pcapng on stdout, and no word of EAL on stderr', () => {
  const args = ['--ring=dpdk', '--dpdk-args', vdev('net_null0'), '-w', '-', '-c', '10', '-B', '16384'];
  const { code, stdout, messages } = run(args, { binary });
  assert.equal([code, messages], [0, []]);
  assert.is(stdout.readUInt32LE(0), 0x0a0d0d0a);
});

dpdk('what is wrong is told in one line with its cure', () => {
  for (const [args, says] of [
    [['--dpdk-args', '--nonsense'], /^ringtapd: --dpdk-args: "--nonsense": refused; see the EAL's options$/],
    [['--dpdk-args', '--no-huge -m 256 --no-pci'], /^ringtapd: dpdk: no port; bind a NIC to vfio-pci/],
    [['--dpdk-args', vdev('net_af_packet0,iface=nope0')], /^ringtapd: dpdk: .*nope0|no port|EAL/],
    [
      ['-i', 'nope0', '--dpdk-args', vdev('net_null0')],
      /^ringtapd: nope0: no such DPDK port; there are: net_null0$/,
    ],
    [
      ['-B', '4194304', '--dpdk-args', vdev('net_null0')],
      /^ringtapd: net_null0: dpdk: no memory for \d+ packets: .*; use a smaller -B/,
    ],
  ] as const) {
    const { code, messages } = run(['--ring=dpdk', '-w', '/dev/null', ...args], { binary });
    assert.is(code, 1, args.join(' '));
    assert.is(messages.length, 1, messages.join('|'));
    assert.match(messages[0]!, says);
  }
});

test('without the plugin beside it ringtapd runs, and says how to get it', () => {
  const dir = scratch();
  copyFileSync(FAST, join(dir, 'ringtapd'));
  const alone = { binary: join(dir, 'ringtapd') };
  const { code, messages } = run(['--ring=dpdk', '-w', '/dev/null'], alone);
  assert.is(code, 1);
  assert.match(
    messages.join('|'),
    /^ringtapd: --ring=dpdk: this ringtapd was built without DPDK; apt-get install libdpdk-dev/,
  );
  assert.is(run(['--ring=synth', '--synth', 'count=1', '-w', '/dev/null'], alone).code, 0);
  assert.not.match(
    execFileSync('ldd', [FAST], { encoding: 'utf8' }),
    /librte_/,
    'no other source loads DPDK',
  );
});

test('--dpdk-args without --ring=dpdk is wrong usage', () => {
  const { code, messages } = run(['-i', 'lo', '-w', '/dev/null', '--dpdk-args', '--no-huge']);
  assert.is(code, 2);
  assert.match(messages.join('|'), /--dpdk-args: needs --ring=dpdk/);
});

test.after.each(endAll);
test.run();
