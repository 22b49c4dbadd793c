// Streams the chosen file into an engine in a Web Worker and shows its largest flows. Text from packets is
// set as text, never as markup.
import { EngineClient, webEnd } from 'ringtap/engine/worker';

const MODULE = new URL('../../build/asm/ringtap.wasm', import.meta.url);
const CHUNK_BYTES = 1 << 20;
const summary = document.getElementById('summary');

async function read(file) {
  const worker = new Worker(new URL('engine-worker.js', import.meta.url), { type: 'module' });
  const wasm = await (await fetch(MODULE)).arrayBuffer();
  const engine = await EngineClient.open(webEnd(worker), wasm);
  for (let at = 0; at < file.size; at += CHUNK_BYTES) {
    const chunk = await file.slice(at, at + CHUNK_BYTES).arrayBuffer();
    await engine.push(new Uint8Array(chunk));
    summary.textContent = `${Math.round((100 * at) / file.size)} %`;
  }
  const error = await engine.end();
  const { totals, flowCount } = await engine.snapshot();
  show(await engine.flows({ limit: 10 }));
  const damage = error ? `; then: ${error.message}` : '';
  summary.textContent = `${totals.packets} packets, ${totals.originalBytes} bytes, ${flowCount} flows${damage}`;
  summary.dataset.done = 'true';
  engine.close();
}

function show(flows) {
  const rows = flows.map((flow) => {
    const row = document.createElement('tr');
    const ends = [`${flow.origAddr}:${flow.origPort}`, `${flow.respAddr}:${flow.respPort}`];
    const counts = [flow.origPackets + flow.respPackets, flow.origBytes + flow.respBytes];
    for (const text of [flow.proto, ...ends, ...counts]) row.insertCell().textContent = String(text);
    return row;
  });
  document.getElementById('flows').replaceChildren(...rows);
}

document.getElementById('file').addEventListener('change', ({ target }) => {
  const [file] = target.files;
  if (file)
    read(file).catch((error) => {
      summary.textContent = `Failed: ${error.message}`;
      summary.dataset.done = 'true';
    });
});
