// The fast path of scanning: runs of ordinary records in our byte order are filtered and counted in one
// loop, with the sums in locals. It decides no error and stops before anything unusual (a cut record, a
// length out of range, another block or linktype, a program the filter lacks): pcap.ts and pcapng.ts
// go on from there, so both see the same stream. Where the host has emitted the same loops around the
// program (host/filter/emit-loops.ts), those run instead.
import { filterActive, filterFind, filterRun, loopsOf } from './bpf';
import { BT_EPB } from './constants';
import { CAPLEN_MAX, HELD_MAX, STATE_BASE, Sums, Totals } from './layout';

const NO_FILTER: i32 = -1;
const NO_PROGRAM: i32 = -2;
const EPB_HEADER: u32 = 28;
const EPB_MIN: u32 = 32;

/** Where emitted loops leave what they added up. */
export const SUMS_BASE: usize = memory.data(offsetof<Sums>(), 8);

/** Where the last record counted starts; 0 when none was. */
export let lastRecord: usize = 0;
export let firstRecord: usize = 0;

@inline
function programFor(linktype: u32): i32 {
  if (!filterActive()) return NO_FILTER;
  const program = filterFind(linktype);
  return program < 0 ? NO_PROGRAM : program;
}

@inline
function add(packets: u64, captured: u64, original: u64, truncated: u64, matched: u64): void {
  const totals = changetype<Totals>(STATE_BASE);
  totals.packets += packets;
  totals.capturedBytes += captured;
  totals.originalBytes += original;
  totals.truncated += truncated;
  totals.matched += matched;
}

/** Runs a loop the host emitted. */
function emitted(index: u32, p: usize, limit: usize, key: u32): usize {
  const next = call_indirect<usize>(index, p, limit, key);
  const sums = changetype<Sums>(SUMS_BASE);
  lastRecord = sums.last;
  add(sums.packets, sums.captured, sums.original, sums.truncated, sums.matched);
  return next;
}

/** Records of a pcap file from `p` to `limit`: returns the first it leaves to the reader. */
export function scanPcap(p: usize, limit: usize, header: u32, linktype: u32): usize {
  const program = programFor(linktype);
  firstRecord = p;
  lastRecord = 0;
  if (program == NO_PROGRAM) return p;
  if (program >= 0 && loopsOf(program)) return emitted(loopsOf(program), p, limit, header);
  let packets: u64 = 0;
  let captured: u64 = 0;
  let original: u64 = 0;
  let truncated: u64 = 0;
  let matched: u64 = 0;
  let last: usize = 0;
  while (p + header <= limit) {
    const caplen = load<u32>(p, 8);
    const wirelen = load<u32>(p, 12);
    const next = p + header + <usize>caplen;
    if (caplen > CAPLEN_MAX || next > limit) break;
    if (program == NO_FILTER || filterRun(program, p + header, caplen, wirelen)) matched++;
    packets++;
    captured += caplen;
    original += wirelen;
    truncated += u64(caplen < wirelen);
    last = p;
    p = next;
  }
  lastRecord = last;
  add(packets, captured, original, truncated, matched);
  return p;
}

/** Enhanced packet blocks of one interface, as far as each is whole and in order. */
export function scanEpb(p: usize, limit: usize, ifindex: u32, linktype: u32): usize {
  const program = programFor(linktype);
  firstRecord = p;
  lastRecord = 0;
  if (program == NO_PROGRAM) return p;
  if (program >= 0 && loopsOf(program)) return emitted(loopsOf(program) + 1, p, limit, ifindex);
  let packets: u64 = 0;
  let captured: u64 = 0;
  let original: u64 = 0;
  let truncated: u64 = 0;
  let matched: u64 = 0;
  let last: usize = 0;
  while (p + EPB_MIN <= limit && load<u32>(p) == BT_EPB) {
    const total = load<u32>(p, 4);
    const caplen = load<u32>(p, 20);
    const wirelen = load<u32>(p, 24);
    const next = p + <usize>total;
    if (total < EPB_MIN || total > HELD_MAX || total & 3 || next > limit || load<u32>(next - 4) != total) break;
    if (load<u32>(p, 8) != ifindex || caplen > CAPLEN_MAX || caplen > total - EPB_MIN) break;
    if (program == NO_FILTER || filterRun(program, p + EPB_HEADER, caplen, wirelen)) matched++;
    packets++;
    captured += caplen;
    original += wirelen;
    truncated += u64(caplen < wirelen);
    last = p;
    p = next;
  }
  lastRecord = last;
  add(packets, captured, original, truncated, matched);
  return p;
}
