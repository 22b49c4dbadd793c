/**
 * A job's results on disk: JSON lines in a file that has no name any more once it is open, so that nothing
 * is left behind by a crash. Bounded. Readers may follow while it is written.
 */
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Row } from '../formats/table.js';

const READ_BYTES = 256 * 1024;

export class Spool {
  readonly #file: FileHandle;
  readonly #bytes_max: number;
  #bytes = 0;
  #rows = 0;
  #over = false;
  #closed = false;
  #readers = 0;
  #waiting: (() => void)[] = [];

  private constructor(file: FileHandle, bytes_max: number) {
    this.#file = file;
    this.#bytes_max = bytes_max;
  }

  static async create(bytes_max: number): Promise<Spool> {
    const directory = await mkdtemp(join(tmpdir(), 'ringtap-query-'));
    try {
      return new Spool(await open(join(directory, 'results'), 'wx+', 0o600), bytes_max);
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  get rows(): number {
    return this.#rows;
  }

  /** False when the rows would not fit: then none of them was taken. */
  async append(rows: readonly Row[]): Promise<boolean> {
    if (rows.length === 0) return true;
    const lines = Buffer.from(`${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
    if (this.#bytes + lines.length > this.#bytes_max || this.#closed) return false;
    await this.#file.write(lines, 0, lines.length, this.#bytes);
    this.#bytes += lines.length;
    this.#rows += rows.length;
    this.#wake();
    return true;
  }

  /** No more rows follow. */
  finish(): void {
    this.#over = true;
    this.#wake();
  }

  /** Rows from the first on, until finish(); ends early when the spool is closed. */
  async *read(): AsyncGenerator<Row[], void, void> {
    const buffer = Buffer.alloc(READ_BYTES);
    let rest = Buffer.alloc(0);
    this.#readers++;
    try {
      for (let at = 0; ; ) {
        if (at === this.#bytes) {
          if (this.#over) return;
          await new Promise<void>((resolve) => this.#waiting.push(resolve));
          continue;
        }
        const length = Math.min(READ_BYTES, this.#bytes - at);
        const { bytesRead } = await this.#file.read(buffer, 0, length, at);
        at += bytesRead;
        const text = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
        const end = text.lastIndexOf(10) + 1;
        rest = text.subarray(end);
        if (end > 0) yield rowsOf(text.subarray(0, end - 1).toString());
      }
    } finally {
      this.#readers--;
      if (this.#closed && this.#readers === 0) await this.#file.close();
    }
  }

  /** The disk is free again once the last reader has gone. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.finish();
    if (this.#readers === 0) await this.#file.close();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const rowsOf = (text: string): Row[] => text.split('\n').map((line) => JSON.parse(line) as Row);
