// What one more segment says of a TCP connection: states and history by Zeek's rules, bytes by sequence
// numbers, handshake times, retransmitted and reordered segments, zero windows, bytes never seen.
//
// - State of an end, and conn_state from both: Zeek's TCP state machine (inactive, partial, established, …).
// - Bytes (Zeek's Endpoint::Size): how far the sender's sequence numbers, or the peer's acknowledgments of
//   them, moved from the initial one, without SYN and FIN. RFC 9293 section 3.4 for the arithmetic.
// - A segment whose sequence space starts below the highest sent is a retransmission, unless it fills a
//   hole within the initial round trip (3 ms when unknown) of the last progress: then it was out of order,
//   as in Wireshark's tcp.analysis. Keep-alives (RFC 9293 section 3.8.4) are neither.
// - Zero window: a window of 0 without SYN, FIN and RST (Wireshark's tcp.analysis.zero_window).
// - Missed bytes: holes the peer acknowledged, so that the capture and not the network lost them. Two holes
//   a side are remembered; when a third appears, the oldest counts as missed.
// - History as Zeek's, but without C (checksums are not verified), G and X; T and W are noted at the 1st,
//   10th, 100th … occurrence; a FIN or SYN sent twice is counted as retransmission but gives no T.
import { FlowEntry, FlowMore, HISTORY_MAX, Sighting } from './layout';

export const TCP_INACTIVE: u32 = 0;
export const TCP_SYN_SENT: u32 = 1;
export const TCP_SYN_ACK_SENT: u32 = 2;
export const TCP_PARTIAL: u32 = 3;
export const TCP_ESTABLISHED: u32 = 4;
export const TCP_CLOSED: u32 = 5;
export const TCP_RESET: u32 = 6;

const FIN: u32 = 0x01;
const SYN: u32 = 0x02;
const RST: u32 = 0x04;
const ACK: u32 = 0x10;

// FlowMore.milestones
const SAW_SYN: u32 = 1;
const SAW_SYN_ACK: u32 = 2;
const SAW_HANDSHAKE: u32 = 4;
export const SAW_CLOSE: u32 = 8;
/** FlowMore.letters: SAW_HANDSHAKE again, in the line that every packet needs. */
const OPENED: u32 = 1 << 31;
/** The first packet came from the responder. */
export const FLIPPED: u32 = 16;

// Letters of a history, 16 higher for the responder.
export const HISTORY_FLIP: u32 = 1;
const HISTORY_SYN: u32 = 2;
const HISTORY_SYN_ACK: u32 = 3;
const HISTORY_ACK: u32 = 4;
const HISTORY_DATA: u32 = 5;
const HISTORY_FIN: u32 = 6;
const HISTORY_RST: u32 = 7;
const HISTORY_RETRANSMIT: u32 = 8;
const HISTORY_WINDOW: u32 = 9;
const HISTORY_INCONSISTENT: u32 = 10;
const HISTORY_MULTI: u32 = 11;

/** Larger jumps of a SYN's or RST's sequence number, or of an acknowledgment to 0, are not believed (Zeek). */
const JUMP_MAX: i32 = 1 << 20;
const REORDER_NS: i64 = 3000000;
const HOLES: u32 = 2;

const NEXT: usize = offsetof<FlowMore>('nextA');
const EXTENT: usize = offsetof<FlowMore>('extentA');
const ACKED: usize = offsetof<FlowMore>('ackedA');
const STATE: usize = offsetof<FlowMore>('stateA');
const HOLE_COUNT: usize = offsetof<FlowMore>('holesA');
const HOLE: usize = offsetof<FlowMore>('hole0A');
const ADVANCED: usize = offsetof<FlowMore>('advancedA');
const RETRANSMITS: usize = offsetof<FlowMore>('retransmitsA');
const DISORDERED: usize = offsetof<FlowMore>('disorderedA');
const ZERO_WINDOWS: usize = offsetof<FlowMore>('zeroWindowsA');
const ISN: usize = offsetof<FlowMore>('isnA');
const LAST_FIN: usize = offsetof<FlowMore>('lastFinA');
const LAST_RST: usize = offsetof<FlowMore>('lastRstA');
const PAYLOAD: usize = offsetof<FlowEntry>('payloadA');
const PAYLOAD_CARRY: usize = offsetof<FlowMore>('carries') + 12;

