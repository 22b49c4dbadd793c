/** Several drives, retention, privileges and confinement: what is kept, what is deleted, who may do what. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  build,
  countPackets,
  endAll,
  FAST,
  have,
  imbalance,
  mkdir,
  type Outcome,
  read,
  run,
  scratch,
  shim,
  sleep,
  start,
  until,
} from './help.js';

build('all', 'asan');
const synth = (spec: string) => ['--ring=synth', '--synth', spec];
const files = (dir: string) =>
  readdirSync(dir)
    .filter((name) => name.endsWith('.pcapng'))
    .sort()
    .map((name) => join(dir, name));
const verify = (...dirs: string[]) =>
  spawnSync(process.execPath, ['build/server/cli/main.js', 'verify', ...dirs], { encoding: 'utf8' });

/** What OPT_RUN in the section says, and the sequence of every recorder block. */
function layout(path: string): { runId: string; stripe: number; stripes: number; seqs: number[] } {
  const bytes = read(path);
  assert.is(bytes.readUInt16LE(24), 0xa002);
  const seqs: number[] = [];
  for (let at = 4096; at < bytes.length; ) {
    const header = at + 20 + 5 * 12 + 4;
    seqs.push(Number(bytes.readBigUInt64LE(header + 8)));
    at += bytes.readUInt32LE(header + 72);
  }
  const runId = bytes.toString('hex', 28, 44);
  return { runId, stripe: bytes.readUInt32LE(44), stripes: bytes.readUInt32LE(48), seqs };
}

function finalOf(out: Outcome) {
  const final = out.ledgers.at(-1)!;
  assert.is(imbalance(final), '');
  return final;
}

test('striping: each drive gets its part, every block is there once, readers find plain pcapng', () => {
  const base = scratch();
  const dirs = ['a', 'b', 'c'].map((name) => join(base, name));
  const args = [
    ...synth('seed=2,pps=0,size=mix,count=60000'),
    '--block-size',
    '512K',
    '--store',
    dirs.join(','),
  ];
  const out = run([...args, '-C', '2']);
  assert.equal([out.code, out.messages], [0, []]);
  const final = finalOf(out);
  const parts = dirs.map((dir) => files(dir).map(layout));
  const all = parts.flat();
  assert.is(final.segments, all.length);
  assert.is(new Set(all.map(({ runId }) => runId)).size, 1);
  assert.not.match(all[0]!.runId, /^0+$/);
  for (const [stripe, segments] of parts.entries()) {
    assert.ok(segments.length >= 2, 'each rotates by itself');
    for (const segment of segments) {
      assert.equal([segment.stripe, segment.stripes], [stripe, 3]);
      assert.equal(
        segment.seqs,
        [...segment.seqs].sort((x, y) => x - y),
      );
    }
  }
  const seqs = all.flatMap(({ seqs }) => seqs).sort((x, y) => x - y);
  assert.equal(
    seqs,
    Array.from({ length: seqs.length }, (_, index) => index + 1),
  );
  const names = dirs.flatMap((dir) => readdirSync(dir));
  assert.is(new Set(names).size, names.length, 'no name twice in the whole store');
  const counts = dirs.flatMap(files).map(countPackets);
  assert.ok(counts.every(({ capinfos, tcpdump, tshark }) => capinfos === tcpdump && capinfos === tshark));
  assert.is(
    counts.reduce((sum, { tshark }) => sum + tshark, 0),
    60000,
  );
  const verified = verify(...dirs);
  assert.is(verified.status, 0, verified.stdout);
});

test('striping at a walk: idle drives take turns', async () => {
  const base = scratch();
  const dirs = ['a', 'b'].map((name) => join(base, name));
  const flags = ['--flush-interval', '0.05', '--stats-interval', '0.1'];
  const probe = start([...synth('pps=2000'), '--store', dirs.join(','), ...flags]);
  await until(() => (probe.last()?.stored ?? 0) > 3000, 'packets');
  probe.child.kill('SIGHUP'); // every drive starts a new file
  await sleep(300);
  probe.child.kill('SIGTERM');
  const out = await probe.end;
  assert.is(out.code, 0);
  finalOf(out);
  const blocks = dirs.map((dir) => files(dir).reduce((sum, path) => sum + layout(path).seqs.length, 0));
  assert.ok(Math.abs(blocks[0]! - blocks[1]!) <= 0.3 * (blocks[0]! + blocks[1]!), `${blocks}`);
  assert.equal(
    dirs.map((dir) => files(dir).length),
    [2, 2],
    'SIGHUP reaches all',
  );
});

