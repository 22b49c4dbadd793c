// Reading: every format, both byte orders, any chunking, every prefix, and what damage is reported as.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { CaptureFormat, Engine, StreamError } from '../../asm/host/index.js';
import type { Packet, PcapOptions } from './captures.js';
import {
  ether,
  FRAMES,
  hex,
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

const seed = runSeed('stream');
const engine = await newEngine();
const second = 1_000_000_000n;
const packets: Packet[] = FRAMES.map(({ bytes }, i) => ({
  bytes,
  ts: 1_700_000_000n * second + BigInt(i) * 1_000_001_000n,
}));

/** What the engine made of one whole stream. */
interface Outcome {
  error: StreamError | null;
  format: CaptureFormat;
  totals: ReturnType<Engine['totals']>;
}

function read(bytes: Uint8Array, cut: () => number = () => bytes.length): Outcome {
  engine.reset();
  for (let at = 0; at < bytes.length; ) {
    const size = Math.max(1, cut());
    engine.push(bytes.subarray(at, at + size));
    at += size;
  }
  const error = engine.end();
  return { error, format: engine.format, totals: engine.totals() };
}

const VARIANTS: readonly [PcapOptions, CaptureFormat][] = [
  [{}, 'pcap'],
  [{ big: true }, 'pcap-swapped'],
  [{ variant: 'ns' }, 'pcap-nanosecond'],
  [{ variant: 'ns', big: true }, 'pcap-nanosecond-swapped'],
  [{ variant: 'modified' }, 'pcap-modified'],
  [{ variant: 'modified', big: true }, 'pcap-modified'],
];
const bytesOf = (list: readonly Packet[]): number => list.reduce((sum, { bytes }) => sum + bytes.length, 0);

/** One section with every kind of block, all of them harmless. */
function richSection(big: boolean): Uint8Array {
  const ng = new Pcapng(big);
  return join(
    ng.section(),
    ng.iface(
      1,
      join(ng.option(2, hex('65746830')), ng.tsresol(9), ng.option(0x8001, hex('01')), ng.option(0, [])),
    ),
    ng.iface(101, join(ng.tsresol(3), ng.tsoffset(100n))),
    ng.block(4, hex('0000000000000000')),
    ng.enhanced(
      packets[0]!.bytes,
      packets[0]!.ts!,
      0,
      1500,
      join(ng.option(1, hex('6869')), ng.option(0, [])),
    ),
    ng.block(5, new Uint8Array(12)),
    ng.block(0x0bad, hex('00007d0a 01020304')),
    ng.block(0x80005254, new Uint8Array(70_000)),
    ng.block(0x7777, hex('010203')),
    ng.enhanced(ipv4(6, tcp(1, 2)), 5n, 1),
    ng.obsolete(packets[1]!.bytes, 7n),
    ng.simple(packets[2]!.bytes),
  );
}

test('pcap in every variant and byte order', () => {
  for (const [options, format] of VARIANTS) {
    const { error, totals, ...rest } = read(pcap(packets, options));
    assert.is(error, null);
    assert.is(rest.format, format);
    assert.is(totals.packets, packets.length, format);
    assert.is(totals.capturedBytes, bytesOf(packets));
    assert.is(totals.firstTsNs, packets[0]!.ts);
    assert.is(totals.lastTsNs, packets.at(-1)!.ts);
  }
});

test('pcapng: options, unknown, custom and local-use blocks are passed over, in either byte order', () => {
  for (const big of [false, true]) {
    const { error, totals, format } = read(richSection(big));
    assert.is(error, null);
    assert.is(format, big ? 'pcapng-swapped' : 'pcapng');
    assert.is(totals.packets, 4);
    assert.is(totals.originalBytes - totals.capturedBytes, 1500 - packets[0]!.bytes.length);
    assert.is(totals.truncated, 1);
    assert.equal(totals.linkTypes, [1, 101]);
    assert.is(totals.firstTsNs, packets[0]!.ts);
    assert.is(totals.lastTsNs, 7n, 'the simple packet has no time');
  }
});

test('pcapng: sections of both byte orders in one file', () => {
  const { error, totals, format } = read(join(richSection(false), richSection(true), richSection(false)));
  assert.is(error, null);
  assert.is(format, 'pcapng-mixed-endian');
  assert.is(totals.packets, 12);
});

test('pcapng: any time resolution and offset', () => {
  const ng = new Pcapng();
  const cases: [options: Uint8Array, raw: bigint, ns: bigint][] = [
    [new Uint8Array(), 1_500_000n, 1_500_000_000n],
    [ng.tsresol(0), 3n, 3n * second],
    [ng.tsresol(9), 123n, 123n],
    [ng.tsresol(12), 5_000n, 5n],
    [ng.tsresol(0x80), 3n, 3n * second],
    [ng.tsresol(0x80 | 10), 1536n, 1_500_000_000n],
    [ng.tsresol(0x80 | 32), (7n << 32n) | (1n << 31n), 7_500_000_000n],
    [ng.tsresol(0x80 | 60), (3n << 60n) | (1n << 58n), 3_250_000_000n],
    [join(ng.tsresol(9), ng.tsoffset(-2n)), 1n, 1n - 2n * second],
    [join(ng.tsresol(3), ng.tsoffset(1_000n)), 1n, 1_000_001_000_000n],
  ];
  for (const [options, raw, ns] of cases) {
    const { totals } = read(join(ng.section(), ng.iface(1, options), ng.enhanced(FRAMES[0]!.bytes, raw)));
    assert.is(totals.firstTsNs, ns, `${options} ${raw}`);
  }
});

test('pcapng: a simple packet is cut to the interface snaplen and has no time', () => {
  const ng = new Pcapng();
  const bytes = join(ng.section(), ng.iface(1, [], 20), ng.simple(FRAMES[0]!.bytes.subarray(0, 20), 54));
  engine.reset();
  const seen: [bigint | null, number, number][] = [];
  engine.push(bytes, (rows) => seen.push([rows.tsNs(0), rows.caplen(0), rows.wirelen(0)]));
  assert.is(engine.end(), null);
  assert.equal(seen, [[null, 20, 54]]);
});

test('random chunks give the same result as one push', () => {
  const next = random(seed);
  const files = [
    ...VARIANTS.map(([options]) => pcap(packets, options)),
    join(richSection(false), richSection(true)),
  ];
  for (const bytes of files) {
    const whole = read(bytes);
    assert.equal(
      read(bytes, () => 1),
      whole,
      'single bytes',
    );
    for (let round = 0; round < 20; round++) {
      const largest = 1 + next(200);
      assert.equal(
        read(bytes, () => 1 + next(largest)),
        whole,
        `chunks up to ${largest}`,
      );
    }
  }
});

test('a stream larger than chunk and carry, in pieces of every size class', () => {
  const next = random(seed + 1);
  const big = ether(0x800, ipv4(6, tcp(1, 2, new Uint8Array(60_000))));
  const list = Array.from({ length: 60 }, (_, i) => ({
    bytes: big.subarray(0, 54 + next(big.length - 54)),
    ts: BigInt(i) * second,
    wirelen: big.length,
  }));
  const bytes = pcap(list);
  const whole = read(bytes);
  assert.is(whole.totals.packets, 60);
  for (const size of [4096, 100_000, 1 << 20, 3 << 20])
    assert.equal(
      read(bytes, () => size),
      whole,
      `${size}`,
    );
});

test('every prefix: whole packets are counted, and a cut tail is reported', () => {
  for (const bytes of [
    pcap(packets.slice(0, 4)),
    pcap(packets.slice(0, 4), { big: true }),
    richSection(true).subarray(0, 700),
  ]) {
    let last = 0;
    for (let length = 0; length < bytes.length; length++) {
      const { error, totals } = read(bytes.subarray(0, length));
      assert.ok(totals.packets >= last, 'never fewer');
      last = totals.packets;
      if (error) assert.ok(error.offset <= length && error.message.length > 10);
      if (length < 4) assert.is(error?.kind, 'not-a-capture', `${length}`);
      else if (error) assert.is(error.kind, 'truncated', `${length}: ${error.message}`);
    }
  }
});

test('prefixes end cleanly exactly between records', () => {
  const list = packets.slice(0, 3);
  const bytes = pcap(list);
  const ends = list.map((_, i) => 24 + bytesOf(list.slice(0, i + 1)) + 16 * (i + 1));
  const clean = Array.from(bytes, (_, i) => i + 1).filter(
    (length) => read(bytes.subarray(0, length)).error === null,
  );
  assert.equal(clean, [24, ...ends]);
});

test('damage is named, and what was read before it counts', () => {
  const good = pcap(packets.slice(0, 2));
  const ng = new Pcapng();
  const start = join(ng.section(), ng.iface(), ng.enhanced(FRAMES[0]!.bytes, 1n));
  const { u32 } = new Order(false);
  const cases: [string, Uint8Array, StreamError['kind'], RegExp, number, number][] = [
    ['huge packet', join(good, u32(0), u32(0), u32(0x7fffffff), u32(1)), 'damaged', /claims 2147483647 captured bytes/, 2, good.length],
    ['trailer', join(start, hex('09000000 10000000 00000000 14000000')), 'damaged', /two lengths differ \(16 at its start, 20/, 1, start.length],
    ['short block', join(start, hex('09000000 08000000 00000000')), 'damaged', /8 bytes long/, 1, start.length],
    ['long block', join(start, hex('09000000 ffffff7f 00000000')), 'damaged', /claims 2147483647 bytes/, 1, start.length],
    ['interface', join(start, ng.enhanced(FRAMES[0]!.bytes, 1n, 4)), 'damaged', /names interface 4.*described 1/, 1, start.length],
    ['byte order', join(start, ng.block(0x0a0d0d0a, hex('00000000'))), 'damaged', /byte-order magic/, 1, start.length],
    ['past block', join(start, ng.block(6, join(u32(0), u32(0), u32(0), u32(100), u32(100), hex('0000')))), 'damaged', /claims 100 captured bytes.*room for 4/, 1, start.length],
    ['version', ng.block(0x0a0d0d0a, hex('4d3c2b1a 0200 0000 ffffffffffffffff')), 'unsupported', /version 2\.0/, 0, 0],
    ['pcap version', hex('d4c3b2a1 0300 0000 00000000 00000000 00000000 01000000'), 'unsupported', /version 3\.0/, 0, 0],
    ['empty', new Uint8Array(), 'not-a-capture', /empty/, 0, 0],
    ['text', Buffer.from('hello, this is no capture'), 'not-a-capture', /magic/, 0, 0],
    ['gzip', hex('1f8b0800 00000000'), 'not-a-capture', /magic/, 0, 0],
  ]; // biome-ignore format: a table
  for (const [name, bytes, kind, message, count, offset] of cases) {
    for (const size of [bytes.length || 1, 1]) {
      const { error, totals } = read(bytes, () => size);
      assert.is(error?.kind, kind, name);
      assert.match(error!.message, message, name);
      assert.is(totals.packets, count, name);
      assert.is(error!.offset, offset, name);
    }
  }
});

test('after an error bytes are ignored until begin(), and totals go on', () => {
  engine.reset();
  engine.push(Buffer.from('no capture at all'));
  engine.push(pcap(packets));
  assert.is(engine.end()?.kind, 'not-a-capture');
  assert.is(engine.totals().packets, 0);
  engine.begin();
  assert.is(engine.error, null);
  engine.push(pcap(packets));
  engine.begin();
  engine.push(richSection(false));
  assert.is(engine.end(), null);
  assert.is(engine.totals().packets, packets.length + 4);
});

test('rows: every packet once, with its bytes, in order, whatever the chunks', () => {
  const next = random(seed + 2);
  const many = Array.from({ length: 40_000 }, (_, i) => packets[i % packets.length]!);
  const bytes = pcap(many, { variant: 'ns' });
  for (const size of [bytes.length, 64_000, 1000]) {
    engine.reset();
    let at = 0;
    for (let from = 0; from < bytes.length; ) {
      const step = size === 1000 ? 1 + next(5000) : size;
      engine.push(bytes.subarray(from, from + step), (rows) => {
        for (let i = 0; i < rows.length; i++, at++) {
          const want = many[at]!;
          if (
            rows.caplen(i) !== want.bytes.length ||
            rows.tsNs(i) !== want.ts ||
            Buffer.compare(rows.bytes(i), want.bytes)
          )
            assert.unreachable(`row ${at} differs`);
        }
      });
      from += step;
    }
    assert.is(at, many.length);
    assert.is(engine.end(), null);
  }
});

test('a callback that throws loses no packets of the stream', () => {
  const many = Array.from({ length: 60_000 }, (_, i) => packets[i % packets.length]!);
  const bytes = pcap(many);
  engine.reset();
  let calls = 0;
  const thrower = (): void => {
    calls++;
    throw new Error('from the callback');
  };
  assert.throws(() => engine.push(bytes.subarray(0, 1 << 20), thrower), /from the callback/);
  assert.is(calls, 1);
  engine.push(bytes.subarray(1 << 20));
  assert.is(engine.end(), null);
  assert.is(engine.totals().packets, many.length);
});

test('rows are refused outside their bounds', () => {
  engine.reset();
  engine.push(pcap(packets), (rows) => {
    assert.throws(() => rows.bytes(rows.length), /row/);
    assert.throws(() => rows.tsNs(-1), /row/);
    const line = rows.line(0);
    assert.is(line.protocol, 'TCP');
    assert.is(line.source, '10.0.0.1');
    assert.is(line.caplen, packets[0]!.bytes.length);
  });
});

test.run();
