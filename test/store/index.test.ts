/** Indexes never rule out what a filter would find, stay small, and are of no use when damaged or stale. */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openStore } from '../../server/store/open.js';
import { random } from '../server/helpers.js';
import { ask, everything, index, packet4, record, scratch, segments, writer } from './help.js';

const seed = Number(process.env.SEED ?? Date.now() % 1e6);
console.log(`seed ${seed}`);
const next = random(seed);
const below = (n: number) => Math.floor(next() * n);
const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;

const dotted = (address: number) => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
const v6 = (bytes: Buffer) =>
  Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(':');

/** Frames of all the shapes an index knows, and of some it does not; often cut, sometimes mere noise. */
function frame(clean: boolean): Buffer {
  const [a, b] = [0x0a000000 + below(1 << 20), 0x0a000000 + below(300)];
  const ports: [number, number] = [pick([53, 80, 443, 32768 + below(30000)]), below(65536)];
  let bytes = packet4(a, b, pick([6, 17, 132, 1, 47]), ports, pick([-1, -1, -1, 5, 4095]));
  switch (below(8)) {
    case 0:
      bytes[14] = 0x40 + below(16); // any header length
      break;
    case 1:
      bytes.writeUInt16BE(below(65536), 20); // fragments
      break;
    case 2:
      bytes = ipv6();
      break;
    case 3:
      bytes.writeUInt16BE(pick([0x0806, 0x8035, 0x8847, 0x8864, 0x88a8, 100, 0x88cc]), 12);
      break;
    case 4:
      if (!clean) for (let i = 12; i < bytes.length; i++) if (next() < 0.3) bytes[i] = below(256);
  }
  return !clean && next() < 0.2 ? bytes.subarray(0, below(bytes.length + 1)) : bytes;
}

function ipv6(): Buffer {
  const bytes = Buffer.alloc(14 + 40 + 12);
  bytes.writeUInt16BE(0x86dd, 12);
  bytes[14] = 0x60;
  bytes[20] = pick([6, 17, 44, 58, 0, 132]);
  for (const at of [22, 38]) {
    bytes.writeUInt32BE(0x20010db8, at);
    bytes.writeUInt16BE(below(3), at + 4);
    bytes.writeUInt32BE(below(50), at + 12);
  }
  for (let i = 54; i < bytes.length; i++) bytes[i] = pick([0, 6, 17, 53, below(256)]);
  return bytes;
}

/** A filter that some packet made of these bytes may pass. */
function filterFor(bytes: Buffer): string {
  if (bytes.length < 38) return pick(['ip', 'arp', 'tcp', 'vlan', 'ip6', 'not ip']);
  const tag = bytes.readUInt16BE(12) === 0x8100 ? 4 : 0;
  const six = bytes.readUInt16BE(12) === 0x86dd && bytes.length >= 60;
  const at = 14 + tag;
  const [a, b] = six
    ? [v6(bytes.subarray(22, 38)), v6(bytes.subarray(38, 54))]
    : [dotted(bytes.readUInt32BE(at + 12)), dotted(bytes.readUInt32BE(at + 16))];
  const transport = six ? 54 : at + (bytes[at]! & 15) * 4;
  const port =
    transport + 4 <= bytes.length
      ? [bytes.readUInt16BE(transport), bytes.readUInt16BE(transport + 2)]
      : [1, 2];
  const net = six
    ? pick([
        `${v6(Buffer.concat([bytes.subarray(22, 30), Buffer.alloc(8)]))}/64`,
        '2001:db8::/48',
        '2001:db8::/32',
      ])
    : pick([`${a.replace(/\d+$/, '0')}/24`, `${a.replace(/\d+\.\d+$/, '0.0')}/16`, '10.0.0.0/8', `${a}/32`]);
  const plain = pick([
    `host ${a}`,
    `src host ${a}`,
    `dst host ${b}`,
    `host ${a} and host ${b}`,
    `host ${a} and host ${b} and port ${port[0]} and port ${port[1]}`,
    `net ${net}`,
    `port ${port[0]}`,
    `tcp port ${port[1]} or udp port ${port[0]}`,
    `(tcp or sctp) and dst port ${port[1]}`,
    `host ${b} and not port 53`,
    `ip proto ${bytes[at + 9]}`,
    `ip6 proto ${bytes[20]}`,
    `ether proto ${bytes.readUInt16BE(12)}`,
    pick(['arp', 'rarp', 'icmp6', 'ip6', 'sctp port 80', 'stp', 'mpls', 'pppoes']),
  ]);
  return tag ? pick([`vlan and ${plain}`, plain, `not vlan or (${plain})`]) : plain;
}