test('--store null: counted, told, nothing written', () => {
  const before = existsSync('null');
  const out = run([...synth('pps=0,count=20000'), '--store', 'null']);
  assert.is(out.code, 0);
  assert.equal([finalOf(out).stored, finalOf(out).segment, out.messages.length], [20000, 'null', 1]);
  assert.match(out.messages[0]!, /--store null: every packet is thrown away/);
  assert.is(existsSync('null'), before);
});

const expired = (dir: string) =>
  existsSync(join(dir, 'expired.jsonl'))
    ? readFileSync(join(dir, 'expired.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : [];

test('--retain-bytes: oldest first over all drives, with index and a line about it; nothing of others is touched', () => {
  const base = scratch();
  const dirs = ['a', 'b'].map((name) => mkdir(join(base, name)));
  // An older run's segment with an index, and files that are none of ours.
  const old = 'ringtap-synth-20200101T000000.000000000Z-000001';
  run([...synth('pps=0,count=700'), '-w', join(dirs[1]!, `${old}.pcapng`)]);
  writeFileSync(join(dirs[1]!, `${old}.rtidx`), 'index');
  const strangers = [
    'notes.txt',
    'ringtap-x.pcapng',
    'other-20200101T000000.000000000Z-000001.pcapng',
    `${old}.pcapng.bak`,
  ];
  for (const name of strangers) writeFileSync(join(dirs[0]!, name), 'mine');
  const args = [
    ...synth('pps=20000,size=1000,count=30000'),
    '--store',
    dirs.join(','),
    '-C',
    '1',
    '--block-size',
    '256K',
  ];
  const out = run([...args, '--retain-bytes', '8M'], { binary: FAST });
  const final = finalOf(out);
  assert.equal([out.code, final.stored, final.store_drops], [0, 30000, 0]);
  const kept = dirs.flatMap(files).filter((path) => /-\d{6}\.pcapng$/.test(path) && !path.includes('other-'));
  const bytes = kept.reduce((sum, path) => sum + statSync(path).size, 0);
  assert.ok(bytes <= 8 << 20 && bytes > 3 << 20, `${bytes} bytes kept`);
  for (const name of strangers) assert.ok(existsSync(join(dirs[0]!, name)), name);
  assert.not.ok(existsSync(join(dirs[1]!, `${old}.rtidx`)), 'the index goes with its segment');
  const lines = dirs.flatMap(expired);
  assert.is(lines.length + kept.length, final.segments + 1);
  assert.is(final.expired_segments, lines.length);
  const first = lines.find(({ stem }) => stem === old);
  assert.equal([first.packets, first.reason], [700, 'bytes']);
  assert.match(first.first_ts_ns, /^\d{19}$/);
  assert.ok(BigInt(first.last_ts_ns) >= BigInt(first.first_ts_ns) && /^\d{19}$/.test(first.deleted_ts_ns));
  const stamp = (text: string) => /\d{8}T\d{6}\.\d{9}Z/.exec(text)![0];
  const newestGone = lines
    .map(({ stem }) => stamp(stem))
    .sort()
    .at(-1)!;
  const oldestKept = kept.map(stamp).sort()[0]!;
  assert.ok(newestGone < oldestKept, 'oldest first, whichever drive');
  const packets = lines.reduce((sum, line) => sum + line.packets, 0) - 700;
  assert.is(
    packets + kept.reduce((sum, path) => sum + countPackets(path).tshark, 0),
    30000,
    'every packet is kept or told of',
  );
  assert.is(out.messages.filter((line) => /retention \(bytes\): the oldest segments/.test(line)).length, 1);
});

test('--retain-age; a segment that another recorder writes stays', async () => {
  const dir = scratch();
  const aged = join(dir, 'ringtap-synth-20200101T000000.000000000Z-000001.pcapng');
  run([...synth('pps=0,count=10'), '-w', aged]);
  utimesSync(aged, new Date(2020, 1), new Date(2020, 1));
  const locked = join(dir, 'ringtap-synth-20200101T000001.000000000Z-000001.pcapng');
  const other = start([...synth('pps=100'), '-w', locked, '--flush-interval', '100']);
  await until(() => existsSync(locked), 'the other recorder');
  utimesSync(locked, new Date(2020, 1), new Date(2020, 1));
  const probe = start([
    ...synth('pps=1000'),
    '--store',
    dir,
    '--retain-age',
    '1h',
    '--stats-interval',
    '0.1',
  ]);
  await until(() => !existsSync(aged), 'the aged one gone');
  await sleep(500);
  assert.ok(existsSync(locked));
  assert.is(expired(dir)[0].reason, 'age');
  for (const { child, end } of [probe, other]) {
    child.kill('SIGTERM');
    assert.is((await end).code, 0);
  }
});

test('two recorders cannot write the same file', async () => {
  const path = join(scratch(), 'x.pcapng');
  const first = start([
    ...synth('pps=100'),
    '-w',
    path,
    '--flush-interval',
    '0.1',
    '--stats-interval',
    '0.1',
  ]);
  await until(() => first.last()?.stored, 'packets');
  const second = run([...synth('pps=100'), '-w', path]);
  assert.equal([second.code, second.messages.length], [1, 1]);
  assert.match(second.messages[0]!, /another recorder writes it; name another file/);
  first.child.kill('SIGTERM');
  const out = await first.end;
  assert.is(countPackets(path).tshark, finalOf(out).stored);
});

/** A file system of `megabytes` of our own, or false. */
function withTmpfs(megabytes: number, body: (dir: string) => void): boolean {
  const dir = scratch();
  if (
    process.getuid?.() !== 0 ||
    spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir]).status !== 0
  )
    return false;
  try {
    body(dir);
  } finally {
    spawnSync('umount', ['-l', dir]);
  }
  return true;
}

