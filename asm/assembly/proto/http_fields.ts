// The first line and the header fields of an HTTP/1 message (RFC 9112), for the tree: as many as the segment
// holds. Names are compared without regard to case, eight letters at a time.

import { byte } from '../cursor';
import * as F from '../fields';
import { bytes, close, open } from '../tree';

const LINES_MAX: u32 = 128;
const SPACE: u32 = 32;

const HOST: u64 = 0x74736f68;
const SERVER: u64 = 0x726576726573;
const LOCATION: u64 = 0x6e6f697461636f6c;
const CONTENT: u64 = 0x2d746e65746e6f63; // "content-"
const TYPE: u64 = 0x65707974;
const LENGTH: u64 = 0x6874676e656c;
const USER_AGE: u64 = 0x6567612d72657375; // "user-age"
const NT: u64 = 0x746e;

/** `end` is where the first line ends. */
export function fields(response: bool, p: usize, end: usize, cap: usize): void {
  open(response ? F.HTTP_RESPONSE : F.HTTP_REQUEST, p, end - p);
  firstLine(response, p, end);
  close();
  p = nextLine(end, cap);
  for (let i: u32 = 0; i < LINES_MAX && p < cap; i++) {
    const stop = lineEnd(p, cap);
    if (stop == p) return; // the empty line: a body follows
    headerLine(response, p, stop);
    p = nextLine(stop, cap);
  }
}

function lineEnd(p: usize, cap: usize): usize {
  while (p < cap && byte(p) != 13 && byte(p) != 10) p++;
  return p;
}

function nextLine(p: usize, cap: usize): usize {
  if (p < cap && byte(p) == 13) p++;
  if (p < cap && byte(p) == 10) p++;
  return p;
}

function wordEnd(p: usize, end: usize): usize {
  while (p < end && byte(p) != SPACE) p++;
  return p;
}

/** Three words, of which the last one of a response may have spaces. */
function firstLine(response: bool, p: usize, end: usize): void {
  const first = wordEnd(p, end);
  bytes(response ? F.HTTP_RESPONSE_VERSION : F.HTTP_REQUEST_METHOD, p, first - p);
  if (first >= end) return;
  const second = wordEnd(first + 1, end);
  bytes(response ? F.HTTP_RESPONSE_CODE : F.HTTP_REQUEST_URI, first + 1, second - first - 1);
  if (second + 1 < end) bytes(response ? F.HTTP_RESPONSE_PHRASE : F.HTTP_REQUEST_VERSION, second + 1, end - second - 1);
}

function headerLine(response: bool, p: usize, end: usize): void {
  let colon = p;
  while (colon < end && byte(colon) != 0x3a) colon++;
  open(response ? F.HTTP_RESPONSE_LINE : F.HTTP_REQUEST_LINE, p, end - p);
  const field = colon < end ? fieldOf(p, colon - p) : 0;
  let start = colon + 1;
  while (start < end && (byte(start) == SPACE || byte(start) == 9)) start++;
  while (end > start && byte(end - 1) == SPACE) end--;
  if (field && start < end) bytes(field, start, end - start);
  close();
}

/** Letters of a name in lower case, first one lowest. */
function letters(p: usize, size: usize): u64 {
  let word: u64 = 0;
  for (let i: usize = 0; i < size; i++) word |= <u64>(byte(p + i) | 0x20) << (<u64>i << 3);
  return word;
}

function fieldOf(p: usize, size: usize): u32 {
  if (size < 4 || size > 14) return 0;
  const head = letters(p, size < 8 ? size : 8);
  const tail = size > 8 ? letters(p + 8, size - 8) : 0;
  if (size == 4 && head == HOST) return F.HTTP_HOST;
  if (size == 6 && head == SERVER) return F.HTTP_SERVER;
  if (size == 8 && head == LOCATION) return F.HTTP_LOCATION;
  if (size == 10 && head == USER_AGE && tail == NT) return F.HTTP_USER_AGENT;
  if (size == 12 && head == CONTENT && tail == TYPE) return F.HTTP_CONTENT_TYPE;
  if (size == 14 && head == CONTENT && tail == LENGTH) return F.HTTP_CONTENT_LENGTH_HEADER;
  return 0;
}
