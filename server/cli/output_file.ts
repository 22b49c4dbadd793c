/**
 * A file of results (or standard output, `-`), written through one buffer. A regular file gets its name
 * only when it is complete: until then it lies beside it as NAME.part-PID and goes with Ctrl-C or failure.
 */
import { closeSync, openSync, realpathSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { Failure } from './command.js';
import { flush, OutputClosed, pause, transientNote } from './output.js';

const STDOUT = 1;
const BUFFER_BYTES = 1 << 20;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const REASONS: Record<string, string> = {
  ENOENT: 'no such directory: create it first',
  EACCES: 'permission denied: name a place you may write to',
  EPERM: 'permission denied: name a place you may write to',
  EROFS: 'the file system is read-only: name another place',
  EISDIR: 'is a directory: name a file',
  ENOSPC: 'no space left: free some or name another place',
  EDQUOT: 'the disk quota is used up: free some space or name another place',
};

function failure(path: string, error: unknown): Error {
  if (error instanceof OutputClosed || error instanceof Failure) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new Failure(`${path}: ${REASONS[code ?? ''] ?? message}`);
}

/** Fails when `path` is one of `inputs` under any name: links and mounts included. */
function refuseInput(path: string, inputs: string[]): void {
  const target = statSync(path, { throwIfNoEntry: false, bigint: true });
  if (!target?.isFile()) return;
  for (const input of inputs) {
    const source = input === '-' ? undefined : statSync(input, { throwIfNoEntry: false, bigint: true });
    if (source && source.dev === target.dev && source.ino === target.ino)
      throw new Failure(`${path} is read and cannot be written at once: name another output file`);
  }
}

/** Where a link leads, so that it stays a link. */
function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

export class OutputFile {
  readonly #path: string;
  readonly #fd: number;
  /** The unfinished file's name; null when written in place (standard output, pipes, devices). */
  #part: string | null = null;
  readonly #target: string;
  #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #used = 0;
  #open = true;
  readonly #onSignal = (signal: NodeJS.Signals) => {
    this.close();
    transientNote('');
    process.kill(process.pid, signal); // nobody listens any more: it ends us as it would have
  };

  private constructor(path: string) {
    this.#path = path;
    this.#target = path === '-' ? path : resolved(path);
    this.#fd = path === '-' ? STDOUT : this.#create();
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** Throws Failure when it cannot be written, or is one of the files that will be read. */
  static create(path: string, inputs: string[]): OutputFile {
    try {
      if (path === '-') flush();
      else refuseInput(path, inputs);
      return new OutputFile(path);
    } catch (error) {
      throw failure(path, error);
    }
  }

  #create(): number {
    const existing = statSync(this.#target, { throwIfNoEntry: false });
    if (existing && !existing.isFile()) return openSync(this.#target, 'w');
    this.#part = `${this.#target}.part-${process.pid}`;
    return openSync(this.#part, 'wx', 0o640); // packets are private
  }

  /** `length` bytes of the buffer to fill at once, before the next call. */
  reserve(length: number): { buffer: Buffer; at: number } {
    if (this.#used + length > this.#buffer.length) this.#flush();
    if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(length);
    const at = this.#used;
    this.#used += length;
    return { buffer: this.#buffer, at };
  }

  write(bytes: Uint8Array): void {
    const { buffer, at } = this.reserve(bytes.length);
    buffer.set(bytes, at);
  }

  #flush(): void {
    try {
      for (let at = 0; at < this.#used; ) at += this.#writeSome(at);
    } catch (error) {
      throw failure(this.#path, error);
    }
    this.#used = 0;
  }

  #writeSome(at: number): number {
    try {
      return writeSync(this.#fd, this.#buffer, at, this.#used - at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') throw new OutputClosed();
      if (code !== 'EAGAIN') throw error;
      pause(2);
      return 0;
    }
  }

  /** Everything is written: the file gets its name. */
  commit(): void {
    this.#flush();
    if (this.#part === null) return;
    try {
      renameSync(this.#part, this.#target);
    } catch (error) {
      throw failure(this.#path, error);
    }
    this.#part = null;
  }

  /** Must be called at the end, committed or not; may be called again. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    if (this.#fd !== STDOUT) closeSync(this.#fd);
    if (this.#part !== null) unlinkSync(this.#part);
  }
}
