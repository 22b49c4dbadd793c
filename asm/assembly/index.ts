// The module's ABI: exported functions over integers only, no imports. See ../README.md. Constants of
// layout.ts and of the codes below are exported as globals, so a host reads them from the binary.

import { filterAdd, filterCall, filterClear, filterLoops, filterWantsWay } from './bpf';
import { ABI_VERSION, BT_SHB } from './constants';
import { entryAt, exportClear, exportCount, exportRest, liveCount, moreAt, slotCount, tableKeep } from './flows-table';
import { flowsBatch, flowsFlush, flowsIdle, flowsInit, flowsReset } from './flows';
import {
  Bucket,
  CAPLEN_MAX,
  CHUNK_BASE,
  CHUNK_MAX,
  FlowEntry,
  Iface,
  Insn,
  Node,
  Row,
  SCRATCH_BASE,
  STATE_BASE,
  TALKER_KINDS,
  Totals,
} from './layout';
import { filterKey, flushProtocols, GO, protocolsReset, rowCount, rowsBegin, scanOnly, totalsReset } from './packet';
import { isPcap, pcapBegin, pcapIsSwapped, pcapRun, pcapVariant } from './pcap';
import { pcapngBegin, pcapngOrders, pcapngRun } from './pcapng';
import { link } from './proto/dispatch';
import { sha256 } from './crypto/sha256';
import { begin } from './state';
import * as S from './stream';
import { answerAdd, answerBegin, answerOffset } from './topk';
import { Tree, treeBegin, treeCount } from './tree';

export { WAY_BASE } from './bpf';
export { SUMS_BASE } from './scan';
export {
  FOUND_BASE,
  STARTS_BASE,
  STOP_DAMAGED,
  blocks_begin,
  blocks_found,
  blocks_gather,
  blocks_interface,
  blocks_key,
  blocks_packets,
  blocks_range,
  blocks_scan,
  blocks_stop,
  blocks_truncated,
} from './blocks';
export {
  ENDED_DRAINED,
  ENDED_EVICTED,
  ENDED_IDLE,
  ENDED_REUSED,
  KIND_ENDED,
  KIND_FRAGMENT,
  KIND_ONE_WAY,
} from './flows-table';
export { FLIPPED, SAW_CLOSE } from './tcpstate';
export {
  INDEX_ADDRESS_ROWS,
  INDEX_EPHEMERAL_ROWS,
  INDEX_FIXED_ROWS,
  INDEX_FLOW_ROWS,
  INDEX_SERVICE_ROWS,
  index_add,
  index_begin,
  index_extent,
  index_fill,
  index_init,
  index_opaque,
  index_pack,
  index_packets,
  index_stop,
} from './blockindex';
export * from './offsets';
export {
  BLOCK_MAX,
  CAPLEN_MAX,
  CHUNK_BASE,
  CHUNK_MAX,
  COUNTS_BASE,
  DISTINCT_BASE,
  DISTINCT_BITS,
  DISTINCT_KINDS,
  EXPORT_BASE,
  HELD_MAX,
  INDEX_BASE,
  INSN_MAX,
  LINKTYPES_BASE,
  NODES_BASE,
  NODE_MAX,
  NO_FLOW,
  PROTOCOL_MAX,
  ROWS_BASE,
  ROW_MATCHED,
  ROW_MAX,
  ROW_TIMED,
  SCRATCH_BASE,
  SERIES_BASE,
  SERIES_SECONDS,
  SLOT_MAX,
  STATE_BASE,
  TALKER_SLOTS,
} from './layout';
export { GO, STOP_FILTER, STOP_FLOWS, STOP_ROWS } from './packet';
export {
  E_BLOCK_TOO_BIG,
  E_BLOCK_TOO_SMALL,
  E_BLOCK_TRAILER,
  E_BYTE_ORDER,
  E_CUT_HEADER,
  E_CUT_RECORD,
  E_EMPTY,
  E_LINKTYPE_RESERVED,
  E_NO_SUCH_INTERFACE,
  E_NOT_A_CAPTURE,
  E_PACKET_PAST_BLOCK,
  E_PACKET_TOO_BIG,
  E_PCAP_VERSION,
  E_SECTION_VERSION,
  E_TOO_MANY_INTERFACES,
  KIND_DAMAGED,
  KIND_NOT_A_CAPTURE,
  KIND_TRUNCATED,
  KIND_UNSUPPORTED,
} from './stream';


