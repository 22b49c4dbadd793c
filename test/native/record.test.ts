/** Recording: segments counted by independent readers, read while they grow, rotated, cut off, killed. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
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
  const probe = start([...args, '--stats-interval', '0.1'], { binary: FAST });
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
  const began = Date.now();
  await until(() => files(dir).length >= 4, 'four files');
  timed.child.kill('SIGINT');
  const { ledgers } = await timed.end;
  assert.ok(Date.now() - began >= 1400, 'not more often than every half second');
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

test('SIGHUP to a single file: said once, nothing of it is lost', async () => {
  const path = join(scratch(), 'one.pcapng');
  const args = ['-w', path, '--flush-interval', '0.1', '--stats-interval', '0.1'];
  const probe = start([...synth('pps=2000'), ...args]);
  await until(() => probe.last()?.stored, 'stored packets');
  for (let round = 1; round <= 3; round++) {
    const before = probe.last()!.stored;
    probe.child.kill('SIGHUP');
    await until(() => probe.last()!.stored > before + 400, 'it goes on');
    assert.is(probe.last()!.segment, path);
  }
  probe.child.kill('SIGINT');
  const { code, ledgers, messages } = await probe.end;
  const final = ledgers.at(-1)!;
  assert.equal([code, final.segments, final.stored], [0, 1, final.ring_received]);
  assert.is(countPackets(path).tshark, final.stored);
  assert.is(messages.length, 1, messages.join('\n'));
  assert.match(messages[0]!, /SIGHUP: .*recording continues \(--store, -C or -G/);
});

test('a terminal that closes under it: the file goes on, complete', async () => {
  const dir = scratch();
  const path = join(dir, 'one.pcapng');
  // A session of its own on a pseudo terminal, which the parent then closes: the kernel sends SIGHUP.
  const terminal = `
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
print(pid, flush=True)
sys.stdin.readline()
os.close(fd)
sys.stdin.readline()
os.waitpid(pid, 0)
`;
  if (!have('python3')) {
    console.log('SKIP no python3 to make a terminal with');
    return;
  }
  const stats = join(dir, 'stats');
  const args = ['-w', path, '--stats', stats, '--flush-interval', '0.1', '--stats-interval', '0.1'];
  const child = spawn('python3', ['-c', terminal, ASAN, ...synth('pps=2000'), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const pid = await new Promise<number>((resolve) =>
    child.stdout.once('data', (data) => resolve(Number(data))),
  );
  const last = () => {
    const lines = existsSync(stats) ? read(stats).toString().trim().split('\n') : [];
    return lines.at(-1) ? JSON.parse(lines.at(-1)!) : { stored: 0 };
  };
  try {
    await until(() => last().stored > 0, 'stored packets');
    const before = last().stored;
    child.stdin.write('close\n');
    await until(() => last().stored > before + 1000, 'recording without its terminal');
    process.kill(pid, 'SIGTERM');
    child.stdin.write('wait\n');
    await until(() => last().final, 'the final ledger');
  } catch (error) {
    process.kill(pid, 'SIGKILL');
    throw error;
  }
  assert.equal([last().stored, last().segments], [last().ring_received, 1]);
  assert.is(countPackets(path).capinfos, last().stored);
});

test('SIGUSR1 from outside prints a ledger line; the run goes on and still ends when told', async () => {
  const dir = scratch();
  const probe = start([...synth('pps=2000'), '--store', dir, '--stats-interval', '0']);
  await until(() => files(dir).length, 'a segment');
  for (let round = 0; round < 2; round++) {
    await sleep(150);
    const before = probe.last()?.ring_received ?? -1;
    probe.child.kill('SIGUSR1');
    await until(() => (probe.last()?.ring_received ?? -1) > before, 'a line on demand');
    assert.not.ok(probe.last()!.final);
  }
  probe.child.kill('SIGTERM');
  const { code, ledgers } = await probe.end;
  assert.is(code, 0);
  assert.equal([ledgers.length, ledgers[2]!.final, ledgers[2]!.stored], [3, true, ledgers[2]!.ring_received]);
  assert.is(imbalance(ledgers[2]!), '');
});

test('-w - streams; a reader that leaves ends the run cleanly', async () => {
  const out = run([...synth('pps=0,count=5000'), '-w', '-']);
  assert.is(out.code, 0);
  assert.is(walkBlocks(out.stdout).packets, 5000);
  assert.is(out.ledgers.at(-1)!.stored, 5000);
  const pipe = `{ ${ASAN} --ring=synth --synth pps=5000 -w -; echo exit $? >&2; } | tcpdump -nr - -c 50 --count`;
  const shell = spawnSync('sh', ['-c', pipe], { encoding: 'utf8' });
  assert.match(shell.stdout, /50 packets/);
  assert.match(shell.stderr, /"store_drops":[1-9][^\n]*\n(?:[^{\n]*\n)*exit 0/, 'it took what it wanted');
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
  assert.match(stderr, /stdout: write failed: its reader takes nothing; read on or end the reader/);
  assert.is(code, 1, 'packets were lost');
});

test('a fifo: waits for a reader, can be ended then and when the reader stalls', async () => {
  const fifo = join(scratch(), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const lonely = start([...synth('pps=2000'), '-w', fifo]);
  await sleep(300);
  lonely.child.kill('SIGTERM');
  await lonely.end;
  const stalled = start([
    ...synth('pps=0,size=1000'),
    '-w',
    fifo,
    '--pool-blocks',
    '2',
    '--stats-interval',
    '0.1',
  ]);
  const reader = spawn('sh', ['-c', 'exec 3<"$0"; sleep 60', fifo], { stdio: 'ignore' });
  try {
    await until(() => (stalled.last()?.ring_received ?? 0) > 1000, 'packets');
    await sleep(300);
    stalled.child.kill('SIGINT');
    const { code, ledgers, messages } = await stalled.end;
    assert.is(code, 1, 'packets were lost');
    assert.match(messages.join('|'), /fifo: write failed: its reader takes nothing/);
    assert.is(imbalance(ledgers.at(-1)!), '');
  } finally {
    reader.kill('SIGKILL');
    stalled.child.kill('SIGKILL');
  }
});

test('an output that is full from the start: cause, cure, exit 1', () => {
  const outputs: [string, string][] = [
    ['-w /dev/full', '/dev/full'],
    ['-w - >/dev/full', 'stdout'],
  ];
  for (const [words, name] of outputs)
    for (const count of [10, 50000]) {
      const command = `exec ${ASAN} --ring=synth --synth pps=0,count=${count} ${words}`;
      const { status, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8', timeout: 20_000 });
      const lines = stderr.split('\n').filter((line) => line && !line.startsWith('{'));
      assert.is(status, 1, stderr);
      assert.is(lines.length, 1, stderr);
      assert.ok(lines[0]!.startsWith(`ringtapd: ${name}: write failed: No space left on device; free some`));
    }
});

/** A copy of a mounted disk image, as the drive would be found after a power cut now. */
function packetsAfterPowerCut(image: string): number {
  const base = scratch();
  const [copy, dir] = [join(base, 'copy'), join(base, 'mnt')];
  execFileSync('cp', ['--sparse=always', image, copy]);
  mkdirSync(dir);
  execFileSync('mount', ['-o', 'loop', copy, dir]);
  try {
    return files(dir).reduce((sum, path) => sum + countPackets(path).capinfos, 0);
  } finally {
    spawnSync('umount', [dir]);
  }
}

