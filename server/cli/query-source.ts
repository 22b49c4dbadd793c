/** Where `ringtap query` gets its answers: a store's directories here, or a gateway elsewhere. */
import { FilterError } from '../../asm/host/index.js';
import { type LocalStore, openStore } from '../store/open.js';
import { type SliceResult, sliceStore } from '../store/slice.js';
import type { Coverage, PacketHit, PacketQuery, ScanOptions } from '../store/types.js';
import { Failure, UsageError } from './command.js';

export interface QuerySource {
  /** As Store.scan(). Throws UsageError for a filter that does not compile. */
  packets(query: PacketQuery, options: ScanOptions): AsyncGenerator<PacketHit[], Coverage, void>;
  /** The answer as a pcapng file. */
  slice(query: PacketQuery, options: ScanOptions): AsyncGenerator<Uint8Array, SliceResult, void>;
  close(): Promise<void>;
}

/** Throws UsageError that points at the place in the expression. */
async function* pointing<T, R>(
  answer: AsyncGenerator<T, R, void>,
  filter: string,
): AsyncGenerator<T, R, void> {
  try {
    return yield* answer;
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new UsageError(`filter: ${error.message}\n  ${filter}\n  ${' '.repeat(error.position)}^`);
  }
}

/** Throws Failure when a directory cannot be read. */
export async function localSource(directories: string[]): Promise<QuerySource> {
  let store: LocalStore;
  try {
    store = await openStore(directories);
  } catch (error) {
    const { code, message, path } = error as NodeJS.ErrnoException;
    throw new Failure(code ? `${path}: ${code === 'ENOENT' ? 'no such directory' : code}` : message);
  }
  return {
    packets: (query, options) => pointing(store.scan(query, options), query.filter),
    slice: (query, options) => pointing(sliceStore(store, query, options), query.filter),
    close: () => store.close(),
  };
}
