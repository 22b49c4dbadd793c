/** `ringtap slice`: what goes in comes out byte for byte, judged by our engine, tcpdump and tshark. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, linkSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type InterfaceDescription, InterfaceTracker } from '../../server/formats/pcapng-interfaces.js';
import {
  comment,
  interfaceBlock,
  packetBytes,
  putPacket,
  textOption,
} from '../../server/formats/pcapng-writer.js';
import { paths } from '../../server/paths.js';
import {
  epb,
  random,
  ringtap,
  section,
  temporaryDirectory,
  udpPacket,
  waitFor,
  withoutEngine,
} from './helpers.js';

const directory = temporaryDirectory();
const path = (name: string) => join(directory, name);
function file(name: string, bytes: Uint8Array): string {
  writeFileSync(path(name), bytes);
  return path(name);
}

const TS = 1_700_000_000_000_000_001n;
const packets = Array.from({ length: 50 }, (_, i) => udpPacket(3000 + i, 18 + i));
const capture = Buffer.concat([section(), ...packets.map((packet, i) => epb(packet, TS + BigInt(i)))]);

/** A pcap file in microseconds, big-endian when asked. */
function pcap(frames: Buffer[], swapped = false, linktype = 1): Buffer {
  const u32 = (bytes: Buffer, value: number, at: number) =>
    swapped ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at);
  const u16 = (bytes: Buffer, value: number, at: number) =>
    swapped ? bytes.writeUInt16BE(value, at) : bytes.writeUInt16LE(value, at);
  const head = Buffer.alloc(24);
  u32(head, 0xa1b2c3d4, 0);
  u16(head, 2, 4);
  u16(head, 4, 6);
  u32(head, 65535, 16);
  u32(head, linktype, 20);
  const records = frames.map((frame, i) => {
    const record = Buffer.alloc(16);
    u32(record, 1_600_000_000, 0);
    u32(record, i, 4);
    u32(record, frame.length, 8);
    u32(record, frame.length + 5, 12);
    return Buffer.concat([record, frame]);
  });
  return Buffer.concat([head, ...records]);
}

interface Line {
  ts: string;
  wirelen: number;
  caplen: number;
}
async function listed(name: string): Promise<Line[]> {
  const { stdout } = await ringtap(['packets', '--json', name]);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}
async function bytesOf(name: string, number: number): Promise<string> {
  return JSON.parse((await ringtap(['decode', name, '--frame', `${number}`, '--json'])).stdout).bytes;
}
const installed = (tool: string) => spawnSync(tool, ['--version']).error === undefined;

/** An interface description block of either byte order, as other programs write them. */
function description(name: string, snaplen: number, swapped: boolean): Buffer {
  const options = [comment('made by hand'), textOption(2, name)];
  const block = interfaceBlock(1, snaplen, options);
  if (!swapped) return block;
  for (const at of [0, 4, 12, block.length - 4]) block.subarray(at, at + 4).swap32();
  block.subarray(8, 12).swap16();
  for (let at = 16; at < block.length - 4; ) {
    const length = block.readUInt16LE(at + 2);
    block.subarray(at, at + 4).swap16();
    at += 4 + ((length + 3) & ~3);
  }
  return block;
}

test('the tracker finds names and snaplen in both byte orders, however the stream is cut', () => {
  const shb = section().subarray(0, 28);
  const swappedShb = Buffer.from(shb);
  for (const at of [0, 4, 8, 24]) swappedShb.subarray(at, at + 4).swap32();
  const stream = Buffer.concat([
    shb,
    description('eth0', 1000, false),
    epb(udpPacket(1), TS),
    epb(udpPacket(2), TS),
    swappedShb,
    description('eth1', 2000, true),
    description('eth2', 3000, true),
  ]);
  const next = random(7);
  for (let round = 0; round < 50; round++) {
    const tracker = new InterfaceTracker();
    for (let at = 0; at < stream.length; ) {
      const end = Math.min(stream.length, at + 1 + Math.floor(next() * (round < 10 ? 3 : 200)));
      tracker.push(stream.subarray(at, end));
      at = end;
    }
    const show = (found: InterfaceDescription | null) =>
      found && `${found.options.map(({ code, value }) => `${code}=${Buffer.from(value)}`)} ${found.snaplen}`;
    assert.is(show(tracker.find(1, 0)), '1=made by hand,2=eth0 1000', `round ${round}`);
    assert.is(show(tracker.find(2, 1)), '1=made by hand,2=eth2 3000', `round ${round}`);
    assert.is(tracker.find(1, 1), null);
    tracker.forget(2);
    assert.is(show(tracker.find(2, 0)), '1=made by hand,2=eth1 2000');
  }
});

