/**
 * Live capture with several workers and several rings: the order of the wire on disk, accounts exact; GSO and jumbo
 * frames whole; a clock that steps back. In network namespaces of its own.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  build,
  countPackets,
  endAll,
  FAST,
  generate,
  have,
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
import { epbsOf } from './segments.js';

process.setMaxListeners(40); // one namespace each
build('all', 'asan', 'tsan', 'gen');
const TSAN = 'build/native/tsan/ringtapd';

const obstacle = liveObstacle();
const live = (name: string, body: () => Promise<void>) =>
  obstacle ? process.stdout.write(`SKIP ${name}: ${obstacle}\n`) : test(name, body);

/** Records COUNT numbered frames from vb and returns the numbers in file order. */
async function record(netns: string, args: string[], count: number, pps: number, binary = FAST) {
  const path = join(scratch(), 'x.pcapng');
  const own = ['-i', 'vb', '-w', path, '--stats-interval', '0.1'];
  const probe = start([...own, ...args, 'udp', 'port', '9'], { netns, binary });
  await until(() => probe.last(), 'the first ledger line');
  assert.is(await generate(netns, count, pps, 200), count);
  await until(() => (probe.last()?.ring_received ?? 0) >= count, 'all packets');
  probe.child.kill('SIGINT');
  const { code, ledgers } = await probe.end;
  const final = ledgers.at(-1)!;
  assert.equal([code, imbalance(final)], [0, '']);
  const { numbers, stepBackNs } = epbsOf(read(path));
  assert.is(numbers.length, final.stored);
  assert.is(final.stored + final.ring_drops!, count); // a busy machine may lose some in the ring: counted
  assert.ok(final.stored > count / 10, `only ${final.stored}`);
  return { numbers, stepBackNs };
}

function assertRising(numbers: number[]): void {
  for (let i = 1; i < numbers.length; i++)
    assert.ok(numbers[i]! > numbers[i - 1]!, `frame ${numbers[i]} behind ${numbers[i - 1]}`);
}

live('one ring, four workers: all frames in the order they came', async () => {
  const { numbers, stepBackNs } = await record(makeNetns('w'), ['--workers', '4'], 60_000, 30_000);
  assert.is(stepBackNs, 0n);
  assertRising(numbers);
});

for (const mode of ['rnd', 'lb', 'hash', 'cpu', 'qm'])
  live(`four rings by ${mode}, merged: all frames in the order they came, none twice`, async () => {
    const args = ['--fanout', '4', '--fanout-mode', mode, '--workers', '2'];
    const { numbers, stepBackNs } = await record(makeNetns(mode), args, 20_000, 20_000);
    assert.is(stepBackNs, 0n);
    assertRising(numbers);
  });

live('rings that fill and drop under sanitizers: accounts exact, order kept', async () => {
  const args = [
    '--fanout',
    '3',
    '--fanout-mode',
    'rnd',
    '--workers',
    '3',
    '-B',
    '1024',
    '--block-size',
    '64K',
    '-s',
    '2000',
  ];
  const { numbers } = await record(makeNetns('t'), args, 60_000, 0, TSAN);
  assertRising(numbers);
});

// --- large frames ---

const TCP_BYTES = 20_000_000;
/** Sends TCP_BYTES from one namespace to the other; exits when all have arrived. */
const SERVER = `
import socket
s = socket.create_server(('10.9.0.2', 5001)); c, _ = s.accept(); n = 0
while True:
    d = c.recv(1 << 20)
    if not d: break
    n += len(d)
print(n)
`;
const CLIENT = `
import socket
c = socket.create_connection(('10.9.0.2', 5001)); c.sendall(b'x' * ${TCP_BYTES}); c.close()
`;

function makePair(letter: string): [near: string, far: string] {
  const near = makeNetns(letter);
  const far = makeNetns(`${letter}f`);
  const ip = (...args: string[]) => execFileSync('ip', args);
  ip('-n', near, 'link', 'del', 'va');
  ip('-n', near, 'link', 'add', 'va', 'type', 'veth', 'peer', 'name', 'wb', 'netns', far);
  ip('-n', near, 'addr', 'add', '10.9.0.1/24', 'dev', 'va');
  ip('-n', far, 'addr', 'add', '10.9.0.2/24', 'dev', 'wb');
  ip('-n', near, 'link', 'set', 'va', 'up');
  ip('-n', far, 'link', 'set', 'wb', 'up');
  return [near, far];
}