/** `b` is 1 when the responder sent it. */
export function tcpSegment(entry: FlowEntry, more: FlowMore, b: u32, s: Sighting): void {
  const base = changetype<usize>(more);
  const mine = base + (<usize>b << 2);
  const flags = s.tcpFlags;
  const state = load<u8>(base + b, STATE) & 15;
  if (state == TCP_INACTIVE || flags & SYN) start(entry, base, b, s, state);
  history(more, b, s);
  zeroWindow(more, b, s);
  if (flags & ACK) acknowledge(entry, base, b ^ 1, s);
  const end = s.seq + (flags & RST ? 0 : s.payload) + (flags & SYN ? 1 : 0) + (flags & FIN);
  sequence(entry, more, b, s, state, end);
  if (flags & (SYN | FIN | RST) || state <= TCP_SYN_ACK_SENT || !(more.letters & OPENED)) {
    handshake(more, b, s);
    nextState(base, b, s.payload, flags);
    close(more, s.ts);
  }
  if (flags & RST) store<u32>(mine, s.seq, LAST_RST);
}

@inline
function stateOf(base: usize, b: u32): u32 {
  return load<u8>(base + b, STATE) & 15;
}

@inline
function setState(base: usize, b: u32, state: u32): void {
  store<u8>(base + b, state | (stateOf(base, b) << 4), STATE);
}

/** First sequence number of an end, or another one in a SYN that was not expected. */
function start(entry: FlowEntry, base: usize, b: u32, s: Sighting, state: u32): void {
  const mine = base + (<usize>b << 2);
  const syn = s.tcpFlags & SYN;
  if (state != TCP_INACTIVE && (state >= TCP_CLOSED || s.seq == load<u32>(mine, ISN))) return;
  const first = syn ? s.seq + 1 : s.seq;
  if (syn && (state != TCP_INACTIVE || !load<u32>(mine, ISN))) store<u32>(mine, s.seq, ISN);
  store<u32>(mine, first, NEXT);
  store<u32>(mine, first, EXTENT);
  store<u32>(mine, first, ACKED);
  store<i64>(base + (<usize>b << 3), s.ts, ADVANCED);
  store<u32>(changetype<usize>(entry) + (<usize>b << 2), 0, PAYLOAD);
  store<u16>(base + (<usize>b << 1), 0, PAYLOAD_CARRY);
  store<u8>(base + b, 0, HOLE_COUNT);
}

function addPayload(entry: FlowEntry, base: usize, b: u32, bytes: u32): void {
  const at = changetype<usize>(entry) + (<usize>b << 2);
  const sum = load<u32>(at, PAYLOAD) + bytes;
  store<u32>(at, sum, PAYLOAD);
  const carry = base + (<usize>b << 1);
  if (sum < bytes) store<u16>(carry, load<u16>(carry, PAYLOAD_CARRY) + 1, PAYLOAD_CARRY);
}

/** Moves the extent of what `b` is known to have sent. */
@inline
function extend(entry: FlowEntry, base: usize, b: u32, to: u32): void {
  const mine = base + (<usize>b << 2);
  const further = to - load<u32>(mine, EXTENT);
  if (<i32>further <= 0) return;
  store<u32>(mine, to, EXTENT);
  addPayload(entry, base, b, further);
}

