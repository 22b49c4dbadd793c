/**
 * Queries of a store of a million flows: a rare host and a common filter against tcpdump reading the same files,
 * first row, index size and build rate, twenty queries at once, and recording meanwhile. The store is made by the
 * probe's synth source once and kept under build/bench: 10 GB, or 1 GB with --quick.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { interfaceBlock, packetBytes, putPacket, sectionBlock } from '../server/formats/pcapng-writer.js';
import { type LocalStore, openStore } from '../server/store/open.js';
import type { PacketQuery } from '../server/store/types.js';
import { ringtap } from './files.js';
import { type Benchmark, type Contestant, compare, median, type Row, race, type Timing } from './harness.js';

const RARE = '192.0.2.77';
/** Synth makes no port 443: a port that a sixth of its packets have takes its place. */
const COMMON = 'tcp port 5001';
const PACKETS = { full: 55_000_000, quick: 5_500_000 };
const STENOGRAPHER =
  'its store is filled by live capture only and read through its own daemon with client certificates: not set up by this benchmark';

const files = (store: string) => readdirSync(store).filter((name) => name.endsWith('.pcapng')).sort().map((name) => join(store, name)); // biome-ignore format: one chain
const bytesOf = (paths: string[]) => paths.reduce((sum, path) => sum + statSync(path).size, 0);

function probe(args: string[]): void {
  const { status, stderr } = spawnSync('build/native/ringtapd', ['--stats', '/dev/null', ...args], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`ringtapd: ${stderr}`);
}

/** A hundred packets of a host that has no others. */
function rareCapture(file: string): void {
  const packet = Buffer.alloc(64);
  packet.writeUInt16BE(0x0800, 12);
  packet[14] = 0x45;
  packet[23] = 17;
  packet.set([...RARE.split('.').map(Number), 10, 2, 0, 1], 26);
  const block = Buffer.alloc(packetBytes(packet.length));
  const blocks = Array.from({ length: 100 }, (_, i) => {
    putPacket(block, 0, 0, BigInt(Date.now()) * 1_000_000n + BigInt(i), packet.length, packet);
    return Buffer.from(block);
  });
  writeFileSync(file, Buffer.concat([sectionBlock('bench', []), interfaceBlock(1, 0, []), ...blocks]));
}