for (const journal of ['data=ordered', 'data=journal'])
  test(`a power cut (${journal}): what was stored over two seconds ago is on the drive, in every segment`, async () => {
    const base = scratch();
    const [image, dir] = [join(base, 'image'), join(base, 'mnt')];
    mkdirSync(dir);
    spawnSync('truncate', ['-s', '64M', image]);
    spawnSync('mkfs.ext4', ['-qF', '-m0', image]);
    // The file system by itself would commit every 300 s only.
    const options = `loop,commit=300,${journal}`;
    if (process.getuid?.() !== 0 || spawnSync('mount', ['-o', options, image, dir]).status !== 0) {
      console.log('SKIP no right to mount a disk image here');
      return;
    }
    let probe: ReturnType<typeof start> | undefined;
    try {
      const flags = ['--flush-interval', '0.1', '--stats-interval', '0.1', '--block-size', '64K'];
      probe = start([...synth('pps=2000,size=200'), '--store', dir, ...flags], { binary: FAST });
      await until(() => probe!.last()?.stored, 'stored packets');
      await sleep(1500);
      probe.child.kill('SIGHUP'); // a second segment: its name has to last, too
      await until(() => probe!.last()!.segments === 2 && files(dir).length === 2, 'two segments');
      await sleep(300);
      const stored = probe.last()!.stored;
      assert.ok(stored > 1000);
      await until(() => probe!.last()!.stored > stored + 5000, 'two and a half seconds more');
      process.kill(probe.child.pid!, 'SIGSTOP');
      const found = packetsAfterPowerCut(image);
      process.kill(probe.child.pid!, 'SIGCONT');
      assert.ok(found >= stored, `${found} packets of ${stored} outlived it`);
      probe.child.kill('SIGINT');
      assert.is((await probe.end).code, 0);
    } finally {
      probe?.child.kill('SIGKILL');
      spawnSync('umount', ['-l', dir]);
    }
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
    '0.1',
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
      const { code, ledgers, messages } = run([...args, '--block-size', '1M', '--free-floor', '0'], {
        binary: FAST,
      });
      const final = ledgers.at(-1)!;
      assert.is(code, 1, 'packets were lost');
      assert.is(imbalance(final), '');
      assert.ok(
        final.store_drops > 0 && final.stored > 0,
        `${final.store_drops} lost, ${final.stored} stored`,
      );
      const told = messages.filter((line) => /No space left on device/.test(line));
      assert.is(told.length, 1, `cause and cure, once: ${messages.join('\n')}`);
      assert.match(
        told[0]!,
        /No space left on device; free some space or name another place; recording goes on/,
      );
      assert.ok(ledgers.some((l) => l.alarms.some((text) => /No space left/.test(text))));
      let sum = 0;
      for (const path of files(dir)) sum += countPackets(path).tshark;
      assert.is(sum, final.stored);
    });
    if (!done) console.log(`SKIP no right to mount a small ${kind} here`);
  });