/** The acknowledgment of what `b` sent. */
@inline
function acknowledge(entry: FlowEntry, base: usize, b: u32, s: Sighting): void {
  const side = base + (<usize>b << 2);
  if (stateOf(base, b) == TCP_INACTIVE) {
    store<u32>(side, s.ack, NEXT);
    store<u32>(side, s.ack, EXTENT);
    store<u32>(side, s.ack, ACKED);
    return;
  }
  const delta = <i32>(s.ack - load<u32>(side, ACKED));
  if (delta <= 0 || s.tcpFlags & RST || (s.ack == 0 && delta > JUMP_MAX)) return;
  store<u32>(side, s.ack, ACKED);
  extend(entry, base, b, s.ack);
  const next = load<u32>(side, NEXT);
  // One byte more is a FIN that was not captured.
  if (<i32>(s.ack - next) <= 1) return;
  addHole(base, b, next, s.ack);
  store<u32>(side, s.ack, NEXT);
}

/** Where the segment lies among what `b` sent before. */
@inline
function sequence(entry: FlowEntry, more: FlowMore, b: u32, s: Sighting, state: u32, end: u32): void {
  const base = changetype<usize>(more);
  const mine = base + (<usize>b << 2);
  const flags = s.tcpFlags;
  const next = load<u32>(mine, NEXT);
  const progress = <i32>(end - next);
  if (state == TCP_RESET) return;
  if (flags & (SYN | RST) && (progress > JUMP_MAX || progress < -JUMP_MAX)) return;
  const ahead = <i32>(s.seq - next);
  const opening = flags & SYN && ahead == -1 && state == TCP_INACTIVE;
  if (progress > 0) {
    if (ahead > 0) addHole(base, b, next, s.seq);
    store<u32>(mine, end, NEXT);
    extend(entry, base, b, end);
    store<i64>(base + (<usize>b << 3), s.ts, ADVANCED);
  }
  if (ahead < 0 && end != s.seq && !opening && !(flags & RST)) again(more, b, s, end, ahead);
}

/** A segment that starts below the highest sequence number sent. */
function again(more: FlowMore, b: u32, s: Sighting, end: u32, ahead: i32): void {
  const base = changetype<usize>(more);
  const mine = base + (<usize>b << 2);
  if (ahead == -1 && s.payload <= 1 && !(s.tcpFlags & (SYN | FIN))) return; // keep-alive
  const known = more.milestones & SAW_HANDSHAKE && more.ackTs > more.synTs;
  const limit = known ? more.ackTs - more.synTs : REORDER_NS;
  const late = s.ts - load<i64>(base + (<usize>b << 3), ADVANCED);
  const filled = load<u8>(base + b, HOLE_COUNT) && fill(more, b, s.seq, end);
  if (filled && late < limit) store<u32>(mine, load<u32>(mine, DISORDERED) + 1, DISORDERED);
  else store<u32>(mine, load<u32>(mine, RETRANSMITS) + 1, RETRANSMITS);
  if (!s.payload) return;
  const count = load<u32>(mine, DISORDERED) + load<u32>(mine, RETRANSMITS);
  noteScaled(more, b, 1 << 4, HISTORY_RETRANSMIT, count);
}

function holeAt(base: usize, b: u32, i: u32): usize {
  return base + HOLE + (<usize>(b * HOLES + i) << 3);
}

function addHole(base: usize, b: u32, from: u32, to: u32): void {
  let count: u32 = load<u8>(base + b, HOLE_COUNT);
  if (count == HOLES) dropHole(base, b, 0, true);
  count = load<u8>(base + b, HOLE_COUNT);
  store<u32>(holeAt(base, b, count), from);
  store<u32>(holeAt(base, b, count), to, 4);
  store<u8>(base + b, count + 1, HOLE_COUNT);
}

function dropHole(base: usize, b: u32, i: u32, missed: bool): void {
  const at = holeAt(base, b, i);
  const more = changetype<FlowMore>(base);
  const size: u32 = load<u32>(at, 4) - load<u32>(at);
  if (missed) more.missed += size;
  const count: u32 = load<u8>(base + b, HOLE_COUNT) - 1;
  for (; i < count; i++) store<u64>(holeAt(base, b, i), load<u64>(holeAt(base, b, i + 1)));
  store<u8>(base + b, count, HOLE_COUNT);
}

