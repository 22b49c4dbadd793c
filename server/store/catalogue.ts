/**
 * What segments the store's directories hold: found by name, known by head and blocks, cached, and looked at
 * again at each refresh() (one directory listing, and a stat of those that may still grow). The files are the
 * truth: everything here can be rebuilt. Runs on its owner's thread; reads little and writes nothing.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ExpiredLog, type ExpiredSegment } from './expired.js';
import { lockedInodes } from './locks.js';
import { Segment } from './segment.js';

const NAME = /^(ringtap-.+)\.pcapng$/;
/** UTC to the nanosecond and sequence, as segment.c names its files. */
const PLACE = /^(.*)-(\d{8}T\d{6}\.?\d*Z?)-(\d+)$/;

/** Segments of one recorder share this, and follow each other by stamp and sequence. */
function place(stem: string): { prefix: string; order: string } {
  const match = PLACE.exec(stem);
  return match ? { prefix: match[1]!, order: `${match[2]}-${match[3]}` } : { prefix: stem, order: '' };
}

export class Catalogue {
  readonly #directories: readonly string[];
  readonly #expired: ExpiredLog[];
  readonly #entries = new Map<string, Segment>();
  /** Segments once seen whose file is gone though nobody wrote that it expired. */
  readonly #missing = new Map<string, Segment>();

  constructor(directories: readonly string[]) {
    this.#directories = directories;
    this.#expired = directories.map((directory) => new ExpiredLog(directory));
  }

  /** Brings it up to date. Throws when a directory is there and cannot be listed. */
  refresh(): void {
    const present = new Set<string>();
    for (const directory of this.#directories)
      for (const name of namesIn(directory)) {
        const stem = NAME.exec(name)?.[1];
        if (stem === undefined) continue;
        present.add(stem);
        if (!this.#entries.has(stem)) this.#entries.set(stem, new Segment(stem, join(directory, name)));
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
    const locked = lockedInodes();
    for (const entry of this.#entries.values()) {
      const { prefix, order } = place(entry.stem);
      const followed = newest.get(prefix) !== order;
      if (!entry.sealed || !followed) entry.look(followed, locked);
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

/** None in a directory that its recorder has not made yet. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
