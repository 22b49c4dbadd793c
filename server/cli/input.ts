/**
 * Reads a file or standard input (`-`) in chunks, unpacking gzip on the way. Chunks lie where the caller
 * wants them, so that bytes are copied once, from the kernel, and are valid only during the callback.
 * Never holds a file in memory.
 */
import { closeSync, fstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { createGunzip, type Gunzip } from 'node:zlib';
import { pause } from './output.js';

export const CHUNK_BYTES = 1 << 20;
const GZIP_PIECE_BYTES = 16 * 1024;
const GZIP_TRAILER_BYTES = 8;
const STDIN = 0;

/** Told how many bytes of the file (before unpacking) were read so far. */
export type OnRead = (bytes: number) => void;

/** Takes one chunk; false ends reading early. */
export type ChunkSink = (chunk: Uint8Array) => boolean;

/** Where the next chunk is read to: at least 16 KiB, asked for before each. Aligned to 64 bytes reading is twice as fast. */
export type Room = () => Uint8Array;

/** Input that could not be opened, read or unpacked. */
export class InputError extends Error {
  override name = 'InputError';
}

const REASONS: Record<string, string> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'is a directory, expected a capture file',
  EIO: 'the drive reported an error while reading',
};

function inputError(error: unknown): InputError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new InputError(REASONS[code ?? ''] ?? message);
}

function openInput(file: string): number {
  if (file === '-') return STDIN;
  const fd = openSync(file, 'r');
  if (!fstatSync(fd).isDirectory()) return fd;
  closeSync(fd);
  throw Object.assign(new Error(), { code: 'EISDIR' });
}

/** Bytes read into `buffer`, 0 at the end. */
function readSome(fd: number, buffer: Uint8Array): number {
  for (;;) {
    try {
      return readSync(fd, buffer);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      pause(2);
    }
  }
}

const readLater = promisify(read);

/** The same without blocking the thread, so that a signal is heard while a pipe is silent. */
async function waitSome(fd: number, buffer: Uint8Array): Promise<number> {
  for (;;) {
    try {
      return (await readLater(fd, buffer, 0, buffer.length, null)).bytesRead;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

type Read = (fd: number, buffer: Uint8Array) => number | Promise<number>;

/** Fills what it can of the first bytes: a pipe may deliver the magic number in pieces. */
async function readFirst(readBytes: Read, fd: number, buffer: Uint8Array): Promise<number> {
  let length = 0;
  while (length < 2) {
    const more = await readBytes(fd, buffer.subarray(length));
    if (more === 0) break;
    length += more;
  }
  return length;
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Chunks between two looks at signals and timers. */
const CHUNKS_PER_TURN = 64;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Feeds `sink` until the input or its interest ends. Throws InputError after what could be read. */
export async function readInput(file: string, room: Room, sink: ChunkSink, onRead?: OnRead): Promise<void> {
  let fd: number;
  try {
    fd = openInput(file);
  } catch (error) {
    throw inputError(error);
  }
  try {
    // Files are read in place: a thread hop per chunk would cost more than the read.
    const readBytes: Read = fstatSync(fd).isFile() ? readSome : waitSome;
    const place = room();
    const first = place.subarray(0, await readFirst(readBytes, fd, place));
    let total = first.length;
    const reader =
      (into: Room): Next =>
      () => {
        const buffer = into();
        const took = (length: number) => {
          total += length;
          onRead?.(total);
          return buffer.subarray(0, length);
        };
        const length = readBytes(fd, buffer);
        return typeof length === 'number' ? took(length) : length.then(took);
      };
    if (!isGzip(first)) await pass(first, reader(room), sink);
    else {
      // The sink may write to its room while packed bytes are still being read.
      const packed = new Uint8Array(CHUNK_BYTES);
      await unpack(
        first.slice(),
        reader(() => packed),
        sink,
      );
    }
  } catch (error) {
    throw (error as NodeJS.ErrnoException).syscall === 'read' ? inputError(error) : error;
  } finally {
    if (fd !== STDIN) closeSync(fd);
  }
}

type Next = () => Uint8Array | Promise<Uint8Array>;

async function pass(first: Uint8Array, next: Next, sink: ChunkSink): Promise<void> {
  let chunks = 0;
  for (let chunk = first; chunk.length && sink(chunk); ) {
    if (++chunks % CHUNKS_PER_TURN === 0) await turn();
    const more = next();
    chunk = more instanceof Promise ? await more : more;
  }
}

async function unpack(first: Uint8Array, next: Next, sink: ChunkSink): Promise<void> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  let wanted = true;
  let thrown: unknown;
  let damage: Error | null = null;
  // Flowing mode hands data over at once, so nothing unpacked is lost when damage follows it.
  gunzip.on('data', (chunk: Buffer) => {
    try {
      wanted = wanted && thrown === undefined && sink(chunk);
    } catch (error) {
      thrown = error;
    }
  });
  gunzip.on('error', (error) => {
    damage = error;
  });
  const goesOn = () => wanted && thrown === undefined && !gunzip.destroyed;
  for (let chunk = first; chunk.length && goesOn(); chunk = await next()) {
    for (const piece of pieces(chunk)) {
      if (goesOn()) await settled(gunzip, (done) => gunzip.write(piece, done));
    }
  }
  if (goesOn()) await settled(gunzip, (done) => gunzip.once('end', done).end());
  gunzip.destroy();
  if (thrown !== undefined) throw thrown;
  if (wanted && damage) throw new InputError(`gzip data is damaged: ${(damage as Error).message}`);
}

/** Small, because zlib keeps back what it unpacked of a damaged piece; the trailer (RFC 1952) by itself. */
function* pieces(chunk: Uint8Array): Generator<Uint8Array> {
  const body = Math.max(0, chunk.length - GZIP_TRAILER_BYTES);
  for (let at = 0; at < body; at += GZIP_PIECE_BYTES) {
    yield chunk.subarray(at, Math.min(at + GZIP_PIECE_BYTES, body));
  }
  yield chunk.subarray(body);
}

/** Waits for a step; damaged data destroys the stream, whose callbacks then never come. */
function settled(gunzip: Gunzip, step: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    gunzip.once('close', resolve);
    step(() => {
      gunzip.off('close', resolve);
      resolve();
    });
  });
}
