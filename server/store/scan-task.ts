/**
 * Runs one scan task on the thread that calls it: reads pieces of segments into the engine's memory and
 * copies the packet blocks that pass. Holds a few open files between tasks. Decodes nothing.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { BlockScanner } from '../../asm/host/index.js';
import type { Piece, PieceResult, ScanResult, ScanTask } from './messages.js';
import { nextBlock } from './segment-file.js';

const FILES_MAX = 16;
/** Of a packet block before its packet. */
export const EPB_HEADER_BYTES = 28;

/** Open segments, the least recently used closed first. A deleted one stays readable while it is here. */
export class OpenFiles {
  readonly #files = new Map<string, number>();

  /** Throws when it cannot be opened. */
  open(path: string): number {
    const known = this.#files.get(path);
    const fd = known ?? openSync(path, 'r');
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

/** What was found so far, in memory that grows as needed. */
class Found {
  #bytes = new Uint8Array(1 << 16);
  #used = 0;
  starts: number[] = [];
  offsets: number[] = [];

  add(memory: Uint8Array, at: number, length: number, offset: number): void {
    if (this.#used + length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + length));
      larger.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = larger;
    }
    // A call costs more than copying a short packet by hand would, but packets are long on average.
    this.#bytes.set(memory.subarray(at, at + length), this.#used);
    this.starts.push(this.#used);
    this.offsets.push(offset);
    this.#used += length;
  }

  result(): Pick<ScanResult, 'bytes' | 'starts' | 'offsets'> {
    return {
      bytes: this.#bytes.slice(0, this.#used),
      starts: Uint32Array.from(this.starts),
      offsets: Float64Array.from(this.offsets),
    };
  }
}

/** Throws FilterError. */
export function runTask(scanner: BlockScanner, files: OpenFiles, task: ScanTask): ScanResult {
  scanner.setFilter(task.filter);
  scanner.setRange(task.fromNs, task.toNs);
  const found = new Found();
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
  const before = found.starts.length;
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
  result.found = found.starts.length - before;
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
  for (let at = piece.offset; at < end && found.starts.length < task.limit; ) {
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
  const { memory, base } = scanner;
  const view = new DataView(memory.buffer);
  for (let i = 0; i < places.length && found.starts.length < task.limit; i++) {
    const place = places[i] as number;
    const offset = at + place - base;
    if (offset <= piece.after) continue;
    const length = task.withoutBytes ? EPB_HEADER_BYTES : view.getUint32(place + 4, true);
    found.add(memory, place, length, offset);
  }
}
