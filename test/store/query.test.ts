/** Queries of recorded stores find what tcpdump finds, with and without indexes, in order, page by page. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { explainFilter, FilterError } from '../../asm/host/index.js';
import { openStore } from '../../server/store/open.js';
import { CursorError } from '../../server/store/plan.js';
import type { PacketHit } from '../../server/store/types.js';
import { FAST, generate, liveObstacle, makeNetns, start, until as untilNow } from '../native/help.js';
import { ringtap } from '../server/helpers.js';
import { ask, askOnce, everything, index, packet4, pcapngKeys, record, scratch, segments, sliceBytes, tcpdumpKeys, until, writer } from './help.js'; // biome-ignore format: one list

const SPEC = 'seed=7,size=mix,flows=3000,count=30000,pps=0';
const FILTERS = [
  '',
  'host 10.2.0.7',
  'src host 10.1.0.3 and tcp',
  'tcp port 5001',
  'udp and not port 9',
  'net 10.1.0.0/24',
  'net 10.2.0.0/16 and icmp',
  'host 10.1.0.4 and host 10.2.0.90',
  'host 10.9.9.9',
  'arp',
  'ip6',
  'ip6 and tcp port 7',
  'vlan',
  'vlan and host 10.2.0.7',
  'vlan 11 and udp',
  'not ip',
  'greater 1000',
  'tcp[tcpflags] & tcp-syn != 0',
  'ether[0] & 1 = 1',
  'port 40594 or port 33367',
  'ip proto 1',
  'ether proto 0x88cc',
];

const recorded = scratch();
record(recorded, SPEC, ['-C', '4', '--block-size=262144']);

test('the same packets as tcpdump, in its order, with and without indexes', async () => {
  await index(recorded);
  const files = segments(recorded);
  assert.ok(files.length > 2, `${files.length} segments`);
  const indexed = await openStore([recorded], { threads: 2 });
  const plain = await openStore([recorded], { threads: 2, useIndexes: false });
  let pruned = 0;
  for (const filter of FILTERS) {
    const expected = tcpdumpKeys(files, filter);
    const answer = await ask(indexed, everything(filter));
    assert.equal(answer.keys, expected, filter);
    assert.equal((await ask(plain, everything(filter))).keys, expected, `${filter} without indexes`);
    assert.equal(pcapngKeys(await sliceBytes(indexed, everything(filter))), expected, `slice ${filter}`);
    assert.equal(answer.coverage.missing, []);
    assert.is(answer.coverage.stopped, null);
    pruned += answer.coverage.blocksPruned;
  }
  assert.ok(pruned > 0, 'no index ruled out anything');
  const absent = await ask(indexed, everything('host 10.9.9.9'));
  assert.is(absent.coverage.blocksScanned, 0);
  await Promise.all([indexed.close(), plain.close()]);
});

test('times bound the answer to the nanosecond, and rule out blocks', async () => {
  const store = await openStore([recorded], { threads: 2 });
  const all = await ask(store, everything());
  const [from, to] = [all.hits[10_000]!.tsNs, all.hits[15_000]!.tsNs];
  const answer = await ask(store, { range: { fromNs: from, toNs: to }, filter: '' });
  const expected = all.hits.filter(({ tsNs }) => tsNs >= from && tsNs < to).map(({ id }) => id);
  assert.equal(
    answer.hits.map(({ id }) => id),
    expected,
  );
  assert.ok(answer.coverage.blocksPruned > 0);
  assert.is(answer.coverage.range.fromNs, from);
  assert.is(answer.coverage.range.toNs, to);
  const nothing = await ask(store, { range: { fromNs: 0n, toNs: 1n }, filter: '' });
  assert.equal(
    [nothing.hits.length, nothing.coverage.range, nothing.coverage.bytesScanned],
    [0, { fromNs: null, toNs: null }, 0],
  );
  await store.close();
});

test('pages by cursor are the whole, also when threads differ', async () => {
  const whole = (await askOnce([recorded], everything('udp'))).hits.map(({ id }) => id);
  const paged: string[] = [];
  for (let after: string | undefined; ; ) {
    const store = await openStore([recorded], { threads: 1 + (paged.length % 3) });
    const { hits, coverage } = await ask(store, everything('udp'), {
      limit: 977,
      ...(after ? { after } : {}),
    });
    await store.close();
    paged.push(...hits.map(({ id }) => id));
    if (coverage.stopped === null) break;
    assert.is(coverage.stopped, 'limit');
    after = hits.at(-1)!.id;
  }
  assert.equal(paged, whole);
});

test('one packet by id; ids that name none are refused', async () => {
  const store = await openStore([recorded], { threads: 1 });
  const { hits } = await ask(store, everything('arp'), { limit: 3 });
  for (const hit of hits) {
    const found = (await store.packet(hit.id)) as PacketHit;
    assert.is(Buffer.compare(found.bytes, hit.bytes), 0);
    assert.equal({ ...found, bytes: 0 }, { ...hit, bytes: 0 });
  }
  const [stem, offset] = hits[0]!.id.split(':') as [string, string];
  for (const wrong of [`${stem}:${Number(offset) + 4}`, `${stem}:99999999999`, 'nonsense'])
    await store.packet(wrong).then(
      () => assert.unreachable(wrong),
      (error) => assert.instance(error, CursorError),
    );
  assert.is(((await store.packet('ringtap-gone-1:5')) as { reason: string }).reason, 'missing');
  const bad = ask(store, everything(), { after: 'ringtap-gone-1:5' });
  await bad.then(
    () => assert.unreachable(),
    (error) => assert.instance(error, CursorError),
  );
  await ask(store, everything('host')).then(
    () => assert.unreachable(),
    (error) => assert.instance(error, FilterError),
  );
  await store.close();
});

test('an answer without bytes has everything else', async () => {
  const store = await openStore([recorded], { threads: 2 });
  const [short, long] = [
    await ask(store, everything('icmp'), { withoutBytes: true }),
    await ask(store, everything('icmp')),
  ];
  assert.equal(
    short.hits.map(({ id, tsNs, wirelen }) => [id, tsNs, wirelen]),
    long.hits.map(({ id, tsNs, wirelen }) => [id, tsNs, wirelen]),
  );
  assert.ok(long.hits.length > 0 && short.hits.every(({ bytes }) => bytes.length === 0));
  await store.close();
});

test('cancelled and timed-out queries say so', async () => {
  const store = await openStore([recorded], { threads: 1 });
  const aborter = new AbortController();
  aborter.abort();
  assert.is((await ask(store, everything(), { signal: aborter.signal })).coverage.stopped, 'cancelled');
  const late = AbortSignal.timeout(1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.is((await ask(store, everything(), { signal: late })).coverage.stopped, 'timeout');
  await store.close();
});

test('a damaged block is skipped and stated, the others answer', async () => {
  const directory = scratch();
  const out = writer(directory, { segmentBytes: 1 << 30 });
  for (let i = 0; i < 3000; i++) out.add(0, BigInt(1_000_000 + i), 54, packet4(i, 2, 17, [i, 53]));
  const [file] = out.commit() as [string];
  await index(directory);
  const whole = (await askOnce([directory], everything())).keys;
  const bytes = readFileSync(file);
  bytes.fill(0xee, 2 * 65536 + 9000, 2 * 65536 + 9400);
  writeFileSync(file, bytes);
  for (const useIndexes of [true, false]) {
    const { keys, coverage } = await askOnce([directory], everything('udp'), { useIndexes });
    assert.ok(
      keys.length < whole.length && keys.length > whole.length - 2 * 750,
      `${keys.length} of ${whole.length}`,
    );
    assert.ok(keys.every((key) => whole.includes(key)));
    assert.is(coverage.missing[0]?.reason, 'damaged');
    assert.match(coverage.missing[0]!.message, /bytes at offset \d+ are damaged/);
  }
  // The header of a block itself: the chain goes on at the next one.
  bytes.fill(0, 65536 + 4096, 65536 + 4096 + 64);
  writeFileSync(file, bytes);
  rmSync(file.replace('.pcapng', '.rtidx'));
  const { keys, coverage } = await askOnce([directory], everything());
  assert.ok(keys.length > 0 && keys.length < whole.length);
  assert.ok(coverage.missing.length >= 2, 'both damages');
  // Nothing of it is a segment any more.
  writeFileSync(file, Buffer.alloc(5000, 7));
  const none = await askOnce([directory], everything());
  assert.equal([none.keys.length, none.coverage.missing.length], [0, 1]);
  assert.match(none.coverage.missing[0]!.message, /no pcapng file/);
});

test('a segment deleted during a query is a stated gap', async () => {
  const directory = scratch();
  record(directory, 'seed=3,size=1400,flows=50,count=40000,pps=0', ['-C', '9']);
  const files = segments(directory);
  const whole = (await askOnce([directory], everything())).hits;
  for (const expired of [true, false]) {
    const store = await openStore([directory], { threads: 1 });
    const answer = store.scan(everything());
    const got: PacketHit[] = [];
    got.push(...((await answer.next()).value as PacketHit[]));
    const victim = files.at(-2) as string;
    const stem = basename(victim, '.pcapng');
    const line = { stem, first_ts_ns: '1', last_ts_ns: '2', packets: 5, bytes: 1, reason: 'bytes' };
    if (expired) appendFileSync(join(directory, 'expired.jsonl'), `${JSON.stringify(line)}\n`);
    renameSync(victim, `${victim}.away`);
    for (;;) {
      const { value, done } = await answer.next();
      if (!done) {
        got.push(...value);
        continue;
      }
      const [gap] = value.missing;
      assert.equal(
        [value.missing.length, gap?.reason, gap?.segment],
        [1, expired ? 'expired' : 'missing', stem],
      );
      assert.is(got.length + gap!.packets!, whole.length);
      break;
    }
    // Asked again: still stated, by the log or by memory.
    const again = await ask(store, everything());
    assert.is(again.coverage.missing[0]?.reason, expired ? 'expired' : 'missing');
    await store.close();
    renameSync(`${victim}.away`, victim);
    rmSync(join(directory, 'expired.jsonl'), { force: true });
  }
});

test('two stripes are merged by sequence', async () => {
  const [a, b] = [scratch(), scratch()];
  const runId = '00112233445566778899aabbccddeeff';
  const stripes = [a, b].map((directory, stripe) =>
    writer(directory, { runId, stripe, stripes: 2, segmentBytes: 200_000 }),
  );
  for (let block = 0; block < 20; block++) {
    const out = stripes[block % 2]!;
    for (let i = 0; i < 300; i++)
      out.add(0, BigInt(1e6 + block * 1000 + i), 54, packet4(block, i, 6, [i, 80]));
    out.endBlock();
  }
  for (const out of stripes) out.commit();
  await index(a); // the other one is scanned
  const { hits } = await askOnce([a, b], everything('tcp port 80'));
  assert.equal(
    hits.map(({ tsNs }) => Number(tsNs)),
    Array.from({ length: 6000 }, (_, i) => 1e6 + Math.floor(i / 300) * 1000 + (i % 300)),
  );
  const one = await askOnce([a, b], everything('src host 0.0.0.7'));
  assert.is(one.hits.length, 300);
});

test('a store striped by the probe answers as one', async () => {
  const [a, b] = [scratch(), scratch()];
  try {
    record(`${a},${b}`, 'seed=5,size=mix,flows=300,count=40000,pps=0', ['--block-size=262144']);
  } catch {
    console.log('SKIP striping: this ringtapd takes one directory only');
    return;
  }
  if (segments(b).length === 0) return console.log('SKIP striping: this ringtapd takes one directory only');
  await Promise.all([index(a), index(b)]);
  for (const filter of ['', 'tcp', 'host 10.2.0.7']) {
    const { keys } = await askOnce([a, b], everything(filter));
    assert.equal([...keys].sort(), tcpdumpKeys([...segments(a), ...segments(b)], filter).sort(), filter);
  }
  const { hits } = await askOnce([a, b], everything());
  assert.is(hits.length, 40000);
  assert.ok(
    hits.every(({ tsNs }, i) => i === 0 || tsNs >= hits[i - 1]!.tsNs),
    'in order of time, as recorded',
  );
});

test('the unsealed tail answers while the probe writes', async () => {
  const directory = scratch();
  const args = [
    '--ring=synth',
    '--synth',
    'seed=1,pps=20000,size=mix,flows=100',
    '--store',
    directory,
    '--stats',
    '/dev/null',
  ];
  const probe = start(args, { binary: FAST });
  const store = await openStore([directory], { threads: 2 });
  store.startIndexing({ nice: 0 });
  try {
    let before = 0;
    for (let look = 0; look < 3; look++) {
      const more = async () => {
        const { hits } = await ask(store, everything());
        return hits.length >= before + 10_000 && hits.length;
      };
      before = (await until(more, `more than ${before} packets`)) || 0;
      const [segment] = await store.segments();
      assert.is(segment?.sealed, false);
    }
  } finally {
    probe.child.kill('SIGINT');
    await probe.end;
    await store.close();
  }
  assert.equal((await askOnce([directory], everything('udp'))).keys, tcpdumpKeys(segments(directory), 'udp'));
});

test('traffic of a real interface', async () => {
  const obstacle = liveObstacle();
  if (obstacle) return console.log(`SKIP veth: ${obstacle}`);
  const directory = scratch();
  const netns = makeNetns('q');
  const probe = start(['-i', 'vb', '--store', directory, '--stats-interval=0.2'], { binary: FAST, netns });
  await untilNow(() => probe.last(), 'the first ledger');
  await generate(netns, 4000, 20000, 200);
  await generate(netns, 500, 5000, 400, 12);
  await untilNow(() => (probe.last()?.stored ?? 0) >= 4500, '4500 packets');
  probe.child.kill('SIGINT');
  await probe.end;
  await index(directory);
  for (const filter of ['', 'udp', 'vlan 12', 'not vlan', 'greater 300', 'host 1.2.3.4'])
    assert.equal(
      (await askOnce([directory], everything(filter))).keys,
      tcpdumpKeys(segments(directory), filter),
      filter,
    );
});

test('twenty queries at once finish, and a cheap one does not wait for the dear ones', async () => {
  const store = await openStore([recorded], { threads: 2 });
  const cheapest = await ask(store, everything('host 10.1.0.4 and host 10.2.0.90'));
  const done: string[] = [];
  const dear = Array.from({ length: 20 }, (_, i) => ask(store, everything(`len > ${i}`)).then(({ hits }) => {
    done.push('dear');
    return hits.length;
  })); // biome-ignore format: one chain
  const cheap = ask(store, everything('host 10.1.0.4 and host 10.2.0.90')).then(({ keys }) => {
    done.push('cheap');
    return keys;
  });
  assert.equal(await cheap, cheapest.keys);
  assert.equal(new Set(await Promise.all(dear)), new Set([30_000]));
  assert.ok(done.indexOf('cheap') < 10, `the cheap one came ${done.indexOf('cheap') + 1}th of 21`);
  await store.close();
});

test('ringtap query lists, writes and explains; ringtap slice finds the same', async () => {
  const out = join(scratch(), 'out.pcapng');
  const files = segments(recorded);
  const listed = await ringtap(['query', '--store', recorded, '-f', 'icmp', '--json', '--limit', '50']);
  const lines = listed.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal([listed.code, lines.length, lines[49].number], [0, 50, 50]);
  assert.match(listed.stderr, /stopped early: limit/);
  const next = await ringtap([
    'query',
    '--store',
    recorded,
    '-f',
    'icmp',
    '--json',
    '--limit',
    '1',
    '--after',
    lines[48].id,
  ]);
  assert.is(JSON.parse(next.stdout).id, lines[49].id);
  const written = await ringtap(['query', '--store', recorded, '-f', 'udp port 9', '-w', out]);
  assert.is(written.code, 0, written.stderr);
  assert.equal(pcapngKeys(readFileSync(out)), tcpdumpKeys(files, 'udp port 9'));
  assert.equal(tcpdumpKeys([out], ''), tcpdumpKeys(files, 'udp port 9'));
  const sliced = `${out}.sliced`;
  await ringtap(['slice', '-f', 'udp port 9', ...files, '-w', sliced]);
  assert.equal(pcapngKeys(readFileSync(sliced)), pcapngKeys(readFileSync(out)));
  const comments = readFileSync(out, 'latin1');
  for (const text of ['filter: udp port 9', 'from: (the first)', 'coverage: ', 'recorder losses: ring 0'])
    assert.ok(comments.includes(text), text);
  const tshark = spawnSync(
    'tshark',
    ['-n', '-r', out, '-Y', 'udp.port == 9', '-T', 'fields', '-e', 'frame.number'],
    { encoding: 'utf8' },
  );
  assert.is(tshark.stdout.trim().split('\n').length, tcpdumpKeys(files, 'udp port 9').length);
  const empty = await ringtap([
    'query',
    '--store',
    recorded,
    '--from',
    '2001-01-01',
    '--to',
    '2001-01-02',
    '-w',
    out,
  ]);
  assert.is(empty.code, 0);
  assert.match(empty.stderr, /nothing recorded there/);
  assert.equal(tcpdumpKeys([out], ''), []);
  const explained = JSON.parse((await ringtap(['query', '--explain', '-f', 'host 1.2.3.4'])).stdout);
  assert.is(explained.words, explainFilter('host 1.2.3.4', 1).words);
  for (const wrong of [
    ['query'],
    ['query', '--store', recorded, '-f', 'hots'],
    ['query', '--store', recorded, '--from', 'x'],
    ['query', '--store', recorded, '--from', '-1m', '--to', '-2m'],
  ])
    assert.is((await ringtap(wrong)).code, 2, wrong.join(' '));
  assert.is((await ringtap(['query', '--store', join(recorded, 'none')])).code, 1);
  assert.ok(statSync(out).size > 0);
});

test.run();