const FORMAT_UNKNOWN: u32 = 0;
const FORMAT_PCAP: u32 = 1;
const FORMAT_PCAPNG: u32 = 2;
/** Most flows init accepts: 2^21 entries of 320 bytes. */
const FLOWS_LIMIT: u32 = 1 << 21;

let reading: u32 = FORMAT_UNKNOWN;
let headerRead: bool = false;

export function abi_version(): u32 {
  return ABI_VERSION;
}

/** Must be called once, first. 0, or -1 when max_flows is out of range or memory is short. */
export function init(max_flows: u32, seed_low: u32, seed_high: u32): i32 {
  if (max_flows < 16 || max_flows > FLOWS_LIMIT) return -1;
  if (flowsInit(max_flows, ((<u64>seed_high) << 32) | seed_low)) return -1;
  reset();
  return 0;
}

/** Forgets totals, flows, series and the stream; the filter stays. */
export function reset(): void {
  totalsReset();
  protocolsReset();
  flowsReset();
  stream_begin();
}

/** A new stream follows; its format shows in its first bytes. */
export function stream_begin(): void {
  S.streamReset();
  pcapngBegin();
  rowsBegin(false);
  reading = FORMAT_UNKNOWN;
  headerRead = false;
}

/** Where to write the next chunk, at most CHUNK_MAX bytes. Voids the rows of the chunk before. */
export function reserve(): usize {
  S.makeRoom();
  return CHUNK_BASE;
}

/** Reads the chunk just written. GO when it is used up; else see STOP_*, then resume(). */
export function push(length: u32, rows: u32): u32 {
  if (length > CHUNK_MAX) unreachable();
  rowsBegin(rows != 0);
  S.extend(length);
  return run();
}

/** Goes on after a STOP_*; with `rows` 1 the rows handed out are dropped first, with 2 kept. */
export function resume(rows: u32): u32 {
  if (rows == 1) rowsBegin(true);
  return run();
}

function run(): u32 {
  if (S.errorCode) {
    S.advance(<u32>S.left());
    return GO;
  }
  if (!headerRead && !identify()) return GO;
  const stop = reading == FORMAT_PCAP ? pcapRun() : pcapngRun();
  flowsFlush();
  return stop;
}

/** False until the first bytes tell the format and, for pcap, the file header is read. */
function identify(): bool {
  if (reading == FORMAT_UNKNOWN) {
    if (S.left() < 4) return false;
    const magic = load<u32>(S.cur);
    if (isPcap(magic)) reading = FORMAT_PCAP;
    else if (magic == BT_SHB) reading = FORMAT_PCAPNG;
    else {
      S.fail(S.KIND_NOT_A_CAPTURE, S.E_NOT_A_CAPTURE, magic);
      return false;
    }
  }
  headerRead = reading == FORMAT_PCAPNG || pcapBegin();
  return headerRead;
}

/** The input has ended: what is left unread is an error. */
export function stream_end(): void {
  if (S.errorCode) return;
  if (reading == FORMAT_UNKNOWN) {
    if (S.whole()) S.fail(S.KIND_NOT_A_CAPTURE, S.E_EMPTY);
    else S.fail(S.KIND_NOT_A_CAPTURE, S.E_NOT_A_CAPTURE);
  } else if (!headerRead) S.fail(S.KIND_TRUNCATED, S.E_CUT_HEADER);
  else if (!S.whole()) S.fail(S.KIND_TRUNCATED, S.E_CUT_RECORD);
}

export function error_kind(): u32 {
  return S.errorKind;
}

export function error_code(): u32 {
  return S.errorCode;
}

/** Figures for the error's sentence. */
export function error_argument(number: u32): u32 {
  return number ? S.errorB : S.errorA;
}

export function error_offset_low(): u32 {
  return <u32>S.errorOffset;
}

export function error_offset_high(): u32 {
  return <u32>(S.errorOffset >> 32);
}

/** 0 unknown; 1 + variant (0 µs, 1 ns, 2 modified) * 2 + swapped; 16 + section orders for pcapng. */
export function format(): u32 {
  if (!headerRead) return 0;
  if (reading == FORMAT_PCAP) return 1 + pcapVariant() * 2 + (pcapIsSwapped() ? 1 : 0);
  return 16 + pcapngOrders();
}

export function row_count(): u32 {
  return rowCount();
}

