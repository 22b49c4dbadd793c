/**
 * What segments the store's directories hold: found by name, known by head and blocks, cached, and looked at
 * again at each refresh() (one directory listing, and a stat of those still being written). The files are the
 * truth: everything here can be rebuilt. Runs on its owner's thread; reads little and writes nothing.
 */
import { closeSync, fstatSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ExpiredLog, type ExpiredSegment } from './expired.js';
import {
  BlockChain,
  type Extent,
  type Hole,
  readHead,
  SegmentError,
  type SegmentHead,
} from './segment-file.js';

const NAME = /^(ringtap-.+)\.pcapng$/;
/** UTC to the nanosecond and sequence, as segment.c names its files. */
const PLACE = /^(.*)-(\d{8}T\d{6}\.?\d*Z?)-(\d+)$/;
/** The newest segment of a recorder that wrote nothing for so long has no writer any more. */
const IDLE_MS = 30_000;

export interface Segment {
  readonly stem: string;
  readonly path: string;
  /** Null when it cannot be read: `problem` says why. */
  head: SegmentHead | null;
  problem: string | null;
  size: number;
  sealed: boolean;
  indexed: boolean;
  extents: readonly Extent[];
  holes: readonly Hole[];
}

interface Entry extends Segment {
  chain: BlockChain | null;
  mtime_ms: number;
}

/** Segments of one recorder share this, and follow each other by stamp and sequence. */
function place(stem: string): { prefix: string; order: string } {
  const match = PLACE.exec(stem);
  return match ? { prefix: match[1]!, order: `${match[2]}-${match[3]}` } : { prefix: stem, order: '' };
}

export class Catalogue {
  readonly #directories: readonly string[];
  readonly #expired: ExpiredLog[];
  readonly #entries = new Map<string, Entry>();
  /** Segments once seen whose file is gone though nobody wrote that it expired. */
  readonly #missing = new Map<string, Segment>();

  constructor(directories: readonly string[]) {
    this.#directories = directories;
    this.#expired = directories.map((directory) => new ExpiredLog(directory));
  }

  /** Brings it up to date. Throws when a directory cannot be listed. */
  refresh(): void {
    const present = new Set<string>();
    for (const directory of this.#directories)
      for (const name of readdirSync(directory)) {
        const stem = NAME.exec(name)?.[1];
        if (stem === undefined) continue;
        present.add(stem);
        if (!this.#entries.has(stem)) this.#entries.set(stem, newEntry(stem, join(directory, name)));
      }
    const expired = this.expired();
    for (const [stem, entry] of this.#entries) {
      if (present.has(stem)) continue;
      this.#entries.delete(stem);
      if (!expired.has(stem)) this.#missing.set(stem, entry);
    }
    for (const stem of this.#missing.keys())
      if (expired.has(stem) || present.has(stem)) this.#missing.delete(stem);
    this.#look();
  }

  #look(): void {
    const newest = new Map<string, string>();
    for (const stem of this.#entries.keys()) {
      const { prefix, order } = place(stem);
      if (order >= (newest.get(prefix) ?? '')) newest.set(prefix, order);
    }
    for (const entry of this.#entries.values()) {
      if (entry.sealed) continue;
      const { prefix, order } = place(entry.stem);
      look(entry, newest.get(prefix) !== order);
    }
  }

  segments(): Segment[] {
    return [...this.#entries.values()];
  }

  get(stem: string): Segment | undefined {
    return this.#entries.get(stem);
  }

  missing(): Segment[] {
    return [...this.#missing.values()];
  }

  /** By stem. */
  expired(): ReadonlyMap<string, ExpiredSegment> {
    return new Map(this.#expired.flatMap((log) => [...log.refresh()]));
  }
}

function newEntry(stem: string, path: string): Entry {
  return {
    stem, path, head: null, problem: null, size: 0, sealed: false, indexed: false,
    extents: [], holes: [], chain: null, mtime_ms: 0,
  }; // biome-ignore format: one record
}

/** Reads what is new of a segment. `followed`: its recorder has begun another since. */
function look(entry: Entry, followed: boolean): void {
  let fd: number;
  try {
    fd = openSync(entry.path, 'r');
  } catch (error) {
    entry.problem = `it cannot be opened: ${(error as NodeJS.ErrnoException).code}`;
    return; // perhaps it is gone: the next refresh() tells
  }
  try {
    const { size, mtimeMs } = fstatSync(fd);
    const sealed = followed || Date.now() - mtimeMs > IDLE_MS;
    if (size === entry.size && sealed === entry.sealed) return;
    entry.head ??= readHead(fd);
    entry.problem = null;
    entry.chain ??= new BlockChain(entry.head);
    entry.chain.extend(fd, size, sealed);
    entry.extents = entry.chain.extents;
    entry.holes = entry.chain.holes;
    Object.assign(entry, { size, sealed, mtime_ms: mtimeMs });
  } catch (error) {
    entry.problem =
      error instanceof SegmentError ? error.message : `it cannot be read: ${(error as Error).message}`;
  } finally {
    closeSync(fd);
  }
}
