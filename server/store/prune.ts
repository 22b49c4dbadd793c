/** Rules out extents of segments by their indexes, for one query. Reads a few rows of each index. */
import { closeSync, openSync } from 'node:fs';
import { overlaps } from './coverage.js';
import { IndexError, type IndexPart, readRow } from './index-file.js';
import { evaluate, type IndexTest, indexTest } from './index-query.js';
import type { Pruner } from './order.js';
import type { Segment } from './segment.js';
import type { TimeRange } from './types.js';

const ALL = (1n << 64n) - 1n;

/** Throws FilterError. `useIndexes` false: nothing is ruled out. */
export function prunerOf(filter: string, range: TimeRange, useIndexes: boolean): Pruner {
  const test = useIndexes ? indexTest(filter) : null;
  return (segment) => {
    const { index } = segment;
    if (!test || !index || index.parts.length === 0) return null;
    const masks = index.parts.map(() => ALL);
    let fd: number;
    try {
      fd = openSync(segment.indexPath, 'r');
    } catch {
      return null; // deleted, perhaps with its segment: the scan will tell
    }
    try {
      for (const [i, part] of index.parts.entries())
        if (inRange(part, range)) masks[i] = maskOf(fd, segment, part, test);
    } finally {
      closeSync(fd);
    }
    return lookUp(index.parts, masks);
  };
}

function inRange({ extents }: IndexPart, range: TimeRange): boolean {
  return extents.some(({ packets, firstNs, lastNs }) => packets > 0 && overlaps(range, firstNs, lastNs));
}

function maskOf(fd: number, segment: Segment, part: IndexPart, test: IndexTest): bigint {
  try {
    return evaluate(test, part.rows, (row) => readRow(fd, part, row));
  } catch (error) {
    // While a segment grows its last part is written anew now and then: that is no damage.
    if (segment.sealed) segment.indexProblem = (error as Error).message;
    if (error instanceof IndexError || (error as NodeJS.ErrnoException).code) return ALL;
    throw error;
  }
}

/** Extents are asked for in order. */
function lookUp(parts: readonly IndexPart[], masks: readonly bigint[]): (extent: number) => boolean {
  let at = 0;
  return (extent) => {
    while (at < parts.length && extent >= parts[at]!.firstExtent + parts[at]!.extents.length) at++;
    const part = parts[at];
    return !part || ((masks[at]! >> BigInt(extent - part.firstExtent)) & 1n) === 1n;
  };
}
