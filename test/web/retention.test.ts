/** Retained batches: bounds, gathering of small ones, frozen lists, and rows under a filter. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  bitIsSet,
  Retention,
  rowCount,
  rowOf,
  type Segment,
  segmentOf,
  selectRows,
  setBit,
} from '../../web/worker/retention.js';

function segment(
  firstNo: number,
  packets: number,
  bytes: number,
  matches?: (no: number) => boolean,
): Segment {
  const payload = new Uint8Array(bytes).fill(firstNo & 255);
  if (!matches) return { firstNo, packets, payload, matched: null, matchedCount: packets };
  const matched = new Uint32Array(((packets + 31) >>> 5) + 3); // room to spare, as the scan leaves
  let matchedCount = 0;
  for (let i = 0; i < packets; i++) {
    if (!matches(firstNo + i)) continue;
    setBit(matched, i);
    matchedCount++;
  }
  return { firstNo, packets, payload, matched, matchedCount };
}

const numbers = (segments: readonly Segment[], first: number, count: number) =>
  selectRows(segments, first, count).flatMap(({ segment, ordinals }) =>
    ordinals.map((i) => segment.firstNo + i),
  );

test('bytes and packets stay within the limits, and something always remains', () => {
  const retention = new Retention({ bytes: 1_000_000, packets: 500 });
  for (let no = 1; no < 100_000; no += 100) {
    retention.add(segment(no, 100, 100_000));
    assert.ok(retention.bytes <= 1_000_000 && retention.packets <= 500);
    assert.is(retention.packets, rowCount(retention.segments));
  }
  retention.add(segment(200_001, 5000, 9_000_000));
  assert.is(retention.segments.length, 1);
  assert.is(retention.packets, 5000);
});

test('small batches are gathered without mixing bytes, numbers or matches', () => {
  const retention = new Retention();
  const odd = (no: number) => no % 2 === 1;
  for (let no = 1; no <= 3000; no += 3) retention.add(segment(no, 3, 90, odd));
  assert.ok(retention.segments.length < 5, `${retention.segments.length} segments`);
  assert.is(retention.packets, 3000);
  assert.is(rowCount(retention.segments), 1500);
  assert.equal(numbers(retention.segments, 700, 3), [1401, 1403, 1405]);
  assert.is(retention.segments[0]!.payload[90], 4);
});

test('a hole in the numbers is never gathered over', () => {
  const retention = new Retention();
  retention.add(segment(1, 10, 500));
  retention.add(segment(100, 10, 500));
  assert.equal(numbers(retention.segments, 8, 4), [9, 10, 100, 101]);
});

test('a frozen list keeps what it had while the live one goes on', () => {
  const retention = new Retention({ bytes: 10_000, packets: 100 });
  retention.add(segment(1, 50, 1000));
  const frozen = retention.freeze();
  for (let no = 51; no < 2000; no += 10) retention.add(segment(no, 10, 300));
  assert.equal(numbers(frozen, 0, 100).length, 50);
  assert.is(segmentOf(retention.segments, 1), null);
  assert.is(segmentOf(frozen, 50)?.firstNo, 1);
  assert.is(segmentOf(frozen, 51), null);
});

test('rows map to packets and back, with and without a filter', () => {
  const thirds = (no: number) => no % 3 === 0;
  const segments = [segment(1, 100, 10), segment(101, 100, 10, thirds), segment(301, 50, 10)];
  const total = rowCount(segments);
  assert.is(total, 100 + 33 + 50);
  const all = numbers(segments, 0, total);
  assert.is(all.length, total);
  for (const [row, no] of all.entries()) assert.is(rowOf(segments, no), row);
  assert.is(rowOf(segments, 103), 100 + 1);
  assert.is(rowOf(segments, 250), 133);
  assert.is(rowOf(segments, 9999), total);
  assert.equal(numbers(segments, 99, 3), [100, 102, 105]);
  assert.equal(numbers(segments, total - 1, 10), [350]);
  assert.equal(numbers(segments, total, 10), []);
});

test('bits', () => {
  const bits = new Uint32Array(3);
  for (const i of [0, 31, 32, 63, 95]) setBit(bits, i);
  assert.equal(
    Array.from({ length: 96 }, (_, i) => i).filter((i) => bitIsSet(bits, i)),
    [0, 31, 32, 63, 95],
  );
});

test.run();
