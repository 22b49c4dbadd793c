/**
 * Drives that fail, stall, shorten, vanish: by a preloaded library under the writer (test/native/shim.c) and by
 * real means (file systems in images, frozen, shrunk, unmounted, removed). Always: exact accounts, readable files,
 * one message for each cause.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  build,
  endAll,
  FAST,
  have,
  imbalance,
  mkdir,
  type Outcome,
  scratch,
  shim,
  sleep,
  start,
  tsharkFields,
  until,
} from './help.js';

build('all');
const library = shim();
const files = (dir: string) =>
  readdirSync(dir)
    .filter((name) => name.endsWith('.pcapng'))
    .sort()
    .map((name) => join(dir, name));
function packets(dirs: string[]): number {
  const text = execFileSync('capinfos', ['-Mc', ...dirs.flatMap(files)], { encoding: 'utf8' });
  return [...text.matchAll(/Number of packets:\s+(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}
const RATE = [
  '--ring=synth',
  '--block-size',
  '512K',
  '--pool-blocks',
  '32',
  '--stats-interval',
  '0.1',
  '--free-floor',
  '0',
];
const synth = (spec: string) => [...RATE, '--synth', `size=1000,clock=fixed,${spec}`];

/** Nothing may be wrong with any of the files. */
function verified(dirs: string[]): void {
  const { status, stdout } = spawnSync(process.execPath, ['build/server/cli/main.js', 'verify', ...dirs], {
    encoding: 'utf8',
  });
  assert.is(status, 0, stdout);
}

function finalOf({ ledgers }: Outcome) {
  const final = ledgers.at(-1)!;
  assert.is(imbalance(final), '');
  assert.ok(final.final);
  return final;
}

const told = (out: Outcome, what: RegExp) => out.messages.filter((line) => what.test(line)).length;

/** Two drives, `a` and `b`; what happens to them is up to `fault` (SHIM_WRITE). */
async function runWithFault(fault: string, count: number): Promise<{ out: Outcome; dirs: string[] }> {
  const base = scratch();
  const dirs = ['a', 'b'].map((name) => join(base, name));
  const env = { LD_PRELOAD: library, SHIM_WRITE: fault };
  const probe = start([...synth(`pps=20000,count=${count}`), '--store', dirs.join(',')], {
    binary: FAST,
    env,
  });
  return { out: await probe.end, dirs };
}

test('EIO on one drive: its blocks go to the other, it is used again when it can be', async () => {
  const { out, dirs } = await runWithFault('/a/,5,2,3', 60000);
  const final = finalOf(out);
  assert.equal([out.code, final.stored, final.store_drops], [0, 60000, 0], out.messages.join('\n'));
  assert.equal(
    [
      told(out, /\/a\/.*Input\/output error; check the drive .*; the other drives go on/),
      told(out, /\/a\/.*: writing again, 0 packets/),
    ],
    [1, 1],
  );
  assert.ok(out.ledgers.some(({ alarms }) => alarms.some((text) => /Input\/output error/.test(text))));
  assert.equal(final.alarms, []);
  assert.ok(files(dirs[0]!).length >= 2 && packets([dirs[0]!]) > 10000, 'used again');
  assert.is(packets(dirs), 60000);
  verified(dirs);
});

test('a drive full for good: the other takes everything', async () => {
  const { out, dirs } = await runWithFault('/a/,28,3,1000000', 50000);
  const final = finalOf(out);
  assert.equal([out.code, final.stored, final.store_drops], [0, 50000, 0]);
  assert.is(told(out, /No space left on device/), 1, out.messages.join('\n'));
  assert.is(final.alarms.length, 1);
  assert.is(packets(dirs), 50000);
  verified(dirs);
});

test('both fail for good: what is lost is counted once, and the run still ends', async () => {
  const { out, dirs } = await runWithFault('/ringtap-native-,5,7,1000000', 60000);
  const final = finalOf(out);
  assert.is(out.code, 1);
  assert.ok(final.stored > 0 && final.store_drops > 0);
  assert.is(told(out, /Input\/output error/), 2, 'once for each drive');
  assert.is(packets(dirs), final.stored);
  verified(dirs);
});

