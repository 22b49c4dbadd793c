/** What fuzzing starts from: every vector as packets and as capture files, and real filter programs. */
import { compileFilter } from '../../../asm/host/filter/compile.js';
import { parseFilter } from '../../../asm/host/filter/parser.js';
import type { Insn } from '../../../asm/host/filter/program.js';
import type { Bytes } from '../captures.js';
import { FRAMES, join, Pcapng, pcap } from '../captures.js';
import { LINKS } from '../links.js';
import { VECTORS } from '../vectors.js';

const ng = new Pcapng();
const big = new Pcapng(true);
const packets = FRAMES.map(({ bytes }, i) => ({ bytes, ts: BigInt(i) * 1_000_000_000n }));

/** A capture file of every kind. */
export const FILES: readonly Uint8Array[] = [
  pcap(packets),
  pcap(packets, { big: true, variant: 'ns' }),
  pcap(packets, { variant: 'modified' }),
  ...[ng, big].map((order) =>
    join(
      order.section(),
      order.iface(1, order.tsresol(0x92)),
      ...packets.map(({ bytes }, i) => order.enhanced(bytes, BigInt(i))),
      order.simple(packets[0]!.bytes),
      order.obsolete(packets[1]!.bytes, 1n),
    ),
  ),
];

/** Bits of harness.c's mode. */
const STREAM = 1;
const CHUNKS = 2;
const ROWS = 4;
const FILTER = 8;
const SCAN = 16;
const EXPORTS = 32;
const BATCHES = 64;

/** harness.c's LINKTYPES. */
const HARNESS_LINKTYPES = [
  1, 0, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 127, 228, 229, 276, 147, 6, 10, 100, 107, 109, 117, 119, 123, 129, 163, 192, 226, 239, 258,
]; // biome-ignore format: a table

const FILTERS = [
  'tcp port 80 or udp portrange 1-1023',
  'vlan and ip6 net fd00::/16 and icmp6',
  'tcp[13] & 2 != 0 and ip[2:2] > 40',
  'ip6 protochain 17',
  'pppoes and mpls and host 10.0.0.1',
];
const le16 = (value: number): number[] => [value & 255, (value >> 8) & 255];
const le32 = (value: number): number[] => [...le16(value & 0xffff), ...le16(value >>> 16)];
const program = (insns: readonly Insn[]): Uint8Array =>
  join(
    [insns.length],
    ...insns.map(({ code, jt, jf, k }) => [...le32(code), ...le16(jt), ...le16(jf), ...le32(k)]),
  );

/** One frame as harness.c takes it. */
const frame = (bytes: Uint8Array): Bytes => join(le16(bytes.length), [0, 1], bytes);

/** Inputs of harness.c by a name that says what they are. */
export function seeds(): Map<string, Uint8Array> {
  const all = new Map<string, Uint8Array>();
  const vectors = [...FRAMES, ...VECTORS];
  vectors.forEach(({ bytes }, i) => {
    all.set(`packet-${i}`, join([ROWS | (i & 1 ? EXPORTS : 0), 0, 0], frame(bytes)));
    const network = bytes.subarray(14);
    all.set(`raw-${i}`, join([ROWS | BATCHES, 8, 0], frame(network)));
  });
  LINKS.forEach(({ bytes, linktype }, i) => {
    const index = HARNESS_LINKTYPES.indexOf(linktype);
    if (index >= 0) all.set(`link-${i}`, join([ROWS, index, 0], frame(bytes)));
  });
  all.set('packets', join([ROWS | EXPORTS, 0, 0], ...FRAMES.map(({ bytes }) => frame(bytes))));
  FILES.forEach((bytes, i) => {
    all.set(`file-${i}`, join([STREAM | ROWS | EXPORTS, 0, 0], bytes));
    all.set(`chunks-${i}`, join([STREAM | CHUNKS | ROWS, 0, 0], bytes));
    all.set(`scan-${i}`, join([STREAM | SCAN, 0, 0], bytes));
  });
  FILTERS.forEach((text, i) => {
    const insns = compileFilter(parseFilter(text), { linktype: 1 });
    if (insns.length < 64)
      all.set(`filter-${i}`, join([STREAM | FILTER | SCAN, 0], program(insns), FILES[i % FILES.length]!));
  });
  return all;
}
