/**
 * Reads a file or standard input (`-`) in chunks, unpacking gzip on the way. One buffer is reused, so
 * chunks are valid only during the callback. Never holds a file in memory.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { constants, createGunzip, type Gunzip } from 'node:zlib';
import { pause } from './output.js';

export const CHUNK_BYTES = 1 << 20;
const STDIN = 0;

/** Takes one chunk; false ends reading early. */
export type ChunkSink = (chunk: Uint8Array) => boolean;

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

/** Fills what it can of the first bytes: a pipe may deliver the magic number in pieces. */
function readFirst(fd: number, buffer: Uint8Array): number {
  let length = 0;
  while (length < 2) {
    const more = readSome(fd, buffer.subarray(length));
    if (more === 0) break;
    length += more;
  }
  return length;
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Feeds `sink` until the input or its interest ends. Throws InputError after what could be read. */
export async function readInput(file: string, sink: ChunkSink): Promise<void> {
  let fd: number;
  try {
    fd = openInput(file);
  } catch (error) {
    throw inputError(error);
  }
  try {
    const buffer = new Uint8Array(CHUNK_BYTES);
    const first = buffer.subarray(0, readFirst(fd, buffer));
    const next = () => buffer.subarray(0, readSome(fd, buffer));
    if (isGzip(first)) await unpack(first, next, sink);
    else for (let chunk = first; chunk.length && sink(chunk); ) chunk = next();
  } catch (error) {
    throw (error as NodeJS.ErrnoException).syscall === 'read' ? inputError(error) : error;
  } finally {
    if (fd !== STDIN) closeSync(fd);
  }
}

async function unpack(first: Uint8Array, next: () => Uint8Array, sink: ChunkSink): Promise<void> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES, finishFlush: constants.Z_FINISH });
  let wanted = true;
  let thrown: unknown;
  // Flowing mode hands data over at once, so nothing unpacked is lost when damage follows it.
  gunzip.on('data', (chunk: Buffer) => {
    try {
      wanted &&= thrown === undefined && sink(chunk);
    } catch (error) {
      thrown = error;
    }
  });
  let damage: Error | null = null;
  gunzip.on('error', (error) => {
    damage = error;
  });
  for (let chunk = first; chunk.length && wanted && !thrown && !damage; chunk = next())
    await write(gunzip, chunk);
  if (wanted && !thrown && !damage) await end(gunzip);
  gunzip.destroy();
  if (thrown) throw thrown;
  if (wanted && damage) throw new InputError(`gzip data is damaged: ${(damage as Error).message}`);
}

const write = (gunzip: Gunzip, chunk: Uint8Array) =>
  new Promise<void>((resolve) => gunzip.write(chunk, () => resolve()));

const end = (gunzip: Gunzip) =>
  new Promise<void>((resolve) => {
    gunzip.once('end', resolve);
    gunzip.once('error', () => resolve());
    gunzip.end();
  });
