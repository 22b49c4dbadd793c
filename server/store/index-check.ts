/**
 * Says what is wrong with the indexes and the catalogue of a store: reads every index whole, and of segments only
 * heads and block headers. Changes nothing; repairing is indexing anew.
 */
import { closeSync, openSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Catalogue } from './catalogue.js';
import { checkRows, INDEX_SUFFIX } from './index-file.js';
import type { Segment } from './segment.js';

export interface IndexFinding {
  path: string;
  state: 'whole' | 'missing' | 'partial' | 'damaged' | 'orphan' | 'unreadable' | 'stripes';
  /** One line for people, without the path. */
  message: string;
}

/** What makes an index be made anew. */
export const isMendable = ({ state }: IndexFinding): boolean =>
  state === 'missing' || state === 'partial' || state === 'damaged' || state === 'orphan';

/** Findings of directories, one for each segment, then those about what belongs to none. */
export function* checkIndexes(directories: readonly string[]): Generator<IndexFinding> {
  const catalogue = new Catalogue(directories);
  catalogue.refresh();
  const segments = catalogue.segments().sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const segment of segments) yield checkSegmentIndex(segment);
  const known = new Set(segments.map(({ indexPath }) => indexPath));
  for (const directory of directories)
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      if (name.endsWith(INDEX_SUFFIX) && !known.has(path))
        yield { path, state: 'orphan', message: 'index of a segment that is not here' };
    }
  yield* checkRuns(segments);
}

function checkSegmentIndex(segment: Segment): IndexFinding {
  const { indexPath: path, index } = segment;
  if (segment.problem !== null) return { path: segment.path, state: 'unreadable', message: segment.problem };
  if (segment.indexProblem !== null) return { path, state: 'damaged', message: segment.indexProblem };
  if (!index) {
    const none = segment.extents.length === 0 || !segment.sealed;
    return none
      ? { path, state: 'whole', message: 'not there yet' }
      : { path, state: 'missing', message: 'not there' };
  }
  try {
    const fd = openSync(path, 'r');
    try {
      for (const part of index.parts) checkRows(fd, part);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return { path, state: 'damaged', message: (error as Error).message };
  }
  const share = ((statSync(path).size / segment.size) * 100).toFixed(2);
  const told = `${segment.covered} of ${segment.extents.length} extents, ${share} % of the segment`;
  if (segment.sealed && !segment.indexed) return { path, state: 'partial', message: `only ${told}` };
  return { path, state: 'whole', message: `whole, ${told}` };
}

/** Runs of which a stripe is not in any of the directories. */
function* checkRuns(segments: readonly Segment[]): Generator<IndexFinding> {
  const runs = new Map<string, { path: string; stripes: number; seen: Set<number> }>();
  for (const { head, path } of segments) {
    if (!head?.run) continue;
    const { id, stripe, stripes } = head.run;
    const run = runs.get(id) ?? { path, stripes, seen: new Set<number>() };
    run.seen.add(stripe);
    runs.set(id, run);
  }
  for (const [id, { path, stripes, seen }] of runs)
    if (seen.size < stripes)
      yield {
        path,
        state: 'stripes',
        message: `run ${id} has ${stripes} stripes, here are ${seen.size}: name all directories to check all`,
      };
}
