/**
 * Builds the index of one segment, part by part, on the thread that calls it. Keeps the part it is at in memory, so
 * that a growing segment is read once. Sleeps between reads as told, to leave the drive to the recorder.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { type BlockIndexer, INDEX_EXTENTS_MAX } from '../../asm/host/block-index.js';
import { type Identity, INDEX_HEADER_BYTES, writeIdentity, writePart } from './index-file.js';
import { type Extent, nextBlock } from './segment-file.js';

const SLEEP_MIN_MS = 1;

/** One part of an index to be made, or made anew with more extents. */
export interface IndexJob {
  path: string;
  indexPath: string;
  identity: Identity;
  linktypes: number[];
  firstExtent: number;
  /** All extents of the part, at most INDEX_EXTENTS_MAX. */
  extents: Extent[];
  /** Where the part goes in the index; INDEX_HEADER_BYTES makes it anew. */
  at: number;
  /** Share of the time that may be spent reading and indexing, 0 to 1. */
  duty: number;
}

export interface IndexDone {
  /** Where the next part goes. */
  end: number;
  bytesRead: number;
  milliseconds: number;
}

export class IndexBuilder {
  readonly #indexer: BlockIndexer;
  /** Which part is in memory, and how many of its extents. */
  #path = '';
  #first = -1;
  #count = 0;
  readonly #sleep = new Int32Array(new SharedArrayBuffer(4));

  constructor(indexer: BlockIndexer) {
    this.#indexer = indexer;
  }

  /** Throws what opening, reading or writing throws. */
  run(job: IndexJob): IndexDone {
    if (job.extents.length > INDEX_EXTENTS_MAX) throw new RangeError('a part has at most 64 extents');
    const started = performance.now();
    const goesOn =
      this.#path === job.path && this.#first === job.firstExtent && this.#count <= job.extents.length;
    if (!goesOn) {
      this.#indexer.begin(job.linktypes);
      this.#path = job.path;
      this.#first = job.firstExtent;
      this.#count = 0;
    }
    let bytesRead = 0;
    const fd = openSync(job.path, 'r');
    try {
      for (; this.#count < job.extents.length; this.#count++) {
        const extent = job.extents[this.#count] as Extent;
        this.#indexer.extent(this.#count);
        this.#add(fd, extent, job.duty);
        bytesRead += extent.bytes;
      }
    } catch (error) {
      this.#path = ''; // half an extent is no state to go on from
      throw error;
    } finally {
      closeSync(fd);
    }
    const end = this.#write(job);
    return { end, bytesRead, milliseconds: performance.now() - started };
  }

  #add(fd: number, extent: Extent, duty: number): void {
    const end = extent.offset + extent.bytes;
    let busy_ms = 0;
    for (let at = extent.offset; at < end; ) {
      const started = performance.now();
      const room = this.#indexer.room();
      const length = readSync(fd, room, 0, Math.min(room.length, end - at), at);
      const { used, damaged } = this.#indexer.add(length);
      at += used;
      if (damaged || used === 0) {
        this.#indexer.opaque();
        at = nextBlock(fd, at, end);
      }
      busy_ms += performance.now() - started;
      busy_ms = this.#rest(busy_ms, duty);
    }
  }

  /** Returns what is still to be slept off. */
  #rest(busy_ms: number, duty: number): number {
    const rest_ms = busy_ms * (1 / duty - 1);
    if (rest_ms < SLEEP_MIN_MS) return busy_ms;
    Atomics.wait(this.#sleep, 0, 0, rest_ms);
    return 0;
  }

  #write({ indexPath, identity, firstExtent, extents, at }: IndexJob): number {
    const part = writePart(firstExtent, extents, this.#indexer.pack(extents.length));
    const fresh = at === INDEX_HEADER_BYTES;
    const fd = openSync(indexPath, fresh ? 'w' : 'r+', 0o640);
    try {
      if (fresh) writeSync(fd, writeIdentity(identity), 0, INDEX_HEADER_BYTES, 0);
      else if (fstatSync(fd).size < at) throw new Error(`${indexPath} is shorter than when it was read`);
      for (let done = 0; done < part.length; )
        done += writeSync(fd, part, done, part.length - done, at + done);
      ftruncateSync(fd, at + part.length);
    } finally {
      closeSync(fd);
    }
    return at + part.length;
  }
}
