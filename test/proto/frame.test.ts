import { readFileSync } from 'node:fs';
import Long from 'long';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  count,
  decodeFrame,
  encodeFrame,
  FrameError,
  type FrameFields,
  long,
  nanoseconds,
  optionalCount,
} from '../../proto/frame.js';

interface Golden {
  fields: FrameFields;
  hex: string;
}

/** JSON has neither bytes nor 64-bit integers: "hex:…" and strings of digits stand for them. */
function revive(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (value.startsWith('hex:')) return Uint8Array.from(Buffer.from(value.slice(4), 'hex'));
  if (/^-?\d+$/.test(value)) return Long.fromString(value, !value.startsWith('-') && key !== 'unaccounted');
  return value;
}

const golden = JSON.parse(readFileSync('proto/golden.json', 'utf8'), revive).frames as Record<string, Golden>;

for (const [name, { fields, hex }] of Object.entries(golden)) {
  test(`golden ${name} is written byte for byte`, () => {
    assert.is(Buffer.from(encodeFrame(fields)).toString('hex'), String(hex));
  });

  test(`golden ${name} is read back`, () => {
    const frame = decodeFrame(Buffer.from(String(hex), 'hex'));
    assert.is(frame.body, name.split('_')[0]);
    assert.is(Buffer.from(encodeFrame(frame)).toString('hex'), String(hex));
  });

  test(`golden ${name}: every prefix is refused or read, never a crash`, () => {
    const bytes = Buffer.from(String(hex), 'hex');
    for (let length = 0; length < bytes.length; length++) {
      try {
        decodeFrame(bytes.subarray(0, length));
      } catch (error) {
        assert.instance(error, FrameError);
      }
    }
  });
}

test('the payload is a view into the message, not a copy', () => {
  const message = encodeFrame({ batch: { probe: 1, payload: new Uint8Array(64).fill(9) } });
  const payload = decodeFrame(message).batch?.payload;
  assert.is(payload?.buffer, message.buffer);
  assert.is(payload?.byteLength, 64);
});

test('the payload is the last field of a batch frame', () => {
  const tail = Uint8Array.of(0xde, 0xad, 0xbe, 0xef);
  const message = encodeFrame({
    batch: { probe: 1, seq: long(2), packets: 3, blockSeq: long(4), payload: tail },
  });
  assert.equal(Buffer.from(message.subarray(-4)), Buffer.from(tail));
});

test('absent is unknown, not zero', () => {
  const ledger = decodeFrame(encodeFrame({ ledger: { probe: 1, ringDrops: long(0) } })).ledger;
  assert.is(optionalCount(ledger?.ringDrops), 0);
  assert.is(optionalCount(ledger?.filtered), null);
  assert.is(count(ledger?.stored), 0);
});

test('nanoseconds survive exactly, above 2^53 and above 2^63', () => {
  for (const ts of [0n, 1n, 1732373982123456789n, 2n ** 64n - 1n]) {
    const frame = decodeFrame(encodeFrame({ batch: { firstTsNs: long(ts) } }));
    assert.is(nanoseconds(frame.batch?.firstTsNs), ts);
  }
});

test('garbage is a FrameError with a reason', () => {
  const garbage = [
    Uint8Array.of(),
    Uint8Array.of(0xff),
    Uint8Array.of(0x12, 0xff, 0xff, 0xff, 0xff, 0x0f),
    Buffer.from('GET / HTTP/1.1\r\n'),
  ];
  for (const bytes of garbage) {
    try {
      decodeFrame(bytes);
      assert.unreachable(`accepted ${Buffer.from(bytes).toString('hex')}`);
    } catch (error) {
      assert.instance(error, FrameError);
      assert.match((error as Error).message, /not a Ringtap frame/);
    }
  }
});

test('random bytes never escape as another error', () => {
  let seed = 20261123;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed >>> 24;
  };
  for (let round = 0; round < 20000; round++) {
    const bytes = Uint8Array.from({ length: random() }, random);
    try {
      decodeFrame(bytes);
    } catch (error) {
      assert.instance(error, FrameError);
    }
  }
});

test.run();
