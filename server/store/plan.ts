/**
 * What a query has to read: the extents of the catalogue in stored order, without those that time or index
 * rule out, joined to tasks small enough that queries can take turns. Pure but for the coverage it notes.
 */
import type { Catalogue } from './catalogue.js';
import { type CoverageBuilder, overlaps } from './coverage.js';
import type { Piece } from './messages.js';
import { byStamp, extentsOf, type Pruner, runsOf } from './order.js';
import type { Segment } from './segment.js';
import type { Extent } from './segment-file.js';
import type { TimeRange } from './types.js';

/** Read by one thread at a time: some milliseconds. */
const TASK_BYTES = 8 << 20;
/** The first ones are smaller, so that the first packets come soon. */
const FIRST_TASK_BYTES = 4 << 20;
const PIECES_MAX = 64;

/** Where an answer goes on: behind the packet block at `offset` of segment `stem`. */
export interface Cursor {
  stem: string;
  offset: number;
}

/** A cursor that names no packet of this store. */
export class CursorError extends Error {
  override name = 'CursorError';
}

export function parseCursor(id: string): Cursor {
  const match = /^(.+):(\d{1,15})$/.exec(id);
  if (!match) throw new CursorError(`${id} is no packet id: expected SEGMENT:OFFSET`);
  return { stem: match[1]!, offset: Number(match[2]) };
}

export interface PlannedPiece {
  segment: Segment;
  extents: Extent[];
  piece: Piece;
}

export interface PlannedTask {
  pieces: PlannedPiece[];
  bytes: number;
}

export function plan(
  catalogue: Catalogue,
  range: TimeRange,
  cursor: Cursor | null,
  prune: Pruner,
  coverage: CoverageBuilder,
): PlannedTask[] {
  const tasks: PlannedTask[] = [];
  const goesOn = cursor && resume(catalogue, cursor);
  for (const run of runsOf(catalogue.segments().filter(({ head }) => head)))
    for (const { segment, extent, wanted } of extentsOf(run, prune)) {
      const after = goesOn ? goesOn(segment, extent) : -1;
      if (after === null) continue;
      if (extent.packets === 0 || !overlaps(range, extent.firstNs, extent.lastNs)) coverage.skip(extent);
      else if (!wanted) coverage.look(segment, extent, false);
      else add(tasks, segment, segment.sealed ? extent : { ...extent }, after); // it may grow meanwhile
    }
  return tasks;
}

/**
 * For each extent in stored order: null while it lies before the cursor, else behind which offset to begin.
 * When the cursor's segment is gone the answer goes on with what was recorded after it.
 */
function resume(
  catalogue: Catalogue,
  { stem, offset }: Cursor,
): (segment: Segment, extent: Extent) => number | null {
  const known = catalogue.get(stem);
  if (
    !known &&
    !catalogue.expired().has(stem) &&
    !catalogue.missing().some((segment) => segment.stem === stem)
  )
    throw new CursorError(`${stem}:${offset}: this store has no segment ${stem}`);
  let passed = false;
  return (segment, extent) => {
    if (passed) return -1;
    if (!known) return byStamp(segment, { stem } as Segment) > 0 ? -1 : null;
    if (segment !== known || extent.offset + extent.bytes <= offset) return null;
    passed = true;
    return offset;
  };
}

function add(tasks: PlannedTask[], segment: Segment, extent: Extent, after: number): void {
  const last = tasks.at(-1);
  const room = tasks.length <= 2 ? FIRST_TASK_BYTES : TASK_BYTES;
  const task =
    last && last.bytes + extent.bytes <= room && last.pieces.length < PIECES_MAX ? last : newTask(tasks);
  task.bytes += extent.bytes;
  const before = task.pieces.at(-1);
  if (before?.segment === segment && before.piece.offset + before.piece.bytes === extent.offset) {
    before.extents.push(extent);
    before.piece.bytes += extent.bytes;
    return;
  }
  const linktypes = segment.head!.interfaces.map(({ linktype }) => linktype);
  const piece: Piece = { path: segment.path, linktypes, offset: extent.offset, bytes: extent.bytes, after };
  task.pieces.push({ segment, extents: [extent], piece });
}

function newTask(tasks: PlannedTask[]): PlannedTask {
  const task: PlannedTask = { pieces: [], bytes: 0 };
  tasks.push(task);
  return task;
}
