/** A scanning thread of the store: one engine, tasks one after another. Ends when its pool closes it. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { BlockScanner } from '../../asm/host/blocks.js';
import { FilterError } from '../../asm/host/errors.js';
import type { ScanFailure, ScanResult, ScanTask, StoreWorkerData } from './messages.js';
import { OpenFiles, runTask } from './scan-task.js';

const { module, nice } = workerData as StoreWorkerData;
const scanner = BlockScanner.load(module);
const files = new OpenFiles();

async function run(task: ScanTask): Promise<ScanResult | ScanFailure> {
  try {
    return runTask(await scanner, files, task);
  } catch (error) {
    const position = error instanceof FilterError ? error.position : null;
    return { id: task.id, message: (error as Error).message, position };
  }
}

if (nice > 0) setPriority(nice); // of this thread: Linux takes 0 as the caller
parentPort?.on('message', async (task: ScanTask | 'idle') => {
  if (task === 'idle') return files.closeAll();
  const result = await run(task);
  parentPort?.postMessage(
    result,
    'bytes' in result ? [result.bytes.buffer, result.starts.buffer, result.offsets.buffer] : [],
  );
});