test('a short glitch of the only drive: its blocks wait in memory, nothing is lost', async () => {
  const dir = join(scratch(), 'only');
  const env = { LD_PRELOAD: library, SHIM_WRITE: '/only/,5,3,2' };
  const out = await start([...synth('pps=20000,count=40000'), '--store', dir], { binary: FAST, env }).end;
  const final = finalOf(out);
  assert.equal([out.code, final.stored, final.store_drops], [0, 40000, 0], out.messages.join('\n'));
  assert.is(told(out, /Input\/output error/), 1);
  assert.is(packets([dir]), 40000);
  verified([dir]);
});

test('one file that fails and recovers stays one file, in order', async () => {
  const path = join(mkdir(join(scratch(), 'single')), 'x.pcapng');
  const env = { LD_PRELOAD: library, SHIM_WRITE: '/single/,5,3,2' };
  const out = await start([...synth('pps=20000,count=40000'), '-w', path], { binary: FAST, env }).end;
  assert.equal([out.code, finalOf(out).stored, finalOf(out).segments], [0, 40000, 1]);
  const stamps = tsharkFields(path, ['frame.time_epoch']).map(([stamp]) => stamp!);
  assert.equal(stamps, [...stamps].sort());
  assert.is(stamps.length, 40000);
});

test('short writes are carried on, nothing is there twice', async () => {
  const { out, dirs } = await runWithFault('/a/,short,1,20', 30000);
  assert.equal(
    [out.code, finalOf(out).stored, out.messages.filter((line) => !/io_uring/.test(line)).length],
    [0, 30000, 0],
  );
  const stamps = dirs
    .flatMap(files)
    .flatMap((path) => tsharkFields(path, ['frame.time_epoch']).map(([stamp]) => stamp));
  assert.equal([stamps.length, new Set(stamps).size], [30000, 30000]);
  verified(dirs);
});

test('a drive that answers 5 s late: the other goes on at once, nothing is lost', async () => {
  const { out, dirs } = await runWithFault('/a/,stall,3,1', 120000);
  const final = finalOf(out);
  assert.equal([out.code, final.stored, final.pool_drops, final.store_drops], [0, 120000, 0, 0]);
  assert.equal(
    [told(out, /\/a: the drive has not answered for \d s; the others go on/), told(out, /answers again/)],
    [1, 1],
  );
  const during = out.ledgers.filter(({ alarms }) => alarms.some((text) => /not answered/.test(text)));
  assert.ok(during.at(-1)!.stored - during[0]!.stored > 20000, 'recording went on meanwhile');
  assert.is(packets(dirs), 120000);
  verified(dirs);
});

/** An ext4 image mounted at `dir`; null when that cannot be done here. */
function mountImage(dir: string, megabytes: number): { image: string; device: string } | null {
  const image = `${dir}.image`;
  mkdirSync(dir, { recursive: true });
  if (process.getuid?.() !== 0 || !have('mkfs.ext4') || !have('losetup')) return null;
  spawnSync('truncate', ['-s', `${megabytes}M`, image]);
  spawnSync('mkfs.ext4', ['-qF', '-m0', '-b', '4096', '-O', '^has_journal', image]);
  if (spawnSync('mount', ['-o', 'loop', image, dir]).status !== 0) return null;
  const device = execFileSync('findmnt', ['-no', 'SOURCE', dir], { encoding: 'utf8' }).trim();
  return { image, device };
}
const SKIPPED = 'SKIP no right to mount a disk image here';

/** Records onto the image and a plain directory; `fault` does its work meanwhile. */
async function onImage(
  spec: string,
  fault: (dir: string, disk: { image: string; device: string }) => Promise<void>,
): Promise<{ out: Outcome; image: string; plain: string } | null> {
  const base = scratch();
  const [image, plain] = [join(base, 'disk'), join(base, 'plain')];
  const disk = mountImage(image, 256);
  if (!disk) return null;
  process.on('exit', () => spawnSync('umount', ['-l', image], { stdio: 'ignore' }));
  const probe = start([...synth(spec), '--store', `${image},${plain}`], { binary: FAST });
  await until(() => files(image).length && (probe.last()?.stored ?? 0) > 10000, 'packets on both');
  await fault(image, disk);
  return { out: await probe.end, image, plain };
}

