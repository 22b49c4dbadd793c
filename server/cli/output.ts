/**
 * Standard output and standard error. Writes are synchronous, so a reader that goes away (`| head`)
 * is noticed at the next write and ends the command quietly; nothing piles up in memory.
 */
import { writeSync } from 'node:fs';

const STDOUT = 1;
const STDERR = 2;
const FLUSH_CHARS = 1 << 16;

/** Thrown when nobody reads standard output any more. Not an error: the command ends with 0. */
export class OutputClosed extends Error {
  override name = 'OutputClosed';
}

let pending = '';

/** Waits without spinning: an inherited descriptor may be non-blocking. */
export function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

function writeAll(fd: number, data: string | Uint8Array): void {
  let bytes = typeof data === 'string' ? Buffer.from(data) : data;
  while (bytes.length) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') pause(2);
      else if (code === 'EPIPE') throw new OutputClosed();
      else throw error;
    }
  }
}

/** One line of results. */
export function printLine(line: string): void {
  pending += `${line}\n`;
  if (pending.length >= FLUSH_CHARS) flush();
}

/** Results that are no text. */
export function printBytes(bytes: Uint8Array): void {
  flush();
  writeAll(STDOUT, bytes);
}

export function flush(): void {
  const text = pending;
  pending = '';
  if (text) writeAll(STDOUT, text);
}

/** All of Unicode's control characters but line feed and tab. */
const CONTROLS = /[^\P{Cc}\n\t]/gu;
const CLEAR_LINE = '\r\x1b[K';
let transientShown = false;

/**
 * One line for people, on standard error; results printed before it come out first. Control characters
 * are made visible: much of what is said quotes files and peers, who must not steer the terminal.
 */
export function note(line: string): void {
  toStderr(`${transientShown ? CLEAR_LINE : ''}${line.replace(CONTROLS, '\uFFFD')}\n`);
  transientShown = false;
}

/** A line on the terminal that the next one replaces; empty to end it. */
export function transientNote(line: string): void {
  if (line || transientShown) toStderr(CLEAR_LINE + line);
  transientShown = line !== '';
}

/** A closed standard error is no reason to stop. */
function toStderr(text: string): void {
  try {
    flush();
    writeAll(STDERR, text);
  } catch (error) {
    if (!(error instanceof OutputClosed)) throw error;
  }
}
