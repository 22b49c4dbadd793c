/** Recording: segments counted by independent readers, read while they grow, rotated, cut off, killed. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ASAN,
  build,
  countPackets,
  endAll,
  FAST,
  have,
  imbalance,
  read,
  run,
  scratch,
  sleep,
  start,
  tsharkFields,
  until,
} from './help.js';

build('all', 'asan');
const synth = (spec: string) => ['--ring=synth', '--synth', spec];
const files = (dir: string) =>
  readdirSync(dir)
    .filter((name) => name.endsWith('.pcapng'))
    .sort()
    .map((name) => join(dir, name));

/** Walks a segment as DESIGN 2 draws it: section, then blocks of 4096 multiples, each led by its ISB. */
function walkBlocks(bytes: Buffer): { blocks: number; packets: number; isbs: Buffer[] } {
  let at = 0;
  let packets = 0;
  const isbs: Buffer[] = [];
  while (at < bytes.length) {
    const total = bytes.readUInt32LE(at + 4);
    assert.is(bytes.readUInt32LE(at + total - 4), total, `block at ${at}`);
    const type = bytes.readUInt32LE(at);
    if (type === 5) {
      assert.is(at % 4096, 0, 'recorder blocks are aligned');
      isbs.push(bytes.subarray(at, at + total));
    }
    if (type === 6) packets++;
    at += total;
  }
  assert.is(bytes.length % 4096, 0);
  return { blocks: isbs.length, packets, isbs };
}

test('capinfos, tcpdump and tshark count exactly what the ledger says; frames are valid', () => {
  const dir = scratch();
  const { code, ledgers, messages } = run([
    ...synth('seed=3,pps=0,size=mix,flows=50,count=20000'),
    '--store',
    dir,
  ]);
  assert.is(code, 0);
  assert.equal(messages, []);
  const final = ledgers.at(-1)!;
  assert.is(imbalance(final), '');
  assert.equal([final.final, final.stored, final.synthetic, final.segment], [true, 20000, true, '']);
  const [path] = files(dir);
  assert.match(path!, /ringtap-synth-\d{8}T\d{6}\.\d{9}Z-000001\.pcapng$/);
  assert.equal(countPackets(path!), { capinfos: 20000, tcpdump: 20000, tshark: 20000 });
  assert.is(final.stored_bytes, statSync(path!).size);
  const bad = spawnSync(
    'tshark',
    [
      '-n',
      '-r',
      path!,
      '-o',
      'ip.check_checksum:TRUE',
      '-o',
      'tcp.check_checksum:TRUE',
      '-o',
      'udp.check_checksum:TRUE',
    ]
      .concat([
        '-Y',
        '_ws.malformed || ip.checksum.status==0 || tcp.checksum.status==0 || udp.checksum.status==0',
      ])
      .concat(['-T', 'fields', '-e', 'frame.number']),
    { encoding: 'utf8' },
  );
  assert.is(bad.stdout.trim(), '', 'no malformed frame, no wrong checksum');
  const seen = new Set(tsharkFields(path!, ['frame.protocols']).flatMap(([stack]) => stack!.split(':')));
  for (const name of ['vlan', 'arp', 'ip', 'ipv6', 'tcp', 'udp', 'icmp', 'icmpv6'])
    assert.ok(seen.has(name), name);
  assert.match(execFileSync('capinfos', [path!], { encoding: 'utf8' }), /synthetic traffic/);
});

test('the same seed makes the same packets; another seed others', () => {
  const dir = scratch();
  const make = (name: string, seed: number) => {
    run([...synth(`seed=${seed},pps=1000000,clock=fixed,count=500`), '-w', join(dir, name)]);
    return tsharkFields(join(dir, name), [
      'frame.time_epoch',
      'frame.len',
      'ip.src',
      'tcp.seq_raw',
      'udp.srcport',
    ]);
  };
  assert.equal(make('a', 1), make('b', 1));
  assert.not.equal(make('c', 2), make('d', 1));
});

