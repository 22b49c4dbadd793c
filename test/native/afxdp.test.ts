/** AF_XDP on veth pairs in network namespaces: numbered frames, all modes, loss, and what goes wrong. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ASAN,
  build,
  countPackets,
  endAll,
  FAST,
  GENERATOR,
  generate,
  imbalance,
  liveObstacle,
  makeNetns,
  type Running,
  read,
  run,
  scratch,
  sleep,
  start,
  tsharkFields,
  until,
} from './help.js';

build('all', 'asan', 'gen');
const netns = liveObstacle() ? '' : makeNetns('x');

/** Why AF_XDP cannot be tested here, or ''. */
function obstacle(): string {
  if (!netns) return liveObstacle();
  const args = ['netns', 'exec', netns, FAST, '--check', '--ring=afxdp', '-i', 'vb'];
  const { stdout } = spawnSync('ip', args, { encoding: 'utf8' });
  const answer = JSON.parse(stdout) as { ok: boolean; message: string };
  return answer.ok ? '' : answer.message;
}
const missing = obstacle();
const xdp: typeof test = missing
  ? (Object.assign((name: string) => console.log(`SKIP ${name}: ${missing}`), {}) as unknown as typeof test)
  : test;

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
const inside = (space: string, ...args: string[]) => ip('netns', 'exec', space, ...args);
const segments = (dir: string) => readdirSync(dir).map((name) => join(dir, name));

async function startXdp(args: string[], binary = ASAN, space = netns): Promise<Running> {
  const probe = start(['-i', 'vb', '--ring=afxdp', '--stats-interval', '0.1', ...args], {
    binary,
    netns: space,
  });
  await until(() => probe.last(), 'the first ledger line', 40_000);
  return probe;
}

async function finish(probe: Running) {
  probe.child.kill('SIGINT');
  const out = await probe.end;
  return { ...out, final: out.ledgers.at(-1)! };
}

const FILL = Buffer.alloc(2048, 'x');
const known = new Map<number, Buffer>();
/** Ethernet and IPv4 headers of the generator's frame of this many bytes. */
function headers(bytes: number): Buffer {
  const had = known.get(bytes);
  if (had) return had;
  const made = Buffer.from(
    '0200000000020200000000010800450000000000400040110000' + '0a0000010a000002',
    'hex',
  );
  made.writeUInt16BE(bytes - 14, 16);
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += made.readUInt16BE(at);
  sum = (sum & 0xffff) + (sum >> 16);
  made.writeUInt16BE(~((sum & 0xffff) + (sum >> 16)) & 0xffff, 24);
  known.set(bytes, made);
  return made;
}

/** Of a segment: the numbers the generator wrote, in order, and the stamps in ns. */
function frames(path: string, at = 42): { numbers: number[]; stamps: bigint[] } {
  const bytes = read(path);
  const numbers: number[] = [];
  const stamps: bigint[] = [];
  for (let pos = 0; pos < bytes.length; pos += bytes.readUInt32LE(pos + 4)) {
    if (bytes.readUInt32LE(pos) !== 6) continue;
    const frame = bytes.subarray(pos + 28, pos + 28 + bytes.readUInt32LE(pos + 20));
    assert.ok(frame.subarray(0, 34).equals(headers(frame.length)), 'headers as they were sent');
    assert.ok(frame.subarray(at + 4).equals(FILL.subarray(0, frame.length - at - 4)), 'and what follows');
    numbers.push(bytes.readUInt32BE(pos + 28 + at));
    stamps.push((BigInt(bytes.readUInt32LE(pos + 12)) << 32n) | BigInt(bytes.readUInt32LE(pos + 16)));
  }
  return { numbers, stamps };
}

