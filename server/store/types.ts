/**
 * What a store is to those who ask it: the contract between the part that reads segments (this folder)
 * and the parts that answer people (HTTP plugins, flow store, command line). Plain data, no I/O.
 *
 * On disk, in each directory of `--store DIR[,DIR…]`:
 *   ringtap-IFACE-UTC-SEQ.pcapng   a segment; its SHB says which run and stripe it belongs to (OPT_RUN)
 *   ringtap-IFACE-UTC-SEQ.rtidx    its index: rebuildable, deleted together with it
 *   expired.jsonl                  one line per segment that retention deleted, appended by who deleted it
 *   flows/date=YYYY-MM-DD/hour=HH/ringtap-IFACE-UTC-SEQ.parquet   its flow records; may outlive it
 */

/** Nanoseconds since the UNIX epoch, half open: from <= ts < to. null is unbounded. */
export interface TimeRange {
  fromNs: bigint | null;
  toNs: bigint | null;
}

export interface PacketQuery {
  range: TimeRange;
  /** pcap-filter expression, empty for all. */
  filter: string;
}

/** One packet of an answer. Its bytes are the answer's own. */
export interface PacketHit {
  /** Stable name: `STEM:OFFSET`, segment without suffix and byte offset of the packet block in it. */
  id: string;
  tsNs: bigint;
  /** Interface within its segment. */
  ifindex: number;
  linktype: number;
  wirelen: number;
  bytes: Uint8Array;
}

export type MissingReason =
  | 'expired' // deleted by retention, also while the query ran
  | 'missing' // the catalogue knows it, the file is gone
  | 'damaged' // it cannot be read, or only in part
  | 'forbidden'; // out of the caller's reach

export interface MissingPart {
  reason: MissingReason;
  /** Segment's stem, null when a range is not one segment's. */
  segment: string | null;
  range: TimeRange;
  /** null: not known. */
  packets: number | null;
  /** One sentence for people. */
  message: string;
}

/** What an answer rests on. Belongs to every answer, also an empty one. */
export interface Coverage {
  /** First and last stamp of all packets the answer looked at or ruled out by index; null: nothing there. */
  range: TimeRange;
  segments: number;
  /** Blocks ruled out by index or time, and blocks scanned. */
  blocksPruned: number;
  blocksScanned: number;
  bytesScanned: number;
  /** Recorder losses inside the range, as its blocks tell; null: not known. */
  ringDrops: number | null;
  poolDrops: number | null;
  storeDrops: number | null;
  /** Packets of the answer shorter than on the wire. */
  truncated: number;
  missing: MissingPart[];
  /** The answer ends before the data did, and why. */
  stopped: 'limit' | 'cancelled' | 'timeout' | null;
}

export interface Progress {
  bytesDone: number;
  bytesTotal: number;
  packets: number;
}

export interface ScanOptions {
  /** At most so many packets; then `coverage.stopped` is 'limit'. */
  limit?: number;
  /** Goes on behind this packet id, of the same query. */
  after?: string;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Only identity, times and lengths are wanted: hits have empty `bytes`. */
  withoutBytes?: boolean;
}

export interface SegmentInfo {
  stem: string;
  path: string;
  interfaceName: string;
  /** Hex, the same for all stripes of one run; null for files not written by a recorder. */
  runId: string | null;
  stripe: number;
  stripes: number;
  range: TimeRange;
  packets: number;
  bytes: number;
  /** No recorder writes it any more. */
  sealed: boolean;
  indexed: boolean;
}

/** Neighbouring recorder blocks, as their headers tell. */
export interface BlockRun {
  /** Place in the segment. */
  offset: number;
  bytes: number;
  blocks: number;
  /** Of its first block; the others follow without a gap. */
  seq: number;
  /** Of its packets; both 0 when it has none. */
  firstNs: bigint;
  lastNs: bigint;
  packets: number;
  wireBytes: number;
  ringDrops: number | null;
  poolDrops: number | null;
  storeDrops: number | null;
}

export interface Store {
  /** Oldest first; includes the ones being written. */
  segments(): Promise<SegmentInfo[]>;
  /**
   * Packets in stored order (per run by block sequence, runs by time), in groups as they are found, the
   * unsealed tail included. The generator's return value is the coverage. Throws FilterError.
   */
  scan(query: PacketQuery, options?: ScanOptions): AsyncGenerator<PacketHit[], Coverage, void>;
  /** What the headers of a segment's blocks say, in its order, without reading packets; empty when it is gone. */
  blocks(stem: string): Promise<readonly BlockRun[]>;
  /** What retention deleted, and what is gone or damaged, as far as it meets the range. */
  missing(range: TimeRange): Promise<MissingPart[]>;
  /** One packet by id; a missing part when it is not to be had. */
  packet(id: string): Promise<PacketHit | MissingPart>;
  close(): Promise<void>;
}
