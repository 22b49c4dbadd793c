/** Everything that answers questions about stored captures, joined once. Owns what it makes, not the store. */

import type { FlowStore } from '../flows/types.js';
import type { Limits } from '../limits.js';
import type { Store } from '../store/types.js';
import { Decoder } from './decoder.js';
import { RequestError } from './failure.js';
import { Jobs } from './jobs.js';
import { Reader } from './reader.js';
import { Turns } from './turns.js';

export class Archive {
  readonly store: Store;
  readonly flows: FlowStore;
  readonly limits: Limits;
  readonly decoder: Decoder;
  readonly turns: Turns;
  readonly reader: Reader;
  readonly jobs: Jobs;

  constructor(store: Store, flows: FlowStore, limits: Limits, wasmFile: string) {
    this.store = store;
    this.flows = flows;
    this.limits = limits;
    this.decoder = new Decoder(wasmFile);
    this.turns = new Turns(limits);
    this.reader = new Reader(store, flows, this.decoder, this.turns, limits);
    this.jobs = new Jobs(limits);
  }

  async close(): Promise<void> {
    await this.jobs.close();
    await this.decoder.close();
  }
}

/** The archive, or RequestError 409 from a gateway that has none. */
export function archiveOf(archive: Archive | null): Archive {
  if (archive) return archive;
  throw new RequestError(409, 'this gateway has no store: start it with --store DIR');
}
