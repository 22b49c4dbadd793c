// scan(): the same counts as push() on every format, however the stream is cut and wherever it is damaged;
// rows without flows; and what pcapng says of a packet's way.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Engine } from '../../asm/host/index.js';
import {
  ether,
  FRAMES,
  ipv4,
  join,
  newEngine,
  Order,
  Pcapng,
  pcap,
  random,
  runSeed,
  tcp,
} from './captures.js';

const seed = runSeed('filter-scan');
const engine = await newEngine();

interface Outcome {
  packets: number;
  captured: number;
  original: number;
  truncated: number;
  matched: number;
  first: bigint | null;
  last: bigint | null;
  error: string | null;
}

function outcome(feed: (chunk: Uint8Array) => void, chunks: readonly Uint8Array[]): Outcome {
  engine.reset();
  for (const chunk of chunks) feed(chunk);
  const error = engine.end();
  const totals = engine.totals();
  return {
    packets: totals.packets,
    captured: totals.capturedBytes,
    original: totals.originalBytes,
    truncated: totals.truncated,
    matched: engine.matched,
    first: totals.firstTsNs,
    last: totals.lastTsNs,
    error: error && `${error.kind} at ${error.offset}: ${error.message}`,
  };
}

function cut(file: Uint8Array, next: (below: number) => number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    const end = Math.min(file.length, at + 1 + next(next(4) ? 700 : 30));
    chunks.push(file.subarray(at, end));
    at = end;
  }
  return chunks;
}

const some = (next: (below: number) => number, amount: number) =>
  Array.from({ length: amount }, (_, i) => {
    const { bytes } = FRAMES[next(FRAMES.length)]!;
    const kept = next(5) ? bytes : bytes.slice(0, next(bytes.length) + 1);
    return {
      bytes: kept,
      wirelen: bytes.length,
      ts: BigInt(1_700_000_000 + i) * 1_000_000_000n,
      iface: next(2),
    };
  });

function files(next: (below: number) => number): Uint8Array[] {
  const packets = some(next, 80);
  const out = [
    pcap(packets),
    pcap(packets, { big: true }),
    pcap(packets, { variant: 'ns' }),
    pcap(packets, { variant: 'modified' }),
  ];
  for (const big of [false, true]) {
    const ng = new Pcapng(big);
    const section = [ng.section(), ng.iface(), ng.iface(1, ng.tsresol(9))];
    const blocks = packets.map(({ bytes, ts, iface, wirelen }) => ng.enhanced(bytes, ts, iface, wirelen));
    out.push(join(...section, ...blocks));
  }
  return out;
}

test('scan and push count the same, whole and damaged, in any chunks', () => {
  const next = random(seed);
  engine.emitFiltersAfter(0);
  for (let round = 0; round < 30; round++) {
    engine.setFilter([null, 'tcp', 'udp port 53 or arp', 'len > 70'][round % 4]!);
    for (const file of files(next)) {
      const hurt = file.slice(0, next(3) ? file.length : next(file.length) + 1);
      for (let edits = next(3); edits > 0; edits--) hurt[24 + next(hurt.length)] = next(256);
      engine.setFilter([null, 'tcp', 'udp port 53 or arp', 'len > 70'][round % 4]!);
      const pushed = outcome((chunk) => engine.push(chunk), [hurt]);
      const { matched } = pushed;
      engine.setFilter([null, 'tcp', 'udp port 53 or arp', 'len > 70'][round % 4]!);
      assert.equal(
        outcome((chunk) => engine.scan(chunk), [hurt]),
        { ...pushed, matched },
      );
      engine.setFilter([null, 'tcp', 'udp port 53 or arp', 'len > 70'][round % 4]!);
      assert.equal(
        outcome((chunk) => engine.scan(chunk), cut(hurt, next)),
        { ...pushed, matched },
      );
    }
  }
});

test('scan leaves flows, series and protocols alone; rows have no flow', () => {
  engine.setFilter('tcp');
  engine.reset();
  const seen: [boolean, number][] = [];
  engine.scan(pcap([{ bytes: ether(0x800, ipv4(6, tcp(1, 2))) }, { bytes: new Uint8Array(60) }]), (rows) => {
    for (let i = 0; i < rows.length; i++) seen.push([rows.matched(i), rows.flowId(i)]);
  });
  assert.equal(seen, [
    [true, -1],
    [false, -1],
  ]);
  assert.is(engine.flowCount, 0);
  assert.equal(engine.series(), []);
  assert.is(engine.totals().protocolCounts.tcp, 0);
  assert.is(engine.totals().packets, 2);
});

test('bytes read into room() are not copied, and count the same', () => {
  const next = random(seed + 1);
  const file = pcap(some(next, 500));
  const feed = (e: Engine, chunk: Uint8Array): void => {
    const room = e.room();
    room.set(chunk);
    e.scan(room.subarray(0, chunk.length));
  };
  engine.setFilter('tcp');
  const wanted = outcome((chunk) => engine.scan(chunk), [file]);
  engine.setFilter('tcp');
  assert.equal(
    outcome((chunk) => feed(engine, chunk), cut(file, next)),
    wanted,
  );
});

test('inbound and outbound by epb_flags; a packet that does not say is neither', () => {
  const { u16, u32 } = new Order(false);
  const ng = new Pcapng(false);
  const bytes = ether(0x800, ipv4(6, tcp(1, 2)));
  const block = (options: readonly number[]): Uint8Array => ng.enhanced(bytes, 0n, 0, bytes.length, options);
  const flags = (way: number): number[] => [...u16(2), ...u16(4), ...u32(way), ...u16(0), ...u16(0)];
  const comment = [...u16(1), ...u16(3), 97, 98, 99, 0];
  const file = join(
    ng.section(),
    ng.iface(),
    block(flags(1)),
    block([...comment, ...flags(2)]),
    block([]),
    block(flags(3)),
    block([...u16(0), ...u16(0), ...flags(1)]),
    block(flags(2)),
  );
  for (const after of [0, Number.POSITIVE_INFINITY])
    for (const [expression, matches] of [
      ['inbound', 1],
      ['outbound', 2],
      ['not inbound', 2],
      ['outbound and tcp', 2],
      ['tcp', 6],
    ] as const) {
      engine.emitFiltersAfter(after);
      engine.setFilter(expression);
      for (let round = 0; round < 2; round++) {
        engine.reset();
        engine.scan(file);
        assert.is(engine.matched, matches, expression);
      }
    }
  engine.setFilter('inbound');
  engine.reset();
  engine.scan(pcap([{ bytes }]));
  assert.is(engine.matched, 0);
  assert.match(engine.filterProblem!, /pcapng/);
});

test.run();