for (const mode of ['native', 'generic']) {
  xdp(
    `${mode}: 300,000 numbered frames at 150,000/s, all stored in order, stamped as they came`,
    async () => {
      const dir = scratch();
      // Frames for 0.8 s: this machine may be busy with something else for as long.
      const probe = await startXdp([`--xdp-mode=${mode}`, '--store', dir, '-B', '262144'], FAST);
      const before = BigInt(Date.now()) * 1_000_000n;
      const sent = await generate(netns, 300_000, 150_000, 100);
      await until(() => probe.last()!.ring_received === sent, 'all received');
      const after = BigInt(Date.now() + 1) * 1_000_000n;
      const { code, final, ledgers, messages } = await finish(probe);
      assert.is(code, 0);
      assert.match(
        messages[0]!,
        new RegExp(`vb: AF_XDP ${mode} mode, 1 queue; the machine's own stack receives`),
      );
      for (const line of ledgers) assert.is(line.unaccounted, 0, 'also while running');
      assert.equal([imbalance(final), final.stored, final.ring_drops], ['', sent, 0]);
      const [path] = segments(dir);
      assert.equal(countPackets(path!), { capinfos: sent, tcpdump: sent, tshark: sent });
      const { numbers, stamps } = frames(path!);
      assert.ok(
        numbers.every((number, index) => number === index),
        'none lost, twice or out of order',
      );
      assert.ok(stamps[0]! >= before && stamps.at(-1)! <= after, 'stamps are of the run');
      const steps = stamps.slice(1).map((stamp, index) => Number(stamp - stamps[index]!));
      assert.ok(
        Math.min(...steps.slice(0, 1000)) >= 0 && steps.every((step) => step >= 0),
        'never back in time',
      );
      const capinfos = execFileSync('capinfos', [path!], { encoding: 'utf8' });
      assert.match(capinfos, new RegExp(`AF_XDP ${mode}; stamps: (kernel software clock|system clock)`));
      if (/kernel software clock/.test(capinfos))
        assert.ok(new Set(stamps).size > sent / 2, 'a stamp for each frame, not for each batch');
    },
  );

  xdp(`${mode}: too few frames: received = stored + ring_drops, starvation told, an alarm`, async () => {
    const dir = scratch();
    const probe = await startXdp([`--xdp-mode=${mode}`, '--store', dir, '-B', '256']);
    process.kill(probe.child.pid!, 'SIGSTOP');
    const sent = await generate(netns, 5000, 0, 1000);
    process.kill(probe.child.pid!, 'SIGCONT');
    await until(() => probe.last()!.ring_received === sent, 'all received or counted');
    await until(() => probe.last()!.alarms.some((text) => /no free frame/.test(text)), 'the alarm');
    await until(() => probe.last()!.alarms.length === 0, 'its end');
    const { final } = await finish(probe);
    assert.is(imbalance(final), '');
    assert.ok(final.ring_drops! > 1000, `${final.ring_drops} ring drops`);
    assert.is(final.ring_starved, final.ring_drops);
    assert.is(final.stored + final.ring_drops!, sent);
    const { numbers } = frames(segments(dir)[0]!);
    assert.equal([numbers.length, new Set(numbers).size], [final.stored, final.stored]);
  });

  xdp(`${mode}: down and up: an alarm, then packets again; deleted: a clean end, exit 1`, async () => {
    const space = makeNetns(mode);
    const dir = scratch();
    const probe = await startXdp([`--xdp-mode=${mode}`, '--store', dir], ASAN, space);
    await generate(space, 100, 10000, 100);
    ip('-n', space, 'link', 'set', 'vb', 'down');
    await until(() => probe.last()!.alarms.some((text) => /vb is down/.test(text)), 'the alarm');
    ip('-n', space, 'link', 'set', 'vb', 'up');
    await until(() => probe.last()!.alarms.length === 0, 'no alarm');
    await generate(space, 100, 10000, 100);
    await until(() => probe.last()!.ring_received === 200, 'packets again');
    ip('-n', space, 'link', 'del', 'vb');
    const { code, ledgers, messages } = await probe.end;
    assert.is(code, 1);
    assert.match(messages.join('|'), /vb: the interface is gone/);
    const final = ledgers.at(-1)!;
    assert.equal([final.final, final.stored, imbalance(final)], [true, 200, '']);
    assert.is(countPackets(segments(dir)[0]!).tshark, 200);
  });

  xdp(`${mode}: an MTU raised while running: frames too large are counted and named`, async () => {
    const space = makeNetns(`${mode}m`);
    const probe = await startXdp([`--xdp-mode=${mode}`, '-w', '/dev/null'], ASAN, space);
    for (const end of ['va', 'vb']) ip('-n', space, 'link', 'set', end, 'mtu', '2000');
    await generate(space, 50, 10000, 100);
    await generate(space, 70, 10000, 2000);
    await until(() => probe.last()!.ring_received === 120, 'all received or counted');
    const { final, code } = await finish(probe);
    assert.equal([code, imbalance(final), final.stored, final.ring_drops], [0, '', 50, 70]);
    assert.match(final.alarms.join('|'), /vb: 70 frame\(s\) over 1784 bytes, too large for AF_XDP/);
  });
}

xdp('several workers give frames back beside each other: all stored, in order', async () => {
  const dir = scratch();
  const probe = await startXdp(['--workers', '4', '--store', dir, '-B', '65536']);
  const sent = await generate(netns, 100_000, 50_000, 300);
  await until(() => probe.last()!.ring_received === sent, 'all received');
  const { code, final } = await finish(probe);
  assert.equal([code, imbalance(final), final.stored, final.ring_drops], [0, '', sent, 0]);
  assert.ok(frames(segments(dir)[0]!).numbers.every((number, index) => number === index));
});

