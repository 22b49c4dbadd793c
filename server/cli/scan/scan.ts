/** Runs one scan task on an engine of the calling thread. Prints nothing. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Engine } from '../../../asm/host/index.js';
import { readCapture } from '../capture.js';
import type { Part, ScanResult, ScanTask } from './messages.js';

/** Options of an engine that scans: its totals are wanted, its flows are not. */
export const SCANNING = { forgetFlows: true };

/** What each engine filters for. */
const filters = new WeakMap<Engine, string | null>();

/** `onRead` gets the bytes read since it was called last. Throws FilterError. */
export async function scan(
  engine: Engine,
  task: ScanTask,
  onRead: (more: number) => void,
): Promise<ScanResult> {
  engine.reset();
  // Only when needed, so that the next part goes on with the code emitted for the one before. A problem
  // of the file before must be forgotten.
  if (filters.get(engine) !== task.filter || engine.filterProblem !== null) engine.setFilter(task.filter);
  filters.set(engine, task.filter);
  const error = task.part ? scanPart(engine, task, task.part, onRead) : await scanFile(engine, task, onRead);
  return {
    format: engine.format,
    totals: engine.totals(),
    matched: engine.matched,
    filterProblem: engine.filterProblem,
    error,
  };
}

function scanFile(
  engine: Engine,
  { file, countOnly }: ScanTask,
  onRead: (more: number) => void,
): Promise<string | null> {
  let before = 0;
  return readCapture(engine, file, undefined, {
    countOnly,
    onRead: (bytes) => {
      onRead(bytes - before);
      before = bytes;
    },
  });
}

/** A part that does not read as whole blocks is an error; the caller then reads the file as a whole. */
function scanPart(
  engine: Engine,
  { file, countOnly }: ScanTask,
  part: Part,
  onRead: (more: number) => void,
): string | null {
  engine.begin();
  const fd = openSync(file, 'r');
  try {
    feedRange(engine, fd, 0, part.head_bytes, countOnly, () => {});
    feedRange(engine, fd, part.from, part.to, countOnly, onRead);
  } finally {
    closeSync(fd);
  }
  return engine.end()?.message ?? null;
}

/** Bytes are read into the engine's own memory. */
function feedRange(
  engine: Engine,
  fd: number,
  from: number,
  to: number,
  countOnly: boolean,
  onRead: (more: number) => void,
): void {
  for (let at = from; at < to && !engine.error; ) {
    const room = engine.room();
    const length = readSync(fd, room, 0, Math.min(room.length, to - at), at);
    if (length === 0) break;
    const chunk = room.subarray(0, length);
    if (countOnly) engine.scan(chunk);
    else engine.push(chunk);
    at += length;
    onRead(length);
  }
}
