/**
 * Shaping end to end: slicing, flow cutoff and duplicate removal against tshark and editcap, real TLS on
 * loopback, and each removal in the ledger and in the files' block headers.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BT_ISB, OPT_BLOCK_HEADER } from '../../proto/gen/constants.js';
import {
  build,
  countPackets,
  endAll,
  FAST,
  imbalance,
  type LedgerLine,
  liveObstacle,
  read,
  run,
  scratch,
  sleep,
  start,
  tsharkFields,
  until,
} from './help.js';

build('all', 'asan');
const dir = scratch();
const source = join(dir, 'source.pcapng');
const SYNTH = 'seed=7,size=mix,flows=60,count=6000,pps=0,clock=fixed';
run(['--ring=synth', '--synth', SYNTH, '-w', source], { binary: FAST });
const out = (name: string) => join(dir, `${name}.pcapng`);

/** What the block headers of a file say was removed since the run began. */
function headerTotals(path: string): { cutoff: number; duplicates: number; sliced_bytes: number } {
  const bytes = read(path);
  const totals = { cutoff: 0, duplicates: 0, sliced_bytes: 0 };
  for (let pos = 0; pos < bytes.length; pos += bytes.readUInt32LE(pos + 4)) {
    if (bytes.readUInt32LE(pos) !== BT_ISB) continue;
    for (let at = pos + 20; bytes.readUInt16LE(at) !== 0; at += 4 + ((bytes.readUInt16LE(at + 2) + 3) & ~3)) {
      if (bytes.readUInt16LE(at) !== OPT_BLOCK_HEADER) continue;
      totals.cutoff += Number(bytes.readBigUInt64LE(at + 4 + 80));
      totals.duplicates += Number(bytes.readBigUInt64LE(at + 4 + 88));
      totals.sliced_bytes += Number(bytes.readBigUInt64LE(at + 4 + 96));
    }
  }
  return totals;
}

