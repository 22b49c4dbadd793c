/** What a scanning thread of the store is asked and answers: plain data, it crosses threads. */

/** A run of whole blocks of one segment. */
export interface Piece {
  path: string;
  linktypes: readonly number[];
  offset: number;
  bytes: number;
  /** Packet blocks at or before this offset were given before; -1: none. */
  after: number;
}

export interface ScanTask {
  id: number;
  filter: string | null;
  fromNs: bigint | null;
  toNs: bigint | null;
  pieces: Piece[];
  /** Most packets wanted. */
  limit: number;
  withoutBytes: boolean;
}

/** What became of one piece. */
export interface PieceResult {
  /** Packets that passed; theirs follow those of the piece before. */
  found: number;
  packets: number;
  /** What of it is no block, by offset in the segment. */
  damaged: { offset: number; bytes: number }[];
  /** The segment could not be opened or read (errno's name), null when it was. */
  failure: string | null;
}

export interface ScanResult {
  id: number;
  pieces: PieceResult[];
  /** Packet blocks that passed, one after another as they lie in the segment. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Offset of each in `bytes`, and in its segment. */
  starts: Uint32Array<ArrayBuffer>;
  offsets: Float64Array<ArrayBuffer>;
  /** Packets shorter than they were on the wire. */
  truncated: number;
  /** Why a linktype's packets could not match. */
  filterProblem: string | null;
}

export interface ScanFailure {
  id: number;
  /** The filter's mistake, and where it is. */
  message: string;
  position: number | null;
}

export interface StoreWorkerData {
  module: WebAssembly.Module;
  /** Added to the thread's niceness. */
  nice: number;
}
