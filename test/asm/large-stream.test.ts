// Streams beyond 4 GiB: counters, flows and the offset of an error go on past 32 bits.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ether, ipv4, join, newEngine, pcap, udp } from './captures.js';

const RECORD_BYTES = 65536;
const HEADER_BYTES = 16;
/** Of the largest UDP datagram that makes the record as long. */
const packet = ether(0x800, ipv4(17, udp(5, 6, new Uint8Array(RECORD_BYTES - HEADER_BYTES - 14 - 28))));
const file = pcap(Array.from({ length: 16 }, () => ({ bytes: packet })));
const head = file.subarray(0, 24);
const chunk = file.subarray(24);
/** 4.2 GiB. */
const CHUNKS = 4300;

test('4.2 GiB through one engine, then a record too long: each figure and the offset are right', async () => {
  assert.is(chunk.length, 16 * RECORD_BYTES);
  const engine = await newEngine();
  engine.push(head);
  for (let i = 0; i < CHUNKS; i++) engine.push(chunk);
  assert.is(engine.error, null);
  const packets = CHUNKS * 16;
  const { packets: seen, capturedBytes, originalBytes, protocolCounts } = engine.totals();
  assert.equal(
    [seen, capturedBytes, originalBytes, protocolCounts.udp],
    [packets, packets * packet.length, packets * packet.length, packets],
  );
  assert.ok(capturedBytes > 2 ** 32);
  const [flow] = engine.flows();
  assert.equal([flow!.origBytes, flow!.origPackets], [capturedBytes, packets]);
  const offset = 24 + packets * RECORD_BYTES;
  engine.push(
    join(chunk.subarray(0, RECORD_BYTES), new Uint8Array(8), [255, 255, 255, 255], [255, 255, 255, 255]),
  );
  const error = engine.end();
  assert.equal([error!.kind, Number(error!.offset)], ['damaged', offset + RECORD_BYTES]);
  assert.match(error!.message, /4294967295/);
});

test('a cut tail beyond 4 GiB is told where it begins, however the stream was cut into chunks', async () => {
  const engine = await newEngine();
  engine.push(head);
  // Odd chunks: each record but a few is carried over a chunk's end.
  for (let i = 0; i < CHUNKS; i++) {
    engine.scan(chunk.subarray(0, 12_345));
    engine.scan(chunk.subarray(12_345));
  }
  engine.push(chunk.subarray(0, 100));
  const error = engine.end();
  assert.equal([error!.kind, Number(error!.offset)], ['truncated', 24 + CHUNKS * 16 * RECORD_BYTES]);
  assert.is(engine.totals().packets, CHUNKS * 16);
});

test.run();
