/** Scans on several threads: the same answers as one thread, in order; parts of a segment; progress. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Progress, progressText, totalBytes } from '../../server/cli/progress.js';
import type { ScanResult } from '../../server/cli/scan/messages.js';
import { merge, type ScanOptions, scanFiles } from '../../server/cli/scan/run.js';
import { split } from '../../server/cli/scan/split.js';
import { paths } from '../../server/paths.js';
import { epb, ringtap, section, temporaryDirectory, udpPacket, withoutEngine } from './helpers.js';

const directory = temporaryDirectory();
function file(name: string, bytes: Uint8Array): string {
  writeFileSync(join(directory, name), bytes);
  return join(directory, name);
}

test('progress: done, rate and what is left; unknown totals have no end', () => {
  assert.is(progressText(1_200_000_000, 4_800_000_000, 500), '1.20 GB of 4.80 GB, 2.40 GB/s, 2 s left');
  assert.is(progressText(1000, null, 1000), '1.00 kB, 1.00 kB/s');
  assert.is(progressText(0, 10, 1000), '0 B of 10 B, 0 B/s');
  assert.is(totalBytes(['-']), null);
  assert.is(totalBytes([file('ten', Buffer.alloc(10)), join(directory, 'none')]), 10);
  new Progress(10, false).at(5); // prints nothing: seen by the tests of stderr
});

const missing = withoutEngine();
if (missing) console.log(`SKIP scans: ${missing}`);
else withEngine();

/** A pcap file of little-endian records, a millisecond apart. */
function pcapFile(magic: number, packets: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(magic, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(262144, 16);
  head.writeUInt32LE(1, 20);
  const record = (packet: Buffer, i: number) => {
    const header = Buffer.alloc(magic === 0xa1b2cd34 ? 24 : 16);
    header.writeUInt32LE(1_700_000_000 + Math.floor(i / 1000), 0);
    header.writeUInt32LE(i % 1000, 4);
    header.writeUInt32LE(packet.length, 8);
    header.writeUInt32LE(packet.length, 12);
    return Buffer.concat([header, packet]);
  };
  return Buffer.concat([head, ...packets.map(record)]);
}

async function answers(options: Omit<ScanOptions, 'threaded_bytes_min'>): Promise<ScanResult[]> {
  const results: ScanResult[] = [];
  for await (const result of scanFiles({ ...options, threaded_bytes_min: 0 })) results.push(result);
  return results;
}

function withEngine(): void {
  const files = Array.from({ length: 12 }, (_, n) =>
    file(
      `f${n}.pcapng`,
      Buffer.concat([
        section(),
        ...Array.from({ length: n * 30 + 1 }, (_, i) => epb(udpPacket(1000 + i), BigInt(i))),
      ]),
    ),
  );
  files.push(join(directory, 'absent'), file('cut', readFileSync(files[3] as string).subarray(0, -9)));

  test('many files on threads: the answers of one thread, in the order of the files', async () => {
    for (const filter of [null, 'src port 1005 or src port 1100']) {
      const one = await answers({ files, filter, threads: 1, countOnly: false });
      const four = await answers({ files, filter, threads: 4, countOnly: false });
      assert.equal(four, one);
      assert.is(one.length, files.length);
      assert.is(one[2]?.totals.packets, 61);
      assert.match(one[12]?.error ?? '', /no such file/);
      assert.is(one[13]?.totals.packets, 90);
    }
  });

  test('a wrong filter is told before any thread starts', async () => {
    const { code, stdout } = await ringtap(['count', '--threads', '4', '-f', 'ether proto', ...files]);
    assert.equal([code, stdout], [2, '']);
  });

  test('parts are summed only when they were read alike', () => {
    const part = (change: Partial<ScanResult>, linkTypes = [1]): ScanResult =>
      ({
        format: 'pcapng',
        totals: { linkTypes, packets: 5 },
        matched: 2,
        filterProblem: null,
        error: null,
        ...change,
      }) as ScanResult;
    assert.is(merge([part({}), part({ matched: 7 })])?.matched, 9);
    assert.is(merge([part({}), part({ error: 'cut' })]), null);
    assert.is(merge([part({}), part({}, [1, 101])]), null);
    assert.is(merge([part({}, [1]), part({}, [101])]), null);
    assert.is(merge([part({}), part({ format: 'pcapng-mixed-endian' })]), null);
  });

  test('what has no records it knows is not cut', () => {
    assert.is(split(file('zeros', Buffer.alloc(10_000)), 64), null);
    assert.is(split(file('text', Buffer.from('x'.repeat(10_000))), 64), null);
    assert.is(split(file('head', pcapFile(0xa1b2c3d4, []).subarray(0, 26)), 8), null);
    const swapped = pcapFile(0xa1b2c3d4, [udpPacket(1)]).swap32();
    assert.is(split(file('swapped', Buffer.concat([swapped, Buffer.alloc(10_000)])), 64), null);
  });

  test("anybody's files are cut at records, and count the same", async () => {
    const packets = Array.from({ length: 5000 }, (_, i) => udpPacket(1000 + (i % 300), 18 + (i % 500)));
    const names = [0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34].map((magic) =>
      file(`cut-${magic}`, pcapFile(magic, packets)),
    );
    const blocks = packets.map((packet, i) => epb(packet, BigInt(i)));
    names.push(file('cut-ng', Buffer.concat([section(), ...blocks])));
    for (const name of names) {
      const parts = split(name, 100_000) ?? [];
      assert.ok(parts.length > 10, `${name}: ${parts.length} parts`);
      assert.is(parts.at(-1)?.to, statSync(name).size);
      const common = { files: [name], filter: 'src port 1007', countOnly: true };
      const [cut] = await answers({ ...common, threads: 3, part_bytes: 100_000 });
      assert.equal([cut?.matched, cut?.totals.packets, cut?.error], [17, 5000, null], name);
    }
  });

  test('a file cut at the wrong places is read again as a whole', async () => {
    // Packets that carry a capture file: the records in them are taken for the real ones.
    const inner = pcapFile(
      0xa1b2c3d4,
      Array.from({ length: 40 }, (_, i) => udpPacket(i)),
    ).subarray(24);
    const packets = Array.from({ length: 200 }, (_, i) => Buffer.concat([udpPacket(3000 + i, 900), inner]));
    const innerBlocks = Buffer.concat(Array.from({ length: 40 }, (_, i) => epb(udpPacket(i), BigInt(i))));
    const others = packets.map((_, i) =>
      epb(Buffer.concat([udpPacket(3000 + i, 900), innerBlocks]), BigInt(i)),
    );
    for (const name of [
      file('wrong', pcapFile(0xa1b2c3d4, packets)),
      file('wrong-ng', Buffer.concat([section(), ...others])),
    ]) {
      assert.ok((split(name, 50_000) ?? []).length > 5, 'it is cut');
      const common = { files: [name], filter: 'portrange 3010-3019', countOnly: true };
      const [cut] = await answers({ ...common, threads: 2, part_bytes: 50_000 });
      assert.equal([cut?.matched, cut?.totals.packets, cut?.error], [10, 200, null], name);
    }
  });

  test('a large file on the command line: threads as one', async () => {
    const packets = Array.from({ length: 3000 }, (_, i) => udpPacket(1000 + (i % 10), 1400));
    const records = pcapFile(0xa1b2c3d4, packets);
    const name = join(directory, 'large.pcap');
    writeFileSync(name, records);
    for (let i = 1; i < 20; i++) appendFileSync(name, records.subarray(24));
    assert.ok(statSync(name).size > 2 * (32 << 20), 'large enough for threads and parts');
    for (const threads of ['1', '2', '4']) {
      const { stdout, stderr } = await ringtap(['count', '--threads', threads, '-f', 'src port 1003', name]);
      assert.equal([stdout, stderr], ['6000\n', '']);
    }
  });

  test('stderr is silent when it is no terminal, also in a long run', async () => {
    const { stderr } = await ringtap(['summary', '--json', '--threads', '2', ...files.slice(0, 12)]);
    assert.is(stderr, '');
  });

  test('Ctrl-C ends a threaded run at once, by the signal', async () => {
    const child = spawn(process.execPath, [paths.cli, 'count', '--threads', '2', '-', files[0] as string], {
      stdio: 'pipe',
    });
    child.stdin.write(section());
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGINT');
    assert.is((await once(child, 'close'))[1], 'SIGINT');
  });

  if (existsSync(paths.probe)) recorded();
  else console.log('SKIP parts of a real segment: the probe is not built');
}

/** A segment of many small blocks, written by the recorder itself. */
function recorded(): void {
  const segment = join(directory, 'segment.pcapng');
  const synth = 'seed=3,size=mix,flows=200,count=40000,pps=0';
  const made = spawnSync(paths.probe, [
    '--ring=synth',
    '--synth',
    synth,
    '-w',
    segment,
    '--block-size',
    '64K',
    '--stats',
    '/dev/null',
  ]);

  test('the parts of a segment cover it without gap or overlap and count what the whole counts', async () => {
    assert.is(made.status, 0, made.stderr.toString());
    const parts = split(segment, 1 << 20) ?? [];
    assert.ok(parts.length > 5, `${parts.length} parts`);
    assert.is(parts[0]?.from, parts[0]?.head_bytes);
    assert.is(parts.at(-1)?.to, statSync(segment).size);
    for (let i = 1; i < parts.length; i++) assert.is(parts[i]?.from, parts[i - 1]?.to);
    for (const filter of [null, 'tcp', 'udp and greater 500', 'ip[19] & 3 = 1', 'ip6']) {
      const common = { files: [segment], filter, countOnly: true };
      const [whole] = await answers({ ...common, threads: 1 });
      const [cut] = await answers({ ...common, threads: 3, part_bytes: 1 << 20 });
      assert.is(cut?.matched, whole?.matched, `${filter}`);
      if (filter === null) assert.is(whole?.matched, 40_000);
    }
  });

  test('a damaged segment is read as a whole: the same count and error as one thread', async () => {
    const bytes = readFileSync(segment);
    const parts = split(segment, 1 << 20) ?? [];
    const cutInTheMiddle = parts[3]?.from ?? 0;
    for (const damaged of [
      file('tail.pcapng', bytes.subarray(0, -100)),
      file(
        'hole.pcapng',
        Buffer.concat([
          bytes.subarray(0, cutInTheMiddle + 5000),
          Buffer.alloc(64, 0xff),
          bytes.subarray(cutInTheMiddle + 5064),
        ]),
      ),
      file('twice.pcapng', Buffer.concat([bytes, bytes])),
    ]) {
      const common = { files: [damaged], filter: 'udp', countOnly: true };
      const [whole] = await answers({ ...common, threads: 1 });
      const [cut] = await answers({ ...common, threads: 3, part_bytes: 1 << 20 });
      assert.equal([cut?.matched, cut?.error], [whole?.matched, whole?.error], damaged);
    }
  });

  if (spawnSync('script', ['--version']).error) {
    console.log('SKIP progress on a terminal: no script(1)');
    return;
  }
  test('progress shows on a terminal and goes away', () => {
    const input = `(cat ${segment}; sleep 1.3; tail -c +${(split(segment, 1 << 20)?.[0]?.head_bytes ?? 0) + 1} ${segment})`;
    const command = `${input} | ${process.execPath} ${paths.cli} count - >${join(directory, 'out')}`;
    const shown = spawnSync('script', ['-qec', command, '/dev/null'], {
      encoding: 'utf8',
      stdio: [openSync('/dev/null', 'r'), 'pipe', 'pipe'],
    });
    assert.is(shown.status, 0);
    assert.match(shown.stdout, /ringtap: [\d.]+ [kMG]B, .*\/s/);
    assert.is(readFileSync(join(directory, 'out'), 'utf8'), '80000\n');
    assert.ok(shown.stdout.endsWith('\r\x1b[K'), 'the line is taken away');
  });
}

test.run();
