// Frames of QUIC Initial packets (RFC 9000 section 19), and the handshake in their CRYPTO frames, which may
// come in any order and over several packets of a datagram. What other datagrams hold is not known here.

import { byte, least } from '../cursor';
import * as F from '../fields';
import { CAPLEN_MAX, SCRATCH_BASE } from '../layout';
import { bytes, close, leaf, leaf8, MOVED_MAX, open, treeMade, treeExtend, treeMoved } from '../tree';
import { handshakes } from './tls_hello';
import { varint, varintValue } from './quic_varint';

const PADDING: u32 = 0;
const PING: u32 = 1;
const ACK: u32 = 2;
const ACK_ECN: u32 = 3;
const CRYPTO: u32 = 6;
const CLOSE: u32 = 0x1c;

/** Rows of three u32 per CRYPTO frame: offset in the stream, address, length. */
const PIECES: usize = memory.data(768, 8);
let pieces: u32 = 0;

export function cryptoBegin(): void {
  pieces = 0;
}

export function frames(p: usize, end: usize): void {
  while (p && p < end) {
    const type = byte(p);
    if (type == PADDING) p = padding(p, end);
    else if (type == CRYPTO) p = crypto(p, end);
    else if (type == ACK || type == ACK_ECN) p = ack(type, p, end);
    else if (type == PING) {
      frame(p, 1);
      close();
      p++;
    } else if (type == CLOSE) p = connectionClose(p, end);
    else return;
  }
}

function frame(p: usize, size: usize): void {
  open(F.QUIC_FRAME, p, size, byte(p));
  leaf8(F.QUIC_FRAME_TYPE, p);
}

function padding(p: usize, end: usize): usize {
  const start = p;
  while (p < end && byte(p) == PADDING) p++;
  frame(start, p - start);
  leaf(F.QUIC_PADDING_LENGTH, start, p - start, <u32>(p - start));
  close();
  return p;
}

function crypto(p: usize, end: usize): usize {
  const lengthAt = varint(p + 1, end);
  const offset = varintValue();
  const data = lengthAt ? varint(lengthAt, end) : 0;
  const size = varintValue();
  if (!data || end - data < size) return 0;
  frame(p, data + size - p);
  leaf(F.QUIC_CRYPTO_OFFSET, p + 1, lengthAt - p - 1, <u32>offset);
  leaf(F.QUIC_CRYPTO_LENGTH, lengthAt, data - lengthAt, <u32>size);
  bytes(F.QUIC_CRYPTO_CRYPTO_DATA, data, size);
  close();
  if (pieces < MOVED_MAX && size) {
    const row = PIECES + <usize>(pieces++) * 12;
    store<u32>(row, <u32>offset);
    store<u32>(row + 4, <u32>data);
    store<u32>(row + 8, <u32>size);
  }
  return data + size;
}

/** Largest, delay, ranges and, with ECN, three counts. */
function ack(type: u32, p: usize, end: usize): usize {
  let at = varint(p + 1, end);
  const largest = varintValue();
  const largestEnd = at;
  if (at) at = varint(at, end);
  if (at) at = varint(at, end);
  // A range takes two bytes at least, so that more than would fit is seen at once.
  const ranges = varintValue();
  if (!at || ranges > end - at) return 0;
  for (let left: usize = 1 + 2 * ranges + (type == ACK_ECN ? 3 : 0); left && at; left--) at = varint(at, end);
  if (!at) return 0;
  frame(p, at - p);
  leaf(F.QUIC_ACK_LARGEST_ACKNOWLEDGED, p + 1, largestEnd - p - 1, <u32>largest);
  close();
  return at;
}

/** Error, frame type, reason. */
function connectionClose(p: usize, end: usize): usize {
  const typeAt = varint(p + 1, end);
  const code = varintValue();
  const lengthAt = typeAt ? varint(typeAt, end) : 0;
  const reason = lengthAt ? varint(lengthAt, end) : 0;
  if (!reason || end - reason < varintValue()) return 0;
  const size = reason + varintValue() - p;
  frame(p, size);
  leaf(F.QUIC_CC_ERROR_CODE, p + 1, typeAt - p - 1, <u32>code);
  close();
  return p + size;
}

/** Index of a piece that holds byte `at` of the stream, -1 without one. */
function pieceAt(at: u32): i32 {
  for (let i: u32 = 0; i < pieces; i++) {
    const row = PIECES + <usize>i * 12;
    const offset = load<u32>(row);
    if (offset <= at && at - offset < load<u32>(row, 8)) return i;
  }
  return -1;
}

/** Shows the handshake from the stream's start as far as it is here without a hole. */
export function cryptoEnd(): void {
  const first = pieceAt(0);
  if (first < 0) return;
  const row = PIECES + <usize>first * 12;
  const data: usize = load<u32>(row, 4);
  const size = load<u32>(row, 8);
  if (pieceAt(size) < 0) handshakes(data, data + size);
  else joined();
}

/** Copies the pieces in order behind the frame's bytes, as far as there is room. */
function joined(): void {
  const start = treeMade();
  const limit = SCRATCH_BASE + CAPLEN_MAX;
  if (start >= limit) return;
  let at: u32 = 0;
  let to = start;
  for (let turn: u32 = 0; turn < MOVED_MAX; turn++) {
    const index = pieceAt(at);
    if (index < 0) break;
    const row = PIECES + <usize>index * 12;
    const skip = at - load<u32>(row);
    const from: usize = load<u32>(row, 4) + skip;
    const size = least(load<u32>(row, 8) - skip, limit - to);
    if (!size) break;
    memory.copy(to, from, size);
    treeMoved(to, from, size);
    to += size;
    at += <u32>size;
  }
  treeExtend(to);
  handshakes(start, to);
}
