/** Joins what answers questions from a gateway's open store, and makes its flow records. The store stays the caller's. */
import type { FastifyBaseLogger } from 'fastify';
import { DuckFlowStore } from '../flows/duckdb.js';
import { FlowMaker } from '../flows/maker.js';
import type { GatewayOptions } from '../options.js';
import type { Store } from '../store/types.js';
import { Archive } from './archive.js';

export interface OpenArchive {
  archive: Archive;
  close(): Promise<void>;
}

export function openArchive(
  store: Store,
  { store: directories, limits, wasmFile, retainFlows_s }: GatewayOptions,
  log: FastifyBaseLogger,
): OpenArchive {
  const flows = new DuckFlowStore(store, directories, limits);
  const maker = new FlowMaker(store, { directories, wasmFile, limits, retainFlows_s, log });
  const archive = new Archive(store, flows, limits, wasmFile);
  return {
    archive,
    close: async () => {
      await archive.close();
      await maker.close();
      await flows.close();
    },
  };
}
