/** Numbers and times as text: exactness, unknowns, and the edges of every unit. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as format from '../../web/data/format.js';

test('counts are exact and unknown is not zero', () => {
  assert.is(format.formatCount(0), '0');
  assert.is(format.formatCount(1_234_567_890_123), '1,234,567,890,123');
  assert.is(format.formatCount(null), 'unknown');
  assert.is(format.plural(1, 'packet'), '1 packet');
  assert.is(format.plural(1234, 'packet'), '1,234 packets');
});

test('scaled numbers keep three digits and never show 1000 of a unit', () => {
  assert.is(format.formatScaled(0), '0');
  assert.is(format.formatScaled(999), '999');
  assert.is(format.formatScaled(999.6), '1.00 k');
  assert.is(format.formatScaled(12_345), '12.3 k');
  assert.is(format.formatScaled(999_960), '1.00 M');
  assert.is(format.formatBitRate(1.21e9), '1.21 Gbit/s');
  assert.is(format.formatBitRate(null), '–');
  assert.is(format.formatBytes(1500), '1.50 kB');
});

test('a share is whole or nothing only when it exactly is', () => {
  assert.is(format.formatShare(10, 10), '100 %');
  assert.is(format.formatShare(999_999_999, 1_000_000_000), '> 99.99 %');
  assert.is(format.formatShare(1, 1_000_000_000), '< 0.01 %');
  assert.is(format.formatShare(0, 10), '0 %');
  assert.is(format.formatShare(1, 2), '50.0 %');
  assert.is(format.formatShare(0, 0), '–');
});

test('durations', () => {
  assert.is(format.formatElapsed(3_723_999), '01:02:03');
  assert.is(format.formatElapsed(-5), '00:00:00');
  assert.is(format.formatElapsed(90_061_000), '1 d 01:01:01');
  assert.is(format.formatDuration(6240), '6.2 s');
  assert.is(format.formatDuration(200_000), '3 min 20 s');
  assert.is(format.formatDuration(7_500_000), '2 h 5 min');
});

test('packet times keep microseconds, timestamps nanoseconds', () => {
  const tsNs = 1_769_864_602_123_456_789n;
  assert.match(format.formatPacketTime(tsNs), /^\d\d:\d\d:22\.123456$/);
  assert.is(format.formatPacketTime(null), '–');
  assert.is(format.formatTimestamp(tsNs), '2026-01-31 13:03:22.123456789 UTC');
  assert.is(format.formatTimestamp(null), 'no timestamp');
});

test('endpoints and names', () => {
  assert.is(format.formatEndpoint('10.0.0.1', 80), '10.0.0.1:80');
  assert.is(format.formatEndpoint('fe80::1', 53), '[fe80::1]:53');
  assert.is(format.formatEndpoint('10.0.0.1', 0), '10.0.0.1');
  assert.is(format.protocolLabel('ip'), 'IPv4');
  assert.is(format.protocolLabel('newproto'), 'NEWPROTO');
});

test.run();
