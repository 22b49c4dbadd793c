// HTTP/1: a segment that starts with a request line or a status line (RFC 9112); on a web port also HTTP/2's
// preface, a line like those (RFC 9113 section 3.4). What goes on with a message is counted in ../tcpstream.ts.

import { byte, OK } from '../cursor';
import * as F from '../fields';
import { ABOVE_RESPONSE, announce, SEEN_HTTP } from '../state';
import { close, isTree, open } from '../tree';
import { unknown } from './dispatch';
import { fields } from './http_fields';

const LINE_MAX: usize = 4096;

@inline
function word(a: u32, b: u32, c: u32, d: u32): u32 {
  return a | (b << 8) | (c << 16) | (d << 24);
}

/** `web`: on a port of HTTP's, where a request line is believed without a version too (HTTP/0.9). */
export function http<M>(p: usize, cap: usize, web: bool): u32 {
  const known = cap - p >= 8 && starts(p);
  if (!known && !isMethod(p, cap)) return unknown<M>(p, cap, OK);
  const end = lineEnd(p, cap);
  // A line that is cut is believed when its method is a usual one.
  if (!web && (end < cap ? !isResponse(p) && !namesVersion(p, end) : !known)) return unknown<M>(p, cap, OK);
  announce(isResponse(p) ? SEEN_HTTP | ABOVE_RESPONSE : SEEN_HTTP);
  if (isTree<M>()) {
    open(F.HTTP, p, cap - p);
    fields(isResponse(p), p, end, cap);
    close();
  }
  return OK;
}

@inline
function isResponse(p: usize): bool {
  return load<u32>(p) == word(0x48, 0x54, 0x54, 0x50);
}

/** Where the first line's CR or LF is; `cap` when it goes on beyond the bytes at hand. */
function lineEnd(p: usize, cap: usize): usize {
  const limit = cap - p > LINE_MAX ? p + LINE_MAX : cap;
  while (p < limit && byte(p) != 10 && byte(p) != 13) p++;
  return p < limit ? p : cap;
}

/** RTSP and SIP have the same methods: a whole request line must end in HTTP/1.x. */
function namesVersion(p: usize, end: usize): bool {
  return end - p > 8 && load<u32>(end - 8) == word(0x48, 0x54, 0x54, 0x50) && load<u16>(end - 4) == 0x312f;
}

/** Longest method of WebDAV's and others' (IANA: UPDATEREDIRECTREF). */
const METHOD_MAX: usize = 20;

/** Capital letters, hyphens (of VERSION-CONTROL), and a space before a path, `*` or http, or the line's end. */
function isMethod(p: usize, cap: usize): bool {
  const limit = cap - p > METHOD_MAX ? p + METHOD_MAX : cap;
  const from = p;
  while (p < limit && ((byte(p) >= 0x41 && byte(p) <= 0x5a) || byte(p) == 0x2d || byte(p) == 0x5f)) p++;
  if (p >= limit || p - from < 3 || cap - p < 2) return false;
  const target = byte(p + 1);
  return byte(p) == 0x0d || (byte(p) == 0x20 && (target == 0x2f || target == 0x2a || target == 0x68));
}

/** First eight bytes of a status line, or a registered method and the space after it. */
function starts(p: usize): bool {
  const head = load<u32>(p);
  const next = load<u32>(p, 4);
  if (isResponse(p)) return (next & 0xffff) == 0x312f; // "HTTP" "/1"
  if (head == word(0x47, 0x45, 0x54, 0x20) || head == word(0x50, 0x55, 0x54, 0x20)) return true; // GET, PUT
  if (head == word(0x50, 0x4f, 0x53, 0x54)) return (next & 0xff) == 0x20; // POST
  if (head == word(0x48, 0x45, 0x41, 0x44)) return (next & 0xff) == 0x20; // HEAD
  if (head == word(0x50, 0x41, 0x54, 0x43)) return (next & 0xffff) == 0x2048; // PATC "H "
  if (head == word(0x4f, 0x50, 0x54, 0x49)) return next == word(0x4f, 0x4e, 0x53, 0x20); // OPTI "ONS "
  if (head == word(0x44, 0x45, 0x4c, 0x45)) return (next & 0xffffff) == 0x204554; // DELE "TE "
  if (head == word(0x43, 0x4f, 0x4e, 0x4e)) return next == word(0x45, 0x43, 0x54, 0x20); // CONN "ECT "
  return false;
}
