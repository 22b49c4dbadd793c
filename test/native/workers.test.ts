/**
 * Several workers on one queue: the model of reserve, copy and commit; the same code under ThreadSanitizer; and
 * runs whose packets must be the same, in the same order, as those of one worker. Each proof must also fail on
 * purpose. RINGTAP_KILLS=200 is the long form of the kill test.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ASAN,
  build,
  endAll,
  FAST,
  have,
  imbalance,
  read,
  run,
  scratch,
  sleep,
  start,
  until,
} from './help.js';
import { blocksOf, epbsOf } from './segments.js';

build('all', 'asan', 'tsan');
const TSAN = 'build/native/tsan/ringtapd';
const synth = (spec: string) => ['--ring=synth', '--synth', spec];
const SMALL = ['--block-size', '64K', '-s', '2000'];

// --- the model ---

const work = mkdtempSync(join(tmpdir(), 'ringtap-places-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

/** Errors the exhaustive search of the model found, and how many states it took. */
function verify(defines: string[]): { errors: number; states: number } {
  execFileSync('spin', [...defines, '-a', resolve('test/native/places.pml')], { cwd: work, stdio: 'pipe' });
  execFileSync('gcc', ['-O2', '-w', '-DSAFETY', '-DCOLLAPSE', '-o', 'pan', 'pan.c'], { cwd: work });
  const { stdout } = spawnSync(join(work, 'pan'), ['-m200000'], { cwd: work, encoding: 'utf8' });
  assert.not.match(stdout, /max search depth too small|aborting|out of memory/, 'not exhaustive');
  return {
    errors: Number(/errors: (\d+)/.exec(stdout)?.[1] ?? Number.NaN),
    states: Number(/(\d+) states, stored/.exec(stdout)?.[1] ?? Number.NaN),
  };
}

if (have('spin')) {
  for (const workers of [2, 3])
    test(`the model holds in every interleaving of ${workers} workers and the writer`, () => {
      const { errors, states } = verify([`-DWORKERS=${workers}`]);
      assert.is(errors, 0);
      assert.ok(states > 50_000, `only ${states} states: the model lost its interleavings`);
    });
  // The first is the original's defect: what was reserved was published before it was copied.
  for (const mutant of ['RESERVED', 'COMMIT', 'OVERTAKE', 'OWN', 'FIRST_ENDS'])
    test(`the model catches the mutant ${mutant}`, () => {
      assert.ok(verify([`-DMUTANT_${mutant}`]).errors > 0);
    });
} else process.stdout.write('SKIP the model of the workers: spin is not installed\n');

// --- ThreadSanitizer ---

const RACES = /ThreadSanitizer: data race/;
const tsanArgs = (out: string) => [
  ...[...synth('seed=5,pps=0,size=mix,count=30000,clock=fixed'), ...SMALL],
  ...['--pool-blocks', '4', '--workers', '4', '-w', out],
];

test('ThreadSanitizer finds nothing: four workers, few small blocks, random pauses', () => {
  const out = join(scratch(), 'x.pcapng');
  for (const args of [tsanArgs(out), ['-r', out, ...SMALL, '--workers', '3', '-w', `${out}2`]]) {
    const { status, stderr } = spawnSync(TSAN, args, { encoding: 'utf8', timeout: 60_000 });
    assert.is(status, 0, stderr);
    assert.not.match(stderr, RACES);
  }
  assert.is(epbsOf(read(`${out}2`)).packets, 30_000);
  assert.is(epbsOf(read(`${out}2`)).digest, epbsOf(read(out)).digest);
});

/** The same binary with an edited capture.c. */
function mutant(from: string, to: string): string {
  const text = readFileSync('native/src/capture.c', 'utf8');
  assert.ok(text.includes(from), 'the mutant has something to change');
  const dir = scratch();
  writeFileSync(join(dir, 'capture.c'), text.replace(from, to));
  const flags = [
    '-std=c11',
    '-D_GNU_SOURCE',
    '-O1',
    '-g',
    '-fsanitize=thread',
    '-DRINGTAP_JITTER',
    '-pthread',
  ];
  const include = ['-Inative/src', '-Iproto/gen', '-Ikmod/uapi', '-Ibuild/native/gen'];
  execFileSync('gcc', [...flags, ...include, '-c', '-o', join(dir, 'capture.o'), join(dir, 'capture.c')]);
  const objects = spawnSync('sh', ['-c', 'ls build/native/tsan/obj/*.o | grep -v /capture.o'], {
    encoding: 'utf8',
  });
  const libs = execFileSync('make', ['-s', '-C', 'native', 'libs'], { encoding: 'utf8' }).trim().split(/\s+/);
  const binary = join(dir, 'ringtapd');
  const inputs = [join(dir, 'capture.o'), ...objects.stdout.trim().split('\n')];
  execFileSync('gcc', ['-fsanitize=thread', '-o', binary, ...inputs, ...libs]);
  return binary;
}

