/**
 * Packets of an answer as a pcapng file, streamed. Its section says who asked for what and when; what the
 * answer rests on is known at the end, in a comment of the last statistics block (and of the section itself
 * when no packet was found, so that an empty file explains itself).
 */
import { OPT_COMMENT, SNAPLEN_DEFAULT } from '../../proto/gen/constants.js';
import {
  interfaceBlock,
  packetBytes,
  putPacket,
  sectionBlock,
  statisticsBlock,
  textOption,
} from '../formats/pcapng-writer.js';
import { VERSION } from '../paths.js';
import type { PacketHit, SegmentInfo } from '../store/types.js';
import { coverageLines } from './coverage.js';
import { frozen, type Query } from './query.js';
import type { Packets } from './reader.js';

const OPT_IF_NAME = 2;
const LINKTYPE_ETHERNET = 1;

/** The comments of the section: read together they say how to make this file again. */
export function provenance(query: Query, who: string, when: Date): string[] {
  const asked = Object.entries(frozen(query)).map(([name, value]) => `${name}: ${value}`);
  return [
    `ringtap ${VERSION}: packets of stored captures, unchanged`,
    ...(asked.length > 0 ? asked : ['query: all packets']),
    `asked by: ${who}`,
    `asked at: ${when.toISOString()}`,
  ];
}

/** Gives each (segment's interface, linktype) met a number in the file, and its description the first time. */
class Interfaces {
  readonly #numbers = new Map<string, number>();
  readonly #names: Map<string, string>;

  constructor(segments: readonly SegmentInfo[]) {
    this.#names = new Map(segments.map(({ stem, interfaceName }) => [stem, interfaceName]));
  }

  get count(): number {
    return this.#numbers.size;
  }

  number({ id, ifindex, linktype }: PacketHit, describe: (block: Buffer) => void): number {
    const name = this.#names.get(id.slice(0, id.lastIndexOf(':'))) ?? '';
    const key = `${linktype} ${ifindex} ${name}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(key, number);
    describe(interfaceBlock(linktype, SNAPLEN_DEFAULT, name ? [textOption(OPT_IF_NAME, name)] : []));
    return number;
  }
}

/** A group of packets with the descriptions of interfaces met for the first time before them. */
function groupBytes(hits: readonly PacketHit[], interfaces: Interfaces): Buffer {
  const heads: Buffer[] = [];
  const numbers = hits.map((hit) => interfaces.number(hit, (block) => heads.push(block)));
  const head = Buffer.concat(heads);
  const size = hits.reduce((sum, { bytes }) => sum + packetBytes(bytes.length), head.length);
  const to = Buffer.allocUnsafe(size);
  let at = head.copy(to);
  for (const [i, { tsNs, wirelen, bytes }] of hits.entries())
    at = putPacket(to, at, numbers[i] as number, tsNs, wirelen, bytes);
  return to;
}

/** Back-pressure is the reader's: nothing is read ahead of what it takes. */
export async function* sliceStream(
  packets: Packets,
  comments: string[],
  segments: readonly SegmentInfo[],
): AsyncGenerator<Buffer, void, void> {
  const interfaces = new Interfaces(segments);
  let begun = false;
  try {
    for (;;) {
      const { done, value } = await packets.next();
      if (done) {
        const lines = coverageLines(value);
        if (!begun) yield sectionBlock(`ringtap ${VERSION}`, [...comments, ...lines]);
        if (interfaces.count === 0) yield interfaceBlock(LINKTYPE_ETHERNET, SNAPLEN_DEFAULT, []);
        yield statisticsBlock(
          0,
          lines.map((line) => textOption(OPT_COMMENT, line)),
        );
        return;
      }
      if (!begun) yield sectionBlock(`ringtap ${VERSION}`, comments);
      begun = true;
      if (value.length > 0) yield groupBytes(value, interfaces);
    }
  } finally {
    await packets.return(undefined as never);
  }
}