/** Brings the counters behind STATE_BASE and COUNTS_BASE up to date. */
export function totals(): usize {
  flushProtocols();
  return STATE_BASE;
}

/** Flows in the table: among flow_slots() entries, of which those with kind 0 hold none. */
export function flow_count(): u32 {
  return liveCount();
}
export function flow_slots(): u32 {
  return slotCount();
}

/** Where entry `number` is: its first line, and the rest. They never move, but memory may grow while pushing. */
export function flow_entry(number: u32): usize {
  return changetype<usize>(entryAt(number));
}
export function flow_more(number: u32): usize {
  return changetype<usize>(moreAt(number));
}

/**
 * Before the first packet: whether flows that end are listed until their entry is needed (0), exported (1)
 * or only counted (2), after how many silent seconds a flow ends (0 never), and batches (see flows.ts).
 */
export function flow_options(exports: u32, tcp: u32, udp: u32, icmp: u32, other: u32, batch: u32): void {
  tableKeep(exports);
  flowsIdle(tcp, udp, icmp, other);
  flowsBatch(batch);
}

/** Ended flows at EXPORT_BASE, each an entry and its rest. On STOP_FLOWS they must be taken before resume(). */
export function export_count(): u32 {
  return exportCount();
}
export function export_clear(): void {
  exportClear();
}
/** With exports on: ends the flows from entry `from` on, as far as there is room; returns where to go on. */
export function export_rest(from: u32): u32 {
  return exportRest(from);
}

/** Counters of the top talkers of one kind, flows in the table included: TALKER_SLOTS at the address returned. */
export function talkers(kind: u32): usize {
  if (kind >= TALKER_KINDS) unreachable();
  const at = answerBegin(kind);
  for (let number: u32 = 0; number < slotCount(); number++)
    if (entryAt(number).kind) answerAdd(kind, entryAt(number), moreAt(number));
  return at;
}
/** Bytes a key may have had more than its counter says, or without one. */
export function talkers_error_low(): u32 {
  return <u32>answerOffset();
}
export function talkers_error_high(): u32 {
  return <u32>(answerOffset() >> 32);
}

/** Whether packets are only filtered and counted, without decoding, flows and series; until told otherwise. */
export function scan_only(on: u32): void {
  scanOnly(on != 0);
}

/**
 * Removes the filter (0) or starts one (1): a program per linktype follows when STOP_FILTER asks.
 * With bit 1 set programs may ask which way a packet went.
 */
export function filter_clear(active: u32): void {
  filterClear((active & 1) != 0, (active & 2) != 0);
  changetype<Totals>(STATE_BASE).matched = 0;
}

/** Drops all programs but not the count of matches: linktypes ask for theirs again. */
export function filter_restart(): void {
  filterClear(true, filterWantsWay());
}

/** The function at `index` of the exported table runs the program added as number `slot` (0: interpret). */
export function filter_call(slot: u32, index: u32): void {
  filterCall(slot, index);
}

/** Scans run the loops at `index` (pcap) and `index` + 1 (packet blocks) around that program (0: none). */
export function filter_loops(slot: u32, index: u32): void {
  filterLoops(slot, index);
}

/** Address to write `count` instructions to, 0 when there is no room. */
export function filter_add(key: u32, count: u32): usize {
  return filterAdd(key, count);
}

/** Linktype (bit 31: other byte order) that STOP_FILTER wants a program for. */
export function filter_key(): u32 {
  return filterKey();
}

/** Packet tree of the bytes at SCRATCH_BASE: returns the number of nodes at NODES_BASE. Counts nothing. */
export function decode(linktype: u32, caplen: u32, wirelen: u32): u32 {
  if (caplen > CAPLEN_MAX) caplen = CAPLEN_MAX;
  const p = SCRATCH_BASE;
  begin(0, wirelen);
  treeBegin(p, p + caplen);
  link<Tree>(linktype, p, p + caplen, p + min<u32>(max(caplen, wirelen), 0x10000000));
  return treeCount();
}

/** SHA-256 of the bytes at SCRATCH_BASE, 32 bytes at SCRATCH_BASE. */
export function digest(length: u32): void {
  if (length <= CAPLEN_MAX) sha256(SCRATCH_BASE, length, SCRATCH_BASE);
}

// Static data must end below the map of layout.ts.
if (__heap_base > STATE_BASE) unreachable();