test('the default free floor: a small drive is never filled, nothing new is lost', () => {
  const done = withTmpfs(24, (dir) => {
    const args = [...synth('pps=30000,size=1400,count=45000'), '--store', dir, '--block-size', '1M'];
    const out = run(args, { binary: FAST });
    const final = finalOf(out);
    assert.equal([out.code, final.stored, final.store_drops], [0, 45000, 0], out.messages.join('\n'));
    const free = Number(execFileSync('stat', ['-fc', '%a', dir], { encoding: 'utf8' })) * 4096;
    assert.ok(free > (24 << 20) * 0.05, `${free} bytes free`);
    const gone = expired(dir);
    assert.ok(gone.length > 3 && gone.every(({ reason }) => reason === 'floor'));
    const kept = files(dir).reduce((sum, path) => sum + countPackets(path).tshark, 0);
    assert.is(kept + gone.reduce((sum, line) => sum + line.packets, 0), 45000);
  });
  if (!done) console.log('SKIP no right to mount a small tmpfs here');
});

test('below the floor with nothing of ours to delete: refused before the drive is full, exactly counted', () => {
  const done = withTmpfs(24, (dir) => {
    writeFileSync(join(dir, 'somebody-elses'), Buffer.alloc(10 << 20));
    const args = [
      ...synth('pps=30000,size=1400,count=30000'),
      '--store',
      dir,
      '-C',
      '100',
      '--block-size',
      '1M',
    ];
    const out = run([...args, '--free-floor', '25%'], { binary: FAST });
    const final = finalOf(out);
    assert.is(out.code, 1);
    assert.ok(final.store_drops > 0 && final.stored > 0);
    const free = Number(execFileSync('stat', ['-fc', '%a', dir], { encoding: 'utf8' })) * 4096;
    assert.ok(free >= 6 << 20, `${free} bytes free`);
    const told = out.messages.filter((line) =>
      /above the free floor \(--free-floor keeps 6 MiB\); free some space/.test(line),
    );
    assert.is(told.length, 1, out.messages.join('\n'));
    assert.is(
      files(dir).reduce((sum, path) => sum + countPackets(path).tshark, 0),
      final.stored,
    );
  });
  if (!done) console.log('SKIP no right to mount a small tmpfs here');
});

test('names never repeat when the clock is set back and stands still', () => {
  const dir = scratch();
  const args = [...synth('pps=0,size=mix,count=30000'), '--store', dir, '-C', '1', '--block-size', '256K'];
  const { status, stderr } = spawnSync(FAST, args, {
    encoding: 'utf8',
    env: { ...process.env, LD_PRELOAD: shim(), SHIM_CLOCK: '3600' },
  });
  assert.is(status, 0, stderr);
  const final = JSON.parse(stderr.trim().split('\n').at(-1)!);
  const names = files(dir);
  assert.ok(names.length > 5);
  assert.is(names.length, final.segments);
  const stamps = names.map((name) => /T(\d{6}\.\d{9})Z/.exec(name)![1]);
  assert.equal(stamps, [...stamps].sort(), 'and go on ascending');
  assert.is(
    names.reduce((sum, path) => sum + countPackets(path).tshark, 0),
    30000,
  );
});

