/** Opens the store of a gateway's options, and all that answers from it. */
import type { FastifyBaseLogger } from 'fastify';
import { DuckFlowStore } from '../flows/duckdb.js';
import { FlowMaker } from '../flows/maker.js';
import { type GatewayOptions, OptionsError } from '../options.js';
import { openStore } from '../store/open.js';
import { Archive } from './archive.js';

/** Queries must not slow the recorder. */
const NICE = 10;

export interface OpenArchive {
  archive: Archive;
  close(): Promise<void>;
}

/** Null without a store. Throws OptionsError when a directory cannot be read. */
export async function openArchive(
  { store: directories, limits, wasmFile, retainFlows_s }: GatewayOptions,
  log: FastifyBaseLogger,
): Promise<OpenArchive | null> {
  if (directories.length === 0) return null;
  const store = await openStore(directories, { nice: NICE, wasmFile }).catch(
    (error: NodeJS.ErrnoException) => {
      if (!error.code) throw error;
      throw new OptionsError(
        `--store ${directories}: ${error.code === 'ENOENT' ? 'no such directory' : error.message}`,
      );
    },
  );
  const flows = new DuckFlowStore(store, directories, limits);
  const maker = new FlowMaker(store, { directories, wasmFile, limits, retainFlows_s, log });
  const archive = new Archive(store, flows, limits, wasmFile);
  return {
    archive,
    close: async () => {
      await archive.close();
      await maker.close();
      await flows.close();
      await store.close();
    },
  };
}
