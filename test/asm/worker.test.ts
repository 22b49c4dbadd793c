// An engine in another thread: the same answers as one here, buffers that travel, errors that keep their kind.
import { MessageChannel, Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Engine, EngineError, FilterError } from '../../asm/host/index.js';
import { EngineClient, nodeEnd, serveEngine, webEnd } from '../../asm/host/worker.js';
import { epb, section, udpPacket } from '../server/helpers.js';
import { wasmBytes } from './captures.js';

const PACKETS = 20_000; // more than one portion of rows
const capture = new Uint8Array(
  Buffer.concat([
    section(),
    ...Array.from({ length: PACKETS }, (_, i) =>
      epb(udpPacket(1000 + (i % 50)), 1_700_000_000_000_000_000n + BigInt(i)),
    ),
  ]),
);
const copy = () => capture.slice();

/** Uids depend on it. */
const SEED = 1n;

/** Client and server joined by a channel in this thread. */
async function joined(): Promise<EngineClient> {
  const { port1, port2 } = new MessageChannel();
  serveEngine(nodeEnd(port2));
  return EngineClient.open(nodeEnd(port1), new WebAssembly.Module(wasmBytes as Uint8Array<ArrayBuffer>), {
    seed: SEED,
  });
}

async function local(): Promise<Engine> {
  const engine = await Engine.load(wasmBytes as Uint8Array<ArrayBuffer>, { seed: SEED });
  engine.push(copy());
  engine.end();
  return engine;
}

async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was not rejected');
}

test('answers what an engine here answers', async () => {
  const client = await joined();
  const engine = await local();
  for (let at = 0; at < capture.length; at += 100_000) await client.push(capture.slice(at, at + 100_000));
  assert.is(await client.end(), null);
  const { totals, flowCount, format, matched } = await client.snapshot();
  assert.equal(totals, engine.totals());
  assert.equal([flowCount, format, matched], [engine.flowCount, engine.format, engine.matched]);
  assert.equal(
    await client.flows({ sort: 'packets', limit: 7 }),
    engine.flows({ sort: 'packets', limit: 7 }),
  );
  assert.equal(await client.series(), engine.series());
  assert.equal(await client.decode(1, udpPacket(7)), engine.decode(1, udpPacket(7)));
  client.close();
});

test('packets come as columns, the chunk comes back, both by transfer', async () => {
  const client = await joined();
  await client.setFilter('src port 1003');
  const chunk = copy();
  const { buffer } = chunk;
  const pushed = client.push(chunk, { packets: true });
  assert.is(buffer.byteLength, 0, 'the buffer has left');
  const { packets, buffer: back, error } = await pushed;
  assert.is(error, null);
  assert.equal(Buffer.from(back).equals(Buffer.from(capture)), true);
  assert.is(packets?.length, PACKETS);
  assert.is(packets?.tsNs[PACKETS - 1], 1_700_000_000_000_000_000n + BigInt(PACKETS - 1));
  assert.is(
    packets?.matched.reduce((sum, one) => sum + one, 0),
    PACKETS / 50,
  );
  assert.equal(
    [packets?.matched[2], packets?.matched[3], packets?.caplen[3], packets?.timed[3]],
    [0, 1, 60, 1],
  );
  assert.is((await client.push(new Uint8Array(0))).packets, null, 'not asked for');
  client.close();
});

test('errors keep their kind; a failed call leaves the engine usable', async () => {
  const client = await joined();
  const wrong = await rejection(client.setFilter('udp and ('));
  assert.instance(wrong, FilterError);
  assert.is((wrong as FilterError).position, 9);
  const twice = copy();
  const first = client.push(twice);
  assert.match((await rejection(client.push(twice))).message, /pushed already/);
  await first;
  assert.is((await client.snapshot()).totals.packets, PACKETS);
  await client.push(new Uint8Array(12).fill(7));
  await client.begin();
  const { error } = await client.push(new Uint8Array(100).fill(1));
  assert.is(error?.kind, 'not-a-capture');
  await client.reset();
  assert.is((await client.snapshot()).totals.packets, 0);
  client.close();
  assert.instance(await rejection(client.snapshot()), EngineError);
});

test('a module of another version is refused through the worker too', async () => {
  const { port1, port2 } = new MessageChannel();
  serveEngine(nodeEnd(port2));
  const empty = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]).buffer;
  const refused = await rejection(EngineClient.open(nodeEnd(port1), empty));
  assert.instance(refused, EngineError);
  assert.match(refused.message, /abi_version/);
  port1.close();
});

test('a worker that dies rejects what it owes', async () => {
  const worker = new Worker('process.exit(3)', { eval: true });
  const refused = await rejection(EngineClient.open(nodeEnd(worker), new ArrayBuffer(8)));
  assert.match(refused.message, /worker is gone: it exited with 3/);
});

test('a port with the web interface does as well', async () => {
  const { port1, port2 } = new globalThis.MessageChannel();
  serveEngine(webEnd(port2 as never));
  const client = await EngineClient.open(webEnd(port1 as never), wasmBytes.slice().buffer as ArrayBuffer);
  await client.push(copy());
  assert.is((await client.snapshot()).totals.packets, PACKETS);
  client.close();
});

test.run();
