/**
 * Entry of the page: gives the data layer its socket, worker and clock, and the app its data.
 */
import { createLive } from './data/live.js';
import type { Request } from './worker/messages.js';
import './elements/app.js';

const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
const worker = new Worker(new URL('./worker/engine.worker.js', import.meta.url), { type: 'module' });

// requestAnimationFrame rests in a hidden tab; the timer keeps the accounts current there.
function schedule(publish: () => void): void {
  if (document.hidden) setTimeout(publish, 250);
  else requestAnimationFrame(publish);
}

const live = createLive({
  url: `${scheme}//${location.host}/ws/live`,
  openSocket: (url) => new WebSocket(url) as unknown as import('./data/connection.js').Socket,
  timers: { set: (fn, ms) => setTimeout(fn, ms), clear: (handle) => clearTimeout(handle as number) },
  now: () => Date.now(),
  random: Math.random,
  schedule,
  port: {
    postMessage: (message: Request, transfer: ArrayBuffer[]) => worker.postMessage(message, transfer),
    set onmessage(listener: ((event: MessageEvent) => void) | null) {
      worker.onmessage = listener;
    },
    get onmessage() {
      return worker.onmessage as ((event: MessageEvent) => void) | null;
    },
  },
});
worker.onerror = (event) => live.store.onEngineFailed(event.message || 'the worker could not be started');

// Connected only after it has its data, so that its controllers find the store.
const app = document.createElement('rt-app');
app.live = live;
document.body.append(app);
