/**
 * Packets of an answer as a pcapng file, streamed. Its section says who asked for what and when; what the
 * answer rests on is known at the end, in a comment of the last statistics block (and of the section itself
 * when no packet was found, so that an empty file explains itself).
 */

import type { CoverageAnswer } from '../../proto/api.js';
import { LINKTYPE_ETHERNET, OPT_IF_NAME, SNAPLEN_DEFAULT } from '../../proto/gen/constants.js';
import {
  interfaceBlock,
  packetBytes,
  putPacket,
  sectionBlock,
  statisticsBlock,
  textOption,
} from '../formats/pcapng-writer.js';
import { VERSION } from '../paths.js';
import { coverageText, queryText } from '../store/describe.js';
import type { Coverage, PacketHit, SegmentInfo } from '../store/types.js';
import { nowNs } from '../store/when.js';
import { coverageAnswer } from './coverage.js';
import type { Query } from './query.js';
import type { Packets } from './reader.js';

/** The comments of the section: read together they say how to make this file again. */
export function provenance(query: Query, who: string, when: Date): string[] {
  const fields = Object.entries(query.fields).map(([name, value]) => `${name}: ${value}`);
  return [
    `ringtap ${VERSION}: packets of stored captures, unchanged`,
    ...queryText(query.packets),
    ...fields,
    `asked by: ${who}`,
    `asked: ${when.toISOString()}`,
  ];
}

const MISSING_TOLD_MAX = 100;

function shortened(coverage: Coverage): CoverageAnswer {
  return coverageAnswer({ ...coverage, missing: coverage.missing.slice(0, MISSING_TOLD_MAX) });
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
  let packets_written = 0;
  try {
    for (;;) {
      const { done, value } = await packets.next();
      if (done) {
        const lines = coverageText(value);
        if (!begun) yield sectionBlock(`ringtap ${VERSION}`, [...comments, ...lines]);
        if (interfaces.count === 0) yield interfaceBlock(LINKTYPE_ETHERNET, SNAPLEN_DEFAULT, []);
        // For programs; of a long list of missing parts only the lines above, as an option is 64 KiB at most.
        const told = JSON.stringify({ packets: packets_written, coverage: shortened(value) });
        yield statisticsBlock(0, value.range.toNs ?? nowNs(), [...lines, told]);
        return;
      }
      if (!begun) yield sectionBlock(`ringtap ${VERSION}`, comments);
      begun = true;
      packets_written += value.length;
      if (value.length > 0) yield groupBytes(value, interfaces);
    }
  } finally {
    await packets.return(undefined as never);
  }
}
