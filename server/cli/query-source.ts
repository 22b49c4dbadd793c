/** Where `ringtap query` gets its answers: a store's directories here, or a gateway elsewhere. */
import { statSync } from 'node:fs';
import { FilterError } from '../../asm/host/errors.js';
import { openStore } from '../store/open.js';
import { type SliceResult, sliceStore } from '../store/slice.js';
import type { Coverage, PacketHit, PacketQuery, ScanOptions } from '../store/types.js';
import { Failure, UsageError } from './command.js';

export interface QuerySource {
  /** As Store.scan(). Throws UsageError for a filter that does not compile. */
  packets(query: PacketQuery, options: ScanOptions): AsyncGenerator<PacketHit[], Coverage, void>;
  /** The answer as a pcapng file. */
  slice(query: PacketQuery, options: ScanOptions): AsyncGenerator<Uint8Array, SliceResult, void>;
  /** What else there is to say, once answered: sentences for people. */
  problems(): string[];
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
export async function localSource(directories: string[], threads: number): Promise<QuerySource> {
  for (const directory of directories)
    if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory())
      throw new Failure(`${directory}: no such directory; name those the recorder writes to`);
  const store = await openStore(directories, { threads, inline: true });
  return {
    packets: (query, options) => pointing(store.scan(query, options), query.filter),
    slice: (query, options) => pointing(sliceStore(store, query, options), query.filter),
    problems: () => store.problems(),
    close: () => store.close(),
  };
}
