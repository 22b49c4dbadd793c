// Streams a capture file through the engine and prints its largest flows. Memory stays the same whatever
// the file's size. Usage: node top-flows.mjs FILE
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Engine } from 'ringtap/engine';

const [file] = process.argv.slice(2);
if (!file) {
  console.error('usage: node top-flows.mjs FILE');
  process.exit(2);
}

const wasm = await readFile(fileURLToPath(import.meta.resolve('ringtap/engine.wasm')));
const engine = await Engine.load(wasm);
for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) engine.push(chunk);
const error = engine.end();

const { packets, originalBytes } = engine.totals();
console.log(`${packets} packets, ${originalBytes} bytes, ${engine.flowCount} flows`);
for (const flow of engine.flows({ sort: 'bytes', limit: 10 })) {
  const ends = `${flow.origAddr}:${flow.origPort} -> ${flow.respAddr}:${flow.respPort}`;
  console.log(
    `${flow.proto} ${ends} ${flow.origPackets + flow.respPackets} packets ${flow.origBytes + flow.respBytes} bytes`,
  );
}
if (error) {
  console.error(`${file}: ${error.message} (at byte ${error.offset})`);
  process.exitCode = 1;
}