/** Half of the store, the rare host among other packets, the other half. */
function makeStore(quick: boolean): string {
  const store = join('build', 'bench', `query-store-${quick ? 'quick' : 'full'}`);
  if (existsSync(store)) return store;
  const part = `${store}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  const half = (quick ? PACKETS.quick : PACKETS.full) / 2;
  process.stderr.write(`bench: writing ${store}\n`);
  const synth = (seed: number) => ['--ring=synth', '--synth', `seed=${seed},size=mix,flows=1000000,count=${half},pps=0`, '--store', part, '-C', '1000']; // biome-ignore format: one list
  probe(synth(1));
  const rare = join('build', 'bench', 'rare.pcapng');
  rareCapture(rare);
  const imported = spawnSync(process.execPath, ['build/server/cli/main.js', 'import', '--store', part, rare]);
  if (imported.status !== 0) throw new Error(`import: ${imported.stderr}`);
  probe(synth(2));
  renameSync(part, store);
  return store;
}

const row = (label: string, metric: string, unit: string, ours: number, budget: number, better: Row['better'], peerName = 'budget'): Row => ({ case: label, metric, unit, ours, peerName, peer: budget, ratio: ours / budget, better }); // biome-ignore format: one record

/** All indexes made anew, by one thread without pauses. */
async function indexing(store: string): Promise<Row[]> {
  for (const file of files(store)) rmSync(file.replace('.pcapng', '.rtidx'), { force: true });
  await new Promise((resolve) => setTimeout(resolve, 2_500)); // the newest segment counts as being written until then
  const opened = await openStore([store]);
  const { bytes, milliseconds } = await opened.indexAll({ nice: 0 });
  await opened.close();
  const share = (bytesOf(files(store).map((file) => file.replace('.pcapng', '.rtidx'))) / bytes) * 100;
  return [
    row('index', 'build', 'GB/s', bytes / 1e6 / milliseconds, 1, 'higher'),
    row('index', 'share of the capture', '%', share, 1, 'lower'),
  ];
}

function tcpdump(store: string, filter: string): Contestant {
  const each = files(store).map((file) => `tcpdump -n -r '${file}' -w /dev/null '${filter}' 2>/dev/null`);
  return { name: 'tcpdump', command: 'sh', args: ['-ec', each.join('\n')] };
}

const query = (name: string, store: string, filter: string, threads: number): Contestant =>
  ringtap(name, ['query', '--store', store, '--threads', `${threads}`, '-f', filter, '-w', '/dev/null']);

async function against(store: string, rounds: number): Promise<Row[]> {
  const bytes = bytesOf(files(store));
  const metric = { name: 'answer', unit: 'GB/s', better: 'higher', of: ({ seconds }: { seconds: number }) => bytes / seconds / 1e9 } as const; // biome-ignore format: one record
  const cpu = {
    ...metric,
    name: 'answer per CPU',
    of: ({ cpuSeconds }: { cpuSeconds: number }) => bytes / cpuSeconds / 1e9,
  };
  const rare = race([query('ringtap', store, `host ${RARE}`, 2), tcpdump(store, `host ${RARE}`)], rounds);
  const common = race(
    [
      query('ringtap, one thread', store, COMMON, 1),
      tcpdump(store, COMMON),
      query('ringtap, two threads', store, COMMON, 2),
    ],
    rounds,
  );
  const [one, peer, two] = [...common];
  if (!one || !peer || !two) throw new Error('the race lost a contestant');
  const rareRows = compare('rare host, command with its start', rare, metric);
  const open = await openRare(store, rare.get('tcpdump'), bytes, rounds);
  const steno: Row = {
    ...rareRows[0]!,
    peerName: 'stenographer',
    peer: null,
    ratio: null,
    reason: STENOGRAPHER,
  };
  return [
    ...rareRows,
    open,
    steno,
    ...compare('common filter', new Map([one, peer]), metric),
    ...compare('common filter', new Map([one, peer]), cpu),
    ...compare('common filter, two threads', new Map([two, one]), metric),
  ];
}

/** The same in a store that is open, as a gateway has it. */
async function openRare(
  store: string,
  tcpdump: Timing | Error | undefined,
  bytes: number,
  rounds: number,
): Promise<Row> {
  if (!tcpdump || tcpdump instanceof Error) throw tcpdump ?? new Error('tcpdump did not run');
  const opened = await openStore([store]);
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) times.push(await run1(opened, `host ${RARE}`));
  await opened.close();
  const seconds = median(times.slice(1)) / 1000;
  return row(
    'rare host, store open',
    'answer',
    'GB/s',
    bytes / seconds / 1e9,
    bytes / tcpdump.seconds / 1e9,
    'higher',
    'tcpdump',
  );
}

/** From asking to the first packets, in a store that is open, and of the command. */
async function firstRow(store: string, rounds: number): Promise<Row[]> {
  const opened = await openStore([store]);
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const started = performance.now();
    const answer = opened.scan(everything(COMMON));
    await answer.next();
    if (round > 0) times.push(performance.now() - started);
    await answer.return(undefined as never);
  }
  await opened.close();
  const ofCommand: number[] = [];
  for (let round = 0; round < rounds; round++) ofCommand.push(await commandFirstRow(store));
  return [
    row('first row', 'gateway', 'ms', median(times), 100, 'lower'),
    row('first row', 'command, start included', 'ms', median(ofCommand), 100, 'lower'),
  ];
}

function commandFirstRow(store: string): Promise<number> {
  const started = performance.now();
  const child = spawn(process.execPath, ['build/server/cli/main.js', 'query', '--store', store, '-f', COMMON, '--limit', '1'], { stdio: ['ignore', 'pipe', 'ignore'] }); // biome-ignore format: one call
  return new Promise((resolve) => {
    child.stdout.once('data', () => resolve(performance.now() - started));
    child.on('close', () => resolve(Number.NaN));
  });
}

const everything = (filter: string): PacketQuery => ({ range: { fromNs: null, toNs: null }, filter });

async function run1(store: LocalStore, filter: string): Promise<number> {
  const started = performance.now();
  const answer = store.batches(everything(filter));
  while (!(await answer.next()).done);
  return performance.now() - started;
}

/** Twenty dear queries at once: all end near each other, and a rare one among them does not wait for them. */
async function concurrent(store: string): Promise<Row[]> {
  const opened = await openStore([store]);
  const alone = await run1(opened, COMMON);
  const dear = Array.from({ length: 19 }, () => run1(opened, COMMON));
  const rare = run1(opened, `host ${RARE}`);
  const ends = await Promise.all(dear);
  const memory = process.memoryUsage().rss;
  const cheap = await rare;
  await opened.close();
  const last = Math.max(...ends);
  return [
    row(
      '20 queries at once',
      'last ÷ first to end',
      'times',
      last / Math.min(...ends),
      1,
      'lower',
      'perfect fairness',
    ),
    row(
      '20 queries at once',
      'time ÷ one after another',
      'times',
      last / (alone * 19),
      1,
      'lower',
      'one after another',
    ),
    row(
      '20 queries at once',
      'rare host among them ÷ the last',
      'times',
      cheap / last,
      1,
      'lower',
      'the last to end',
    ),
    row('20 queries at once', 'memory', 'MB', memory / 1e6, 1024, 'lower'),
  ];
}

/** Drops of a recording at 80 % of what the probe stores when nothing limits it, while queries run. */
async function recording(store: string, quick: boolean): Promise<Row[]> {
  const target = join('build', 'bench', 'query-recording');
  const seconds = quick ? 3 : 10;
  const record = async (
    pps: number,
    count: number,
    while_: () => Promise<unknown>,
  ): Promise<{ drops: number; seconds: number }> => {
    rmSync(target, { recursive: true, force: true });
    const started = performance.now();
    const child = spawn('build/native/ringtapd', ['--ring=synth', '--synth', `size=mix,flows=100000,count=${count},pps=${pps}`, '--store', target], { stdio: ['ignore', 'ignore', 'pipe'] }); // biome-ignore format: one call
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (data) => {
      text += data;
    });
    const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
    const work = while_();
    await ended;
    const elapsed = (performance.now() - started) / 1000;
    await work;
    const ledger = JSON.parse(
      text
        .trim()
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .at(-1) ?? '{}',
    );
    const lost = (ledger.ring_drops ?? 0) + ledger.pool_drops + ledger.store_drops + ledger.unaccounted;
    return { drops: lost + (count - ledger.stored), seconds: elapsed };
  };
  const count = quick ? 1_000_000 : 6_000_000;
  const free = await record(0, count, async () => {});
  const pps = Math.floor((count / free.seconds) * 0.8);
  const opened = await openStore([store], { nice: 10 });
  const until = performance.now() + seconds * 1000;
  const queries = async () => {
    while (performance.now() < until)
      await Promise.all([run1(opened, COMMON), run1(opened, 'udp'), run1(opened, `host ${RARE}`)]);
  };
  const { drops } = await record(pps, pps * seconds, queries);
  await opened.close();
  rmSync(target, { recursive: true, force: true });
  return [{ case: `recording ${pps} packets/s (80 %) meanwhile`, metric: 'packets lost', unit: 'packets', ours: drops, peerName: 'budget', peer: 0, ratio: null, better: 'lower', reason: 'a ratio to 0' }]; // biome-ignore format: one record
}

async function run({ quick }: { quick: boolean }): Promise<Row[]> {
  const store = makeStore(quick);
  const rounds = quick ? 3 : 5;
  return [
    ...(await indexing(store)),
    ...(await against(store, rounds)),
    ...(await firstRow(store, rounds)),
    ...(await concurrent(store)),
    ...(await recording(store, quick)),
  ];
}

export const queries: Benchmark = {
  name: 'query',
  about:
    'stored captures: rare host and common filter against tcpdump, index, first row, concurrency, recording meanwhile',
  run,
};
