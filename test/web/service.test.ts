/**
 * The worker's core with the real engine over a real MessageChannel: windows, freezing, filters,
 * opening, and damaged or lying batches. The same code runs in the browser's worker.
 */
import { readFile } from 'node:fs/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Engine } from '../../asm/host/index.js';
import { EngineClient } from '../../web/data/engine-client.js';
import type { EngineStats, PacketWindow, Report, Request } from '../../web/worker/messages.js';
import { Service } from '../../web/worker/service.js';
import { TestProbe } from './support/gateway.js';
import { section } from './support/traffic.js';

const compiled = WebAssembly.compile(await readFile('build/asm/ringtap.wasm'));

/** Page and worker ends joined by a channel; `settled` waits for everything sent so far. */
async function open() {
  const { port1, port2 } = new MessageChannel();
  const service = new Service(
    { postMessage: (report, transfer) => port2.postMessage(report, transfer) },
    async (options) => Engine.load(await compiled, { ...options, seed: 1n }),
  );
  port2.on('message', (request: Request) => void service.receive(request));
  const seen = {
    windows: [] as PacketWindow[],
    stats: [] as EngineStats[],
    damage: [] as string[],
    failures: [] as string[],
    parsed: 0,
  };
  const client = new EngineClient(portOf(port1), {
    onReady: () => {},
    onFailed: (message) => seen.failures.push(message),
    onTaken: (_probe, packets, damage) => {
      seen.parsed += packets;
      if (damage) seen.damage.push(damage);
    },
    onStats: (stats) => seen.stats.push(stats),
  });
  client.onWindow((window) => seen.windows.push(window));
  client.start(1, section());
  client.show(1, 'bytes');
  client.view(0, 20);
  const close = () => {
    service.close();
    port1.close();
  };
  const settled = async (condition: () => boolean) => {
    for (let i = 0; i < 300 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(condition(), `timed out waiting for ${condition}`);
  };
  return { client, seen, close, settled, port1 };
}

const portOf = (port: MessagePort) => ({
  send: (request: Request, transfer: ArrayBuffer[]) => port.postMessage(request, transfer),
  listen: (listener: (report: Report) => void) => port.on('message', listener),
});

/** Sends the next batch the way the store does; returns the buffer handed over. */
function send(client: EngineClient, probe: TestProbe, packets: number, payload?: Uint8Array): ArrayBuffer {
  const firstNo = probe.sent + 1;
  const bytes = payload ?? probe.batch(packets).batch!.payload!;
  const message = bytes.slice();
  assert.ok(client.batch(1, message.buffer, message, firstNo, packets));
  return message.buffer;
}

test('follows the newest packets, numbered from the start of the run', async () => {
  const { client, seen, close, settled } = await open();
  const probe = new TestProbe(1);
  for (let i = 0; i < 10; i++) send(client, probe, 100);
  await settled(() => seen.windows.at(-1)?.total === 1000);
  const window = seen.windows.at(-1)!;
  assert.is(window.frozen, false);
  assert.equal(
    window.rows.map(({ no }) => no),
    Array.from({ length: 20 }, (_, i) => 981 + i),
  );
  assert.is(seen.parsed, 1000);
  await settled(() => seen.stats.at(-1)?.totals.packets === 1000);
  const { totals, flows, flowCount } = seen.stats.at(-1)!;
  assert.is(totals.protocolCounts.eth, 1000);
  assert.is(totals.protocolCounts.arp, 20);
  assert.ok(flowCount > 60 && flows.length > 10);
  for (let i = 1; i < flows.length; i++) {
    const bytes = (at: number) => flows[at]!.origBytes + flows[at]!.respBytes;
    assert.ok(bytes(i - 1) >= bytes(i), 'sorted by bytes');
  }
  assert.equal(seen.damage, []);
  assert.is(client.inFlightBytes, 0);
  close();
});

test('batches are handed over, not copied', async () => {
  const { client, close } = await open();
  assert.is(send(client, new TestProbe(1), 10).byteLength, 0);
  close();
});

test('a frozen list stays while packets go on arriving, and live returns to them', async () => {
  const { client, seen, close, settled } = await open();
  const probe = new TestProbe(1);
  send(client, probe, 500);
  await settled(() => seen.windows.at(-1)?.total === 500);
  assert.equal(await client.freeze(101).then(({ index, total }) => [index, total]), [100, 500]);
  client.view(100, 5);
  send(client, probe, 300);
  await settled(() => seen.windows.at(-1)?.newer === 300);
  const frozen = seen.windows.at(-1)!;
  assert.equal([frozen.frozen, frozen.total, frozen.first], [true, 500, 100]);
  assert.equal(
    frozen.rows.map(({ no }) => no),
    [101, 102, 103, 104, 105],
  );
  client.thaw();
  await settled(() => seen.windows.at(-1)!.total === 800);
  assert.is(seen.windows.at(-1)!.rows.at(-1)!.no, 800);
  close();
});

test('a filter applies to what is retained, what is frozen and what comes; a wrong one to nothing', async () => {
  const { client, seen, close, settled } = await open();
  const probe = new TestProbe(1);
  send(client, probe, 500);
  assert.is(await client.filter('arp'), null);
  await settled(() => seen.windows.at(-1)?.total === 10);
  assert.ok(seen.windows.at(-1)!.rows.every(({ protocol }) => protocol === 'ARP'));
  await client.freeze(null);
  send(client, probe, 500);
  await settled(() => seen.windows.at(-1)?.newer === 10);
  const problem = await client.filter('arp and ) 80');
  assert.is(problem?.position, 8);
  assert.ok(problem!.message.length > 5);
  assert.is(await client.filter('icmp'), null);
  await settled(() => seen.windows.at(-1)?.total === 20 && seen.windows.at(-1)?.newer === 20);
  assert.ok(seen.windows.at(-1)!.rows.every(({ protocol }) => protocol === 'ICMP'));
  client.thaw();
  assert.is(await client.filter(null), null);
  await settled(() => seen.windows.at(-1)?.total === 1000);
  assert.equal(seen.failures, []);
  close();
});

test('small batches are listed under a filter as they come', async () => {
  const { client, seen, close, settled } = await open();
  const probe = new TestProbe(1);
  await client.filter('arp or icmp');
  for (let i = 0; i < 200; i++) send(client, probe, 25);
  await settled(() => seen.windows.at(-1)?.total === 300);
  assert.ok(seen.windows.at(-1)!.rows.every(({ protocol }) => /ARP|ICMP/.test(protocol)));
  assert.equal(seen.failures, []);
  close();
});

test('a filter set before a probe appears holds for it too', async () => {
  const { client, seen, close, settled } = await open();
  await client.filter('udp port 53');
  client.start(2, section());
  client.show(2, 'packets');
  const message = new TestProbe(2).batch(100).batch!.payload!.slice();
  client.batch(2, message.buffer, message, 1, 100);
  await settled(() => seen.windows.at(-1)?.total === 8);
  close();
});

test('a packet opens with its tree and bytes, cut as it was sent', async () => {
  const { client, seen, close, settled } = await open();
  const probe = new TestProbe(1, { snaplen: 64 });
  send(client, probe, 50);
  await settled(() => seen.windows.at(-1)?.total === 50);
  const row = seen.windows.at(-1)!.rows.find(({ wirelen }) => wirelen > 64)!;
  const packet = (await client.open(row.no))!;
  assert.equal(packet.row, row);
  assert.is(packet.bytes.length, 64);
  assert.equal(
    packet.tree.map(({ field }) => field).filter((field) => ['eth', 'ip', 'tcp'].includes(field)),
    ['eth', 'ip', 'tcp'],
  );
  assert.is(await client.open(9999), null);
  close();
});

test('damaged, short and lying batches are told and the next one is read', async () => {
  const { client, seen, close, settled } = await open();
  const probe = new TestProbe(1);
  send(client, probe, 100);
  const whole = new TestProbe(1).batch(10).batch!.payload!;
  const broken = whole.slice();
  broken.fill(0xff, 4, 8); // the first block’s length
  send(client, probe, 10, broken);
  send(client, probe, 10, whole.slice(0, whole.length - 7));
  send(client, probe, 11, whole);
  send(client, probe, 3, new Uint8Array(5));
  send(client, probe, 0, new Uint8Array(0));
  send(client, probe, 100);
  await settled(() => seen.windows.at(-1)?.total === 200);
  assert.is(seen.damage.length, 4);
  assert.match(seen.damage[2]!, 'a batch of 11 packets holds 10');
  assert.is(seen.windows.at(-1)!.rows.at(-1)!.no, 200);
  assert.equal(seen.failures, []);
  assert.is(client.inFlightBytes, 0);
  close();
});

test('a section that is none makes every batch damaged and nothing else', async () => {
  const { client, seen, close, settled } = await open();
  client.start(3, new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
  client.show(3, 'bytes');
  const message = new TestProbe(3).batch(10).batch!.payload!.slice();
  client.batch(3, message.buffer, message, 1, 10);
  await settled(() => seen.damage.length === 1);
  assert.equal(seen.failures, []);
  close();
});

test('100,000 packets are taken faster than they would arrive in a second', async () => {
  const { client, seen, close, settled } = await open();
  const probe = new TestProbe(1);
  const batches = Array.from({ length: 25 }, () => probe.batch(4000).batch!.payload!);
  await settled(() => seen.windows.length > 0 || seen.stats.length > 0);
  const before = performance.now();
  batches.forEach((payload, i) => {
    const message = payload.slice();
    client.batch(1, message.buffer, message, 1 + i * 4000, 4000);
  });
  await settled(() => seen.parsed === 100_000);
  const seconds = (performance.now() - before) / 1000;
  assert.ok(seconds < 1, `took ${seconds.toFixed(2)} s`);
  assert.ok(seen.windows.length < 40, 'windows are paced');
  close();
});

test.run();