/** Takes [seq, end) out of the holes; true when it was in one. */
function fill(more: FlowMore, b: u32, seq: u32, end: u32): bool {
  const base = changetype<usize>(more);
  let found = false;
  let i: u32 = 0;
  while (i < <u32>load<u8>(base + b, HOLE_COUNT)) {
    const at = holeAt(base, b, i);
    const from = load<u32>(at);
    const to = load<u32>(at, 4);
    if (<i32>(end - from) <= 0 || <i32>(to - seq) <= 0) {
      i++;
      continue;
    }
    found = true;
    const head = <i32>(seq - from) > 0;
    const tail = <i32>(to - end) > 0;
    if (!head && !tail) {
      dropHole(base, b, i, false);
      continue;
    }
    if (!head) store<u32>(at, end);
    else {
      store<u32>(at, seq, 4);
      if (tail) {
        addHole(base, b, end, to);
        return true;
      }
    }
    i++;
  }
  return found;
}

// ── history ──────────────────────────────────────────────────────────────────────────────────────────
/** Adds a letter of `b`. */
export function note(more: FlowMore, letter: u32): void {
  const length: u32 = more.historyLength;
  if (length == HISTORY_MAX) return;
  more.historyLength = <u8>(length + 1);
  if (length < 12) more.history0 |= <u64>letter << (length * 5);
  else more.history1 |= <u64>letter << ((length - 12) * 5);
}

/** True when this is the first of its kind from `b`, which is then noted. */
@inline
function noteOnce(more: FlowMore, b: u32, have: u32, letter: u32): bool {
  const bit = have << (b << 4);
  if (more.letters & bit) return false;
  more.letters |= bit;
  note(more, letter + (b << 4));
  return true;
}

function noteScaled(more: FlowMore, b: u32, have: u32, letter: u32, count: u32): void {
  if (noteOnce(more, b, have, letter)) return;
  let power: u32 = 10;
  while (power < count && power < 1000000000) power *= 10;
  if (power == count) note(more, letter + (b << 4));
}

@inline
function history(more: FlowMore, b: u32, s: Sighting): void {
  const flags = s.tcpFlags;
  if (flags & (SYN | FIN | RST)) control(more, b, s);
  else if (s.payload) noteOnce(more, b, 1, HISTORY_DATA);
  else if (flags & ACK) noteOnce(more, b, 2, HISTORY_ACK);
}

/** SYN, FIN and RST are noted again when their sequence number differs from the last of their kind. */
function control(more: FlowMore, b: u32, s: Sighting): void {
  const mine = changetype<usize>(more) + (<usize>b << 2);
  const flags = s.tcpFlags;
  if ((flags & (FIN | RST)) == (FIN | RST)) noteOnce(more, b, 4, HISTORY_INCONSISTENT);
  else if (popcnt(flags & (SYN | FIN | RST)) > 1) noteOnce(more, b, 8, HISTORY_MULTI);
  else if (flags & SYN) {
    const letter = flags & ACK ? HISTORY_SYN_ACK : HISTORY_SYN;
    if (!noteOnce(more, b, 64, letter) && load<u32>(mine, ISN) != s.seq) note(more, letter + (b << 4));
  } else if (flags & FIN) {
    const at = s.seq + s.payload;
    if (!noteOnce(more, b, 128, HISTORY_FIN) && load<u32>(mine, LAST_FIN) != at)
      note(more, HISTORY_FIN + (b << 4));
    store<u32>(mine, at, LAST_FIN);
  } else if (!noteOnce(more, b, 256, HISTORY_RST) && load<u32>(mine, LAST_RST) != s.seq)
    note(more, HISTORY_RST + (b << 4));
}

@inline
function zeroWindow(more: FlowMore, b: u32, s: Sighting): void {
  if (s.window || s.tcpFlags & (SYN | FIN | RST)) return;
  const mine = changetype<usize>(more) + (<usize>b << 2);
  const count = load<u32>(mine, ZERO_WINDOWS) + 1;
  store<u32>(mine, count, ZERO_WINDOWS);
  const base = changetype<usize>(more);
  // After the peer's FIN, or an own RST, a window means nothing (Zeek).
  if (stateOf(base, b ^ 1) != TCP_CLOSED && stateOf(base, b) != TCP_RESET)
    noteScaled(more, b, 32, HISTORY_WINDOW, count);
}

