/**
 * One segment of the catalogue: its head, its extents as far as they were found, and its index if it has one that
 * fits. Looks at the files when told to; holds none open.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { BLOCK_LOOK_BYTES, readBlockHeader } from './block-header.js';
import { INDEX_SUFFIX, IndexError, type IndexPart, readIndex, type SegmentIndex } from './index-file.js';
import {
  BlockChain,
  type Extent,
  type Hole,
  readHead,
  SegmentError,
  type SegmentHead,
} from './segment-file.js';

/** A newest segment that nobody has locked and nobody wrote to for so long has no writer any more. */
const IDLE_MS = 2_000;

export class Segment {
  readonly stem: string;
  readonly path: string;
  /** Null when it cannot be read: `problem` says why. */
  head: SegmentHead | null = null;
  problem: string | null = null;
  size = 0;
  /** No recorder writes it any more. */
  sealed = false;
  /** Null: not there, or of no use. */
  index: SegmentIndex | null = null;
  /** Why an index that is there was not used, or not all of it. */
  indexProblem: string | null = null;
  #chain: BlockChain | null = null;

  constructor(stem: string, path: string) {
    this.stem = stem;
    this.path = path;
  }

  get indexPath(): string {
    return this.path.replace(/\.pcapng$/, INDEX_SUFFIX);
  }

  get extents(): readonly Extent[] {
    return this.#chain?.extents ?? [];
  }

  get holes(): readonly Hole[] {
    return this.#chain?.holes ?? [];
  }

  /** Extents that are final, and so can be indexed. */
  get closed(): number {
    return this.sealed ? this.extents.length : (this.#chain?.closed ?? 0);
  }

  /** Extents the index has. */
  get covered(): number {
    return this.index ? extentsOf(this.index.parts).length : 0;
  }

  get indexed(): boolean {
    return this.sealed && this.covered === this.extents.length;
  }

  /** Reads what is new. `followed`: its recorder has begun another segment since. `locked`: files being written. */
  look(followed: boolean, locked: ReadonlySet<number>): void {
    let fd: number;
    try {
      fd = openSync(this.path, 'r');
    } catch (error) {
      this.problem = `it cannot be opened: ${(error as NodeJS.ErrnoException).code}`;
      return; // perhaps it is gone: the next refresh tells
    }
    try {
      const { size, mtimeMs, ino } = fstatSync(fd);
      const sealed = !locked.has(ino) && (followed || Date.now() - mtimeMs > IDLE_MS);
      if (size === this.size && sealed === this.sealed) return;
      this.#extend(fd, size, sealed);
    } catch (error) {
      this.problem =
        error instanceof SegmentError ? error.message : `it cannot be read: ${(error as Error).message}`;
    } finally {
      closeSync(fd);
    }
  }

  #extend(fd: number, size: number, sealed: boolean): void {
    this.head ??= readHead(fd);
    this.problem = null;
    if (!this.#chain) {
      this.#chain = new BlockChain(this.head);
      this.#loadIndex(fd, size);
      this.#chain.seed(extentsOf(this.index?.parts ?? []));
    }
    this.#chain.extend(fd, size, sealed);
    this.size = size;
    this.sealed = sealed;
  }

  #loadIndex(fd: number, size: number): void {
    this.index = null;
    this.indexProblem = null;
    let indexFd: number;
    try {
      indexFd = openSync(this.indexPath, 'r');
    } catch {
      return; // none yet
    }
    try {
      const index = readIndex(indexFd, fd, this.head as SegmentHead);
      checkEnds(fd, size, extentsOf(index.parts));
      this.index = index;
      this.indexProblem = index.problem;
    } catch (error) {
      this.indexProblem =
        error instanceof IndexError ? error.message : `it cannot be read: ${(error as Error).message}`;
    } finally {
      closeSync(indexFd);
    }
  }

  /** The index was written meanwhile: it must be of the extents known here. */
  reloadIndex(): void {
    if (!this.head || !this.#chain) return;
    const fd = openSync(this.path, 'r');
    try {
      this.#loadIndex(fd, fstatSync(fd).size);
    } finally {
      closeSync(fd);
    }
    const known = this.extents;
    const differ = ({ offset, bytes }: Extent, i: number) =>
      known[i]?.offset !== offset || known[i]?.bytes !== bytes;
    if (extentsOf(this.index?.parts ?? []).some(differ)) {
      this.index = null;
      this.indexProblem = 'it tells other blocks than the segment has';
    }
    this.#chain.fix(this.covered);
  }
}

export const extentsOf = (parts: readonly IndexPart[]): Extent[] => parts.flatMap(({ extents }) => extents);

/** Throws IndexError when the first and last extent are not in the segment. */
function checkEnds(fd: number, size: number, extents: readonly Extent[]): void {
  for (const extent of [extents.at(0), extents.at(-1)]) {
    if (!extent) continue;
    const look = Buffer.alloc(BLOCK_LOOK_BYTES);
    const header = readBlockHeader(look.subarray(0, readSync(fd, look, 0, look.length, extent.offset)));
    if (header?.seq !== extent.seq || extent.offset + extent.bytes > size)
      throw new IndexError('it does not fit the segment: the segment was changed since');
  }
}