test('writes cut short by a file size limit: nothing is lost, nothing written twice', () => {
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
  assert.is(status, 0, 'what one file did not take is in the next');
  const final = JSON.parse(stderr.trim().split('\n').at(-1)!);
  assert.is(imbalance(final), '');
  assert.equal([final.store_drops, final.stored], [0, 10000]);
  assert.match(stderr, /File too large; raise the size limit/);
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
      '--free-floor',
      '0',
    ]);
    await until(() => (probe!.last()?.store_drops ?? 0) > 0, 'store drops');
    writeFileSync(join(base, 'filler'), '');
    const before = probe.last()!.stored;
    await until(() => probe!.last()!.stored > before && probe!.last()!.alarms.length === 0, 'storing again');
    probe.child.kill('SIGINT');
    const { code, ledgers, messages } = await probe.end;
    assert.is(code, 1, 'packets were lost on the way');
    assert.is(messages.filter((line) => /No space left/.test(line)).length, 1, messages.join('\n'));
    assert.is(messages.filter((line) => /writing again, \d+ packets were lost/.test(line)).length, 1);
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

test('--check tells of a bad filter, store, file and gateway, and leaves nothing behind', () => {
  const dir = scratch();
  writeFileSync(join(dir, 'file'), 'kept');
  const small = ['--ring=synth', '--check'];
  const cases: [string[], number, string, RegExp][] = [
    [['--store', dir], 0, '', /can capture/],
    [['--store', join(dir, 'new')], 0, '', /can capture/],
    [['-w', join(dir, 'file')], 0, '', /can capture/],
    [['-w', join(dir, 'new.pcapng')], 0, '', /can capture/],
    [['-w', join(dir, 'no', 'x'), '-C', '1'], 1, 'output', /No such file or directory; create the directory/],
    [['--store', join(dir, 'no', 'x')], 1, 'output', /no\/x: cannot be created: No such file/],
    [['--store', join(dir, 'file')], 1, 'output', /not a directory/],
    [['-w', dir], 1, 'output', /Is a directory/],
    [['tcp', 'prot', '80'], 2, 'filter', /syntax error.*pcap-filter/],
    [['--gateway', 'http://x'], 2, 'gateway', /no ws:/],
    [['--gateway', 'ws://127.0.0.1', '--token-file', join(dir, 'no')], 1, 'gateway', /No such file/],
  ];
  if (existsSync('/sys/kernel'))
    cases.push([['--store', '/sys/kernel'], 1, 'output', /cannot be written to/]);
  for (const [args, code, stage, text] of cases) {
    const out = run([...small, ...args]);
    const row = JSON.parse(out.stdout.toString());
    assert.equal(
      [out.code, row.ok, row.stage],
      [code, code === 0, stage],
      `${args.join(' ')}: ${row.message}`,
    );
    assert.is(row.errno > 0, code === 1);
    assert.match(row.message, text);
    assert.equal(out.messages, []);
  }
  assert.equal(readdirSync(dir), ['file']);
  assert.is(read(join(dir, 'file')).toString(), 'kept');
});