xdp('the mode: told when asked for in vain; a tunnel refused; larger frames for a larger MTU', async () => {
  if (spawnSync('ip', ['-n', netns, 'tuntap', 'add', 'mode', 'tun', 'tun7']).status === 0) {
    const { code, messages } = run(['-i', 'tun7', '--ring=afxdp', '-w', '/dev/null'], { netns });
    assert.equal([code, messages.length], [1, 1]);
    assert.match(messages[0]!, /tun7: AF_XDP needs an Ethernet interface; use --ring=afpacket$/);
  }
  const said = run(['-i', 'vb', '--ring=afxdp', '-w', '/dev/null', '--xdp-mode=zerocopy'], { netns });
  assert.is(said.code, 1);
  assert.match(said.messages[0]!, /vb: AF_XDP zerocopy mode: .*use another --xdp-mode or --ring=afpacket/);
  const space = makeNetns('l');
  for (const end of ['va', 'vb']) ip('-n', space, 'link', 'set', end, 'mtu', '2000');
  const probe = await startXdp(['-w', '/dev/null'], ASAN, space);
  await generate(space, 70, 10000, 2000);
  await until(() => probe.last()!.ring_received === 70, 'all received');
  const { final } = await finish(probe);
  assert.equal([final.stored, final.ring_drops, final.alarms], [70, 0, []]);
});

