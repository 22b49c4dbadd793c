/**
 * What page and worker say to each other. Plain structured-clone data; packet bytes are transferred,
 * never copied. `probe` is the page's key for one run of one probe, not the gateway's number.
 */
import type { Flow, PacketLine, Totals, TreeNode } from '../../asm/host/types.js';

export type { TreeNode };

export type FlowSort = 'bytes' | 'packets' | 'last';

/** One row of the packet list; `no` counts the packets this run has sent, so gaps show in it. */
export interface PacketRow extends PacketLine {
  no: number;
}

/** A flow and its rates since the previous listing; null when it was not in that. */
export interface FlowRow extends Flow {
  bitsPerSecond: number | null;
  packetsPerSecond: number | null;
}

/** Everything the detail pane shows. `bytes` is its own copy and outlives the retained packets. */
export interface OpenedPacket {
  row: PacketRow;
  linktype: number;
  bytes: Uint8Array;
  tree: TreeNode[];
}

/** A part of the packet list: rows `first` to `first + rows.length` of `total` that match the filter. */
export interface PacketWindow {
  probe: number;
  frozen: boolean;
  first: number;
  total: number;
  rows: PacketRow[];
  /** Matching packets that came after the list was frozen. */
  newer: number;
  /** Packets held in memory, matching or not. */
  retained: number;
}

export interface EngineStats {
  probe: number;
  totals: Totals;
  flowCount: number;
  flows: FlowRow[];
}

export type Request =
  | { type: 'start'; probe: number; section: Uint8Array }
  | { type: 'stop'; probe: number }
  | {
      type: 'batch';
      probe: number;
      buffer: ArrayBuffer;
      offset: number;
      length: number;
      firstNo: number;
      packets: number;
    }
  /** The probe on display: only it is listed, counted and sorted. */
  | { type: 'show'; probe: number | null; sort: FlowSort }
  | { type: 'view'; first: number; count: number }
  | { type: 'freeze'; id: number; anchorNo: number | null }
  | { type: 'thaw' }
  | { type: 'filter'; id: number; expression: string | null }
  | { type: 'open'; id: number; no: number };

export type Report =
  | { type: 'ready' }
  | { type: 'failed'; message: string }
  | { type: 'taken'; probe: number; bytes: number; packets: number; damage: string | null }
  | { type: 'stats'; stats: EngineStats }
  | { type: 'window'; window: PacketWindow }
  /** `index` of the anchor among the frozen rows. */
  | { type: 'frozen'; id: number; index: number; total: number }
  | { type: 'filtered'; id: number; error: { message: string; position: number } | null }
  | { type: 'opened'; id: number; packet: OpenedPacket | null };