test("--user: what is open stays open, files are the user's, and there is no way back", async () => {
  const nobody = Number(spawnSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).stdout);
  if (process.getuid?.() !== 0 || !nobody) {
    console.log('SKIP not root, or no user nobody');
    return;
  }
  const dir = scratch();
  chmodSync(dir, 0o700);
  chownSync(dir, nobody, -1);
  const flags = ['--flush-interval', '0.1', '--stats-interval', '0.1', '-G', '0.5'];
  const probe = start([...synth('pps=2000'), '--store', dir, '--user', 'nobody', ...flags], { binary: FAST });
  await until(() => files(dir).length > 1, 'a second file');
  for (const task of readdirSync(`/proc/${probe.child.pid}/task`)) {
    const status = readFileSync(`/proc/${probe.child.pid}/task/${task}/status`, 'utf8');
    assert.match(status, new RegExp(`Uid:\\t${nobody}\\t${nobody}\\t${nobody}\\t${nobody}\\n`));
    const effective = BigInt(`0x${/CapEff:\t(\w+)/.exec(status)![1]}`);
    assert.is(effective & ~(1n << 14n), 0n, 'nothing but CAP_IPC_LOCK');
    assert.match(status, /NoNewPrivs:\t1/);
  }
  probe.child.kill('SIGTERM');
  const out = await probe.end;
  assert.equal([out.code, out.messages], [0, []]);
  assert.is(statSync(files(dir)[0]!).uid, nobody);
  const closed = run([...synth('pps=1'), '--store', join(dir, 'no', 'x'), '--user', 'nobody'], {
    binary: FAST,
  });
  assert.equal([closed.code, closed.messages.length], [1, 1]);
  assert.match(
    run([...synth('pps=1'), '--store', dir, '--user', 'no-such-user']).messages[0]!,
    /there is no user no-such-user/,
  );
  const plain = spawnSync(
    'setpriv',
    ['--reuid', 'nobody', '--clear-groups', FAST, ...synth('pps=1'), '--store', dir, '--user', 'root'],
    {
      encoding: 'utf8',
    },
  );
  if (plain.status !== null && !/failed to execute/.test(plain.stderr))
    assert.match(plain.stderr, /only root can become root/);
});

test('seccomp: on by default; a call outside the profile is named once and refused, recording goes on', async () => {
  const dir = scratch();
  const args = [...synth('pps=1000'), '--store', dir, '--stats-interval', '0.1', '--flush-interval', '0.1'];
  const status = (pid: number) => /Seccomp:\t(\d)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
  const probe = start(args, { binary: FAST, env: { LD_PRELOAD: shim(), SHIM_FORBIDDEN: '1' } });
  await until(() => (probe.last()?.stored ?? 0) > 500, 'packets');
  assert.is(status(probe.child.pid!), '2');
  probe.child.kill('SIGTERM');
  const out = await probe.end;
  assert.is(out.code, 0);
  assert.is(out.messages.length, 1, out.messages.join('\n'));
  assert.match(
    out.messages[0]!,
    /^ringtapd: seccomp: the system call personality \(\d+\) is not in the profile and was refused/,
  );
  for (const [mode, expected] of [
    ['off', '0'],
    ['log', '2'],
  ] as const) {
    const free = start([...args, '--seccomp', mode], {
      binary: FAST,
      env: { LD_PRELOAD: shim(), SHIM_FORBIDDEN: '1' },
    });
    await until(() => free.last()?.stored, 'packets');
    assert.is(status(free.child.pid!), expected);
    free.child.kill('SIGTERM');
    assert.equal((await free.end).messages, []);
  }
});

test('hugepages: said with -v, whichever there are', () => {
  const out = run([...synth('pps=0,count=10'), '--store', 'null', '-v'], { binary: FAST });
  assert.ok(
    out.messages.some((line) =>
      /block pool: 16 blocks of 4194304 bytes in (reserved huge|transparent huge|ordinary) pages/.test(line),
    ),
  );
});

test('the systemd unit is well-formed', () => {
  if (!have('systemd-analyze')) {
    console.log('SKIP no systemd-analyze');
    return;
  }
  const unit = join(mkdir(scratch()), 'ringtapd@.service');
  writeFileSync(
    unit,
    readFileSync('native/ringtapd.service', 'utf8').replaceAll(
      '/usr/local/sbin/ringtapd',
      join(process.cwd(), FAST),
    ),
  );
  const { stderr } = spawnSync('systemd-analyze', ['verify', unit.replace('@', '@lo')], { encoding: 'utf8' });
  assert.not.match(stderr, /ringtapd@.*(Unknown|Failed to parse|Invalid|not executable)/);
});

test.after.each(endAll);
test.run();
