/** Live capture on a veth pair in a network namespace: every numbered frame accounted for. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
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
  type Running,
  read,
  run,
  scratch,
  start,
  tsharkFields,
  until,
} from './help.js';

const obstacle = liveObstacle();
const live: typeof test = obstacle
  ? (Object.assign((name: string) => console.log(`SKIP ${name}: ${obstacle}`), {}) as unknown as typeof test)
  : test;
build('all', 'asan', 'gen');
const netns = obstacle ? '' : makeNetns('a');
const segments = (dir: string) => readdirSync(dir).map((name) => join(dir, name));

async function startLive(args: string[], binary?: string, space = netns): Promise<Running> {
  const options = binary ? { binary, netns: space } : { netns: space };
  const probe = start(['-i', 'vb', '--stats-interval', '0.1', ...args], options);
  await until(() => probe.last(), 'the first ledger line');
  return probe;
}

async function finish(probe: Running) {
  probe.child.kill('SIGINT');
  const out = await probe.end;
  return { ...out, final: out.ledgers.at(-1)! };
}

/** The numbers the generator wrote into the frames of a segment: how many distinct ones, how many in all. */
function numbers(path: string, at: number): { distinct: number; all: number } {
  const bytes = read(path);
  const seen = new Set<number>();
  let all = 0;
  for (let pos = 0; pos < bytes.length; pos += bytes.readUInt32LE(pos + 4)) {
    if (bytes.readUInt32LE(pos) !== 6) continue;
    seen.add(bytes.readUInt32BE(pos + 28 + at));
    all++;
  }
  return { distinct: seen.size, all };
}

live('1,000,000 packets: sent = stored + counted drops, and three readers agree', async () => {
  const dir = scratch();
  const probe = await startLive(['--store', dir], FAST);
  const sent = await generate(netns, 1_000_000, 250_000, 100);
  const seen = () => probe.last()!.ring_received + probe.last()!.if_drops!;
  await until(() => seen() === sent, 'all accounted');
  const { code, final, ledgers } = await finish(probe);
  assert.is(code, 0);
  assert.is(sent, 1_000_000);
  assert.is(imbalance(final), '');
  for (const line of ledgers) assert.is(line.unaccounted, 0, 'also while running');
  assert.is(final.stored + final.ring_drops! + final.pool_drops + final.store_drops + final.if_drops!, sent);
  const [path] = segments(dir);
  assert.equal(countPackets(path!), { capinfos: final.stored, tcpdump: final.stored, tshark: final.stored });
  assert.equal(
    numbers(path!, 42),
    { distinct: final.stored, all: final.stored },
    'none twice, none invented',
  );
  assert.is(final.filtered, null, 'the kernel filters: how many is unknown, not 0');
});

live('the sanitized build, while the segment is being written', async () => {
  const dir = scratch();
  const probe = await startLive(['--store', dir, '--flush-interval', '0.1']);
  const sent = await generate(netns, 20_000, 20_000, 300);
  await until(() => probe.last()!.stored === sent, 'all stored');
  assert.equal(countPackets(segments(dir)[0]!), { capinfos: sent, tcpdump: sent, tshark: sent });
  const { code, final } = await finish(probe);
  assert.equal([code, final.stored, imbalance(final)], [0, sent, '']);
});

live('a stripped VLAN tag is put back, and `vlan 77` finds it as in tcpdump', async () => {
  const dir = scratch();
  const tagged = await startLive(['--store', join(dir, 'tagged'), 'vlan', '77']);
  const all = await startLive(['--store', join(dir, 'all')]);
  await generate(netns, 5, 100, 100, 77);
  await generate(netns, 3, 100, 100);
  await until(() => all.last()!.ring_received === 8, 'eight packets');
  assert.is((await finish(tagged)).final.stored, 5);
  assert.is((await finish(all)).final.stored, 8);
  const fields = tsharkFields(segments(join(dir, 'all'))[0]!, [
    'vlan.id',
    'frame.len',
    'frame.cap_len',
    'udp.dstport',
  ]);
  assert.equal(fields.slice(0, 5), Array(5).fill(['77', '100', '100', '9']));
  assert.equal(fields.slice(5), Array(3).fill(['', '100', '100', '9']));
});

live('a kernel filter and snaplen', async () => {
  const dir = scratch();
  const probe = await startLive(['--store', dir, '-s', '60', 'udp', 'port', '53']);
  await generate(netns, 10, 1000, 200);
  const other = await startLive(['--store', join(dir, 'x'), '-s', '60', 'udp', 'port', '9']);
  await generate(netns, 10, 1000, 200);
  await until(() => other.last()!.ring_received === 10, 'ten packets');
  assert.is((await finish(probe)).final.stored, 0);
  assert.is((await finish(other)).final.stored, 10);
  const rows = tsharkFields(segments(join(dir, 'x'))[0]!, ['frame.cap_len', 'frame.len']);
  assert.equal(rows, Array(10).fill(['60', '200']));
});