test('the tracker survives any damage', () => {
  const whole = Buffer.concat([section(), description('x', 1, false), epb(udpPacket(1), TS)]);
  const next = random(99);
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.from(whole.subarray(0, Math.floor(next() * (whole.length + 1))));
    for (let i = 0; i < 3 && bytes.length; i++)
      bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256);
    const tracker = new InterfaceTracker();
    tracker.push(bytes);
    tracker.find(0, 0);
  }
});

test('a packet block is framed and padded with zeros', () => {
  const to = Buffer.alloc(100, 0xee);
  const end = putPacket(to, 0, 3, (1n << 40n) + 5n, 70, Buffer.from([1, 2, 3]));
  assert.is(end, packetBytes(3));
  assert.is(
    to.subarray(0, end).toString('hex'),
    '0600000024000000030000000001000005000000030000004600000001020300' + '24000000',
  );
  assert.is(textOption(1, 'é'.repeat(40_000)).value.length, 65_534, 'cut between characters');
});

const missing = withoutEngine();
if (missing) console.log(`SKIP slice: ${missing}`);
else withEngine();

function withEngine(): void {
  const good = file('good.pcapng', capture);

  test('every byte, time and length of the matching packets, and nothing else', async () => {
    const out = path('some.pcapng');
    const { code, stdout, stderr } = await ringtap([
      'slice',
      '-f',
      'src portrange 3010-3019',
      good,
      '-w',
      out,
    ]);
    assert.equal([code, stdout], [0, '']);
    assert.match(stderr, /^ringtap: 10 packets written to /);
    const lines = await listed(out);
    assert.equal(
      lines.map(({ ts, wirelen }) => [ts, wirelen]),
      packets
        .slice(10, 20)
        .map((packet, i) => [`1700000000.${String(11 + i).padStart(9, '0')}`, packet.length]),
    );
    assert.is(await bytesOf(out, 4), (packets[13] as Buffer).toString('hex'));
    assert.equal(
      readdirSync(directory).filter((name) => name.includes('.part-')),
      [],
    );
  });

  test('several files of several formats, gzip and standard input', async () => {
    const files = [
      file('be.pcap', pcap(packets.slice(0, 3), true)),
      file('z.gz', gzipSync(pcap(packets.slice(3, 5)))),
      file('raw.pcap', pcap([(packets[5] as Buffer).subarray(14)], false, 101)),
    ];
    const out = path('several.pcapng');
    const { code } = await ringtap(['slice', '-f', 'udp', '-w', out, ...files, '-'], capture);
    assert.is(code, 0);
    const lines = await listed(out);
    assert.is(lines.length, 6 + packets.length);
    assert.equal([lines[0]?.ts, lines[0]?.wirelen], ['1600000000.000000000', 65]);
    assert.is(await bytesOf(out, 6), (packets[5] as Buffer).subarray(14).toString('hex'));
    const summary = JSON.parse((await ringtap(['summary', '--json', out])).stdout);
    assert.equal([summary.linkTypes, summary.error], [[1, 101], null]);
  });

  test('standard output, and a slice of a slice is the same packets', async () => {
    const child = spawnSync(process.execPath, [paths.cli, 'slice', good, '-w', '-']);
    const once = file('once.pcapng', child.stdout);
    await ringtap(['slice', once, '-w', path('twice.pcapng')]);
    assert.equal(await listed(path('twice.pcapng')), await listed(good));
    assert.is((await listed(good)).length, packets.length);
  });

  test('the section says where its packets come from; interfaces keep their names', async () => {
    const named = file(
      'named.pcapng',
      Buffer.concat([section().subarray(0, 28), description('wan0', 500, false), epb(udpPacket(9), TS)]),
    );
    const out = path('provenance.pcapng');
    await ringtap(['slice', '-f', 'udp port 9', named, '-w', out]);
    const text = readFileSync(out).toString('latin1');
    for (const wanted of [
      `source: ${named}`,
      'filter: udp port 9',
      'sliced: 20',
      'wan0',
      'captured with snaplen 500',
    ])
      assert.ok(text.includes(wanted), wanted);
    if (!installed('capinfos')) {
      console.log('SKIP provenance in capinfos: not installed');
      return;
    }
    const info = execFileSync('capinfos', [out], { encoding: 'utf8' });
    assert.match(info, /Capture comment: +.*\n?.*filter: udp port 9/);
    assert.match(info, /Name = wan0/);
  });

  test('a packet without a time says so', async () => {
    const spb = Buffer.alloc(12 + 4 + 60);
    spb.writeUInt32LE(3, 0);
    spb.writeUInt32LE(spb.length, 4);
    spb.writeUInt32LE(60, 8);
    udpPacket(77).copy(spb, 12);
    spb.writeUInt32LE(spb.length, spb.length - 4);
    const out = path('untimed.pcapng');
    await ringtap(['slice', file('spb.pcapng', Buffer.concat([section(), spb])), '-w', out]);
    assert.ok(readFileSync(out).includes('time unknown: the source has none'));
    assert.is(await bytesOf(out, 1), udpPacket(77).toString('hex'));
  });

  test('never writes over a file it reads, under no name of it', async () => {
    linkSync(good, path('hard.pcapng'));
    symlinkSync(good, path('soft.pcapng'));
    for (const name of [
      good,
      path('hard.pcapng'),
      path('soft.pcapng'),
      join(directory, '.', 'good.pcapng'),
    ]) {
      const { code, stderr } = await ringtap(['slice', good, '-w', name]);
      assert.is(code, 1);
      assert.match(stderr, /cannot be written at once: name another/);
    }
    assert.equal(readFileSync(good), capture);
  });

  test('damaged input: what was read is written, exit 1; a place that cannot be written: one line', async () => {
    const cut = file('cut.pcapng', capture.subarray(0, -7));
    const damaged = await ringtap(['slice', cut, '-w', path('of-cut.pcapng')]);
    assert.is(damaged.code, 1);
    assert.is((await listed(path('of-cut.pcapng'))).length, packets.length - 1);
    for (const [place, says] of [
      [path('no/where.pcapng'), /create it first/],
      [directory, /is a directory/],
    ] as const) {
      const { code, stderr } = await ringtap(['slice', good, '-w', place]);
      assert.is(code, 1);
      assert.match(stderr, says);
      assert.is(stderr.trim().split('\n').length, 1);
    }
    const full = await ringtap(['slice', good, '-w', '/dev/full']);
    assert.is(full.code, 1);
    assert.match(full.stderr, /no space left/);
  });

  test('Ctrl-C leaves nothing behind and the old file as it was', async () => {
    const old = file('kept.pcapng', Buffer.from('old'));
    const child = spawn(process.execPath, [paths.cli, 'slice', '-', '-w', old], { stdio: 'pipe' });
    child.stdin.on('error', () => {});
    child.stdin.write(capture);
    const parts = () => readdirSync(directory).filter((name) => name.startsWith('kept.pcapng.part-'));
    await waitFor('the unfinished file', () => parts().length);
    child.kill('SIGINT'); // while it waits for more input
    const [code, signal] = await once(child, 'close');
    assert.equal([code, signal], [null, 'SIGINT']);
    assert.equal(parts(), []);
    assert.is(readFileSync(old, 'utf8'), 'old');
  });

  ofCaptures();
  if (!installed('tcpdump') || !installed('tshark'))
    console.log('SKIP slice against tcpdump and tshark: not installed');
  else againstTools(good);
}