/** Replays `from` through the probe with `args`; ledger, files and block headers must tell the same. */
function shape(name: string, args: string[], from = source): LedgerLine {
  const { code, ledgers, messages } = run(['-r', from, '-w', out(name), '--block-size', '64K', ...args]);
  assert.is(code, 0, messages.join('\n'));
  const final = ledgers.at(-1)!;
  assert.is(imbalance(final), '');
  assert.is(countPackets(out(name)).capinfos, final.stored);
  const { cutoff, duplicates, sliced_bytes } = final;
  assert.equal(headerTotals(out(name)), { cutoff, duplicates, sliced_bytes });
  return final;
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

test('slicing cuts what its rules name, and the original length stays', () => {
  const ledger = shape('sliced', ['--slice=tcp=96,udp=headers,arp=full,ip6=80']);
  const fields = ['frame.len', 'frame.cap_len', 'ip.proto', 'ipv6.nxt', 'vlan.id', 'arp.opcode'];
  const before = tsharkFields(source, fields);
  const after = tsharkFields(out('sliced'), fields);
  assert.is(after.length, before.length);
  after.forEach(([length, kept], i) => {
    const [whole, , proto, next, vlan, arp] = before[i]!;
    assert.is(length, whole);
    const headers = 14 + (vlan ? 4 : 0) + (next ? 40 : 20) + 8;
    const transport = proto || next;
    const most = arp ? 1e9 : transport === '6' ? 96 : transport === '17' ? headers : next ? 80 : 1e9;
    assert.is(Number(kept), Math.min(Number(whole), most), `frame ${i + 1}`);
  });
  assert.is(
    ledger.sliced_bytes,
    sum(before.map((row) => Number(row[1]))) - sum(after.map((row) => Number(row[1]))),
  );
  assert.ok(ledger.sliced_bytes > 100_000);
});

test('a flow keeps its first payload bytes and its flags, as computed from what tshark sees', () => {
  const CUTOFF = 3000;
  const ledger = shape('cutoff', [`--flow-cutoff=${CUTOFF}`]);
  const fields = [
    'ip.src',
    'ipv6.src',
    'ip.dst',
    'ipv6.dst',
    'ip.proto',
    'ipv6.nxt',
    'tcp.srcport',
    'tcp.dstport',
  ];
  const more = ['udp.srcport', 'udp.dstport', 'tcp.len', 'udp.length', 'tcp.flags', 'frame.len', 'data.len'];
  const seen = new Map<string, number>();
  let [cutoff, sliced, icmp] = [0, 0, 0];
  for (const row of tsharkFields(source, [...fields, ...more])) {
    const [s4, s6, d4, d6, p4, p6, ts, td, us, ud, tcpLength, udpLength, flags, length] = row;
    const ends = [`${s4 || s6} ${ts || us}`, `${d4 || d6} ${td || ud}`].sort();
    if (!tcpLength && !udpLength) {
      icmp += Number(Boolean(p4 || p6));
      continue; // neither ARP nor ICMP is looked at here: the synth's are below the cutoff or counted as others
    }
    const key = `${p4 || p6} ${ends.join(' ')}`;
    const payload = tcpLength ? Number(tcpLength) : Number(udpLength) - 8;
    const flag = Number(flags || 0);
    if (tcpLength && (flag & 0x12) === 2) seen.delete(key);
    const had = seen.get(key) ?? 0;
    seen.set(key, had + payload);
    if (had + payload <= CUTOFF) continue;
    const left = Math.max(0, CUTOFF - had);
    if (!left && !(flag & 7)) cutoff++;
    else sliced += payload - left;
    assert.ok(Number(length) >= payload);
  }
  assert.ok(icmp > 0 && cutoff > 500 && sliced > 1000, `${cutoff} ${sliced}`);
  const filter = ['-Y', 'tcp || udp'];
  const kept = tsharkFields(out('cutoff'), ['frame.len', 'frame.cap_len'], filter);
  const all = tsharkFields(source, ['frame.len'], filter);
  assert.is(all.length - kept.length, cutoff);
  assert.is(sum(kept.map(([length, cap]) => Number(length) - Number(cap))), sliced);
  assert.ok(ledger.cutoff >= cutoff && ledger.sliced_bytes >= sliced);
});

test('duplicates: as many as editcap finds, and the first of each is kept', () => {
  const once = join(dir, 'once.pcapng'); // IPv4 frames have an id each: all differ
  const { ledgers } = run(['-r', source, '-w', once, '-f', 'ip'], { binary: FAST });
  const packets = ledgers.at(-1)!.stored;
  const late = join(dir, 'late.pcapng');
  const twice = join(dir, 'twice.pcapng');
  execFileSync('editcap', ['-t', '0.002', once, late]);
  execFileSync('mergecap', ['-w', twice, once, late]);
  const unique = join(dir, 'unique.pcapng');
  execFileSync('editcap', ['-w', '0.005', twice, unique], { stdio: 'ignore' });
  const ledger = shape('dedup', ['--dedup=5ms'], twice);
  assert.is(ledger.ring_received, 2 * packets);
  assert.is(ledger.stored, countPackets(unique).capinfos);
  assert.is(ledger.duplicates, packets);
  const hashes = (path: string) => tsharkFields(path, ['frame.time_epoch', 'frame.len']).map(String);
  assert.equal(hashes(out('dedup')), hashes(unique));
  assert.is(shape('short', ['--dedup=1ms'], twice).stored > ledger.stored, true, 'the window matters');
});

test('all at once: order, filter, count and the ledger', () => {
  const args = ['--slice=any=64', '--flow-cutoff=2K', '--dedup', '-f', 'ip', '-c', '1000'];
  const ledger = shape('all', args);
  assert.is(ledger.stored, 1000);
  assert.ok(ledger.cutoff > 0 && ledger.sliced_bytes > 0 && (ledger.filtered ?? 0) > 0);
  const comment = read(out('all')).toString('latin1');
  assert.match(comment, 'removed on purpose: --slice=any=64 --flow-cutoff=2048 --dedup=5ms');
});

test('off by default: nothing is removed and the file says nothing', () => {
  const ledger = shape('off', []);
  assert.equal([ledger.cutoff, ledger.duplicates, ledger.sliced_bytes], [0, 0, 0]);
  assert.is(ledger.ring_starved, null);
  assert.not.match(read(out('off')).toString('latin1'), 'removed on purpose');
});

test('what cannot be understood is refused with one line, exit 2', () => {
  for (const args of [['--slice=tcp=handshake'], ['--slice=foo=1'], ['--dedup=5'], ['--flow-cutoff=x']]) {
    const { code, messages } = run(['-r', source, '-w', out('bad'), ...args]);
    assert.is(code, 2, args.join(' '));
    assert.is(messages.length, 1);
    assert.match(messages[0]!, args[0]!.split('=')[0]!);
  }
  const radio = join(dir, 'radio.pcap');
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65535, 16);
  header.writeUInt32LE(127, 20);
  writeFileSync(radio, header);
  const { code, messages } = run(['-r', radio, '-w', out('bad'), '--flow-cutoff=100']);
  assert.is(code, 2);
  assert.match(messages.join('\n'), 'link type 127 is not understood');
});

