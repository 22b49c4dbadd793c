/**
 * Entry of the page: gives the data layer its socket, worker and clock, and the app its data.
 */
import type { Socket } from './data/connection.js';
import { createLive } from './data/live.js';
import './elements/app.js';

const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
const worker = new Worker(new URL('./worker/engine.worker.js', import.meta.url), { type: 'module' });

/** Figures that change faster cannot be read; the packet list has its own, faster way. */
const PUBLISH_INTERVAL_MS = 100;
let publishedMs = 0;

// requestAnimationFrame rests in a hidden tab; the timer keeps the accounts current there.
function schedule(publish: () => void): void {
  const due = publishedMs + PUBLISH_INTERVAL_MS - performance.now();
  setTimeout(
    () => {
      publishedMs = performance.now();
      if (document.hidden) publish();
      else requestAnimationFrame(publish);
    },
    Math.max(0, due),
  );
}

const live = createLive({
  url: `${scheme}//${location.host}/ws/live`,
  openSocket: (url) => new WebSocket(url) as unknown as Socket,
  timers: { set: (fn, ms) => setTimeout(fn, ms), clear: (handle) => clearTimeout(handle as number) },
  now: () => Date.now(),
  random: Math.random,
  schedule,
  port: {
    send: (request, transfer) => worker.postMessage(request, transfer),
    listen: (listener) => {
      worker.onmessage = (event) => listener(event.data);
    },
  },
});
worker.onerror = (event) => live.store.onEngineFailed(event.message || 'the worker could not be started');

// Connected only after it has its data, so that its controllers find the store.
const app = document.createElement('rt-app');
app.live = live;
document.body.append(app);