// ── states ───────────────────────────────────────────────────────────────────────────────────────────
/** Newest SYN before the SYN-ACK, first SYN-ACK, first ACK after it (as Wireshark's initial RTT). */
function handshake(more: FlowMore, b: u32, s: Sighting): void {
  const done = more.milestones & 7;
  const flags = s.tcpFlags & (SYN | RST | ACK);
  if (b == 0 && flags == SYN && done < SAW_SYN_ACK) {
    more.synTs = s.ts;
    more.milestones |= <u8>SAW_SYN;
  } else if (b == 1 && flags == (SYN | ACK) && done == SAW_SYN) {
    more.synAckTs = s.ts;
    more.milestones |= <u8>SAW_SYN_ACK;
  } else if (b == 0 && flags == ACK && done == (SAW_SYN | SAW_SYN_ACK)) {
    more.ackTs = s.ts;
    more.milestones |= <u8>SAW_HANDSHAKE;
    more.letters |= OPENED;
  }
}

function close(more: FlowMore, ts: i64): void {
  if (more.milestones & SAW_CLOSE || (more.stateA & 15) < TCP_CLOSED || (more.stateB & 15) < TCP_CLOSED) return;
  more.milestones |= <u8>SAW_CLOSE;
  more.closedTs = ts;
}

function nextState(base: usize, b: u32, length: u32, flags: u32): void {
  switch (stateOf(base, b)) {
    case TCP_INACTIVE:
      fromInactive(base, b, length, flags);
      break;
    case TCP_SYN_SENT:
    case TCP_SYN_ACK_SENT:
      if (flags & FIN) setState(base, b, TCP_CLOSED);
      if (flags & RST) setState(base, b, TCP_RESET);
      break;
    case TCP_PARTIAL:
    case TCP_ESTABLISHED:
      fromEstablished(base, b, flags);
      break;
    case TCP_CLOSED:
      if (flags & RST && stateOf(base, b ^ 1) != TCP_CLOSED) setState(base, b, TCP_RESET);
      break;
  }
}

function fromInactive(base: usize, b: u32, length: u32, flags: u32): void {
  const peer = stateOf(base, b ^ 1);
  if (flags & SYN) {
    if (b == 0) setState(base, b, flags & ACK ? TCP_SYN_ACK_SENT : TCP_SYN_SENT);
    else {
      if (peer == TCP_SYN_SENT) setState(base, 0, TCP_ESTABLISHED);
      setState(base, 1, TCP_ESTABLISHED);
    }
  }
  if (flags & FIN) setState(base, b, TCP_CLOSED);
  if (flags & RST) setState(base, b, TCP_RESET);
  if (stateOf(base, b) != TCP_INACTIVE) return;
  // Some acknowledge a SYN before they answer it.
  if (b == 1 && length == 0 && peer == TCP_SYN_SENT) return;
  setState(base, b, flags & ACK && peer == TCP_ESTABLISHED ? TCP_ESTABLISHED : TCP_PARTIAL);
}

function fromEstablished(base: usize, b: u32, flags: u32): void {
  const peer = load<u8>(base + (b ^ 1), STATE);
  if ((flags & (SYN | ACK)) == SYN && stateOf(base, b) == TCP_PARTIAL && (peer & 15) == TCP_INACTIVE)
    setState(base, b, TCP_SYN_SENT);
  if ((flags & (FIN | RST)) == FIN) {
    setState(base, b, TCP_CLOSED);
    // The peer's FIN then RST, answered by a FIN, is a normal end.
    if ((peer & 15) == TCP_RESET && peer >> 4 == TCP_CLOSED) setState(base, b ^ 1, TCP_CLOSED);
  }
  if (flags & RST) setState(base, b, TCP_RESET);
}