for (const [what, from, to] of [
  ['blocks passed on before they are copied', ' && block_committed(&c->pool->blocks[index])', ''],
  [
    'packets given back before they are copied',
    'places_fill(&w->places);\n  if (!w->ticket) return;\n  jitter();\n  c->source->ops->release(c->source, w->ticket);',
    'if (w->ticket) c->source->ops->release(c->source, w->ticket);\n  jitter();\n  places_fill(&w->places);',
  ],
] as const)
  test(`ThreadSanitizer catches ${what}`, () => {
    const out = join(scratch(), 'x.pcapng');
    const env = { ...process.env, TSAN_OPTIONS: 'halt_on_error=1' };
    const { stderr } = spawnSync(mutant(from, to), tsanArgs(out), {
      encoding: 'utf8',
      timeout: 60_000,
      killSignal: 'SIGKILL',
      env,
    });
    assert.match(stderr, RACES);
  });

// --- the same packets in the same order ---

test('two and four workers write what one writes, from synth and from a file', () => {
  const dir = scratch();
  const digests = new Map<string, string>();
  for (const binary of [ASAN, FAST])
    for (const workers of [1, 2, 4]) {
      const made = join(dir, `made${workers}`);
      const spec = synth('seed=9,pps=0,size=60-1514,count=20000,clock=fixed');
      for (const [name, args] of [
        ['synth', [...spec, '-w', made]],
        ['file', ['-r', made, '-w', join(dir, 'copy')]],
      ] as const) {
        const { code, ledgers } = run([...args, ...SMALL, '--workers', `${workers}`], { binary });
        assert.equal([code, imbalance(ledgers.at(-1)!)], [0, '']);
        const { packets, digest } = epbsOf(read(args.at(-1)!));
        assert.is(packets, 20_000);
        digests.set(digest, `${name} ${workers}`);
      }
      assert.is(blocksOf(read(made)).error, null);
    }
  assert.is(digests.size, 1, [...digests.values()].join(', '));
});

test('with filter, count limit and uplink-less tap of nothing: the same as one worker, accounts exact', () => {
  const dir = scratch();
  const outcomes = [1, 3].map((workers) => {
    const out = join(dir, `f${workers}`);
    const args = [...synth('seed=4,pps=0,size=mix,count=30000,clock=fixed'), ...SMALL, '-c', '5000'];
    const { code, ledgers } = run([...args, '--workers', `${workers}`, '-w', out, 'udp']);
    const final = ledgers.at(-1)!;
    assert.equal([code, imbalance(final), final.stored], [0, '', 5000]);
    return epbsOf(read(out)).digest;
  });
  assert.is(outcomes[0], outcomes[1]);
});

test('a drive that is too slow: drops are counted, blocks stay whole and in order', async () => {
  const fifo = join(scratch(), 'fifo');
  const slow = spawnSync(
    'sh',
    [
      '-c',
      `mkfifo "$1"; (while head -c 65536; do sleep 0.002; done <"$1" >"$1.out") & reader=$!
       "$0" --ring=synth --synth pps=300000,size=1000,count=60000,clock=fixed --workers 4 --pool-blocks 4 \
       --block-size 64K -s 2000 -w "$1" 2>"$1.log"; kill $reader 2>/dev/null; true`,
    ].concat([FAST, fifo]),
    { encoding: 'utf8', timeout: 60_000 },
  );
  assert.is(slow.status, 0, slow.stderr);
  const final = JSON.parse(readFileSync(`${fifo}.log`, 'utf8').trim().split('\n').at(-1)!);
  assert.is(imbalance(final), '');
  assert.ok(final.pool_drops > 0, 'it was too slow');
  const { error, stepBacks } = blocksOf(read(`${fifo}.out`), { cutTail: true });
  assert.equal([error, stepBacks], [null, 0]);
});