test('an output that is also an input, or another output, is refused and left as it was', () => {
  const dir = scratch();
  const at = (name: string) => join(dir, name);
  run([...synth('pps=0,count=50'), '-w', at('x')]);
  const before = read(at('x'));
  linkSync(at('x'), at('hard'));
  symlinkSync('x', at('soft'));
  writeFileSync(at('config'), 'verbose=true\n');
  writeFileSync(at('token'), 'secret\n');
  const gateway = ['--gateway', 'ws://127.0.0.1:9', '--token-file', at('token')];
  const cases: [string[], RegExp][] = [
    ...['x', 'hard', 'soft'].map((name): [string[], RegExp] => [
      ['-r', at('x'), '-w', at(name)],
      /^ringtapd: -r and -w are the same file: .*; name another/,
    ]),
    [['-r', at('x'), '-w', '/dev/null', '--stats', at('hard')], /-r and --stats/],
    [[...synth('pps=1'), '-w', at('new'), '--stats', at('new')], /-w and --stats/],
    [['--config', at('config'), ...synth('pps=1'), '-w', at('config')], /--config and -w/],
    [[...synth('pps=1'), '-w', at('token'), ...gateway], /--token-file and -w/],
  ];
  for (const [args, text] of cases) {
    const out = run(args);
    assert.is(out.code, 2, `${args.join(' ')}: ${out.messages.join('|')}`);
    assert.is(out.messages.length, 1);
    assert.match(out.messages[0]!, text);
  }
  const shell = spawnSync('sh', ['-c', `exec ${ASAN} -r - -w - <"$0" 1<>"$0"`, at('x')], {
    encoding: 'utf8',
  });
  assert.is(shell.status, 2);
  assert.match(shell.stderr, /-r and -w are the same file/);
  assert.equal(read(at('x')), before);
  assert.equal(readdirSync(dir).sort(), ['config', 'hard', 'soft', 'token', 'x']);
  const copy = run(['-r', at('x'), '-w', at('x'), '-C', '1']);
  assert.is(copy.code, 0, 'rotated names are new ones');
  assert.equal(read(at('x')), before);
});

test('--exit-with-parent: a supervisor killed outright leaves a flushed file and no orphan', async () => {
  const dir = scratch();
  const stats = join(dir, 'stats');
  const args = [...synth('pps=2000'), '--store', dir, '--stats', stats, '--stats-interval', '0.1'];
  const shell = `"$@" & echo $!; wait`;
  const parent = spawn(
    'sh',
    ['-c', shell, 'sh', ASAN, ...args, '--flush-interval', '30', '--exit-with-parent'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const pid = await new Promise<number>((resolve) =>
    parent.stdout.once('data', (data) => resolve(Number(data))),
  );
  const last = () => JSON.parse(read(stats).toString().trim().split('\n').at(-1)!);
  try {
    await until(
      () => existsSync(stats) && read(stats).includes('\n') && last().ring_received > 200,
      'packets',
    );
    parent.kill('SIGKILL');
    await until(() => last().final, 'the final ledger');
  } catch (error) {
    process.kill(pid, 'SIGKILL');
    throw error;
  }
  assert.ok(last().stored > 200 && last().stored === last().ring_received);
  assert.is(countPackets(files(dir)[0]!).capinfos, last().stored);
});

test.after.each(endAll);
test.run();