test('every block is whole: header, checksum, counts', () => {
  const path = join(scratch(), 'x.pcapng');
  run([...synth('pps=0,size=60,count=3000'), '-w', path, '--block-size', '64K']);
  const { blocks, packets, isbs } = walkBlocks(read(path));
  assert.ok(blocks > 3);
  assert.is(packets, 3000);
  let told = 0;
  isbs.forEach((isb, index) => {
    // Six known counters would fill the ISB; if_drops is unknown here, so the header starts 12 earlier.
    const at = 20 + 5 * 12 + 4;
    assert.is(isb.readUInt16LE(at - 4), 0xa001);
    assert.equal([isb.readUInt32LE(at), Number(isb.readBigUInt64LE(at + 8))], [1, index + 1]);
    told += Number(isb.readBigUInt64LE(at + 32));
  });
  assert.is(told, 3000);
});

test('a growing segment is readable at every instant', async () => {
  const dir = scratch();
  const args = [
    ...synth('pps=5000,size=mix'),
    '--store',
    dir,
    '--flush-interval',
    '0.02',
    '--block-size',
    '512K',
  ];
  const probe = start([...args, '--stats-interval', '0.05'], { binary: FAST });
  await until(() => probe.last()?.stored, 'first packets');
  let most = 0;
  for (let look = 0; look < 25; look++) {
    const copy = join(dir, 'copy');
    copyFileSync(files(dir)[0]!, copy);
    const capinfos = execFileSync('capinfos', ['-Mc', copy], { encoding: 'utf8' });
    const { packets } = walkBlocks(read(copy));
    assert.is(Number(/packets:\s+(\d+)/.exec(capinfos)![1]), packets);
    assert.ok(packets >= most);
    most = packets;
    await sleep(15);
  }
  const stored = probe.last()!.stored;
  const live = countPackets(files(dir)[0]!);
  assert.ok(live.capinfos >= stored, `the file holds what the ledger says: ${live.capinfos} >= ${stored}`);
  assert.ok(live.tshark >= live.tcpdump && live.tcpdump >= live.capinfos, 'and grows while being read');
  probe.child.kill('SIGTERM');
  const { code, ledgers } = await probe.end;
  assert.is(code, 0);
  assert.is(countPackets(files(dir)[0]!).tshark, ledgers.at(-1)!.stored);
  assert.is(imbalance(ledgers.at(-1)!), '');
});

test('rotation by size keeps every packet; -W keeps the last files; names never repeat', () => {
  const dir = scratch();
  const out = run([...synth('pps=0,size=mix,count=30000'), '--store', dir, '-C', '1'], { binary: FAST });
  const final = out.ledgers.at(-1)!;
  const paths = files(dir);
  assert.ok(paths.length >= 8);
  assert.is(final.segments, paths.length);
  assert.ok(paths.every((path) => statSync(path).size <= 1_000_000));
  assert.is(
    paths.reduce((sum, path) => sum + countPackets(path).capinfos, 0),
    30000,
  );
  const kept = scratch();
  const args = [...synth('pps=0,size=mix,count=30000'), '-w', join(kept, 'out.pcapng'), '-C', '1', '-W', '3'];
  assert.is(run(args, { binary: FAST }).code, 0);
  const names = files(kept);
  assert.is(names.length, 3);
  assert.ok(names.every((name) => /out-\d{8}T\d{6}\.\d{9}Z-\d{6}\.pcapng$/.test(name)));
  const last = tsharkFields(names[2]!, ['frame.number']).length;
  assert.ok(last > 0, 'the newest are kept');
});

