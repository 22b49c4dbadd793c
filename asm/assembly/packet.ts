// What happens to every packet a reader finds: totals, decoding with flows, filter, series, row.
// Readers call packet() once per record; on STOP_* nothing was counted and they call again later.

import { filterActive, filterFind, filterRun } from './bpf';
import { LINKTYPE_NULL } from './constants';
import { MALFORMED, UNSUPPORTED } from './cursor';
import {
  COUNTS_BASE,
  LINKTYPE_MAX,
  LINKTYPES_BASE,
  NO_FLOW,
  PROTOCOL_MAX,
  ROW_MATCHED,
  ROW_MAX,
  ROW_TIMED,
  ROWS_BASE,
  Row,
  STATE_BASE,
  Totals,
} from './layout';
import { exportFull } from './flows-table';
import { flowsPacketEnd } from './flows';
import { link } from './proto/dispatch';
import { seriesAdd, seriesReset } from './series';
import { begin, seen } from './state';
import { Scan } from './tree';

export const GO: u32 = 0;
/** The row area is full: hand the rows out, then go on. */
export const STOP_ROWS: u32 = 1;
/** The filter has no program for filterKey() yet: add one, then go on. */
export const STOP_FILTER: u32 = 2;
/** The area for ended flows is full: take them, then go on. */
export const STOP_FLOWS: u32 = 3;

/** Wire lengths are 32 bits of hostile input; pointers must not overflow. */
const WIRE_MAX: u32 = 0x10000000;

let rowsWanted: bool = false;
let rows: u32 = 0;
let key: u32 = 0;

export function rowsBegin(wanted: bool): void {
  rowsWanted = wanted;
  rows = 0;
}

export function rowCount(): u32 {
  return rows;
}

export function filterKey(): u32 {
  return key;
}

export function totalsReset(): void {
  memory.fill(STATE_BASE, 0, 4096);
  seriesReset();
}

/** Remembers a linktype the first time an interface has it. */
export function noteLinktype(linktype: u32): void {
  const totals = changetype<Totals>(STATE_BASE);
  for (let i: u32 = 0; i < totals.linktypeCount; i++) if (load<u32>(LINKTYPES_BASE + (<usize>i << 2)) == linktype) return;
  if (totals.linktypeCount >= LINKTYPE_MAX) return;
  store<u32>(LINKTYPES_BASE + (<usize>(totals.linktypeCount++) << 2), linktype);
}

/**
 * `swapped`: the section is in the other byte order, which matters to LINKTYPE_NULL filters only.
 * `timed` false: the block carries no time and `ts` is ignored.
 */
export function packet(
  p: usize,
  caplen: u32,
  wirelen: u32,
  ifindex: u32,
  linktype: u32,
  swapped: bool,
  ts: i64,
  timed: bool,
): u32 {
  if (rowsWanted && rows == ROW_MAX) return STOP_ROWS;
  if (exportFull()) return STOP_FLOWS;
  let matched = true;
  if (filterActive()) {
    key = swapped && linktype == LINKTYPE_NULL ? linktype | 0x80000000 : linktype;
    const program = filterFind(key);
    if (program < 0) return STOP_FILTER;
    matched = filterRun(program, p, caplen, wirelen);
  }
  const totals = changetype<Totals>(STATE_BASE);
  totals.packets++;
  totals.capturedBytes += caplen;
  totals.originalBytes += wirelen;
  if (caplen < wirelen) totals.truncated++;
  if (matched) totals.matched++;
  if (timed) {
    if (!totals.timed) {
      totals.timed = 1;
      totals.firstTs = ts;
    }
    totals.lastTs = ts;
    seriesAdd(ts, wirelen);
  }
  // A flow takes the time before for a packet that has none.
  begin(totals.lastTs, wirelen);
  const status = link<Scan>(linktype, p, p + caplen, p + min(max(caplen, wirelen), WIRE_MAX));
  if (status == MALFORMED) totals.malformed++;
  else if (status == UNSUPPORTED) totals.unsupported++;
  countProtocols();
  flowsPacketEnd(rowsWanted ? addRow(p, caplen, wirelen, ifindex, linktype, ts, timed, matched) : 0);
  return GO;
}

let lastSeen: u32 = 0;
let lastRun: u64 = 0;

/** Runs of frames with the same protocols are common: they are added once. */
@inline
function countProtocols(): void {
  if (seen != lastSeen) {
    flushProtocols();
    lastSeen = seen;
  }
  lastRun++;
}

/** Must be called before the counters are read. */
export function flushProtocols(): void {
  let bits = lastSeen;
  while (bits) {
    const at = COUNTS_BASE + (<usize>ctz(bits) << 3);
    store<u64>(at, load<u64>(at) + lastRun);
    bits &= bits - 1;
  }
  lastRun = 0;
}

export function protocolsReset(): void {
  lastSeen = 0;
  lastRun = 0;
  memory.fill(COUNTS_BASE, 0, PROTOCOL_MAX << 3);
}

@inline
function addRow(
  p: usize,
  caplen: u32,
  wirelen: u32,
  ifindex: u32,
  linktype: u32,
  ts: i64,
  timed: bool,
  matched: bool,
): usize {
  const row = changetype<Row>(ROWS_BASE + <usize>(rows++) * offsetof<Row>());
  row.ts = ts;
  row.bytes = <u32>p;
  row.caplen = caplen;
  row.wirelen = wirelen;
  row.flow = NO_FLOW;
  row.linktype = linktype;
  row.flags = <u16>((matched ? ROW_MATCHED : 0) | (timed ? ROW_TIMED : 0));
  row.ifindex = <u16>ifindex;
  return changetype<usize>(row);
}
