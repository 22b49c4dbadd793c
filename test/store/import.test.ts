/** `ringtap import` keeps what capture files say; the checks of indexes find and mend what is wrong. */
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { indexes } from '../../server/cli/verify/indexes.js';
import {
  comment,
  interfaceBlock,
  packetBytes,
  putPacket,
  sectionBlock,
  textOption,
} from '../../server/formats/pcapng-writer.js';
import { ringtap } from '../server/helpers.js';
import { askOnce, everything, index, packet4, pcapngKeys, scratch, segments, tcpdumpKeys, writer } from './help.js'; // biome-ignore format: one list

function block(ifindex: number, ts: bigint, packet: Buffer, options = [comment('odd')]): Buffer {
  const bytes = Buffer.alloc(packetBytes(packet.length, options));
  putPacket(bytes, 0, ifindex, ts, packet.length + 3, packet, options);
  return bytes;
}

const packets = Array.from({ length: 400 }, (_, i) => packet4(i, 9, 17, [i, 53]));
const capture = Buffer.concat([
  sectionBlock('maker', ['a comment of the section']),
  interfaceBlock(1, 100, [textOption(2, 'eth7')]),
  interfaceBlock(228, 0, [textOption(2, 'tun0')]),
  ...packets.map((packet, i) =>
    block(
      i % 2,
      1_700_000_000_000_000_000n + BigInt(i),
      i % 2 ? packet.subarray(14) : packet,
      i === 5 ? [comment('look here')] : [],
    ),
  ),
]);

test('packets, interfaces, linktypes and comments are kept; the same file is not imported twice unsaid', async () => {
  const [directory, from] = [scratch(), scratch()];
  const file = join(from, 'some.pcapng');
  const zipped = `${file}.gz`;
  writeFileSync(file, capture);
  writeFileSync(zipped, gzipSync(capture));
  const first = await ringtap(['import', '--store', directory, file]);
  assert.is(first.code, 0, first.stderr);
  const [segment] = segments(directory) as [string];
  assert.equal(pcapngKeys(readFileSync(segment)), pcapngKeys(capture));
  assert.equal((await askOnce([directory], everything('udp'))).keys, pcapngKeys(capture), 'both linktypes');
  const { hits } = await askOnce([directory], everything());
  assert.equal([hits[0]!.linktype, hits[1]!.linktype, hits[0]!.wirelen], [1, 228, packets[0]!.length + 3]);
  const text = readFileSync(segment, 'latin1');
  for (const kept of ['a comment of the section', 'eth7', 'tun0', 'look here', 'some.pcapng'])
    assert.ok(text.includes(kept), kept);
  const again = await ringtap(['import', '--store', directory, file]);
  assert.match(again.stderr, /was imported before/);
  assert.is(segments(directory).length, 1);
  await ringtap(['import', '--store', directory, '--again', file, zipped]);
  assert.is(segments(directory).length, 3);
  const { coverage } = await askOnce([directory], everything());
  assert.equal([coverage.ringDrops, coverage.missing], [null, []]);
});

test('a pcap in microseconds and a damaged file: what comes before the damage, exit code 1', async () => {
  const [directory, from] = [scratch(), scratch()];
  const file = join(from, 'cut.pcapng');
  writeFileSync(file, capture.subarray(0, capture.length - 10));
  const { code, stderr, stdout } = await ringtap(['import', '--store', directory, file]);
  assert.equal([code, stdout], [1, `399 packets of ${file} in 1 segments\n`]);
  assert.match(stderr, /what comes before was imported/);
  assert.is((await askOnce([directory], everything())).hits.length, 399);
  const none = await ringtap(['import', '--store', directory, join(from, 'none'), from]);
  assert.is(none.code, 1);
  assert.match(none.stderr, /no such file/);
  for (const wrong of [
    ['import', file],
    ['import', '--store', directory],
    ['import', '--store', directory, '-'],
  ])
    assert.is((await ringtap(wrong)).code, 2);
});

test('times at and beyond what a name can tell', async () => {
  const [directory, from] = [scratch(), scratch()];
  const file = join(from, 'old.pcapng');
  for (const stamp of [-5n, -5n, 0n, (1n << 63n) - 1n]) {
    writeFileSync(
      file,
      Buffer.concat([
        sectionBlock('x', [`${segments(directory).length}`]),
        interfaceBlock(1, 0, []),
        block(0, stamp, packets[1]!),
      ]),
    );
    assert.is((await ringtap(['import', '--store', directory, file])).code, 0);
  }
  assert.equal((await askOnce([directory], everything())).hits.map(({ tsNs }) => tsNs).sort(), [
    -5n,
    -5n,
    0n,
    (1n << 63n) - 1n,
  ]);
  assert.is((await askOnce([directory], { range: { fromNs: null, toNs: 0n }, filter: '' })).hits.length, 2);
});

test('the check of indexes says what is wrong, and mends it', async () => {
  const directory = scratch();
  const out = writer(directory, { segmentBytes: 100_000 });
  for (let i = 0; i < 4000; i++) out.add(0, BigInt(i), 60, packet4(i, 2, 17, [i, 53]));
  const paths = out.commit();
  assert.ok(paths.length >= 3);
  await index(directory);
  const states = async (repair: boolean) => {
    const found: string[] = [];
    for await (const { details, ok } of indexes.run([directory], { repair }))
      found.push(`${details?.state} ${ok}`);
    return found;
  };
  assert.equal(await states(false), [], 'nothing to say of whole ones');
  const sidecars = paths.map((path) => path.replace('.pcapng', '.rtidx'));
  const bytes = readFileSync(sidecars[0]!);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(sidecars[0]!, bytes);
  rmSync(sidecars[1]!);
  truncateSync(sidecars[2]!, 100);
  writeFileSync(join(directory, 'ringtap-gone-1.rtidx'), 'x');
  assert.equal((await states(false)).sort(), ['damaged false', 'damaged false', 'orphan false']);
  assert.equal((await states(true)).sort(), ['orphan true', 'whole true', 'whole true', 'whole true']);
  assert.equal(await states(false), []);
  assert.ok(sidecars.every((path) => existsSync(path)));
  assert.equal((await askOnce([directory], everything('udp'))).keys.length, tcpdumpKeys(paths, 'udp').length);
});

test.run();