const obstacle = liveObstacle();
if (obstacle) {
  console.log(`SKIP real TLS on loopback: ${obstacle}`);
} else {
  test('real TLS: the handshake is there for tshark, the application data is not', async () => {
    const server = tls.createServer({
      pskCallback: () => Buffer.alloc(32, 7),
      ciphers: 'PSK-AES128-GCM-SHA256',
      maxVersion: 'TLSv1.2',
    });
    server.on('secureConnection', (socket) => socket.on('error', () => {}).end(Buffer.alloc(300_000, 0x41)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const filter = ['-i', 'lo', '-f', `tcp port ${port}`, '--stats-interval', '0.1'];
    const probes = [
      start([...filter, '-w', out('tls-whole')]),
      start([...filter, '-w', out('tls-cut'), '--slice', `tls=handshake,tcp=full`]),
    ];
    for (const probe of probes) await until(() => probe.last(), 'the first ledger line');
    await new Promise<void>((resolve, reject) => {
      const client = tls.connect({
        port,
        host: '127.0.0.1',
        pskCallback: () => ({ psk: Buffer.alloc(32, 7), identity: 'probe' }),
        ciphers: 'PSK-AES128-GCM-SHA256',
        maxVersion: 'TLSv1.2',
        checkServerIdentity: () => undefined,
      });
      client
        .on('error', reject)
        .on('data', () => {})
        .on('end', resolve);
    });
    await sleep(300);
    for (const probe of probes) probe.child.kill('SIGINT');
    const [whole, cut] = (await Promise.all(probes.map(({ end }) => end))).map(
      ({ ledgers }) => ledgers.at(-1)!,
    );
    server.close();
    assert.is(imbalance(cut!), '');
    assert.is(cut!.stored, whole!.stored);
    const decode = ['-d', `tcp.port==${port},tls`];
    const messages = (path: string) =>
      tsharkFields(path, ['tls.handshake.type'], decode).map(String).filter(Boolean).join(' ');
    assert.match(messages(out('tls-whole')), /^1 .*2/);
    assert.is(messages(out('tls-cut')), messages(out('tls-whole')));
    assert.ok(cut!.sliced_bytes >= 290_000, `${cut!.sliced_bytes}`);
    const bytes = read(out('tls-cut'));
    assert.is(bytes.includes(Buffer.alloc(16, 0x41)), false);
    assert.is(bytes.length < 40_000, true, `${bytes.length}`);
  });
}

test.after.each(endAll);
test.run();
