// pcap files (draft-ietf-opsawg-pcap): microseconds, nanoseconds and Kuznetzov's modified record
// header, in either byte order.
import { PCAP_MAGIC_MODIFIED, PCAP_MAGIC_NS, PCAP_MAGIC_US } from './constants';
import { CAPLEN_MAX } from './layout';
import { GO, noteLinktype, noteTimes, packet, scansOnly } from './packet';
import { firstRecord, lastRecord, scanPcap } from './scan';
import {
  advance,
  cur,
  E_LINKTYPE_RESERVED,
  E_PACKET_TOO_BIG,
  E_PCAP_VERSION,
  fail,
  half,
  KIND_DAMAGED,
  KIND_UNSUPPORTED,
  left,
  limit,
  moveTo,
  word,
} from './stream';

const FILE_HEADER: u32 = 24;
/** Bits 16 to 25 of the linktype are reserved, those above say how long a frame check sequence is. */
const LINKTYPE_RESERVED: u32 = 0x03ff0000;
const LINKTYPE_BITS: u32 = 0xffff;

let swapped: bool = false;
let nanoseconds: bool = false;
let recordHeader: u32 = 16;
let linktype: u32 = 0;
let lengthsSwapped: u32 = 0;

/** Whether this magic, in either order, starts a pcap file. */
export function isPcap(magic: u32): bool {
  const other = bswap<u32>(magic);
  return known(magic) || known(other);
}

function known(magic: u32): bool {
  return magic == PCAP_MAGIC_US || magic == PCAP_MAGIC_NS || magic == PCAP_MAGIC_MODIFIED;
}

/** Reads the file header; false until it is here whole, or when it cannot be used. */
export function pcapBegin(): bool {
  if (left() < FILE_HEADER) return false;
  let magic = load<u32>(cur);
  swapped = !known(magic);
  if (swapped) magic = bswap<u32>(magic);
  nanoseconds = magic == PCAP_MAGIC_NS;
  recordHeader = magic == PCAP_MAGIC_MODIFIED ? 24 : 16;
  const major = half(cur + 4, swapped);
  const minor = half(cur + 6, swapped);
  linktype = word(cur + 20, swapped);
  if (major != 2) {
    fail(KIND_UNSUPPORTED, E_PCAP_VERSION, major, minor);
    return false;
  }
  if (linktype & LINKTYPE_RESERVED) {
    fail(KIND_UNSUPPORTED, E_LINKTYPE_RESERVED, linktype);
    return false;
  }
  // Before 2.3 the lengths stood in the other order; 2.3 itself was written both ways.
  lengthsSwapped = minor < 3 ? 2 : minor == 3 ? 1 : 0;
  linktype &= LINKTYPE_BITS;
  noteLinktype(linktype);
  advance(FILE_HEADER);
  return true;
}

export function pcapIsSwapped(): bool {
  return swapped;
}

export function pcapVariant(): u32 {
  return recordHeader == 24 ? 2 : nanoseconds ? 1 : 0;
}

/** Reads records until the bytes at hand end, or packet() asks to stop. */
export function pcapRun(): u32 {
  const fraction: i64 = nanoseconds ? 1 : 1000;
  while (left() >= recordHeader) {
    if (scansOnly() && !swapped && !lengthsSwapped) scanRun(fraction);
    if (left() < recordHeader) return GO;
    let caplen = word(cur + 8, swapped);
    let wirelen = word(cur + 12, swapped);
    if (lengthsSwapped && (lengthsSwapped == 2 || caplen > wirelen)) {
      const length = caplen;
      caplen = wirelen;
      wirelen = length;
    }
    if (caplen > CAPLEN_MAX) {
      fail(KIND_DAMAGED, E_PACKET_TOO_BIG, caplen, CAPLEN_MAX);
      return GO;
    }
    if (left() < recordHeader + caplen) return GO;
    const ts = timeOf(cur, fraction);
    const stop = packet(cur + recordHeader, caplen, wirelen, 0, linktype, swapped, ts, true);
    if (stop != GO) return stop;
    advance(recordHeader + caplen);
  }
  return GO;
}

function scanRun(fraction: i64): void {
  moveTo(scanPcap(cur, limit, recordHeader, linktype));
  if (lastRecord) noteTimes(timeOf(firstRecord, fraction), timeOf(lastRecord, fraction));
}

@inline
function timeOf(p: usize, fraction: i64): i64 {
  return <i64>word(p, swapped) * 1000000000 + <i64>word(p + 4, swapped) * fraction;
}
