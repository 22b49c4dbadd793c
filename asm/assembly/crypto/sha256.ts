// SHA-256 (FIPS 180-4), HMAC (RFC 2104) and TLS 1.3's HKDF labels (RFC 5869, RFC 8446 section 7.1), for
// the keys of QUIC Initial packets and for JA4. Used for trees only, never while a stream is read.

export const DIGEST: u32 = 32;
const BLOCK: usize = 64;

// biome-ignore format: the table of section 4.2.2
const K: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
const START: usize = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);
const STATE: usize = memory.data(32, 8);
const WORDS: usize = memory.data(256, 8);
const TAIL: usize = memory.data(128, 8);
/** Key block and message of an HMAC; the messages here are at most DIGEST + BLOCK bytes. */
const PADDED: usize = memory.data(256, 8);
const INNER: usize = memory.data(32, 8);
const INFO: usize = memory.data(64, 8);

/** Digest of `size` bytes at p into 32 bytes at `out`. */
export function sha256(p: usize, size: usize, out: usize): void {
  memory.copy(STATE, START, 32);
  const whole = size & ~(BLOCK - 1);
  for (let at: usize = 0; at < whole; at += BLOCK) compress(p + at);
  const rest = size - whole;
  const padded: usize = rest < 56 ? BLOCK : 2 * BLOCK;
  memory.fill(TAIL, 0, padded);
  memory.copy(TAIL, p + whole, rest);
  store<u8>(TAIL + rest, 0x80);
  store<u64>(TAIL + padded - 8, bswap<u64>(<u64>size << 3));
  for (let at: usize = 0; at < padded; at += BLOCK) compress(TAIL + at);
  for (let i: usize = 0; i < 32; i += 4) store<u32>(out + i, bswap<u32>(load<u32>(STATE + i)));
}

/** Section 6.2.2. */
function compress(p: usize): void {
  for (let i: usize = 0; i < 64; i += 4) store<u32>(WORDS + i, bswap<u32>(load<u32>(p + i)));
  for (let i: usize = 64; i < 256; i += 4) {
    const w2 = load<u32>(WORDS + i - 8);
    const w15 = load<u32>(WORDS + i - 60);
    const s0 = rotr<u32>(w15, 7) ^ rotr<u32>(w15, 18) ^ (w15 >> 3);
    const s1 = rotr<u32>(w2, 17) ^ rotr<u32>(w2, 19) ^ (w2 >> 10);
    store<u32>(WORDS + i, load<u32>(WORDS + i - 64) + s0 + load<u32>(WORDS + i - 28) + s1);
  }
  let a = load<u32>(STATE);
  let b = load<u32>(STATE, 4);
  let c = load<u32>(STATE, 8);
  let d = load<u32>(STATE, 12);
  let e = load<u32>(STATE, 16);
  let f = load<u32>(STATE, 20);
  let g = load<u32>(STATE, 24);
  let h = load<u32>(STATE, 28);
  for (let i: usize = 0; i < 256; i += 4) {
    const s1 = rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25);
    const t1 = h + s1 + ((e & f) ^ (~e & g)) + load<u32>(K + i) + load<u32>(WORDS + i);
    const s0 = rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22);
    const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  add(0, a);
  add(4, b);
  add(8, c);
  add(12, d);
  add(16, e);
  add(20, f);
  add(24, g);
  add(28, h);
}

function add(at: usize, value: u32): void {
  store<u32>(STATE + at, load<u32>(STATE + at) + value);
}

/** Keys of at most 64 bytes and messages of at most 96; `out` may be the key. */
export function hmac(key: usize, keySize: usize, message: usize, size: usize, out: usize): void {
  padKey(key, keySize, 0x36);
  memory.copy(PADDED + BLOCK, message, size);
  sha256(PADDED, BLOCK + size, INNER);
  padKey(key, keySize, 0x5c);
  memory.copy(PADDED + BLOCK, INNER, DIGEST);
  sha256(PADDED, BLOCK + DIGEST, out);
}

function padKey(key: usize, size: usize, pad: u8): void {
  memory.fill(PADDED, pad, BLOCK);
  for (let i: usize = 0; i < size; i++) store<u8>(PADDED + i, load<u8>(key + i) ^ pad);
}

/**
 * HKDF-Expand-Label with an empty context. `label` are `labelSize` bytes with the prefix "tls13 "; `size`
 * is what the caller will use of the 32 bytes written to `out`.
 */
export function expandLabel(secret: usize, label: usize, labelSize: usize, size: u32, out: usize): void {
  store<u16>(INFO, bswap<u16>(<u16>size));
  store<u8>(INFO + 2, <u8>labelSize);
  memory.copy(INFO + 3, label, labelSize);
  store<u8>(INFO + 3 + labelSize, 0);
  store<u8>(INFO + 4 + labelSize, 1);
  hmac(secret, DIGEST, INFO, labelSize + 5, out);
}
