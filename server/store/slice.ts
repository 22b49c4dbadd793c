/**
 * An answer as a pcapng file: the packet blocks as they were recorded, their interfaces, and comments that say
 * where they come from: the query in the section header, the coverage in a statistics block at the end, when it
 * is known. Streams; opens segments only for their heads.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { LINKTYPE_ETHERNET } from '../../proto/gen/constants.js';
import { InterfaceTracker } from '../formats/pcapng-interfaces.js';
import { sectionBlock, statisticsBlock } from '../formats/pcapng-writer.js';
import { SliceInterfaces } from '../formats/slice-interfaces.js';
import { VERSION } from '../paths.js';
import { coverageText, queryText } from './describe.js';
import type { LocalStore } from './open.js';
import type { Batch } from './scan.js';
import type { Segment } from './segment.js';
import type { Coverage, PacketQuery, ScanOptions } from './types.js';
import { nowNs } from './when.js';

export interface SliceResult {
  packets: number;
  coverage: Coverage;
}

/** Pieces of the file, each valid until the next is asked for. Throws FilterError before the first. */
export async function* sliceStore(
  store: LocalStore,
  query: PacketQuery,
  options: ScanOptions = {},
): AsyncGenerator<Uint8Array, SliceResult, void> {
  const pieces: Uint8Array[] = [];
  const slicer = new Slicer((block) => pieces.push(block));
  pieces.push(sectionBlock(`ringtap ${VERSION}`, [`ringtap query ${VERSION}: recorded packets, unchanged`, ...queryText(query), `asked: ${new Date().toISOString()}`])); // biome-ignore format: one block
  const batches = store.batches(query, options);
  try {
    for (;;) {
      const { value, done } = await batches.next();
      if (done) {
        slicer.end(value);
        yield Buffer.concat(pieces.splice(0));
        return { packets: slicer.packets, coverage: value };
      }
      const blocks = slicer.take(value);
      if (pieces.length > 0) yield Buffer.concat(pieces.splice(0));
      yield blocks;
    }
  } finally {
    await batches.return(undefined as never);
  }
}

class Slicer {
  readonly #write: (block: Uint8Array) => void;
  readonly #interfaces: SliceInterfaces;
  /** For each segment met: number in the file written of each of its interfaces. */
  readonly #numbers = new Map<Segment, number[]>();
  #last: Segment | null = null;
  packets = 0;

  constructor(write: (block: Uint8Array) => void) {
    this.#write = write;
    this.#interfaces = new SliceInterfaces(write);
  }

  /** Renumbers the interfaces of packet blocks where they lie, and returns those wanted. */
  take({ bytes, starts, parts }: Batch): Uint8Array {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let i = 0;
    for (const { segment, packets } of parts) {
      const numbers = packets > 0 ? this.#of(segment) : [];
      const end = Math.min(starts.length, i + packets);
      if (numbers.every((number, own) => number === own)) i = end;
      for (; i < end; i++) {
        const at = (starts[i] as number) + 8;
        view.setUint32(at, numbers[view.getUint32(at, true)] as number, true);
      }
    }
    this.packets += starts.length;
    const last = starts.at(-1);
    return last === undefined
      ? bytes.subarray(0, 0)
      : bytes.subarray(0, last + view.getUint32(last + 4, true));
  }

  #of(segment: Segment): number[] {
    const known = this.#numbers.get(segment);
    if (known) return known;
    const tracker = new InterfaceTracker();
    tracker.push(headOf(segment));
    const numbers = segment.head!.interfaces.map(({ linktype }, i) =>
      this.#interfaces.number(linktype, tracker.find(0, i)),
    );
    this.#numbers.set(segment, numbers);
    this.#last = segment;
    return numbers;
  }

  /** A file without any interface is refused by libpcap: an empty slice has one nevertheless. */
  end(coverage: Coverage): void {
    if (!this.#last) this.#interfaces.number(LINKTYPE_ETHERNET, null);
    this.#write(statisticsBlock(0, coverage.range.toNs ?? nowNs(), coverageText(coverage)));
  }
}

/** The head of a segment whose packets were read a moment ago; empty when it has gone since. */
function headOf(segment: Segment): Buffer {
  try {
    const fd = openSync(segment.path, 'r');
    try {
      const head = Buffer.alloc(segment.head!.bytes);
      return head.subarray(0, readSync(fd, head, 0, head.length, 0));
    } finally {
      closeSync(fd);
    }
  } catch {
    return Buffer.alloc(0);
  }
}
