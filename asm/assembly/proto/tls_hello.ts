// TLS handshake messages (RFC 8446 section 4, RFC 5246) for the tree: the hellos in full, of the others type
// and length. The same for TLS records and for QUIC's CRYPTO frames. Cut messages are shown as far as they
// go; a node as long as its message says it is whole.

import { be16, byte, least } from '../cursor';
import * as F from '../fields';
import { bytes, close, leaf8, leaf16, leaf24, open } from '../tree';

const CLIENT_HELLO: u32 = 1;
const SERVER_HELLO: u32 = 2;
const TYPE_MAX: u32 = 24;
/** No message is longer in practice; encrypted ones claim any length. */
const LENGTH_MAX: usize = 1 << 17;
const RANDOM: usize = 32;

const EXT_SERVER_NAME: u32 = 0;
const EXT_GROUPS: u32 = 10;
const EXT_POINT_FORMATS: u32 = 11;
const EXT_SIGNATURES: u32 = 13;
const EXT_ALPN: u32 = 16;
const EXT_VERSIONS: u32 = 43;
const EXT_KEY_SHARE: u32 = 51;

function length24(p: usize): usize {
  return (<usize>byte(p) << 16) | be16(p + 1);
}

/** False for what cannot be a message in the clear: then it is an encrypted one. */
export function isHandshake(p: usize, end: usize): bool {
  if (end - p < 4) return false;
  const type = byte(p);
  const size = length24(p + 1);
  return type <= TYPE_MAX && size <= LENGTH_MAX && (type == 0 ? size == 0 : type <= 2 ? size >= 38 : true);
}

/** Messages one after the other from p; `end` is where the record or stream ends. */
export function handshakes(p: usize, end: usize): void {
  while (isHandshake(p, end)) {
    const type = byte(p);
    const next = least(end, p + 4 + length24(p + 1));
    open(F.TLS_HANDSHAKE, p, next - p, type);
    leaf8(F.TLS_HANDSHAKE_TYPE, p);
    leaf24(F.TLS_HANDSHAKE_LENGTH, p + 1);
    if (type == CLIENT_HELLO || type == SERVER_HELLO) hello(type == CLIENT_HELLO, p + 4, next);
    close();
    p = next;
  }
}

/** Version, random, session, then a client's lists or the server's choice, then extensions. */
function hello(client: bool, p: usize, end: usize): void {
  if (end - p < 2 + RANDOM + 1) return;
  leaf16(F.TLS_HANDSHAKE_VERSION, p);
  bytes(F.TLS_HANDSHAKE_RANDOM, p + 2, RANDOM);
  p += 2 + RANDOM;
  const session: usize = byte(p);
  leaf8(F.TLS_HANDSHAKE_SESSION_ID_LENGTH, p++);
  if (session > 32 || session > end - p) return;
  if (session) bytes(F.TLS_HANDSHAKE_SESSION_ID, p, session);
  p += session;
  if (client) p = offers(p, end);
  else if (end - p >= 3) {
    leaf16(F.TLS_HANDSHAKE_CIPHERSUITE, p);
    leaf8(F.TLS_HANDSHAKE_COMP_METHOD, p + 2);
    p += 3;
  } else return;
  if (!p || end - p < 2) return;
  leaf16(F.TLS_HANDSHAKE_EXTENSIONS_LENGTH, p);
  extensions(client, p + 2, least(end, p + 2 + be16(p)));
}

/** Cipher suites and compression methods; where the extensions start, 0 when cut before. */
function offers(p: usize, end: usize): usize {
  if (end - p < 2) return 0;
  const ciphers: usize = be16(p);
  leaf16(F.TLS_HANDSHAKE_CIPHER_SUITES_LENGTH, p);
  p += 2;
  open(F.TLS_HANDSHAKE_CIPHERSUITES, p, least(ciphers, end - p));
  numbers(F.TLS_HANDSHAKE_CIPHERSUITE, p, least(end, p + ciphers));
  close();
  if (end - p < ciphers + 1) return 0;
  p += ciphers;
  const methods: usize = byte(p);
  leaf8(F.TLS_HANDSHAKE_COMP_METHODS_LENGTH, p++);
  if (end - p < methods) return 0;
  for (let i: usize = 0; i < methods; i++) leaf8(F.TLS_HANDSHAKE_COMP_METHOD, p + i);
  return p + methods;
}

