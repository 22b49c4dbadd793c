/**
 * Runs one scan task on the thread that calls it: reads pieces of segments into the engine's memory and
 * copies the packet blocks that pass. Holds a few open files between tasks. Decodes nothing.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { BlockScanner, Gathered } from '../../asm/host/blocks.js';
import type { Piece, PieceResult, ScanResult, ScanTask } from './messages.js';
import { nextBlock } from './segment-file.js';

const FILES_MAX = 16;
/** Of a packet block before its packet. */
export const EPB_HEADER_BYTES = 28;

/** Open segments, the least recently used closed first. A deleted one is let go, so that its space is freed. */
export class OpenFiles {
  readonly #files = new Map<string, number>();

  /** Throws when it cannot be opened, or was deleted since. */
  open(path: string): number {
    const known = this.#files.get(path);
    if (known !== undefined && fstatSync(known).nlink === 0) this.close(path);
    const fd = this.#files.get(path) ?? openSync(path, 'r');
    this.#files.delete(path);
    this.#files.set(path, fd);
    if (this.#files.size > FILES_MAX) this.close(this.#files.keys().next().value as string);
    return fd;
  }

  close(path: string): void {
    const fd = this.#files.get(path);
    if (fd !== undefined) closeSync(fd);
    this.#files.delete(path);
  }

  closeAll(): void {
    for (const path of [...this.#files.keys()]) this.close(path);
  }
}

/** What a task found so far, in memory that grows as needed and serves the next task again. */
class Found {
  #bytes = new Uint8Array(1 << 16);
  #starts = new Uint32Array(256);
  #offsets = new Float64Array(256);
  #used = 0;
  count = 0;
  truncated = 0;

  /** `shift` turns addresses into offsets in the segment. */
  add({ bytes, starts, found, truncated }: Gathered, shift: number): void {
    const count = this.count + starts.length;
    if (this.#used + bytes.length > this.#bytes.length)
      this.#bytes = larger(this.#bytes, this.#used + bytes.length, Uint8Array);
    if (count > this.#starts.length) {
      this.#starts = larger(this.#starts, count, Uint32Array);
      this.#offsets = larger(this.#offsets, count, Float64Array);
    }
    this.#bytes.set(bytes, this.#used);
    for (let i = 0; i < starts.length; i++) {
      this.#starts[this.count + i] = starts[i]! + this.#used;
      this.#offsets[this.count + i] = found[i]! + shift;
    }
    this.#used += bytes.length;
    this.count = count;
    this.truncated += truncated;
  }

  result(): Pick<ScanResult, 'bytes' | 'starts' | 'offsets' | 'truncated'> {
    return {
      bytes: this.#bytes.slice(0, this.#used),
      starts: this.#starts.slice(0, this.count),
      offsets: this.#offsets.slice(0, this.count),
      truncated: this.truncated,
    };
  }

  clear(): void {
    this.#used = this.count = this.truncated = 0;
  }
}

type Numbers = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

function larger<T extends Numbers>(from: T, needed: number, type: new (length: number) => T): T {
  const to = new type(Math.max(from.length * 2, needed));
  to.set(from);
  return to;
}

/** Of this thread. */
const found = new Found();

/** Throws FilterError. */
export function runTask(scanner: BlockScanner, files: OpenFiles, task: ScanTask): ScanResult {
  scanner.setFilter(task.filter);
  scanner.setRange(task.fromNs, task.toNs);
  found.clear();
  const pieces = task.pieces.map((piece) => runPiece(scanner, files, task, piece, found));
  return { id: task.id, pieces, ...found.result(), filterProblem: scanner.filterProblem };
}

function runPiece(
  scanner: BlockScanner,
  files: OpenFiles,
  task: ScanTask,
  piece: Piece,
  found: Found,
): PieceResult {
  const before = found.count;
  const result: PieceResult = { found: 0, packets: 0, damaged: [], failure: null };
  try {
    const fd = files.open(piece.path);
    scanner.setInterfaces(piece.linktypes);
    scanPiece(scanner, fd, task, piece, found, result);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    files.close(piece.path);
    result.failure = code;
  }
  result.found = found.count - before;
  return result;
}

function scanPiece(
  scanner: BlockScanner,
  fd: number,
  task: ScanTask,
  piece: Piece,
  found: Found,
  result: PieceResult,
): void {
  const end = piece.offset + piece.bytes;
  for (let at = piece.offset; at < end && found.count < task.limit; ) {
    const room = scanner.room();
    const length = readSync(fd, room, 0, Math.min(room.length, end - at), at);
    const scan = scanner.scan(length);
    take(scanner, scan.found, task, piece, at, found);
    result.packets += scan.packets;
    at += scan.used;
    if (!scan.damaged && scan.used > 0) continue;
    const next = nextBlock(fd, at, end);
    result.damaged.push({ offset: at, bytes: next - at });
    at = next;
  }
}

function take(
  scanner: BlockScanner,
  places: Uint32Array,
  task: ScanTask,
  piece: Piece,
  at: number,
  found: Found,
): void {
  const shift = at - scanner.base;
  let first = 0;
  while (first < places.length && places[first]! + shift <= piece.after) first++;
  const count = Math.min(places.length - first, task.limit - found.count);
  if (count > 0) found.add(scanner.gather(first, count, task.withoutBytes), shift);
}
