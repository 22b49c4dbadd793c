/**
 * SHA-1 (RFC 3174) of short messages, synchronous: for Community ID and flow names, not for security. Two a
 * flow, so it allocates nothing: the message is written into `room`, the digest is read from `digest`.
 */

const BLOCK_BYTES = 64;
/** What fits one block beside the padding. */
export const MESSAGE_BYTES_MAX = BLOCK_BYTES - 9;

const WORDS = new Int32Array(80);
const block = new Uint8Array(BLOCK_BYTES);
const blockView = new DataView(block.buffer);

/** Where the message goes. */
export const room: Uint8Array = block;
/** The 20 bytes of the last digest. */
export const digest = new Uint8Array(20);
export const digestView = new DataView(digest.buffer);

/** Digests the first `length` bytes of `room`, at most MESSAGE_BYTES_MAX. */
export function sha1(length: number): void {
  if (length > MESSAGE_BYTES_MAX)
    throw new RangeError(`a message of ${length} bytes, more than ${MESSAGE_BYTES_MAX}`);
  block.fill(0, length);
  block[length] = 0x80;
  blockView.setUint32(BLOCK_BYTES - 4, length * 8);
  const w = WORDS;
  for (let i = 0; i < 16; i++) w[i] = blockView.getInt32(i * 4);
  for (let i = 16; i < 80; i++) w[i] = rotate(w[i - 3]! ^ w[i - 8]! ^ w[i - 14]! ^ w[i - 16]!, 1);
  let a = 0x67452301;
  let b = 0xefcdab89 | 0;
  let c = 0x98badcfe | 0;
  let d = 0x10325476;
  let e = 0xc3d2e1f0 | 0;
  for (let i = 0; i < 80; i++) {
    const next = (rotate(a, 5) + mixed(i, b, c, d) + e + w[i]!) | 0;
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = next;
  }
  digestView.setInt32(0, a + 0x67452301);
  digestView.setInt32(4, b + 0xefcdab89);
  digestView.setInt32(8, c + 0x98badcfe);
  digestView.setInt32(12, d + 0x10325476);
  digestView.setInt32(16, e + 0xc3d2e1f0);
}

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));

/** The round's function of b, c, d and its constant. */
function mixed(i: number, b: number, c: number, d: number): number {
  if (i < 20) return ((b & c) | (~b & d)) + 0x5a827999;
  if (i < 40) return (b ^ c ^ d) + 0x6ed9eba1;
  if (i < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}
