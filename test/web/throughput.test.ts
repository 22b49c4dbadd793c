/** Rates from ledger differences: gaps stay gaps, restarts start over, memory is bounded. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HISTORY_POINTS, Throughput } from '../../web/data/throughput.js';

const at = (seconds: number, packets: number, bytes = packets * 100) => ({
  tsNs: 1_700_000_000_000_000_000n + BigInt(Math.round(seconds * 1e9)),
  packets,
  bytes,
});

test('one ledger gives no rate, two give one', () => {
  const throughput = new Throughput();
  throughput.add(at(0, 1000));
  assert.is(throughput.latest, null);
  throughput.add(at(2, 5000));
  assert.is(throughput.latest?.packetsPerSecond, 2000);
  assert.is(throughput.latest?.bitsPerSecond, 2000 * 800);
  assert.is(throughput.latest?.gap, false);
});

test('ledgers faster than a second are joined', () => {
  const throughput = new Throughput();
  for (let i = 0; i <= 30; i++) throughput.add(at(i / 10, i * 10));
  assert.is(throughput.points.length, 3);
  for (const point of throughput.points) assert.ok(Math.abs(point.packetsPerSecond - 100) < 1e-6);
});

test('a stretch without ledgers is a gap with its exact mean, not zeros', () => {
  const throughput = new Throughput();
  for (const second of [0, 1, 2, 9, 10]) throughput.add(at(second, second * 1000));
  assert.equal(
    throughput.points.map((point) => point.gap),
    [false, false, true, false],
  );
  const gap = throughput.points[2]!;
  assert.is(gap.packetsPerSecond, 1000);
  assert.is(gap.endMs - gap.startMs, 7000);
});

test('a gap is one even when it is the first thing seen', () => {
  const throughput = new Throughput();
  throughput.add(at(0, 0));
  throughput.add(at(10, 1000));
  assert.is(throughput.latest?.gap, true);
  throughput.add(at(11, 1100));
  assert.equal(
    throughput.points.map((point) => point.gap),
    [true, false],
  );
});

test('a probe that reports every five seconds has no gaps', () => {
  const throughput = new Throughput();
  for (const second of [0, 5, 10, 15]) throughput.add(at(second, second));
  assert.ok(
    throughput.points.every((point) => !point.gap) || throughput.points.slice(1).every((point) => !point.gap),
  );
});

test('counts that go back begin a new history', () => {
  const throughput = new Throughput();
  throughput.add(at(0, 5000));
  throughput.add(at(1, 6000));
  throughput.add(at(2, 10));
  assert.is(throughput.points.length, 0);
  throughput.add(at(3, 20));
  assert.is(throughput.latest?.packetsPerSecond, 10);
});

test('history is bounded', () => {
  const throughput = new Throughput();
  for (let i = 0; i < 3 * HISTORY_POINTS; i++) throughput.add(at(i, i));
  assert.is(throughput.points.length, HISTORY_POINTS);
});

test.run();
