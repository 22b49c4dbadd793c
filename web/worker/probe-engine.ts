/**
 * One run of one probe in the worker: an engine that counts everything that arrives, the retained
 * batches, and a second engine that re-reads retained batches for the list, the filter and the
 * detail pane, so that looking never disturbs the counts. No messages, no timers: see service.ts.
 */
import type { Engine, PacketRows } from '../../asm/host/index.js';
import type { EngineStats, FlowRow, FlowSort, OpenedPacket, PacketRow } from './messages.js';
import {
  Retention,
  type RetentionLimits,
  rowCount,
  type Segment,
  segmentOf,
  selectRows,
  setBit,
} from './retention.js';

/** Lines kept so that a followed list decodes only what is new in it. */
const LINE_CACHE = 4096;
const FLOWS_LISTED = 100;

/** What became of one batch. `packets` were counted, also those before the damage. */
export interface Taken {
  packets: number;
  /** Packets of it that match the filter and can be listed. */
  rows: number;
  damage: string | null;
}

interface FlowMark {
  bytes: number;
  packets: number;
}

export class ProbeEngine {
  readonly retention: Retention;
  readonly #counter: Engine;
  readonly #reader: Engine;
  readonly #section: Uint8Array;
  readonly #lines = new Map<number, PacketRow>();
  #filtering = false;
  #flowMarks = new Map<number, FlowMark>();
  #flowMarksMs = 0;

  /** Two fresh engines of its own, and the pcapng SHB + IDBs every batch of the run refers to. */
  constructor(counter: Engine, reader: Engine, section: Uint8Array, limits?: RetentionLimits) {
    this.retention = new Retention(limits);
    this.#counter = counter;
    this.#reader = reader;
    this.#section = section;
    this.#restart(counter);
    this.#restart(reader);
  }

  /**
   * Count and retain one batch; takes over `payload`. Damage ends this batch, not the run: a batch
   * is whole blocks, so the next one is read afresh. A damaged one is counted but not listed.
   */
  take(payload: Uint8Array, firstNo: number, declared: number): Taken {
    const scan = this.#scan(this.#counter, payload);
    const damage =
      this.#counter.error?.message ??
      (scan.packets === declared ? null : `a batch of ${declared} packets holds ${scan.packets}`);
    if (damage !== null) {
      this.#restart(this.#counter);
      return { packets: scan.packets, rows: 0, damage };
    }
    if (scan.packets) this.retention.add({ firstNo, payload, ...scan });
    return { packets: scan.packets, rows: scan.matchedCount, damage };
  }

  /**
   * Filter what is retained, the segments of a frozen list too, and what will come; null for no
   * filter. Throws the engine's FilterError and leaves the old filter in place.
   */
  filter(expression: string | null, frozen: readonly Segment[]): void {
    this.#reader.setFilter(expression);
    this.#counter.setFilter(expression);
    this.#filtering = expression !== null;
    for (const segment of new Set([...this.retention.segments, ...frozen])) {
      const { matched, matchedCount } = this.#scan(this.#reader, segment.payload);
      segment.matched = matched;
      segment.matchedCount = matchedCount;
    }
  }

  /** Rows `first` to `first + count` of `segments`, decoded. */
  rows(segments: readonly Segment[], first: number, count: number): PacketRow[] {
    const rows: PacketRow[] = [];
    for (const { segment, ordinals } of selectRows(segments, first, count)) {
      this.#describe(segment, ordinals);
      for (const ordinal of ordinals) {
        const row = this.#lines.get(segment.firstNo + ordinal);
        if (row) rows.push(row);
      }
    }
    this.#trimLines();
    return rows;
  }

  /** One packet in full, or null when it is no longer retained. */
  open(segments: readonly Segment[], no: number): OpenedPacket | null {
    const segment = segmentOf(segments, no);
    if (!segment) return null;
    let found: Omit<OpenedPacket, 'tree'> | null = null;
    this.#visit(segment, [no - segment.firstNo], (rows, i) => {
      found = { row: { no, ...rows.line(i) }, linktype: rows.linktype(i), bytes: rows.bytes(i).slice() };
    });
    if (!found) return null;
    const packet: Omit<OpenedPacket, 'tree'> = found;
    return { ...packet, tree: this.#reader.decode(packet.linktype, packet.bytes, packet.row.wirelen) };
  }

  /** Totals since the page met this run, and the top flows with their rates since the last call. */
  stats(probe: number, sort: FlowSort, nowMs: number): EngineStats {
    const seconds = (nowMs - this.#flowMarksMs) / 1000;
    const marks = new Map<number, FlowMark>();
    const flows = this.#counter.flows({ sort, limit: FLOWS_LISTED }).map((flow): FlowRow => {
      const bytes = flow.origBytes + flow.respBytes;
      const packets = flow.origPackets + flow.respPackets;
      const mark = this.#flowMarks.get(flow.id);
      marks.set(flow.id, { bytes, packets });
      const known = mark && seconds > 0 && bytes >= mark.bytes;
      return {
        ...flow,
        bitsPerSecond: known ? ((bytes - mark.bytes) * 8) / seconds : null,
        packetsPerSecond: known ? (packets - mark.packets) / seconds : null,
      };
    });
    this.#flowMarks = marks;
    this.#flowMarksMs = nowMs;
    return { probe, totals: this.#counter.totals(), flowCount: this.#counter.flowCount, flows };
  }

  get rowCount(): number {
    return rowCount(this.retention.segments);
  }

  #restart(engine: Engine): void {
    engine.begin();
    engine.push(this.#section);
  }

  // A packet block takes at least 32 bytes, so payload / 32 bounds the number of bits needed.
  #scan(engine: Engine, payload: Uint8Array): Pick<Segment, 'packets' | 'matched' | 'matchedCount'> {
    if (!this.#filtering) {
      let packets = 0;
      engine.push(payload, (rows) => {
        packets += rows.length;
      });
      return { packets, matched: null, matchedCount: packets };
    }
    const matched = new Uint32Array((payload.length >>> 10) + 1);
    let packets = 0;
    let matchedCount = 0;
    engine.push(payload, (rows) => {
      for (let i = 0; i < rows.length; i++) {
        if (!rows.matched(i)) continue;
        setBit(matched, packets + i);
        matchedCount++;
      }
      packets += rows.length;
    });
    return { packets, matched, matchedCount };
  }

  #describe(segment: Segment, ordinals: readonly number[]): void {
    const unknown = ordinals.filter((ordinal) => !this.#lines.has(segment.firstNo + ordinal));
    this.#visit(segment, unknown, (rows, i, ordinal) => {
      const no = segment.firstNo + ordinal;
      this.#lines.set(no, { no, ...rows.line(i) });
    });
  }

  /** Calls `visitor` for the given ordinals (ascending) of a segment. */
  #visit(
    segment: Segment,
    ordinals: readonly number[],
    visitor: (rows: PacketRows, i: number, ordinal: number) => void,
  ): void {
    if (!ordinals.length) return;
    let base = 0;
    let next = 0;
    this.#reader.push(segment.payload, (rows) => {
      for (; next < ordinals.length && ordinals[next]! < base + rows.length; next++) {
        visitor(rows, ordinals[next]! - base, ordinals[next]!);
      }
      base += rows.length;
    });
    if (this.#reader.error) this.#restart(this.#reader);
  }

  #trimLines(): void {
    let excess = this.#lines.size - LINE_CACHE;
    for (const no of this.#lines.keys()) {
      if (excess-- <= 0) break;
      this.#lines.delete(no);
    }
  }
}
