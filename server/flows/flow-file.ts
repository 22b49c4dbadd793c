/**
 * A segment's flow file in the making. Ended flows go into the final file at once, which has no name of its
 * own until it is complete; so that they can be asked for meanwhile, they are also in parts beside it. The
 * newest part is replaced again and again. A crash leaves parts and a hidden file, both made anew.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ParquetStream } from '../formats/table.js';
import { FLOW_ROW_COLUMNS, type FlowRecord } from './columns.js';
import { growingPath } from './files.js';

/** Ended flows held in memory; with more a part is closed. */
const PART_ROWS = 50_000;
const FILE_MODE = 0o640;
const DIRECTORY_MODE = 0o750;

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

export class FlowFile {
  readonly #path: string;
  readonly #hidden: string;
  readonly #fd: number;
  readonly #stream = new ParquetStream(FLOW_ROW_COLUMNS);
  #held: FlowRecord[] = [];
  #part = 0;
  rows = 0;

  constructor(path: string) {
    this.#path = path;
    this.#hidden = join(dirname(path), `.${basename(path)}.${process.pid}`);
    mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    removeParts(path);
    this.#fd = openSync(this.#hidden, 'w', FILE_MODE);
  }

  ended(rows: readonly FlowRecord[]): void {
    this.#held.push(...rows);
    this.rows += rows.length;
    while (this.#held.length >= PART_ROWS) this.#close(this.#held.splice(0, PART_ROWS));
  }

  /** What is known now: flows that ended and those that go on. */
  show(open: readonly FlowRecord[]): void {
    this.#writePart([...this.#held, ...open]);
  }

  /** Makes it the final file. */
  finish(): void {
    if (this.#held.length > 0) writeAll(this.#fd, this.#stream.groupOf(this.#held));
    writeAll(this.#fd, this.#stream.end());
    fsyncSync(this.#fd);
    closeSync(this.#fd);
    renameSync(this.#hidden, this.#path);
    removeParts(this.#path);
  }

  abandon(): void {
    closeSync(this.#fd);
    rmSync(this.#hidden, { force: true });
  }

  /** These rows do not change any more: they get a part of their own, and their place in the final file. */
  #close(rows: readonly FlowRecord[]): void {
    writeAll(this.#fd, this.#stream.groupOf(rows));
    this.#writePart(rows);
    this.#part++;
  }

  #writePart(rows: readonly FlowRecord[]): void {
    const path = growingPath(this.#path, this.#part);
    const hidden = join(dirname(path), `.${basename(path)}.${process.pid}`);
    const stream = new ParquetStream(FLOW_ROW_COLUMNS);
    const fd = openSync(hidden, 'w', FILE_MODE);
    try {
      if (rows.length > 0) writeAll(fd, stream.groupOf(rows));
      writeAll(fd, stream.end());
    } finally {
      closeSync(fd);
    }
    renameSync(hidden, path);
  }
}

/** Parts of a segment's file, and hidden files of makers that are gone. */
function removeParts(path: string): void {
  const [directory, name] = [dirname(path), basename(path).replace(/\.parquet$/, '')];
  for (const entry of readdirSync(directory)) {
    const part = entry.startsWith(`${name}.growing-`) && entry.endsWith('.parquet');
    if (part || entry.startsWith(`.${name}.`)) rmSync(join(directory, entry), { force: true });
  }
}
