/** A scanning thread: one engine, tasks one after another. Ends when its pool closes it. */
import { parentPort, workerData } from 'node:worker_threads';
import { Engine } from '../../../asm/host/index.js';
import type { FromScanWorker, ScanTask, ScanWorkerData } from './messages.js';
import { scan } from './scan.js';

const { module, read } = workerData as ScanWorkerData;
const bytesRead = new BigInt64Array(read);
const engine = Engine.load(module);

async function run(id: number, task: ScanTask): Promise<FromScanWorker> {
  try {
    const onRead = (more: number) => Atomics.add(bytesRead, 0, BigInt(more));
    return { id, result: await scan(await engine, task, onRead) };
  } catch (error) {
    return { id, failure: (error as Error).message };
  }
}

parentPort?.on('message', async ({ id, task }: { id: number; task: ScanTask }) => {
  parentPort?.postMessage(await run(id, task));
});
