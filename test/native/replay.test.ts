/** Replay: pcap and pcapng of both byte orders, from files and stdin, whole, cut anywhere and damaged. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { build, countPackets, endAll, FAST, imbalance, run, scratch, start, tsharkFields } from './help.js';

build('all', 'asan');
const dir = scratch();
const PACKETS = 5;

/** Numbers in the file's own byte order. */
function writer(swapped: boolean) {
  const parts: Buffer[] = [];
  const u16 = (v: number) => {
    const b = Buffer.alloc(2);
    if (swapped) b.writeUInt16BE(v);
    else b.writeUInt16LE(v);
    parts.push(b);
  };
  const u32 = (v: number) => {
    const b = Buffer.alloc(4);
    if (swapped) b.writeUInt32BE(v >>> 0);
    else b.writeUInt32LE(v >>> 0);
    parts.push(b);
  };
  return { u16, u32, raw: (b: Buffer) => parts.push(b), done: () => Buffer.concat(parts) };
}

function frame(i: number): Buffer {
  const ether = Buffer.from('020000000001020000000002'.concat('88b5'), 'hex'); // IEEE local experimental
  return Buffer.concat([ether, Buffer.alloc(46 + i, i + 1)]);
}

/** Packet i is stamped 1700000000 + i s and 123456789 ns (123456 us). */
function makePcap(magic: number, swapped: boolean): Buffer {
  const w = writer(swapped);
  w.u32(magic);
  w.u16(2);
  w.u16(4);
  for (const v of [0, 0, 65535, 1]) w.u32(v);
  for (let i = 0; i < PACKETS; i++) {
    for (const v of [1700000000 + i, magic === 0xa1b23c4d ? 123456789 : 123456, frame(i).length, 1000])
      w.u32(v);
    w.raw(frame(i));
  }
  return w.done();
}

function makePcapng(swapped: boolean, linktypes = [1]): Buffer {
  const w = writer(swapped);
  for (const v of [0x0a0d0d0a, 28, 0x1a2b3c4d]) w.u32(v);
  w.u16(1);
  w.u16(0);
  for (const v of [0xffffffff, 0xffffffff, 28]) w.u32(v);
  for (const linktype of linktypes) {
    w.u32(1);
    w.u32(32);
    w.u16(linktype);
    w.u16(0);
    w.u32(0);
    w.u16(9); // if_tsresol: nanoseconds
    w.u16(1);
    w.raw(Buffer.from([9, 0, 0, 0]));
    w.u32(0);
    w.u32(32);
  }
  for (let i = 0; i < PACKETS; i++) {
    const data = frame(i);
    const padded = (data.length + 3) & ~3;
    const ts = BigInt(1700000000 + i) * 1000000000n + 123456789n;
    const total = 32 + padded;
    const interfaceId = i < PACKETS - 1 ? 0 : linktypes.length - 1;
    for (const v of [6, total, interfaceId, Number(ts >> 32n), Number(ts & 0xffffffffn), data.length, 1000])
      w.u32(v);
    w.raw(Buffer.concat([data, Buffer.alloc(padded - data.length)]));
    w.u32(total);
  }
  return w.done();
}

const captures: [string, Buffer, string][] = [
  ['pcap us', makePcap(0xa1b2c3d4, false), '123456000'],
  ['pcap us swapped', makePcap(0xa1b2c3d4, true), '123456000'],
  ['pcap ns', makePcap(0xa1b23c4d, false), '123456789'],
  ['pcap ns swapped', makePcap(0xa1b23c4d, true), '123456789'],
  ['pcapng', makePcapng(false), '123456789'],
  ['pcapng swapped', makePcapng(true), '123456789'],
];

for (const [name, bytes, fraction] of captures)
  test(`${name}: packets, stamps and lengths come through, from a file and from stdin`, () => {
    const path = join(dir, name.replaceAll(' ', '-'));
    writeFileSync(path, bytes);
    for (const [source, input] of [
      [path, undefined],
      ['-', bytes],
    ] as const) {
      const out = join(mkdtempSync(join(dir, 'o')), 'out.pcapng');
      const { code, ledgers, messages } = run(['-r', source, '-w', out], input ? { input } : {});
      assert.equal([code, messages], [0, []]);
      assert.is(imbalance(ledgers.at(-1)!), '');
      assert.is(ledgers.at(-1)!.stored, PACKETS);
      assert.equal(
        tsharkFields(out, ['frame.time_epoch', 'frame.cap_len', 'frame.len']),
        Array.from({ length: PACKETS }, (_, i) => [`${1700000000 + i}.${fraction}`, `${60 + i}`, '1000']),
      );
    }
  });

test('cut anywhere: what came before is kept, one line says where it ends, exit 1', () => {
  for (const [name, bytes] of [captures[0]!, captures[5]!])
    for (let length = 0; length < bytes.length; length += 37) {
      const out = join(mkdtempSync(join(dir, 'o')), 'out.pcapng');
      const result = run(['-r', '-', '-w', out, '--pool-blocks', '2', '--block-size', '512K'], {
        input: bytes.subarray(0, length),
        binary: FAST,
      });
      if (result.code === 0) {
        assert.equal(result.messages, [], `${name} cut at ${length} ends between packets`);
        continue;
      }
      assert.is(result.code, 1);
      assert.is(result.messages.length, 1, result.messages.join('\n'));
      assert.match(result.messages[0]!, /^ringtapd: stdin: (truncated at byte \d+, after \d packets|empty)/);
      if (result.ledgers.length === 0) continue; // not even a file header: nothing was opened
      assert.is(imbalance(result.ledgers.at(-1)!), '');
      assert.is(countPackets(out).capinfos, result.ledgers.at(-1)!.stored);
    }
});