const ends = (child: ReturnType<typeof spawn>) => new Promise((resolve) => child.on('close', resolve));

for (const { mtu, offload } of [
  { mtu: 1500, offload: 'on' },
  { mtu: 9000, offload: 'on' },
  { mtu: 9000, offload: 'off' },
])
  live(`TCP with mtu ${mtu}, tso and gso ${offload}: every byte recorded, frames whole`, async () => {
    if (!have('python3') || !have('ethtool'))
      return console.log('SKIP large frames: no python3 or no ethtool');
    const [near, far] = makePair(`${mtu}${offload}`);
    for (const [space, device] of [
      [near, 'va'],
      [far, 'wb'],
    ] as const) {
      execFileSync('ip', ['-n', space, 'link', 'set', device, 'mtu', `${mtu}`]);
      const features = ['tso', 'gso', 'gro'].flatMap((name) => [name, offload]);
      execFileSync('ip', ['netns', 'exec', space, 'ethtool', '-K', device, ...features], { stdio: 'ignore' });
    }
    const path = join(scratch(), 'x.pcapng');
    const args = ['-i', 'wb', '-w', path, '--workers', '3', '--stats-interval', '0.1', 'tcp', 'port', '5001'];
    const probe = start(args, { netns: far, binary: FAST });
    await until(() => probe.last(), 'the first ledger line');
    const server = spawn('ip', ['netns', 'exec', far, 'python3', '-c', SERVER]);
    let taken = '';
    server.stdout.on('data', (data) => {
      taken += data;
    });
    const listens = () => spawnSync('ip', ['netns', 'exec', far, 'ss', '-ltn'], { encoding: 'utf8' }).stdout;
    await until(() => listens().includes(':5001'), 'the server');
    const client = spawn('ip', ['netns', 'exec', near, 'python3', '-c', CLIENT]);
    await Promise.all([ends(server), ends(client)]);
    assert.is(Number(taken), TCP_BYTES);
    probe.child.kill('SIGINT');
    const { code, ledgers } = await probe.end;
    const final = ledgers.at(-1)!;
    assert.equal([code, imbalance(final), final.ring_drops], [0, '', 0]);
    const rows = tsharkFields(path, ['frame.len', 'frame.cap_len', 'ip.src', 'tcp.seq', 'tcp.len']);
    assert.ok(
      rows.every(([wire, kept]) => wire === kept),
      'nothing is cut',
    );
    const largest = Math.max(...rows.map(([wire]) => Number(wire)));
    if (offload === 'on') assert.ok(largest > mtu + 14, `GSO: ${largest}`);
    else assert.is(largest, mtu + 14);
    // Sequence numbers cover the whole transfer: 1 up to TCP_BYTES.
    const sent = rows
      .filter(([, , src]) => src === '10.9.0.1')
      .map(([, , , seq, length]) => [Number(seq), Number(length)] as const)
      .sort(([a], [b]) => a - b);
    let next = 1;
    for (const [seq, length] of sent) if (seq <= next) next = Math.max(next, seq + length);
    assert.is(next, TCP_BYTES + 1);
    assert.is(countPackets(path).capinfos, final.stored);
  });

// --- the clock ---

test('a clock that steps back: readers take every packet, verify --order tells how far', () => {
  const path = join(scratch(), 'x.pcapng');
  const spec = 'pps=1000000,count=10000,size=100,clock=stepping';
  const { code, ledgers } = run(['--ring=synth', '--synth', spec, '-w', path, '--workers', '2']);
  assert.equal([code, imbalance(ledgers.at(-1)!)], [0, '']);
  assert.equal(countPackets(path), { capinfos: 10_000, tcpdump: 10_000, tshark: 10_000 });
  const order = (...args: string[]) =>
    spawnSync('node', ['build/server/cli/main.js', 'verify', '--order', '--json', ...args, path], {
      encoding: 'utf8',
    });
  const { status, stdout } = order();
  const found = JSON.parse(stdout.split('\n')[0]!);
  // Nine steps of half a second; from the first on every packet lies behind the newest before it.
  assert.equal([status, found.packets, found.outOfOrder], [1, 10_000, 9000]);
  assert.is(found.stepBackNs, `${9 * 500_000_000 - 8001 * 1000}`);
  assert.is(order('--order-bound', found.stepBackNs).status, 0);
});

test.after.each(endAll);
test.run();