test('stop and rotation under load, with four workers: every packet is in a segment, in order', async () => {
  const dir = scratch();
  const args = [...synth('pps=100000,size=mix'), '--store', dir, '-C', '1', ...SMALL, '--workers', '4'];
  const probe = start([...args, '--stats-interval', '0.1'], { binary: FAST });
  await until(() => (probe.last()?.segments ?? 0) > 4, 'segments');
  probe.child.kill('SIGHUP');
  await sleep(200);
  probe.child.kill('SIGTERM');
  const { code, ledgers } = await probe.end;
  const final = ledgers.at(-1)!;
  assert.equal([code, imbalance(final), final.store_drops], [0, '', 0]);
  const ordered = spawnSync('node', ['build/server/cli/main.js', 'verify', '--order', '--json', dir], {
    encoding: 'utf8',
  });
  assert.is(ordered.status, 0, ordered.stdout);
  const packets = ordered.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line).packets ?? 0) as number);
  assert.is(
    packets.reduce((sum, n) => sum + n, 0),
    final.stored,
  );
});

test('workers a source has no use for are declined in one line; nonsense is refused', () => {
  const cases: [args: string[], says: RegExp][] = [
    [['--workers', '0'], /--workers: use 1 to 64/],
    [['--workers', '65'], /--workers: use 1 to 64/],
    [['--fanout', '2'], /--fanout: --ring=synth has one queue/],
    [['--cpus', '1-'], /--cpus: "1-" is no list/],
    [['--cpus', ''], /--cpus: needs a value/],
    [['--cpus', '4000'], /--cpus: CPU 4000 is not there/],
  ];
  for (const [args, says] of cases) {
    const { code, messages } = run(['--ring=synth', '-w', '/dev/null', ...args]);
    assert.is(code, 2, args.join(' '));
    assert.match(messages.join('|'), says);
  }
});

test('--cpus: workers, writer and others run where the list says', async () => {
  const probe = start([...synth('pps=1000'), '-w', '/dev/null', '--workers', '2', '--cpus', '0'], {
    binary: FAST,
  });
  await until(() => probe.last(), 'a ledger line');
  const tasks = `/proc/${probe.child.pid}/task`;
  const lists = execFileSync('sh', ['-c', `grep -h Cpus_allowed_list ${tasks}/*/status`], {
    encoding: 'utf8',
  });
  assert.ok(lists.trim().split('\n').length >= 4);
  for (const line of lists.trim().split('\n')) assert.match(line, /\t0$/);
  probe.child.kill('SIGINT');
  assert.is((await probe.end).code, 0);
});

// --- sudden death ---

const KILLS = Number(process.env.RINGTAP_KILLS ?? 20);
test(`kill -9 at ${KILLS} random moments: no completed block is lost, no packet between blocks is missing`, async () => {
  const seed = Number(process.env.RINGTAP_SEED ?? Date.now() % 1_000_000);
  console.log(`seed ${seed} (RINGTAP_SEED)`);
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
  for (let round = 0; round < KILLS; round++) {
    const path = join(scratch(), 'x.pcapng');
    const args = [
      ...synth('pps=200000,size=200,clock=fixed'),
      '-w',
      path,
      ...SMALL,
      '--flush-interval',
      '0.02',
    ];
    const workers = `${1 + Math.floor(random() * 4)}`;
    const probe = start([...args, '--workers', workers, '--stats-interval', '0.1'], { binary: FAST });
    await until(() => probe.last()?.stored, 'stored packets');
    await sleep(random() * 300);
    probe.child.kill('SIGKILL');
    await probe.end;
    const stored = probe.last()!.stored;
    const { error, packets, stamps, starts } = blocksOf(read(path), { cutTail: true });
    assert.is(error, null, `round ${round}`);
    assert.ok(packets >= stored, `round ${round}: ${packets} in the file, ${stored} stored`);
    // Packets come every 5 us. What is missing is what the next block says found no place.
    const dropped = new Map(starts.map(({ at, poolDrops }) => [at, poolDrops]));
    for (let i = 1; i < stamps.length; i++) {
      const missing = BigInt(dropped.get(i) ?? 0);
      assert.is(stamps[i]! - stamps[i - 1]!, 5000n * (missing + 1n), `round ${round}: packet ${i}`);
    }
  }
});

test.after.each(endAll);
test.run();