test('damage in the middle: the packets before it are kept, exit 1', () => {
  const bytes = Buffer.from(captures[0]![1]);
  bytes.writeUInt32LE(0x7fffffff, 24 + 16 + 60 + 8); // caplen of the second packet
  const out = join(dir, 'damaged.pcapng');
  const { code, messages, ledgers } = run(['-r', '-', '-w', out], { input: bytes });
  assert.is(code, 1);
  assert.match(messages.join('|'), /stdin: damaged at byte 100, after 1 packets: record length over 16 MiB/);
  assert.equal([ledgers.at(-1)!.stored, countPackets(out).tshark], [1, 1]);
});

test('no capture, gzip, a directory: exit 1, one line, no file left behind', () => {
  const cases: [Buffer | string, RegExp][] = [
    [
      Buffer.from('<!DOCTYPE html>'),
      /no capture file \(begins with 3c 21 44 4f\); pcap and pcapng can be read/,
    ],
    [gzipSync(captures[0]![1]), /compressed with gzip; unpack it first: zcat/],
    [Buffer.alloc(0), /empty/],
    [dir, /Is a directory/],
  ];
  cases.forEach(([input, text], index) => {
    const out = join(dir, `none${index}`);
    const args = typeof input === 'string' ? ['-r', input] : ['-r', '-'];
    const result = run([...args, '--store', out], typeof input === 'string' ? {} : { input });
    assert.is(result.code, 1);
    assert.match(result.messages.join('|'), text);
    assert.is(result.messages.length, 1);
  });
});

test('mixed linktypes stop the replay with a reason; nothing is mislabelled', () => {
  const out = join(dir, 'mixed.pcapng');
  const { code, messages, ledgers } = run(['-r', '-', '-w', out], { input: makePcapng(false, [1, 113]) });
  assert.is(code, 1);
  assert.match(messages.join('|'), /packet 5 has linktype 113, the ones before 1/);
  assert.is(ledgers.at(-1)!.stored, 4);
});

test('a filter on replay counts what it keeps and what it leaves out', () => {
  const out = join(dir, 'filtered.pcapng');
  const args = ['-r', '-', '-w', out, 'ether[14] > 2'];
  const { ledgers } = run(args, { input: captures[0]![1] });
  assert.equal([ledgers.at(-1)!.stored, ledgers.at(-1)!.filtered], [3, 2]);
  assert.is(imbalance(ledgers.at(-1)!), '');
});

test('a filter on a file whose LINKTYPE_ is not the DLT_ of that number (RAW)', () => {
  const packet = (port: number) => {
    const ip = Buffer.from('4500001c00000000401100000a0000010a000002', 'hex');
    const udp = Buffer.alloc(8);
    udp.writeUInt16BE(4000, 0);
    udp.writeUInt16BE(port, 2);
    udp.writeUInt16BE(8, 4);
    return Buffer.concat([ip, udp]);
  };
  const w = writer(false);
  w.u32(0xa1b2c3d4);
  w.u16(2);
  w.u16(4);
  for (const v of [0, 0, 65535, 101]) w.u32(v);
  for (const port of [53, 80, 53]) {
    for (const v of [1700000000, 0, 28, 28]) w.u32(v);
    w.raw(packet(port));
  }
  const out = join(dir, 'raw.pcapng');
  const result = run(['-r', '-', '-w', out, 'udp dst port 53'], { input: w.done() });
  assert.equal([result.code, result.messages], [0, []]);
  assert.equal([result.ledgers.at(-1)!.stored, result.ledgers.at(-1)!.filtered], [2, 1]);
  assert.equal(tsharkFields(out, ['udp.dstport']), [['53'], ['53']]);
});

test('a packet of which no byte was kept still has its length on the wire', () => {
  const w = writer(false);
  w.u32(0xa1b2c3d4);
  w.u16(2);
  w.u16(4);
  for (const v of [0, 0, 65535, 1]) w.u32(v);
  for (const v of [1700000000, 0, 0, 1500]) w.u32(v);
  const out = join(dir, 'no-bytes.pcapng');
  assert.is(run(['-r', '-', '-w', out], { input: w.done() }).code, 0);
  assert.equal(tsharkFields(out, ['frame.cap_len', 'frame.len']), [['0', '1500']]);
});

test('--speed keeps the recorded pace, and a signal ends the wait', async () => {
  const path = join(dir, 'paced.pcap');
  writeFileSync(path, captures[0]![1]);
  const began = Date.now();
  assert.is(run(['-r', path, '--speed', '4', '-w', join(dir, 'paced')]).ledgers.at(-1)!.stored, PACKETS);
  const took = Date.now() - began;
  assert.ok(took > 950 && took < 15_000, `4 s at four times the speed took ${took} ms`);
  const slow = start(['-r', path, '--speed', '0.001', '-w', join(dir, 'slow')]);
  setTimeout(() => slow.child.kill('SIGINT'), 400);
  const { code, ledgers } = await slow.end;
  assert.is(code, 0);
  assert.is(imbalance(ledgers.at(-1)!), '');
  assert.is(ledgers.at(-1)!.stored, 1);
});

test.after.each(endAll);
test.run();