function againstTools(good: string): void {
  const run = (tool: string, args: string[]) =>
    execFileSync(tool, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 28 });

  test('tcpdump and tshark see the packets tcpdump would have chosen', async () => {
    for (const filter of ['udp', 'tcp', 'src port 3007', 'greater 80', 'udp[10] & 1 = 0 or port 3001']) {
      const out = path('tools.pcapng');
      await ringtap(['slice', '-f', filter, good, '-w', out]);
      const hex = (args: string[]) => run('tcpdump', ['-n', '-tt', '--nano', '-xx', ...args]);
      assert.is(hex(['-r', out]), hex(['-r', good, filter]), filter);
      const frames = run('tshark', ['-n', '-r', out, '-T', 'fields', '-e', 'frame.number']).trim();
      const expected = run('tcpdump', ['-n', '-r', good, '--count', filter]).match(/\d+/)?.[0];
      assert.is(`${frames ? frames.split('\n').length : 0}`, expected, filter);
    }
  });
}

interface Truth {
  file: string;
  agree: boolean | null;
  readError: string | null;
}

/** Real captures, sliced without a filter: the slice has the same packets, bytes and times. */
function ofCaptures(): void {
  const captures = resolve(process.env.RINGTAP_CAPTURES ?? '../shared/captures');
  const list = join(captures, 'truth.jsonl');
  if (!existsSync(list)) {
    console.log(`SKIP slices of real captures: no ${list} (set RINGTAP_CAPTURES)`);
    return;
  }
  const every = 100;
  const files = readFileSync(list, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Truth)
    .filter(({ agree, readError }) => agree === true && readError === null)
    .filter((_, i) => i % every === 0)
    .map(({ file: name }) => join(captures, name));

  test('a slice of everything is everything', async () => {
    assert.ok(files.length > 5, `${files.length} files`);
    for (const name of files) {
      const out = path('all.pcapng');
      assert.is((await ringtap(['slice', name, '-w', out])).code, 0, name);
      const { stdout } = await ringtap(['summary', '--json', name, out]);
      const [before, after] = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      for (const row of [before, after]) {
        delete row.file;
        delete row.format;
        if (row.packets === 0) delete row.linkTypes;
      }
      assert.equal(after, before, name);
    }
  });
}

test.run();
