/** A scanning thread: one engine, tasks one after another until none is left. */
import { parentPort, workerData } from 'node:worker_threads';
import { Engine } from '../../../asm/host/index.js';
import { type FromScanWorker, Progression, type ScanTask, type ScanWorkerData } from './messages.js';
import { SCANNING, scan } from './scan.js';

const { module, tasks, shared } = workerData as ScanWorkerData;
const progression = new Progression(shared);
const engine = await Engine.load(module, SCANNING);

async function run(index: number, task: ScanTask): Promise<FromScanWorker> {
  try {
    return { index, result: await scan(engine, task, progression.addBytes) };
  } catch (error) {
    return { index, failure: (error as Error).message };
  }
}

for (let index = progression.take(); index < tasks.length; index = progression.take())
  parentPort?.postMessage(await run(index, tasks[index] as ScanTask));
