// The engine in a thread of its own: the main thread reads the file and stays free for other work. This
// file is both sides. Usage: node worker-thread.mjs FILE [FILTER]
import { open, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { EngineClient, nodeEnd, serveEngine } from 'ringtap/engine/worker';

async function main(file, filter) {
  const wasm = await readFile(fileURLToPath(import.meta.resolve('ringtap/engine.wasm')));
  const worker = new Worker(new URL(import.meta.url));
  const engine = await EngineClient.open(nodeEnd(worker), await WebAssembly.compile(wasm));
  await engine.setFilter(filter ?? null);
  const input = await open(file);
  let buffer = new ArrayBuffer(1 << 20); // moves to the worker and back with every chunk
  let longest = 0;
  for (;;) {
    const { bytesRead } = await input.read(new Uint8Array(buffer));
    if (bytesRead === 0) break;
    const pushed = await engine.push(new Uint8Array(buffer, 0, bytesRead), { packets: true });
    longest = pushed.packets.wirelen.reduce((a, b) => Math.max(a, b), longest);
    buffer = pushed.buffer;
  }
  const error = await engine.end();
  const { totals, matched } = await engine.snapshot();
  console.log(`${totals.packets} packets, ${matched} match, the longest has ${longest} bytes`);
  if (error) console.error(`${file}: ${error.message}`);
  await input.close();
  engine.close();
  process.exitCode = error ? 1 : 0;
}

if (!isMainThread) serveEngine(nodeEnd(parentPort));
else if (process.argv[2]) await main(process.argv[2], process.argv[3]);
else {
  console.error('usage: node worker-thread.mjs FILE [FILTER]');
  process.exitCode = 2;
}
