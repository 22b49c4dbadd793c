/** The connection over real WebSockets: subscribes, survives hostile messages, comes back by itself. */
import { once } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket, WebSocketServer } from 'ws';
import { decodeFrame, encodeFrame } from '../../proto/frame.js';
import { CLOSE_VERSION, FRAME_BYTES_MAX, PROTOCOL_VERSION } from '../../proto/gen/constants.js';
import { BACKOFF_FIRST_MS, BACKOFF_MAX_MS, backoffMs } from '../../web/data/backoff.js';
import { Connection, type ConnectionState, type Socket } from '../../web/data/connection.js';

/** Waits of the product, a hundred times as fast. */
const SPEED = 100;

async function serve(port = 0): Promise<{ server: WebSocketServer; port: number }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port });
  await once(server, 'listening');
  return { server, port: (server.address() as { port: number }).port };
}

function open(port: number) {
  const states: ConnectionState[] = [];
  const frames: string[] = [];
  const damage: string[] = [];
  const connection = new Connection({
    url: `ws://127.0.0.1:${port}/ws/live`,
    openSocket: (url) => new WebSocket(url) as unknown as Socket,
    timers: {
      set: (fn, ms) => setTimeout(fn, ms / SPEED),
      clear: (handle) => clearTimeout(handle as NodeJS.Timeout),
    },
    now: () => Date.now(),
    random: () => 0.5,
    onFrame: (frame) => frames.push(frame.body ?? ''),
    onState: (state) => states.push(state),
    onDamage: (reason) => damage.push(reason),
  });
  connection.start();
  return { connection, states, frames, damage };
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(condition(), `timed out waiting for ${condition}`);
}

test('back-off doubles, is capped, and is spread over half of its step', () => {
  assert.is(
    backoffMs(1, () => 1),
    BACKOFF_FIRST_MS,
  );
  assert.is(
    backoffMs(2, () => 1),
    2 * BACKOFF_FIRST_MS,
  );
  assert.is(
    backoffMs(1, () => 0),
    BACKOFF_FIRST_MS / 2,
  );
  assert.is(
    backoffMs(50, () => 1),
    BACKOFF_MAX_MS,
  );
  assert.is(
    backoffMs(5000, () => 1),
    BACKOFF_MAX_MS,
  );
});

test('subscribes first, takes frames, and outlives messages that are none', async () => {
  const { server, port } = await serve();
  const subscribed = once(server, 'connection').then(async ([socket]) => {
    const [data] = await once(socket as WebSocket, 'message');
    for (const hostile of [
      'text',
      new Uint8Array([0xff, 0xff, 0xff]),
      new Uint8Array(0),
      new Uint8Array(FRAME_BYTES_MAX + 1),
    ]) {
      (socket as WebSocket).send(hostile);
    }
    (socket as WebSocket).send(encodeFrame({ ledger: { probe: 1 } }));
    return decodeFrame(data as Buffer).subscribe;
  });
  const { connection, frames, damage } = open(port);
  assert.is((await subscribed)?.protocol, PROTOCOL_VERSION);
  await until(() => frames.length === 1);
  assert.equal(frames, ['ledger']);
  assert.is(damage.length, 4);
  assert.match(damage[3]!, 'over the limit');
  assert.is(connection.state.phase, 'open');
  connection.stop();
  server.close();
});

test('comes back after the gateway was killed, waiting longer each time', async () => {
  const first = await serve();
  first.server.on('connection', (socket) => socket.send(encodeFrame({ ledger: { probe: 1 } })));
  const { connection, states, frames } = open(first.port);
  await until(() => frames.length === 1);
  for (const socket of first.server.clients) socket.terminate();
  await new Promise((resolve) => first.server.close(resolve));
  await until(() => states.filter(({ phase }) => phase === 'waiting').length >= 4);
  const waits = states
    .filter(({ phase }) => phase === 'waiting')
    .map(({ retryAtMs, sinceMs }) => retryAtMs! - sinceMs);
  const steps = [375, 750, 1500, 3000];
  assert.ok(
    steps.every((step, i) => Math.abs(waits[i]! - step) < 50),
    `waited ${waits}`,
  );
  assert.is(states.find(({ phase }) => phase === 'waiting')!.reason, 'the connection was lost');
  const second = await serve(first.port);
  second.server.on('connection', (socket) => socket.send(encodeFrame({ ledger: { probe: 1 } })));
  await until(() => frames.length === 2);
  assert.is(connection.state.phase, 'open');
  connection.stop();
  second.server.close();
});

test('says why it was refused', async () => {
  const { server, port } = await serve();
  server.on('connection', (socket) => {
    socket.send(
      encodeFrame({
        refusal: { code: CLOSE_VERSION, message: 'this page is of another version: reload it' },
      }),
    );
    socket.close(CLOSE_VERSION);
  });
  const { connection, states } = open(port);
  await until(() => states.some(({ phase }) => phase === 'waiting'));
  assert.is(
    states.find(({ phase }) => phase === 'waiting')!.reason,
    'this page is of another version: reload it',
  );
  connection.stop();
  for (const socket of server.clients) socket.terminate();
  server.close();
});

test('a restart leaves one socket, and a stopped connection stays stopped', async () => {
  const { server, port } = await serve();
  const { connection, states } = open(port);
  await until(() => connection.state.phase === 'open');
  connection.restart('asked to');
  connection.start();
  await until(() => connection.state.phase === 'open');
  await until(() => server.clients.size === 1);
  connection.stop();
  const count = states.length;
  await until(() => server.clients.size === 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.is(states.length, count);
  assert.is(connection.state.phase, 'stopped');
  server.close();
});

test.run();
