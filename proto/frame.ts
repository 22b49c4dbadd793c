/**
 * The WebSocket envelope in TypeScript: encode and decode one Frame, and turn protobuf's 64-bit
 * integers into what the callers use. No I/O, no DOM: shared by the gateway and the browser.
 */
import Long from 'long';
import { ringtap } from './gen/messages.js';

export type FrameBody = NonNullable<ringtap.Frame['body']>;
export type FrameFields = ringtap.IFrame;
export type Hello = ringtap.Hello;
export type Batch = ringtap.Batch;
export type Ledger = ringtap.Ledger;
export type Summary = ringtap.Summary;
export type ProbeUp = ringtap.ProbeUp;
export type ProbeDown = ringtap.ProbeDown;
export type Gap = ringtap.Gap;
export const GapCause = ringtap.Gap.Cause;

/** A frame that is not the protobuf we speak. The message names what is wrong. */
export class FrameError extends Error {
  override name = 'FrameError';
}

/** Serialize exactly one body. The result is owned by the caller. */
export function encodeFrame(fields: FrameFields): Uint8Array {
  return ringtap.Frame.encode(fields as ringtap.Frame).finish();
}

/**
 * Decode one WebSocket message. Hostile input throws FrameError and nothing else.
 * `bytes` fields are views into `message`: copy what must outlive it.
 */
export function decodeFrame(message: Uint8Array): ringtap.Frame {
  let frame: ringtap.Frame;
  try {
    frame = ringtap.Frame.decode(message);
  } catch (cause) {
    throw new FrameError(`not a Ringtap frame: ${(cause as Error).message}`);
  }
  if (!frame.body) throw new FrameError('not a Ringtap frame: no known body');
  return frame;
}

/** A 64-bit count as a number; exact below 2^53, which counts of packets and bytes never reach. */
export function count(value: Long | number | null | undefined): number {
  if (value === null || value === undefined) return 0;
  return typeof value === 'number' ? value : value.toNumber();
}

/** Like `count`, but an absent field stays null: unknown is not 0. */
export function optionalCount(value: Long | number | null | undefined): number | null {
  return value === null || value === undefined ? null : count(value);
}

/** A 64-bit timestamp in nanoseconds, exactly. */
export function nanoseconds(value: Long | number | null | undefined): bigint {
  if (value === null || value === undefined) return 0n;
  if (typeof value === 'number') return BigInt(value);
  return BigInt.asUintN(64, (BigInt(value.getHighBits()) << 32n) | BigInt(value.getLowBitsUnsigned()));
}

/** The other way: a count (exact below 2^53) or nanoseconds as protobuf's 64-bit integer. */
export function long(value: bigint | number): Long {
  if (typeof value === 'number') return Long.fromNumber(value, true);
  const bits = BigInt.asUintN(64, value);
  return Long.fromBits(Number(bits & 0xffffffffn), Number(bits >> 32n), true);
}