/** Ten datagrams of 1400 bytes in one call, which the stack cuts as late as it can (UDP_SEGMENT). */
const SEND_GSO = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(17, 103, 1400)
s.sendto(b'x' * 14000, ('10.8.0.2', 9))`;

xdp('GSO: native mode gets the ten packets, generic mode one too large, counted and named', async () => {
  const space = makeNetns('g');
  ip('-n', space, 'addr', 'add', '10.8.0.1/24', 'dev', 'va');
  ip('-n', space, 'neigh', 'add', '10.8.0.2', 'lladdr', '02:00:00:00:00:02', 'dev', 'va');
  const native = await startXdp(['-w', '/dev/null', '--xdp-mode=native', 'udp'], ASAN, space);
  inside(space, 'python3', '-c', SEND_GSO);
  await until(() => native.last()!.ring_received >= 10, 'ten packets');
  const { stored, received_bytes: bytes } = (await finish(native)).final;
  assert.equal([stored, bytes], [10, 10 * 1442]);
  const generic = await startXdp(['-w', '/dev/null', '--xdp-mode=generic', 'udp'], ASAN, space);
  inside(space, 'python3', '-c', SEND_GSO);
  await until(() => generic.last()!.ring_received > 0, 'something');
  const { final } = await finish(generic);
  assert.is(imbalance(final), '');
  if (final.stored === 10) return; // a veth that does not carry GSO frames
  assert.equal([final.stored, final.ring_drops], [0, 1]);
  assert.match(final.alarms.join('|'), /vb: 1 frame\(s\) over 1784 bytes/);
});

xdp('a filter runs here, tags stay in line, snaplen cuts', async () => {
  const dir = scratch();
  const probe = await startXdp(['--store', dir, '-s', '60', 'vlan', '77', 'and', 'udp', 'port', '9']);
  await generate(netns, 10, 10000, 100);
  await generate(netns, 5, 10000, 100, 77);
  await until(() => probe.last()!.ring_received === 15, 'all received');
  const { final } = await finish(probe);
  assert.equal([final.stored, final.filtered, imbalance(final)], [5, 10, '']);
  const rows = tsharkFields(segments(dir)[0]!, ['vlan.id', 'frame.len', 'frame.cap_len']);
  assert.equal(rows, Array(5).fill(['77', '100', '60']));
});

/** A pair of two queues each; the sender's CPU chooses the queue. */
function twoQueues(letter: string): string {
  const space = makeNetns(letter);
  ip('-n', space, 'link', 'del', 'va');
  const queues = ['numrxqueues', '2', 'numtxqueues', '2'];
  ip('-n', space, 'link', 'add', 'va', ...queues, 'type', 'veth', 'peer', 'name', 'vb', ...queues);
  for (const end of ['va', 'vb']) ip('-n', space, 'link', 'set', end, 'up');
  return space;
}
const fromCpu = (space: string, cpu: number, count: number) =>
  inside(space, 'taskset', '-c', `${cpu}`, GENERATOR, 'va', `${count}`, '20000', '100');

xdp('several queues: all by default, or those chosen while the others go on to the stack', async () => {
  const space = twoQueues('q');
  const listed = inside(space, FAST, '--list-interfaces').trim().split('\n');
  const vb = listed.map((line) => JSON.parse(line)).find(({ name }) => name === 'vb');
  assert.equal([vb.queues, vb.driver, vb.xdp], [2, 'veth', 'native']);
  const dir = scratch();
  const all = await startXdp(['--store', dir, '-B', '4096'], ASAN, space);
  fromCpu(space, 0, 1000);
  fromCpu(space, 1, 1000);
  await until(() => all.last()!.ring_received === 2000, 'both queues');
  const { final, messages } = await finish(all);
  assert.match(messages[0]!, /2 queues/);
  assert.equal([final.stored, imbalance(final)], [2000, '']);
  assert.is(frames(segments(dir)[0]!).numbers.length, 2000);
  const one = await startXdp(['-w', '/dev/null', '--queues', '1'], ASAN, space);
  fromCpu(space, 0, 100);
  fromCpu(space, 1, 200);
  await until(() => one.last()!.ring_received > 0, 'one queue');
  await sleep(300);
  assert.ok([100, 200].includes((await finish(one)).final.stored));
  for (const [queues, says] of [
    ['2', 'vb has no queue 2; its queues are 0 to 1'],
    ['0,0', 'named twice'],
    ['0,', 'use all or numbers'],
    ['-1', 'use all or numbers'],
    ['99999999999999999999', 'has no queue'],
  ]) {
    const refused = run(['-i', 'vb', '--ring=afxdp', '-w', '/dev/null', `--queues=${queues}`], {
      netns: space,
    });
    assert.ok(refused.code === 1 || refused.code === 2, `${queues}: exit ${refused.code}`);
    assert.ok(refused.messages[0]!.includes(says!), refused.messages[0]);
  }
});

xdp('the program goes with the process: after kill -9 too; another program is left alone', async () => {
  const attached = () => JSON.parse(ip('-n', netns, '-j', 'link', 'show', 'vb'))[0].xdp !== undefined;
  const probe = await startXdp(['-w', '/dev/null'], FAST);
  assert.ok(attached());
  const second = run(['-i', 'vb', '--ring=afxdp', '-w', '/dev/null'], { netns });
  assert.is(second.code, 1);
  assert.match(
    second.messages[0]!,
    /vb: another XDP program \("ringtap", id \d+\) is attached; end what uses it/,
  );
  probe.child.kill('SIGKILL');
  await probe.end;
  const { final } = await finish(await startXdp(['-w', '/dev/null'])); // at once: queue and program are free
  assert.is(final.ring_drops, 0);
  assert.not.ok(attached());
});

xdp('generic mode works on loopback; what a large segment makes too large is counted', async () => {
  const space = makeNetns('o');
  ip('-n', space, 'link', 'set', 'lo', 'up');
  const probe = start(['-i', 'lo', '--ring=afxdp', '-w', '/dev/null', '--stats-interval', '0.1'], {
    netns: space,
  });
  await until(() => probe.last(), 'the first ledger line', 40_000);
  const bash = 'exec 3<>/dev/udp/127.0.0.1/9; echo x >&3';
  const sender = spawn('ip', ['netns', 'exec', space, 'bash', '-c', bash], { stdio: 'ignore' });
  await until(() => probe.last()!.ring_received > 0, 'a packet');
  sender.kill();
  const { final, messages } = await finish(probe);
  assert.match(
    messages.join('|'),
    /lo: AF_XDP generic mode.*lo: MTU 65536, but AF_XDP takes frames of at most 3832/,
  );
  assert.equal([imbalance(final), final.stored > 0], ['', true]);
});

xdp('without the right to: exit 1 and the command that helps', () => {
  const args = [
    '--bounding-set',
    '-net_admin,-bpf,-sys_admin',
    '--inh-caps',
    '-net_admin,-bpf,-sys_admin',
    FAST,
  ];
  const { status, stderr } = spawnSync('setpriv', [...args, '-i', 'lo', '--ring=afxdp', '-w', '/dev/null'], {
    encoding: 'utf8',
  });
  assert.is(status, 1);
  assert.match(stderr, /^ringtapd: lo: no right to load an XDP program; run as root or: setcap [^\n]*\n$/);
});

test('wrong usage is refused in one line', () => {
  for (const [args, says] of [
    [['--xdp-mode=native'], /--xdp-mode: needs --ring=afxdp/],
    [['--ring=afxdp', '--xdp-mode=fast'], /use auto, zerocopy, native or generic/],
    [['--ring=afpacket', '--queues=0'], /--queues: needs --ring=afxdp/],
  ] as const) {
    const { code, messages } = run(['-i', 'lo', '-w', '/dev/null', ...args]);
    assert.is(code, 2);
    assert.match(messages.join('|'), says);
  }
});

test.after.each(endAll);
test.run();
