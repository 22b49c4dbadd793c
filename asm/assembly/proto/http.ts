// HTTP/1: a segment that starts with a request line or a status line (RFC 9112). Continuations of a
// message are not counted.

import { byte, OK } from '../cursor';
import * as F from '../fields';
import { mark, SEEN_HTTP } from '../state';
import { close, isTree, leaf, open } from '../tree';
import { unknown } from './dispatch';

const LINE_MAX: usize = 4096;

@inline
function word(a: u32, b: u32, c: u32, d: u32): u32 {
  return a | (b << 8) | (c << 16) | (d << 24);
}

export function http<M>(p: usize, cap: usize): u32 {
  if (cap - p < 8 || !starts(p, cap)) return unknown<M>(p, cap, OK);
  mark(SEEN_HTTP);
  if (isTree<M>()) fields(p, cap);
  return OK;
}

/** First eight bytes of a status line, or a registered method and the space after it. */
function starts(p: usize, cap: usize): bool {
  const head = load<u32>(p);
  const next = load<u32>(p, 4);
  if (head == word(0x48, 0x54, 0x54, 0x50)) return (next & 0xffff) == 0x312f; // "HTTP" "/1"
  if (head == word(0x47, 0x45, 0x54, 0x20) || head == word(0x50, 0x55, 0x54, 0x20)) return true; // GET, PUT
  if (head == word(0x50, 0x4f, 0x53, 0x54)) return (next & 0xff) == 0x20; // POST
  if (head == word(0x48, 0x45, 0x41, 0x44)) return (next & 0xff) == 0x20; // HEAD
  if (head == word(0x50, 0x41, 0x54, 0x43)) return (next & 0xffff) == 0x2048; // PATC "H "
  if (head == word(0x4f, 0x50, 0x54, 0x49)) return next == word(0x4f, 0x4e, 0x53, 0x20); // OPTI "ONS "
  if (head == word(0x44, 0x45, 0x4c, 0x45)) return (next & 0xffffff) == 0x204554; // DELE "TE "
  if (head == word(0x43, 0x4f, 0x4e, 0x4e)) return next == word(0x45, 0x43, 0x54, 0x20); // CONN "ECT "
  return false;
}

function fields(p: usize, cap: usize): void {
  let end = p;
  const limit = cap - p > LINE_MAX ? p + LINE_MAX : cap;
  while (end < limit && byte(end) != 10) end++;
  if (end > p && byte(end - 1) == 13) end--;
  open(F.HTTP, p, cap - p);
  leaf(byte(p) == 0x48 && byte(p + 1) == 0x54 ? F.HTTP_RESPONSE_LINE : F.HTTP_REQUEST_LINE, p, end - p, 0);
  close();
}
