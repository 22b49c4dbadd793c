// Opens a client's QUIC Initial packet in place (RFC 9001 section 5): its keys follow from the Destination
// Connection ID alone. Other packets fail at the tag and stay as they were. For the tree only.

import { aesBlock, aesKey, gcmOpen } from '../crypto/aes';
import { DIGEST, expandLabel, hmac } from '../crypto/sha256';
import { byte } from '../cursor';

export const VERSION_2: u32 = 0x6b3343cf;

const TAG: usize = 16;
const SAMPLE: usize = 16;
const SALT_SIZE: usize = 20;

// biome-ignore format: salts of RFC 9001 5.2, RFC 9369 3.3.1, drafts 29 to 32, drafts 23 to 28
const SALT_1: usize = memory.data<u8>([
  0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
]);
const SALT_2: usize = memory.data<u8>([
  0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9,
]);
const SALT_29: usize = memory.data<u8>([
  0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99,
]);
const SALT_23: usize = memory.data<u8>([
  0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02,
]);

// "tls13 client in", "tls13 quic key", "… iv", "… hp", and version 2's "tls13 quicv2 …"
const CLIENT_IN: usize = memory.data<u8>([
  0x74, 0x6c, 0x73, 0x31, 0x33, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x20, 0x69, 0x6e,
]);
const QUIC: usize = memory.data<u8>([0x74, 0x6c, 0x73, 0x31, 0x33, 0x20, 0x71, 0x75, 0x69, 0x63, 0x20]);
const QUIC_V2: usize = memory.data<u8>([
  0x74, 0x6c, 0x73, 0x31, 0x33, 0x20, 0x71, 0x75, 0x69, 0x63, 0x76, 0x32, 0x20,
]);
const KEY: u32 = 0x79656b; // "key"
const IV: u32 = 0x7669; // "iv"
const HP: u32 = 0x7068; // "hp"

const SECRET: usize = memory.data(32, 8);
const LABEL: usize = memory.data(16, 8);
const OUT: usize = memory.data(32, 8);
const NONCE: usize = memory.data(32, 8);
const MASK: usize = memory.data(16, 8);
const MASKED: usize = memory.data(8, 8);

/** 0 for versions whose Initial keys are not known. Drafts 33 and 34 have version 1's salt. */
function saltOf(version: u32): usize {
  if (version == 1) return SALT_1;
  if (version == VERSION_2) return SALT_2;
  if (version == 0xfaceb002) return SALT_23; // mvfst, on draft 27
  if (version >> 8 != 0xff0000) return 0;
  const draft = version & 255;
  return draft > 34 ? 0 : draft > 32 ? SALT_1 : draft > 28 ? SALT_29 : draft > 22 ? SALT_23 : 0;
}

export function hasKeys(version: u32): bool {
  return saltOf(version) != 0;
}

/** A key of the client's secret into `out`, which has room for 32 bytes. */
function derive(version: u32, what: u32, whatSize: usize, size: u32, out: usize): void {
  const prefixSize: usize = version == VERSION_2 ? 13 : 11;
  memory.copy(LABEL, version == VERSION_2 ? QUIC_V2 : QUIC, prefixSize);
  store<u8>(LABEL + prefixSize, <u8>what);
  store<u8>(LABEL + prefixSize + 1, <u8>(what >> 8));
  if (whatSize > 2) store<u8>(LABEL + prefixSize + 2, <u8>(what >> 16));
  expandLabel(SECRET, LABEL, prefixSize + whatSize, size, out);
}

/**
 * Removes header and packet protection of the packet from `start` to `end`, whose number starts at `number`.
 * Where its frames start (they end a tag before `end`); 0 when it is not a client's, and nothing changed.
 */
export function unprotect(version: u32, start: usize, dcid: usize, dcidSize: usize, number: usize, end: usize): usize {
  const salt = saltOf(version);
  if (!salt || end - number < 4 + SAMPLE) return 0;
  hmac(salt, SALT_SIZE, dcid, dcidSize, SECRET);
  expandLabel(SECRET, CLIENT_IN, 15, DIGEST, OUT);
  memory.copy(SECRET, OUT, DIGEST);
  derive(version, HP, 2, 16, OUT);
  aesKey(OUT);
  aesBlock(number + 4, MASK);
  const first = load<u8>(start);
  const numberSize: usize = ((byte(start) ^ byte(MASK)) & 3) + 1;
  memory.copy(MASKED, number, 4);
  store<u8>(start, first ^ (load<u8>(MASK) & 15));
  for (let i: usize = 0; i < numberSize; i++) store<u8>(number + i, load<u8>(number + i) ^ load<u8>(MASK + 1 + i));
  derive(version, IV, 2, 12, NONCE);
  for (let i: usize = 0; i < numberSize; i++) {
    const at = NONCE + 12 - numberSize + i;
    store<u8>(at, load<u8>(at) ^ load<u8>(number + i));
  }
  derive(version, KEY, 3, 16, OUT);
  aesKey(OUT);
  const payload = number + numberSize;
  if (gcmOpen(NONCE, start, payload - start, payload, end - TAG - payload)) return payload;
  store<u8>(start, first);
  memory.copy(number, MASKED, 4);
  return 0;
}