live('a ring too small: drops are counted, and the accounts still balance', async () => {
  const dir = scratch();
  const probe = await startLive(['--store', dir, '-B', '256']);
  process.kill(probe.child.pid!, 'SIGSTOP');
  const sent = await generate(netns, 5000, 0, 1000);
  process.kill(probe.child.pid!, 'SIGCONT');
  await until(() => probe.last()!.ring_received + probe.last()!.if_drops! === sent, 'all accounted');
  const { final } = await finish(probe);
  assert.is(imbalance(final), '');
  assert.ok(final.ring_drops! > 1000, `${final.ring_drops} ring drops`);
  assert.is(final.stored + final.ring_drops! + final.if_drops!, sent);
});

live(
  'the interface goes down and up: an alarm, then packets again; deleted: a clean end, exit 1',
  async () => {
    const space = makeNetns('b');
    const dir = scratch();
    const probe = await startLive(['--store', dir], undefined, space);
    await generate(space, 100, 10000, 100);
    execFileSync('ip', ['-n', space, 'link', 'set', 'vb', 'down']);
    await until(() => probe.last()!.alarms.some((text) => /vb is down/.test(text)), 'the alarm');
    execFileSync('ip', ['-n', space, 'link', 'set', 'vb', 'up']);
    await until(() => probe.last()!.alarms.length === 0, 'no alarm');
    await generate(space, 100, 10000, 100);
    await until(() => probe.last()!.ring_received === 200, 'packets again');
    execFileSync('ip', ['-n', space, 'link', 'del', 'vb']);
    const { code, ledgers, messages } = await probe.end;
    assert.is(code, 1);
    assert.match(messages.join('|'), /vb: the interface is gone/);
    const final = ledgers.at(-1)!;
    assert.equal([final.final, final.stored, imbalance(final)], [true, 200, '']);
    assert.is(countPackets(segments(dir)[0]!).tshark, 200);
  },
);

live('the MTU changes while recording: every frame whole, before and after', async () => {
  const space = makeNetns('m');
  const dir = scratch();
  const probe = await startLive(['--store', dir], undefined, space);
  const mtu = (bytes: number) => {
    for (const end of ['va', 'vb']) execFileSync('ip', ['-n', space, 'link', 'set', end, 'mtu', `${bytes}`]);
  };
  await generate(space, 50, 10000, 1514);
  mtu(9000);
  await generate(space, 50, 10000, 9014);
  mtu(1280);
  await generate(space, 50, 10000, 1294);
  await until(() => probe.last()!.ring_received === 150, 'all of them');
  const { final } = await finish(probe);
  assert.equal([final.stored, imbalance(final), final.alarms], [150, '', []]);
  const lengths = tsharkFields(segments(dir)[0]!, ['frame.cap_len', 'frame.len']).map((row) => row.join('/'));
  const expected = [1514, 9014, 1294].flatMap((bytes) => Array(50).fill(`${bytes}/${bytes}`));
  assert.equal(lengths, expected);
});

live('loopback packets are recorded once', async () => {
  const dir = scratch();
  execFileSync('ip', ['-n', netns, 'link', 'set', 'lo', 'up']);
  const probe = start(['-i', 'lo', '--store', dir, '--stats-interval', '0.1', 'icmp'], { netns });
  await until(() => probe.last(), 'the first ledger line');
  const bash = 'exec 3<>/dev/udp/127.0.0.1/9; echo x >&3'; // answered by one ICMP port unreachable
  spawnSync('ip', ['netns', 'exec', netns, 'bash', '-c', bash]);
  await until(() => probe.last()!.ring_received > 0, 'a packet');
  const { final } = await finish(probe);
  assert.is(final.stored, 1);
});

live('without CAP_NET_RAW: exit 1 and the command that helps', () => {
  const { status, stderr } = spawnSync(
    'setpriv',
    ['--bounding-set', '-net_raw', '--inh-caps', '-net_raw', FAST].concat(['-i', 'lo', '-w', '/dev/null']),
    { encoding: 'utf8' },
  );
  assert.is(status, 1);
  assert.match(stderr, /^ringtapd: lo: no right to capture; run as root or: setcap cap_net_raw[^\n]*\n$/);
  const check = spawnSync(
    'setpriv',
    ['--bounding-set', '-net_raw', '--inh-caps', '-net_raw', FAST, '--check', '-i', 'lo'],
    { encoding: 'utf8' },
  );
  assert.equal([check.status, JSON.parse(check.stdout).errno], [1, 1]);
});

test("the default interface is the default route's, or the error says to name one", () => {
  const { stdout } = run(['--check']);
  const row = JSON.parse(stdout.toString());
  assert.ok(row.interface || /no default route/.test(row.message));
});

test.after.each(endAll);
test.run();