function numbers(field: u32, p: usize, end: usize): void {
  for (; end - p >= 2 && p < end; p += 2) leaf16(field, p);
}

function extensions(client: bool, p: usize, end: usize): void {
  while (end - p >= 4) {
    const type = be16(p);
    const size: usize = be16(p + 2);
    const next = least(end, p + 4 + size);
    open(F.TLS_HANDSHAKE_EXTENSION, p, next - p, type);
    leaf16(F.TLS_HANDSHAKE_EXTENSION_TYPE, p);
    leaf16(F.TLS_HANDSHAKE_EXTENSION_LEN, p + 2);
    if (next > p + 4) extension(client, type, p + 4, next);
    close();
    p = next;
  }
}

function extension(client: bool, type: u32, p: usize, end: usize): void {
  const size = end - p;
  if (type == EXT_SERVER_NAME) serverNames(p, end);
  else if (type == EXT_ALPN) protocols(p, end);
  else if (type == EXT_GROUPS && size >= 2) numbers(F.TLS_HANDSHAKE_EXTENSIONS_SUPPORTED_GROUP, p + 2, listEnd(p, end));
  else if (type == EXT_SIGNATURES && size >= 2) numbers(F.TLS_HANDSHAKE_SIG_HASH_ALG, p + 2, listEnd(p, end));
  else if (type == EXT_VERSIONS && client)
    numbers(F.TLS_HANDSHAKE_EXTENSIONS_SUPPORTED_VERSION, p + 1, least(end, p + 1 + byte(p)));
  else if (type == EXT_VERSIONS && size >= 2) leaf16(F.TLS_HANDSHAKE_EXTENSIONS_SUPPORTED_VERSION, p);
  else if (type == EXT_KEY_SHARE) keyShares(client, p, end);
  else if (type == EXT_POINT_FORMATS) {
    const limit = least(end, p + 1 + byte(p));
    for (p++; p < limit; p++) leaf8(F.TLS_HANDSHAKE_EXTENSIONS_EC_POINT_FORMAT, p);
  } else bytes(F.TLS_HANDSHAKE_EXTENSION_DATA, p, size);
}

/** The end of a list behind its two-byte length, the caller has seen two bytes. */
function listEnd(p: usize, end: usize): usize {
  return least(end, p + 2 + be16(p));
}

/** RFC 6066 section 3: name type 0 is the only one. */
function serverNames(p: usize, end: usize): void {
  if (end - p < 2) return;
  end = listEnd(p, end);
  p += 2;
  while (end - p >= 3 && p < end) {
    const size: usize = be16(p + 1);
    if (size > end - p - 3) return;
    if (byte(p) == 0) bytes(F.TLS_HANDSHAKE_EXTENSIONS_SERVER_NAME, p + 3, size);
    p += 3 + size;
  }
}

/** RFC 7301. */
function protocols(p: usize, end: usize): void {
  if (end - p < 2) return;
  end = listEnd(p, end);
  p += 2;
  while (p < end) {
    const size: usize = byte(p);
    if (size >= end - p) return;
    bytes(F.TLS_HANDSHAKE_EXTENSIONS_ALPN_STR, p + 1, size);
    p += 1 + size;
  }
}

/** A client's list of groups and keys, a server's one; a retry request names the group alone. */
function keyShares(client: bool, p: usize, end: usize): void {
  if (end - p < 2) return;
  if (!client) {
    leaf16(F.TLS_HANDSHAKE_EXTENSIONS_KEY_SHARE_GROUP, p);
    return;
  }
  end = listEnd(p, end);
  p += 2;
  while (end - p >= 4 && p < end) {
    leaf16(F.TLS_HANDSHAKE_EXTENSIONS_KEY_SHARE_GROUP, p);
    const size: usize = be16(p + 2);
    if (size > end - p - 4) return;
    p += 4 + size;
  }
}
