/** Axis arithmetic of the throughput chart. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { msAt, pointAt, xOf } from '../../web/elements/chart/draw.js';
import { niceCeiling, timeTicks, windowMs } from '../../web/elements/chart/scale.js';

test('the scale ends on a round number not below the data', () => {
  const cases = [
    [0, 1],
    [Number.NaN, 1],
    [0.3, 0.5],
    [1, 1],
    [11, 20],
    [201, 250],
    [99_000, 100_000],
    [1.01e9, 2e9],
  ] as const;
  for (const [value, ceiling] of cases)
    assert.ok(Math.abs(niceCeiling(value) - ceiling) < ceiling * 1e-9, `${value}`);
});

test('time ticks lie on round seconds, far enough apart', () => {
  const ticks = timeTicks(1_000_003, 1_120_003, 600, 92);
  assert.ok(ticks.length >= 2 && ticks.length <= 7);
  for (const tick of ticks) assert.is(tick % 5000, 0);
  assert.ok(ticks.every((tick) => tick >= 1_000_003 && tick <= 1_120_003));
});

test('the window grows in steps and always holds the data', () => {
  for (const span of [0, 30_000, 59_000, 100_000, 299_000]) assert.ok(windowMs(span) >= span);
  assert.is(windowMs(1e9), 300_000);
});

test('pointer and time are each other’s inverse', () => {
  const geometry = { startMs: 1000, endMs: 61_000, width: 800, height: 200 };
  for (const ms of [1000, 20_500, 61_000]) assert.ok(Math.abs(msAt(geometry, xOf(geometry, ms)) - ms) < 1e-6);
  const point = { startMs: 2000, endMs: 3000, packetsPerSecond: 1, bitsPerSecond: 8, gap: false };
  assert.is(pointAt([point], 2500), point);
  assert.is(pointAt([point], 3500), null);
});

test.run();
