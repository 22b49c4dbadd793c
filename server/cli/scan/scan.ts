/** Runs one scan task on an engine of the calling thread. Prints nothing. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Engine } from '../../../asm/host/index.js';
import { readCapture } from '../capture.js';
import { CHUNK_BYTES } from '../input.js';
import type { Part, ScanResult, ScanTask } from './messages.js';

/** `onRead` gets the bytes read since it was called last. Throws FilterError. */
export async function scan(
  engine: Engine,
  task: ScanTask,
  onRead: (more: number) => void,
): Promise<ScanResult> {
  engine.reset();
  engine.setFilter(task.filter); // also forgets what the file before had no program for
  const error = task.part
    ? scanPart(engine, task.file, task.part, onRead)
    : await scanFile(engine, task.file, onRead);
  return {
    format: engine.format,
    totals: engine.totals(),
    matched: engine.matched,
    filterProblem: engine.filterProblem,
    error,
  };
}

function scanFile(engine: Engine, file: string, onRead: (more: number) => void): Promise<string | null> {
  let before = 0;
  return readCapture(engine, file, undefined, {
    onRead: (bytes) => {
      onRead(bytes - before);
      before = bytes;
    },
  });
}

/** A part that does not read as whole blocks is an error; the caller then reads the file as a whole. */
function scanPart(engine: Engine, file: string, part: Part, onRead: (more: number) => void): string | null {
  engine.begin();
  const fd = openSync(file, 'r');
  try {
    pushRange(engine, fd, 0, part.head_bytes, () => {});
    pushRange(engine, fd, part.from, part.to, onRead);
  } finally {
    closeSync(fd);
  }
  return engine.end()?.message ?? null;
}

function pushRange(
  engine: Engine,
  fd: number,
  from: number,
  to: number,
  onRead: (more: number) => void,
): void {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, to - from));
  for (let at = from; at < to && !engine.error; ) {
    const length = readSync(fd, buffer, 0, Math.min(buffer.length, to - at), at);
    if (length === 0) break;
    engine.push(buffer.subarray(0, length));
    at += length;
    onRead(length);
  }
}