test('a frozen file system (5 s): as above, with io_uring and a real drive', async () => {
  const done = await onImage('pps=20000,count=140000', async (dir) => {
    execFileSync('fsfreeze', ['-f', dir]);
    await sleep(5000);
    execFileSync('fsfreeze', ['-u', dir]);
  });
  if (!done) return console.log(SKIPPED);
  const final = finalOf(done.out);
  assert.equal([done.out.code, final.stored, final.pool_drops, final.store_drops], [0, 140000, 0, 0]);
  assert.equal(
    [told(done.out, /has not answered/), told(done.out, /answers again/)],
    [1, 1],
    done.out.messages.join('\n'),
  );
  assert.is(packets([done.image, done.plain]), 140000);
  verified([done.image, done.plain]);
  spawnSync('umount', [done.image]);
});

test('a drive that shrinks under our hands: real EIO, the other takes over', async () => {
  const done = await onImage('pps=20000,count=80000', async (_, { image, device }) => {
    spawnSync('truncate', ['-s', '1M', image]);
    execFileSync('losetup', ['-c', device]);
  });
  if (!done) return console.log(SKIPPED);
  const { out, plain } = done;
  const final = finalOf(out);
  assert.is(final.store_drops, 0);
  assert.is(final.stored, 80000);
  assert.ok(
    told(out, /disk\/.*(Input\/output error|Read-only file system|Structure needs cleaning)/) >= 1,
    out.messages.join('\n'),
  );
  assert.ok(packets([plain]) > 30000);
  verified([plain]);
  spawnSync('umount', ['-l', done.image]);
});

test('a drive unmounted under our hands: what it has stays, nothing goes into its place', async () => {
  const done = await onImage('pps=20000,count=80000', async (dir) => {
    execFileSync('umount', ['-l', dir]);
  });
  if (!done) return console.log(SKIPPED);
  const { out, image, plain } = done;
  const final = finalOf(out);
  assert.equal([out.code, final.stored, final.store_drops], [0, 80000, 0], out.messages.join('\n'));
  assert.is(told(out, /disk\/.*no longer there under its name, with \d+ packets/), 1);
  assert.is(
    told(out, /disk: its drive is no longer mounted there; mount it again; the other drives go on/),
    1,
  );
  assert.equal(readdirSync(image), [], 'the empty place stays empty');
  await sleep(200);
  execFileSync('mount', ['-o', 'loop', `${image}.image`, image]);
  assert.is(packets([image, plain]), 80000);
  verified([image, plain]);
  spawnSync('umount', [image]);
});

test('a directory removed or renamed under our hands: made again, told, packets in it named', async () => {
  const base = scratch();
  const dirs = ['a', 'b'].map((name) => join(base, name));
  const probe = start([...synth('pps=20000,count=100000'), '--store', dirs.join(',')], { binary: FAST });
  await until(() => (probe.last()?.stored ?? 0) > 10000, 'packets');
  rmSync(dirs[0]!, { recursive: true });
  await sleep(1500);
  const moved = join(base, 'moved');
  renameSync(dirs[1]!, moved);
  const out = await probe.end;
  const final = finalOf(out);
  assert.equal([out.code, final.stored, final.store_drops], [0, 100000, 0], out.messages.join('\n'));
  const gone = out.messages
    .map((line) => /\/a\/.*under its name, with (\d+) packets/.exec(line)?.[1])
    .filter(Boolean);
  assert.is(gone.length, 1, out.messages.join('\n'));
  assert.is(packets([...dirs, moved]) + Number(gone[0]), 100000);
  verified([...dirs, moved]);
});

test.after.each(endAll);
test.run();
