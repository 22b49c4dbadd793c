/** Runs one capture file through an engine. What was read before damage counts; the error says the rest. */
import { readFileSync } from 'node:fs';
import { Engine, type EngineOptions, FilterError, type PacketRows } from '../../asm/host/index.js';
import { paths } from '../paths.js';
import { Failure, UsageError } from './command.js';
import { InputError, type OnRead, readInput } from './input.js';

/** Throws Failure when Ringtap is not built. */
export async function loadModule(): Promise<WebAssembly.Module> {
  let wasm: Uint8Array<ArrayBuffer>;
  try {
    wasm = new Uint8Array(readFileSync(paths.wasm));
  } catch {
    throw new Failure(`${paths.wasm} is missing: run npm run setup`);
  }
  return WebAssembly.compile(wasm);
}

/** Throws Failure when Ringtap is not built. */
export async function loadEngine(options?: EngineOptions): Promise<Engine> {
  return Engine.load(await loadModule(), options);
}

/** Throws UsageError that points at the place in the expression. */
export function setFilter(engine: Engine, expression: string | null | undefined): void {
  try {
    engine.setFilter(expression ?? null);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    const place = `${expression}\n  ${' '.repeat(error.position)}^`;
    throw new UsageError(`filter: ${error.message}\n  ${place}`);
  }
}

export interface ReadOptions {
  /** Sees every chunk before the engine does. */
  onChunk?: (chunk: Uint8Array) => void;
  onRead?: OnRead;
  /** Filter and count, without decoding (Engine.scan). */
  countOnly?: boolean;
}

/** Feeds a file to the engine as a new stream. `onRows` may return false to stop reading. Null or why it failed. */
export async function readCapture(
  engine: Engine,
  file: string,
  onRows?: (rows: PacketRows) => boolean,
  { onChunk, onRead, countOnly = false }: ReadOptions = {},
): Promise<string | null> {
  engine.begin();
  let wanted = true;
  const take =
    onRows &&
    ((rows: PacketRows) => {
      wanted = wanted && onRows(rows);
    });
  try {
    const sink = (chunk: Uint8Array) => {
      onChunk?.(chunk);
      if (countOnly) engine.scan(chunk, take);
      else engine.push(chunk, take);
      return wanted && !engine.error;
    };
    await readInput(file, () => engine.room(), sink, onRead);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    engine.end();
    return error.message;
  }
  if (!wanted) return null;
  return engine.end()?.message ?? null;
}

/** Standard input has a name for people. */
export function displayName(file: string): string {
  return file === '-' ? '(standard input)' : file;
}
