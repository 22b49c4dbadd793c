/** The indexing thread of a store: one part at a time, at the lowest priority. Ends when its owner closes it. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { BlockIndexer } from '../../asm/host/block-index.js';
import { IndexBuilder, type IndexDone, type IndexJob } from './index-build.js';
import type { StoreWorkerData } from './messages.js';

const { module, nice } = workerData as StoreWorkerData;
const builder = BlockIndexer.load(module).then((indexer) => new IndexBuilder(indexer));

if (nice > 0) setPriority(nice); // of this thread: Linux takes 0 as the caller
parentPort?.on('message', async (job: IndexJob) => {
  let answer: IndexDone | { failure: string; code: string | null };
  try {
    answer = (await builder).run(job);
  } catch (error) {
    answer = { failure: (error as Error).message, code: (error as NodeJS.ErrnoException).code ?? null };
  }
  parentPort?.postMessage(answer);
});