test('rotation by time and by SIGHUP', async () => {
  const dir = scratch();
  const args = [...synth('pps=2000'), '--store', dir, '--flush-interval', '0.1', '--stats-interval', '0.1'];
  const timed = start([...args, '-G', '0.5']);
  await sleep(2200);
  timed.child.kill('SIGINT');
  const { ledgers } = await timed.end;
  assert.ok(files(dir).length >= 3 && files(dir).length <= 6, `${files(dir).length} files`);
  assert.is(imbalance(ledgers.at(-1)!), '');

  const other = scratch();
  const probe = start([...synth('pps=2000'), '--store', other, '--stats-interval', '0.1']);
  await until(() => probe.last()?.ring_received, 'packets');
  probe.child.kill('SIGHUP');
  await until(() => files(other).length === 2, 'a second file');
  probe.child.kill('SIGINT');
  const end = await probe.end;
  assert.is(end.code, 0);
  const sum = files(other).reduce((total, path) => total + countPackets(path).capinfos, 0);
  assert.is(sum, end.ledgers.at(-1)!.stored);
});

test('-w - streams; a reader that leaves ends the run cleanly', async () => {
  const out = run([...synth('pps=0,count=5000'), '-w', '-']);
  assert.is(out.code, 0);
  assert.is(walkBlocks(out.stdout).packets, 5000);
  assert.is(out.ledgers.at(-1)!.stored, 5000);
  const shell = spawnSync('sh', ['-c', `${ASAN} --ring=synth -w - | tcpdump -nr - -c 50 --count`], {
    encoding: 'utf8',
  });
  assert.match(shell.stdout, /50 packets/);
  assert.not.match(shell.stderr, /Sanitizer|rror:/);
});

test('a stdout nobody reads: drops are counted, the signal still ends the run', async () => {
  const child = spawn(FAST, [...synth('pps=200000,size=1000'), '-w', '-', '--pool-blocks', '2'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.pause();
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  await until(() => /"pool_drops":[1-9]/.test(stderr), 'pool drops');
  child.kill('SIGINT');
  const code = await new Promise((resolve) => child.on('exit', resolve));
  const final = JSON.parse(stderr.trim().split('\n').at(-1)!);
  assert.is(imbalance(final), '');
  assert.ok(final.pool_drops > 0 && final.store_drops > 0);
  assert.is(code, 0);
});

test('SIGINT flushes the tail; a second one does no harm', async () => {
  for (const signals of [['SIGINT'], ['SIGTERM', 'SIGINT', 'SIGINT']] as const) {
    const dir = scratch();
    const probe = start([
      ...synth('pps=5000'),
      '--store',
      dir,
      '--flush-interval',
      '30',
      '--stats-interval',
      '0.1',
    ]);
    await until(() => (probe.last()?.ring_received ?? 0) > 500, 'packets');
    assert.is(probe.last()!.stored, 0, 'nothing flushed yet');
    for (const signal of signals) probe.child.kill(signal);
    const { code, ledgers } = await probe.end;
    assert.is(code, 0);
    const final = ledgers.at(-1)!;
    assert.ok(final.final && final.stored > 500 && final.stored === final.ring_received);
    assert.is(countPackets(files(dir)[0]!).capinfos, final.stored);
  }
});

test('kill -9 leaves a readable file with everything that was stored', async () => {
  const dir = scratch();
  const args = [
    ...synth('pps=20000,size=mix'),
    '--store',
    dir,
    '--flush-interval',
    '0.05',
    '--stats-interval',
    '0.05',
  ];
  const probe = start(args, { binary: FAST });
  await until(() => (probe.last()?.stored ?? 0) > 5000, 'stored packets');
  probe.child.kill('SIGKILL');
  const { ledgers } = await probe.end;
  const { capinfos, tcpdump, tshark } = countPackets(files(dir)[0]!);
  assert.ok(capinfos >= ledgers.at(-1)!.stored);
  assert.ok(capinfos === tcpdump && tcpdump === tshark);
});

test('-c ends after exactly N; a filter keeps what it says and the rest is counted', () => {
  const path = join(scratch(), 'x.pcapng');
  const some = run([...synth('pps=0,count=100000'), '-c', '1234', '-w', path]);
  assert.is(some.code, 0);
  const l = some.ledgers.at(-1)!;
  assert.is(l.stored, 1234);
  assert.is(imbalance(l), '');
  assert.is(countPackets(path).capinfos, 1234);
  const all = run([...synth('pps=0,count=5000'), '-w', path, 'udp', 'or', 'arp']).ledgers.at(-1)!;
  assert.is(imbalance(all), '');
  assert.ok(all.filtered! > 0 && all.stored > 0);
  const stacks = tsharkFields(path, ['udp.port', 'arp.opcode']);
  assert.is(stacks.length, all.stored);
  assert.ok(stacks.every((fields) => fields.some(Boolean)));
});

test('snaplen cuts the bytes and keeps the lengths', () => {
  const path = join(scratch(), 'x.pcapng');
  run([...synth('pps=0,size=1000,count=50'), '-s', '100', '-w', path]);
  const rows = tsharkFields(path, ['frame.cap_len', 'frame.len']);
  assert.ok(rows.some(([cap, len]) => cap === '100' && len === '1000'));
  assert.ok(rows.every(([cap, len]) => Number(cap) === Math.min(100, Number(len))));
});

/** Runs `body` in a directory on a file system of `megabytes`; false when none can be made here. */
function withSmallDisk(kind: 'ext4' | 'tmpfs', megabytes: number, body: (dir: string) => void): boolean {
  if (process.getuid?.() !== 0 || !have('mount')) return false;
  const base = scratch();
  const dir = join(base, 'mnt');
  mkdirSync(dir);
  let mounted: number | null;
  if (kind === 'tmpfs') {
    mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir]).status;
  } else {
    const image = join(base, 'image');
    spawnSync('truncate', ['-s', `${megabytes}M`, image]);
    spawnSync('mkfs.ext4', ['-qF', '-m0', image]);
    mounted = spawnSync('mount', ['-o', 'loop', image, dir]).status;
  }
  if (mounted !== 0) return false;
  try {
    body(dir);
  } finally {
    spawnSync('umount', ['-l', dir]);
  }
  return true;
}

