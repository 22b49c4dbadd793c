// AES-128 (FIPS 197), encryption only, and GCM decryption (NIST SP 800-38D) for QUIC Initial packets. Their
// keys are public (RFC 9001 section 5.2), so nothing here needs to resist timing. Trees only.

const BLOCK: usize = 16;
const ROUNDS: u32 = 10;

const SBOX: usize = memory.data(256);
const KEYS: usize = memory.data(176, 8);
const STATE: usize = memory.data(16, 8);
const COUNTER: usize = memory.data(16, 8);
const MASK: usize = memory.data(16, 8);
const SHIFTED: usize = memory.data(16, 8);

let ready: bool = false;

@inline
function double(x: u32): u32 {
  return ((x << 1) ^ (x & 0x80 ? 0x1b : 0)) & 0xff;
}

/** The S-box from its definition (section 5.1.1): p runs over all values as q over their inverses. */
function makeSbox(): void {
  let p: u32 = 1;
  let q: u32 = 1;
  do {
    p ^= double(p);
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q &= 0xff;
    if (q & 0x80) q ^= 0x09;
    const x = q | (q << 8);
    store<u8>(SBOX + p, <u8>(q ^ (x >> 7) ^ (x >> 6) ^ (x >> 5) ^ (x >> 4) ^ 0x63));
  } while (p != 1);
  store<u8>(SBOX, 0x63);
  ready = true;
}

@inline
function sbox(x: u32): u32 {
  return load<u8>(SBOX + x);
}

/** Section 5.2, 16 bytes of key. Later blocks use it. */
export function aesKey(key: usize): void {
  if (!ready) makeSbox();
  memory.copy(KEYS, key, BLOCK);
  let rcon: u32 = 1;
  for (let i: usize = 16; i < 176; i += 4) {
    let word = load<u32>(KEYS + i - 4);
    if (!(i & 15)) {
      word = rotr<u32>(word, 8);
      word = sbox(word & 255) | (sbox((word >> 8) & 255) << 8) | (sbox((word >> 16) & 255) << 16) | (sbox(word >> 24) << 24);
      word ^= rcon;
      rcon = double(rcon);
    }
    store<u32>(KEYS + i, load<u32>(KEYS + i - 16) ^ word);
  }
}

/** Encrypts the 16 bytes at `from` to `to`; they may be the same. */
export function aesBlock(from: usize, to: usize): void {
  xorBlock(STATE, from, KEYS);
  for (let round: u32 = 1; round <= ROUNDS; round++) {
    for (let i: usize = 0; i < BLOCK; i++) store<u8>(SHIFTED + i, sbox(load<u8>(STATE + ((i * 5) & 15))));
    if (round < ROUNDS) for (let i: usize = 0; i < BLOCK; i += 4) mixColumn(SHIFTED + i);
    xorBlock(STATE, SHIFTED, KEYS + (<usize>round << 4));
  }
  memory.copy(to, STATE, BLOCK);
}

function xorBlock(to: usize, a: usize, b: usize): void {
  store<u64>(to, load<u64>(a) ^ load<u64>(b));
  store<u64>(to + 8, load<u64>(a + 8) ^ load<u64>(b + 8));
}

function mixColumn(p: usize): void {
  const a = load<u8>(p) as u32;
  const b = load<u8>(p + 1) as u32;
  const c = load<u8>(p + 2) as u32;
  const d = load<u8>(p + 3) as u32;
  const all = a ^ b ^ c ^ d;
  store<u8>(p, a ^ all ^ double(a ^ b));
  store<u8>(p + 1, b ^ all ^ double(b ^ c));
  store<u8>(p + 2, c ^ all ^ double(c ^ d));
  store<u8>(p + 3, d ^ all ^ double(d ^ a));
}

// ── GCM ─────────────────────────────────────────────────────────────────────────────────────────

let hashHigh: u64 = 0;
let hashLow: u64 = 0;
let keyHigh: u64 = 0;
let keyLow: u64 = 0;

/**
 * Decrypts `size` bytes at p in place under the key given to aesKey(), when the 16 bytes after them are
 * their tag; else touches nothing and is false. `nonce` are 12 bytes.
 */
export function gcmOpen(nonce: usize, aad: usize, aadSize: usize, p: usize, size: usize): bool {
  memory.fill(MASK, 0, BLOCK);
  aesBlock(MASK, MASK);
  keyHigh = bswap<u64>(load<u64>(MASK));
  keyLow = bswap<u64>(load<u64>(MASK + 8));
  hashHigh = 0;
  hashLow = 0;
  absorb(aad, aadSize);
  absorb(p, size);
  hashHigh ^= <u64>aadSize << 3;
  hashLow ^= <u64>size << 3;
  multiply();
  memory.copy(COUNTER, nonce, 12);
  counterBlock(1);
  if (
    load<u64>(p + size) != (load<u64>(MASK) ^ bswap<u64>(hashHigh)) ||
    load<u64>(p + size + 8) != (load<u64>(MASK + 8) ^ bswap<u64>(hashLow))
  )
    return false;
  for (let at: usize = 0; at < size; at++) {
    if (!(at & 15)) counterBlock(2 + <u32>(at >> 4));
    store<u8>(p + at, load<u8>(p + at) ^ load<u8>(MASK + (at & 15)));
  }
  return true;
}

function counterBlock(number: u32): void {
  store<u32>(COUNTER + 12, bswap<u32>(number));
  aesBlock(COUNTER, MASK);
}

/** Bytes into the hash, the last block filled up with zeros. */
function absorb(p: usize, size: usize): void {
  for (let at: usize = 0; at < size; at += BLOCK) {
    const left = size - at;
    memory.fill(SHIFTED, 0, BLOCK);
    memory.copy(SHIFTED, p + at, left < BLOCK ? left : BLOCK);
    hashHigh ^= bswap<u64>(load<u64>(SHIFTED));
    hashLow ^= bswap<u64>(load<u64>(SHIFTED + 8));
    multiply();
  }
}

/** hash times key in GF(2^128), bit by bit (section 6.3, algorithm 1). */
function multiply(): void {
  let high: u64 = 0;
  let low: u64 = 0;
  let v = keyHigh;
  let w = keyLow;
  for (let i: u32 = 0; i < 128; i++) {
    const bit = i < 64 ? (hashHigh >> (63 - i)) & 1 : (hashLow >> (127 - i)) & 1;
    if (bit) {
      high ^= v;
      low ^= w;
    }
    const carry = w & 1;
    w = (w >> 1) | (v << 63);
    v >>= 1;
    if (carry) v ^= 0xe100000000000000;
  }
  hashHigh = high;
  hashLow = low;
}
