/**
 * The most recent batches of one probe, within a byte and a packet limit. Batches are kept as the
 * pcapng bytes they came as: large ones by reference (the transferred buffer), small ones gathered
 * into a shared tail so that a slow link does not leave a million tiny buffers. Nothing is indexed
 * per packet; a bit per packet says whether it matches the filter.
 *
 * Owner: the worker. A segment never changes once closed, so a frozen view is a copy of the list.
 */

export interface Segment {
  /** Number of the first packet; the others follow without holes. */
  firstNo: number;
  packets: number;
  payload: Uint8Array;
  /** Bit i: packet i matches; may have room for more. null: no filter, all do. */
  matched: Uint32Array | null;
  matchedCount: number;
}

export interface RetentionLimits {
  bytes: number;
  packets: number;
}

export const RETENTION_LIMITS: RetentionLimits = { bytes: 64 << 20, packets: 400_000 };
const TAIL_BYTES = 256 << 10;
const GATHER_BELOW_BYTES = TAIL_BYTES / 4;

export const bitIsSet = (bits: Uint32Array, index: number) =>
  ((bits[index >>> 5]! >>> (index & 31)) & 1) === 1;

export function setBit(bits: Uint32Array, index: number): void {
  bits[index >>> 5] = bits[index >>> 5]! | (1 << (index & 31));
}

export class Retention {
  readonly #limits: RetentionLimits;
  #segments: Segment[] = [];
  #tail: Uint8Array | null = null;
  bytes = 0;
  packets = 0;

  constructor(limits: RetentionLimits = RETENTION_LIMITS) {
    this.#limits = limits;
  }

  /** Oldest first. Valid until the next `add`; `freeze` for longer. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Takes over `payload`; evicts the oldest segments above the limits. */
  add(segment: Segment): void {
    if (!this.#gather(segment)) {
      this.#segments.push(segment);
      this.#tail = null;
      if (segment.payload.length < GATHER_BELOW_BYTES) this.#openTail(segment);
    }
    this.bytes += segment.payload.length;
    this.packets += segment.packets;
    this.#evict();
  }

  /** The list as it is now; what comes later goes into new segments. */
  freeze(): readonly Segment[] {
    this.#tail = null;
    return this.#segments.slice();
  }

  clear(): void {
    this.#segments = [];
    this.#tail = null;
    this.bytes = this.packets = 0;
  }

  #openTail(segment: Segment): void {
    this.#tail = new Uint8Array(TAIL_BYTES);
    this.#tail.set(segment.payload);
    segment.payload = this.#tail.subarray(0, segment.payload.length);
  }

  #gather(added: Segment): boolean {
    const last = this.#segments.at(-1);
    const fits = last && this.#tail && last.payload.length + added.payload.length <= this.#tail.length;
    if (!fits || last.firstNo + last.packets !== added.firstNo || !last.matched !== !added.matched)
      return false;
    if (last.matched && added.matched) last.matched = joinBits(last, added);
    this.#tail!.set(added.payload, last.payload.length);
    last.payload = this.#tail!.subarray(0, last.payload.length + added.payload.length);
    last.packets += added.packets;
    last.matchedCount += added.matchedCount;
    return true;
  }

  // The newest segment stays even when it alone exceeds a limit: the list is never empty after traffic.
  #evict(): void {
    let drop = 0;
    while (
      drop < this.#segments.length - 1 &&
      (this.bytes > this.#limits.bytes || this.packets > this.#limits.packets)
    ) {
      const oldest = this.#segments[drop++]!;
      this.bytes -= oldest.payload.length;
      this.packets -= oldest.packets;
    }
    if (drop) this.#segments.splice(0, drop);
  }
}

function joinBits(first: Segment, second: Segment): Uint32Array {
  const bits = new Uint32Array((first.packets + second.packets + 31) >>> 5);
  bits.set(first.matched!.subarray(0, (first.packets + 31) >>> 5)); // may be longer than needed
  for (let i = 0; i < second.packets; i++) {
    if (bitIsSet(second.matched!, i)) setBit(bits, first.packets + i);
  }
  return bits;
}

/** Rows (matching packets) in a list of segments. */
export function rowCount(segments: readonly Segment[]): number {
  let rows = 0;
  for (const segment of segments) rows += segment.matchedCount;
  return rows;
}

/** One stretch of rows: ordinals of packets within a segment, ascending. */
export interface Selection {
  segment: Segment;
  ordinals: number[];
}

/** Where rows `first` to `first + count` lie. */
export function selectRows(segments: readonly Segment[], first: number, count: number): Selection[] {
  const selections: Selection[] = [];
  let skip = first;
  let wanted = count;
  for (const segment of segments) {
    if (wanted <= 0) break;
    if (skip >= segment.matchedCount) {
      skip -= segment.matchedCount;
      continue;
    }
    const ordinals: number[] = [];
    if (segment.matched === null) {
      for (let i = skip; i < segment.packets && ordinals.length < wanted; i++) ordinals.push(i);
    } else {
      for (let i = 0; i < segment.packets && ordinals.length < wanted; i++) {
        if (bitIsSet(segment.matched, i) && skip-- <= 0) ordinals.push(i);
      }
    }
    skip = 0;
    wanted -= ordinals.length;
    selections.push({ segment, ordinals });
  }
  return selections;
}

/** Row index of packet `no`, or of the first matching one after it. */
export function rowOf(segments: readonly Segment[], no: number): number {
  let rows = 0;
  for (const segment of segments) {
    if (no >= segment.firstNo + segment.packets) {
      rows += segment.matchedCount;
      continue;
    }
    const ordinals = Math.max(0, no - segment.firstNo);
    if (segment.matched === null) return rows + ordinals;
    for (let i = 0; i < ordinals; i++) if (bitIsSet(segment.matched, i)) rows++;
    return rows;
  }
  return rows;
}

/** The segment that holds packet `no`, or null when it has been evicted or never came. */
export function segmentOf(segments: readonly Segment[], no: number): Segment | null {
  for (const segment of segments) {
    if (no >= segment.firstNo && no < segment.firstNo + segment.packets) return segment;
  }
  return null;
}
