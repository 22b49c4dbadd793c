/**
 * How far a long run is, as one line on the terminal that replaces itself. Silent when standard error is
 * no terminal, and for runs that are over in a second.
 */
import { statSync } from 'node:fs';
import { countText, sizeText } from './format.js';
import { transientNote } from './output.js';

const QUIET_MS = 1000;
const EVERY_MS = 250;

/** Bytes of all files together; null when one has no size (standard input, a pipe). */
export function totalBytes(files: string[]): number | null {
  let total = 0;
  for (const file of files) {
    const info = file === '-' ? undefined : statSync(file, { throwIfNoEntry: false });
    if (file === '-' || (info && !info.isFile() && !info.isDirectory())) return null;
    if (info?.isFile()) total += info.size;
  }
  return total;
}

/** `1.20 of 4.80 GB, 2.40 GB/s, 2 s left`. Pure. */
export function progressText(done: number, total: number | null, elapsed_ms: number): string {
  const rate = done / (elapsed_ms / 1000);
  const parts = [total === null ? sizeText(done) : `${sizeText(done)} of ${sizeText(total)}`];
  parts.push(`${sizeText(Math.round(rate))}/s`);
  if (total !== null && rate > 0 && done <= total)
    parts.push(`${countText(Math.ceil((total - done) / rate))} s left`);
  return parts.join(', ');
}

export class Progress {
  readonly #total: number | null;
  readonly #started = performance.now();
  readonly #shown: boolean;
  #last = 0;

  constructor(total: number | null, shown = process.stderr.isTTY === true) {
    this.#total = total;
    this.#shown = shown;
  }

  /** Call it as often as you like. */
  at(done: number): void {
    if (!this.#shown) return;
    const now = performance.now();
    const elapsed_ms = now - this.#started;
    if (elapsed_ms < QUIET_MS || now - this.#last < EVERY_MS) return;
    this.#last = now;
    transientNote(`ringtap: ${progressText(done, this.#total, elapsed_ms)}`);
  }

  /** Takes the line away; results or errors follow. */
  clear(): void {
    if (this.#shown) transientNote('');
  }
}