test('whatever a filter finds by scanning it finds by index', async () => {
  const directory = scratch();
  // As of a striped run, where each block is an extent of its own: many that can be ruled out.
  const out = writer(directory, { segmentBytes: 1 << 30, blockBytes: 8192, stripes: 2 });
  out.setInterfaces([1, 101, 113, 276, 228, 229, 105].map((linktype) => ({ linktype, options: [] })));
  const frames: Buffer[] = [];
  for (let i = 0; i < 6000; i++) {
    if (i % 75 === 0) out.endBlock();
    const clean = Math.floor(i / 75) % 3 > 0; // noise makes its block a possible match of anything
    const bytes = frame(clean);
    frames.push(bytes);
    const ifindex = next() < 0.9 ? 0 : clean ? pick([2, 3]) : below(7);
    const cooked = Buffer.concat([Buffer.alloc(14), bytes.subarray(12)]);
    const sll2 = Buffer.concat([bytes.subarray(12, 14), Buffer.alloc(18), bytes.subarray(14)]);
    const shaped = [bytes, bytes.subarray(14), cooked, sll2, bytes.subarray(14), bytes.subarray(14), bytes][
      ifindex
    ]!;
    out.add(ifindex, BigInt(i), 100, shaped);
  }
  out.commit();
  await index(directory);
  const indexed = await openStore([directory], { threads: 1 });
  const plain = await openStore([directory], { threads: 1, useIndexes: false });
  let [ruledOut, found] = [0, 0];
  for (let round = 0; round < 250; round++) {
    const filter = filterFor(pick(frames));
    const [byIndex, byScan] = [await ask(indexed, everything(filter)), await ask(plain, everything(filter))];
    assert.equal(
      byIndex.hits.map(({ id }) => id),
      byScan.hits.map(({ id }) => id),
      `seed ${seed}: ${filter}`,
    );
    ruledOut += byIndex.coverage.blocksPruned;
    found += byScan.hits.length;
  }
  assert.ok(found > 500 && ruledOut > 500, `${found} found, ${ruledOut} blocks ruled out`);
  await Promise.all([indexed.close(), plain.close()]);
});

test('an index is at most 1 % of its segment and rules out nearly all of it for one host', async () => {
  const directory = scratch();
  record(directory, 'seed=2,size=mix,flows=20000,count=250000,pps=0');
  await index(directory);
  const [file] = segments(directory) as [string];
  const share = statSync(file.replace('.pcapng', '.rtidx')).size / statSync(file).size;
  assert.ok(share <= 0.01, `${(share * 100).toFixed(2)} %`);
  const store = await openStore([directory]);
  const { coverage } = await ask(store, everything('host 192.0.2.1'));
  assert.ok(coverage.blocksScanned <= 1, `${coverage.blocksScanned} blocks scanned for an absent host`);
  await store.close();
});

async function answers(directory: string): Promise<{ keys: string[]; problems: string[]; scanned: number }> {
  const store = await openStore([directory], { threads: 1 });
  const { keys, coverage } = await ask(store, everything('host 0.0.0.9'));
  const problems = store.problems();
  await store.close();
  return { keys, problems, scanned: coverage.blocksScanned };
}

test('a damaged, foreign or stale index is reported and ignored, and made anew', async () => {
  const directory = scratch();
  const out = writer(directory, { segmentBytes: 1 << 30, blockBytes: 1 << 22 });
  for (let i = 0; i < 200; i++)
    out.add(0, BigInt(i), 60_000, Buffer.concat([packet4(i, 2, 17, [i, 53]), Buffer.alloc(60_000)]));
  const [file] = out.commit() as [string];
  await index(directory);
  const sidecar = file.replace('.pcapng', '.rtidx');
  const good = readFileSync(sidecar);
  const expected = await answers(directory);
  assert.equal([expected.keys.length, expected.problems, expected.scanned], [1, [], 1]);
  for (let round = 0; round < 24; round++) {
    const bad = Buffer.from(good);
    const at = round < 9 ? below(200) : below(bad.length);
    bad[at] = bad[at]! ^ (1 << below(8));
    writeFileSync(sidecar, round % 3 === 2 ? good.subarray(0, at) : bad);
    const { keys, problems } = await answers(directory);
    assert.equal(keys, expected.keys, `seed ${seed}, byte ${at}`);
    if (round % 3 === 2 && at > 0 && at !== 64) assert.is(problems.length, 1, `cut at ${at}: ${problems}`);
  }
  const foreign = scratch();
  const other = writer(foreign);
  other.add(0, 5n, 60, packet4(1, 2, 6, [3, 4]));
  const [otherFile] = other.commit() as [string];
  await index(foreign);
  writeFileSync(sidecar, readFileSync(otherFile.replace('.pcapng', '.rtidx')));
  const { keys, problems } = await answers(directory);
  assert.equal(keys, expected.keys);
  assert.match(problems[0]!, /belongs to another segment/);
  await index(directory); // rebuilds
  assert.equal(await answers(directory), expected);
  assert.is(Buffer.compare(readFileSync(sidecar), good), 0, 'the same index again');
  rmSync(sidecar);
  assert.equal((await answers(directory)).keys, expected.keys);
  assert.not.ok(existsSync(sidecar), 'queries write nothing');
});

test.run();
