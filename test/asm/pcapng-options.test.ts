// Options of pcapng packets, comments among them, from where the block lies; hostile ones end quietly.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from './captures.js';
import { arpRequest, ether, join, newEngine, Pcapng, pcap } from './captures.js';

const engine = await newEngine();
const packet = ether(0x806, arpRequest());
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Codes and values of every packet's options, whatever the chunks. */
function read(file: Uint8Array, chunk = file.length): { options: [number, string][]; comments: string[] }[] {
  const out: { options: [number, string][]; comments: string[] }[] = [];
  engine.reset();
  for (let at = 0; at < file.length; at += chunk)
    engine.push(file.subarray(at, at + chunk), (rows) => {
      for (let i = 0; i < rows.length; i++)
        out.push({
          options: rows.options(i).map(({ code, value }) => [code, Buffer.from(value).toString('hex')]),
          comments: rows.comments(i),
        });
    });
  engine.end();
  return out;
}

for (const big of [false, true])
  test(`comments, flags and others of ${big ? 'big' : 'little'}-endian blocks, in chunks of any size`, () => {
    const ng = new Pcapng(big);
    const end = ng.option(0, []);
    const all = join(
      ng.option(1, text('first')),
      ng.option(2, [0, 0, 0, 1]),
      ng.option(1, text('zweite ü')),
      end,
    );
    const skipped = [
      ng.block(4, join([0, 0, 0, 0])), // names
      ng.block(5, new Uint8Array(12)), // statistics
      ng.block(10, text('secrets of TLS!!')),
      ng.block(0xbad, text('custom, copied')),
      ng.block(0x40000bad, text('custom, not copied')),
      ng.block(0x80000001, new Uint8Array(200)),
    ];
    const file = join(
      ng.section(),
      ng.iface(),
      ng.enhanced(packet, 1n, 0, packet.length, all),
      ...skipped,
      ng.enhanced(packet, 2n),
      ng.simple(packet),
      ng.obsolete(packet, 3n),
    );
    const want = [
      { options: [[1, '6669727374'], [2, '00000001'], [1, '7a776569746520c3bc']], comments: ['first', 'zweite ü'] },
      ...Array(3).fill({ options: [], comments: [] }),
    ]; // biome-ignore format: a packet a line
    for (const chunk of [file.length, 1, 7, 64]) assert.equal(read(file, chunk), want, `chunks of ${chunk}`);
  });

test('lengths beyond the block, no end of options, bytes that are no text', () => {
  const ng = new Pcapng();
  const one = (options: Bytes) =>
    read(join(ng.section(), ng.iface(), ng.enhanced(packet, 1n, 0, packet.length, options)))[0]!;
  assert.equal(one([1, 0, 255, 255, 65, 66, 67, 68]).comments, []);
  assert.equal(one(ng.option(1, text('no end'))).comments, ['no end']);
  assert.equal(one(ng.option(1, [0xff, 0xfe, 65])).comments, ['\ufffd\ufffdA']);
  assert.equal(one([1, 0]).options, [[1, '']], 'padded to an empty comment');
  assert.is(one(join(...Array.from({ length: 400 }, () => ng.option(1, text('a'))))).options.length, 256);
});

test('a pcap record that looks like a block has no options', () => {
  const fake = new Pcapng().enhanced(packet, 1n, 0, packet.length, new Pcapng().option(1, text('not so')));
  assert.equal(
    read(pcap([{ bytes: fake }, { bytes: fake.subarray(28) }])).map(({ comments }) => comments),
    [[], []],
  );
});

test.run();
