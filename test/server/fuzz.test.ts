/**
 * Seeded noise into both sockets: random bytes, damaged frames, frames in any order. The gateway must
 * neither crash nor leave anything behind, and a well-behaved probe and viewer must not notice.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeFrame, type FrameFields } from '../../proto/frame.js';
import { Client, hello, payload, random, startGateway, TestProbe, u64, viewer, waitFor } from './helpers.js';

const seed = Number(process.env.SEED ?? Date.now() % 1e9);
const next = random(seed);
const int = (below: number) => Math.floor(next() * below);
const bytes = (length: number) => Buffer.from(Array.from({ length }, () => int(256)));
const pick = <T>(list: readonly T[]): T => list[int(list.length)] as T;
const numbers = [0, 1, 2, 3, 64, 2 ** 31, 2 ** 32 - 1, 2 ** 53, 2 ** 63];

/** A frame of any kind with fields that make sense half of the time. */
function anyFrame(): FrameFields {
  const number = () => pick(numbers);
  return pick<() => FrameFields>([
    () => hello({ protocol: pick([1, 1, 1, 0, 7]), runId: bytes(pick([16, 16, 16, 0, 15])) }),
    () => ({
      batch: {
        probe: pick([1, 2, 3, number() >>> 0]),
        seq: u64(pick([1, 2, 3, number()])),
        packets: pick([0, 1, number() >>> 0]),
        packetsBefore: u64(pick([0, 0, 1, number()])),
        payload: pick([payload(1), bytes(int(200)), Buffer.alloc(0)]),
      },
    }),
    () => ({ ledger: { probe: pick([1, 2, 3]), stored: u64(number()), alarms: ['x'.repeat(int(300))] } }),
    () => ({ ack: { seq: u64(number()) } }),
    () => ({
      subscribe: { protocol: pick([1, 1, 2]), probes: pick([[], [1], numbers.map((n) => n >>> 0)]) },
    }),
    () => ({ refusal: { code: number() >>> 0, message: 'no' } }),
    () => ({ welcome: { probe: 1 } }),
    () => ({ gap: { probe: 1, firstSeq: u64(number()) } }),
  ])();
}

/** One message: well-formed, damaged, or noise. */
function anyMessage(): Buffer | string {
  const roll = next();
  if (roll < 0.02) return 'text';
  if (roll < 0.15) return bytes(int(300));
  const frame = Buffer.from(encodeFrame(anyFrame()));
  if (roll < 0.7) return frame;
  if (roll < 0.85) return frame.subarray(0, int(frame.length + 1));
  for (let i = 0; i < 3 && frame.length; i++) frame[int(frame.length)] = int(256);
  return frame;
}

const MESSAGES = 4000;
const PER_CONNECTION = 8;

test(`both sockets survive ${MESSAGES} messages of noise (SEED=${seed})`, async () => {
  const unhandled: unknown[] = [];
  process.on('unhandledRejection', (reason) => unhandled.push(reason));
  const gateway = await startGateway({ limits: { viewers: 4096, probes: 4096 } });
  const probe = await TestProbe.connect(gateway, { name: 'good', runId: Buffer.alloc(16, 0xaa) });
  const watcher = await viewer(gateway, { probes: [1] });
  await watcher.first('probeUp');

  for (let sent = 0; sent < MESSAGES; sent += PER_CONNECTION * 16) {
    const clients = Array.from(
      { length: 16 },
      () => new Client(gateway.url + pick(['/ws/ingest', '/ws/live'])),
    );
    await Promise.all(clients.map((client) => client.opened()));
    for (const client of clients) {
      if (next() < 0.5)
        client.send(pick([hello({ runId: bytes(16), name: `n${int(9)}` }), { subscribe: { protocol: 1 } }]));
      for (let i = 0; i < PER_CONNECTION; i++) client.socket.send(anyMessage());
    }
    probe.batch(1);
    await waitFor('the good probe to be served', () => probe.acked() === probe.seq);
    for (const client of clients) client.end();
  }

  await waitFor('the viewer to have every batch', () => watcher.all('batch').length === probe.seq);
  assert.is(watcher.all('gap').length, 0);
  assert.equal([probe.closed, watcher.closed], [null, null]);
  await waitFor('every other viewer to be gone', () => gateway.gateway.viewers.size === 1);
  await waitFor('every other probe to be gone', () => {
    return [...gateway.gateway.registry.all()].filter(({ link }) => link).length === 1;
  });
  assert.equal(unhandled, []);
  await gateway.app.close();
});

test.run();