for (const kind of ['ext4', 'tmpfs'] as const)
  test(`${kind} without space: one line, every lost packet counted, the files stay readable`, () => {
    const done = withSmallDisk(kind, 24, (dir) => {
      const args = [...synth('pps=30000,size=1400,count=45000'), '--store', dir, '--stats-interval', '0.2'];
      const { code, ledgers, messages } = run([...args, '--block-size', '1M'], { binary: FAST });
      const final = ledgers.at(-1)!;
      assert.is(code, 0);
      assert.is(imbalance(final), '');
      assert.ok(
        final.store_drops > 0 && final.stored > 0,
        `${final.store_drops} lost, ${final.stored} stored`,
      );
      assert.ok(
        messages.some((line) => /No space left on device/.test(line)),
        messages.join('\n'),
      );
      assert.ok(messages.length < 12, 'no flood of messages');
      assert.ok(ledgers.some((l) => l.alarms.some((text) => /No space left/.test(text))));
      let sum = 0;
      for (const path of files(dir)) sum += countPackets(path).tshark;
      assert.is(sum, final.stored);
    });
    if (!done) console.log(`SKIP no right to mount a small ${kind} here`);
  });

test('writes cut short by a file size limit: whole blocks stay, nothing is written twice', () => {
  if (!have('prlimit')) {
    console.log('SKIP no prlimit here');
    return;
  }
  const dir = scratch();
  const args = [
    ...synth('seed=5,pps=20000,size=1000,count=10000,clock=fixed'),
    '--store',
    dir,
    '--block-size',
    '256K',
  ];
  const { status, stderr } = spawnSync('prlimit', ['--fsize=1024000', FAST, ...args], {
    encoding: 'utf8',
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
  assert.is(status, 0);
  const final = JSON.parse(stderr.trim().split('\n').at(-1)!);
  assert.is(imbalance(final), '');
  assert.ok(final.store_drops > 0 && final.stored > 0);
  assert.match(stderr, /File too large/);
  const stamps = files(dir).flatMap((path) => {
    walkBlocks(read(path));
    return tsharkFields(path, ['frame.time_epoch']).map(([stamp]) => stamp);
  });
  assert.is(stamps.length, final.stored);
  assert.is(new Set(stamps).size, final.stored, 'no packet twice');
});

test('space that comes back is used again', async () => {
  let probe: ReturnType<typeof start> | undefined;
  const base = scratch();
  if (
    process.getuid?.() !== 0 ||
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', base]).status !== 0
  ) {
    console.log('SKIP no right to mount a tmpfs here');
    return;
  }
  try {
    writeFileSync(join(base, 'filler'), Buffer.alloc(12 << 20));
    probe = start([
      ...synth('pps=2000,size=1000'),
      '--store',
      base,
      '--stats-interval',
      '0.1',
      '--flush-interval',
      '0.1',
    ]);
    await until(() => (probe!.last()?.store_drops ?? 0) > 0, 'store drops');
    writeFileSync(join(base, 'filler'), '');
    const before = probe.last()!.stored;
    await until(() => probe!.last()!.stored > before && probe!.last()!.alarms.length === 0, 'storing again');
    probe.child.kill('SIGINT');
    const { ledgers } = await probe.end;
    assert.is(imbalance(ledgers.at(-1)!), '');
    const sum = files(base).reduce((total, path) => total + countPackets(path).tshark, 0);
    assert.is(sum, ledgers.at(-1)!.stored);
  } finally {
    probe?.child.kill('SIGKILL');
    spawnSync('umount', ['-l', base]);
  }
});

test('wrong usage is exit 2, failure exit 1, each with one clear line', () => {
  const cases: [string[], number, RegExp][] = [
    [['--frobnicate'], 2, /^ringtapd: --frobnicate: unknown flag; see/],
    [[...synth('pps=x'), '-w', 'x'], 2, /pps=x: use a whole number/],
    [[...synth('size=1'), '-w', 'x'], 2, /size=1: use 60 to 65535/],
    [synth('pps=1'), 2, /nothing to do/],
    [['--ring=afxdp', '-w', 'x'], 2, /not built in yet/],
    [['-i', 'no-such-if', '-w', 'x'], 1, /no-such-if: no such interface; there are: .*lo/],
    [
      [...synth('pps=1'), '-w', '/nonexistent/x.pcapng'],
      1,
      /No such file or directory; create the directory first/,
    ],
    [[...synth('pps=1'), '--store', '/dev/null'], 1, /not a directory/],
    [
      [...synth('pps=1'), '-w', 'x', 'tcp', 'prot', '80'],
      2,
      /filter "tcp prot 80": .*syntax error.*pcap-filter/,
    ],
    [['-r', '/nonexistent.pcap', '-w', 'x'], 1, /No such file/],
    [[...synth('pps=1'), '-w', 'x', '--stats', '/nonexistent/s'], 1, /--stats: .*No such file/],
  ];
  for (const [args, code, text] of cases) {
    const out = run(args);
    assert.is(out.code, code, `${args.join(' ')}: ${out.messages.join('|')}`);
    assert.is(out.messages.length, 1, out.messages.join('\n'));
    assert.match(out.messages[0]!, text);
    assert.is(out.stdout.length, 0);
  }
  assert.not.ok(existsSync('x'), 'nothing left behind');
});

test('--help, --version, --list-interfaces and --check speak on stdout', () => {
  assert.match(run(['--help']).stdout.toString(), /usage: ringtapd/);
  assert.match(run(['--version']).stdout.toString(), /^ringtapd \d+\.\d+\.\d+\n$/);
  const lines = run(['--list-interfaces']).stdout.toString().trim().split('\n');
  const lo = lines.map((line) => JSON.parse(line)).find((row) => row.name === 'lo');
  assert.is(lo.linktype, 1);
  const good = run(['--check', '--ring=synth']);
  assert.equal([good.code, JSON.parse(good.stdout.toString()).ok], [0, true]);
  const bad = run(['--check', '-i', 'no-such-if']);
  const row = JSON.parse(bad.stdout.toString());
  assert.equal([bad.code, row.ok, row.interface, row.source], [1, false, 'no-such-if', 'afpacket']);
  assert.match(row.message, /no such interface/);
});

test.after.each(endAll);
test.run();
