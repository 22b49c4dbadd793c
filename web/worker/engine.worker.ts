/**
 * Entry of the dedicated worker: compiles the module once and serves the page. Nothing else runs
 * here; the page never touches WebAssembly.
 */
import { Engine } from '../../asm/host/index.js';
import type { Report, Request } from './messages.js';
import { Service } from './service.js';

const MODULE_URL = '/ringtap.wasm';

/** Streaming where the server names the type; a plain read otherwise. */
async function compile(): Promise<WebAssembly.Module> {
  const response = await fetch(MODULE_URL);
  if (!response.ok)
    throw new Error(`${MODULE_URL} answered ${response.status}; rebuild the dashboard with npm run build`);
  const typed = response.headers.get('content-type')?.startsWith('application/wasm');
  return typed ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}

// The page's own global is a Window to the type checker; in here it is a worker's.
const scope = self as unknown as {
  postMessage(message: Report, transfer: ArrayBuffer[]): void;
  onmessage: ((event: MessageEvent<Request>) => void) | null;
};
const compiled = compile();
const service = new Service(scope, async (options) => Engine.load(await compiled, options));
scope.onmessage = (event) => void service.receive(event.data);
void service.open();
