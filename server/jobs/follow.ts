/**
 * Puts the two streams of a connection together from its segments: TCP by sequence numbers, each byte once,
 * what the capture lacks as gaps; UDP as it came. Bounded in bytes. Pure: fed with segments in stored order.
 */
import type { StreamChunk } from '../../proto/api.js';
import { timeText } from './range.js';
import { type Segment, TCP_ACK, TCP_SYN } from './transport.js';

export interface Ends {
  orig_addr: string;
  orig_port: number;
  resp_addr: string;
  resp_port: number;
}

interface Held {
  seq: number;
  ts_ns: bigint;
  payload: Uint8Array;
  /** More than `payload` when the capture cut the packet. */
  bytes: number;
}

type Side = 'orig' | 'resp';

/** Segments held back per side while one before them may still come. */
const HELD_MAX = 4096;
const HELD_BYTES_MAX = 8 << 20;
const DISORDER_NS = 50_000_000n;

/** a - b in the circle of sequence numbers. */
const distance = (a: number, b: number) => (a - b) | 0;

/** One direction. */
class Stream {
  readonly #emit: (ts_ns: bigint, data: Uint8Array | null, gap_bytes: number, offset: number) => void;
  #next: number | null = null;
  #held: Held[] = [];
  #held_bytes = 0;
  #offset = 0;
  packets = 0;
  bytes = 0;
  gap_bytes = 0;

  constructor(emit: (ts_ns: bigint, data: Uint8Array | null, gap_bytes: number, offset: number) => void) {
    this.#emit = emit;
  }

  datagram(ts_ns: bigint, payload: Uint8Array, bytes: number): void {
    this.packets++;
    this.#data(ts_ns, payload, bytes);
  }

  segment(ts_ns: bigint, { seq, flags, payload, payload_bytes }: Segment): void {
    this.packets++;
    const syn = (flags & TCP_SYN) !== 0;
    const start = syn ? (seq + 1) >>> 0 : seq;
    // A connection the capture began in the middle of starts with the first bytes seen.
    if (this.#next === null || (syn && this.bytes === 0 && this.#held.length === 0)) this.#next = start;
    if (payload_bytes === 0) return;
    const late = distance(this.#next, start);
    if (late >= payload_bytes) return; // all of it was there before: a retransmission
    this.#hold({ seq: start, ts_ns, payload, bytes: payload_bytes });
    this.#deliver();
    if (this.#held.length > HELD_MAX || this.#held_bytes > HELD_BYTES_MAX) this.#skip();
  }

  /**
   * The peer has everything up to `ack`: what is missing before it will not come any more, except from
   * another queue of the same capture, a moment later.
   */
  acknowledged(ts_ns: bigint, ack: number): void {
    const first = this.#held[0];
    if (first && ts_ns - first.ts_ns > DISORDER_NS && distance(ack, first.seq) >= 0) this.#skip();
  }

  /** Nothing follows: what is held comes out, holes as gaps. */
  end(): void {
    while (this.#held.length > 0) this.#skip();
  }

  #hold(segment: Held): void {
    let at = this.#held.length;
    while (at > 0 && distance((this.#held[at - 1] as Held).seq, segment.seq) > 0) at--;
    this.#held.splice(at, 0, segment);
    this.#held_bytes += segment.payload.length;
  }

  /** Hands out what follows without a hole. */
  #deliver(): void {
    for (let first = this.#held[0]; first && this.#next !== null; first = this.#held[0]) {
      const late = distance(this.#next, first.seq);
      if (late < 0) return;
      this.#held.shift();
      this.#held_bytes -= first.payload.length;
      if (late >= first.bytes) continue;
      this.#data(
        first.ts_ns,
        first.payload.subarray(Math.min(late, first.payload.length)),
        first.bytes - late,
      );
      this.#next = (first.seq + first.bytes) >>> 0;
    }
  }

  /** Gives up the hole before the first segment held. */
  #skip(): void {
    const first = this.#held[0];
    if (!first || this.#next === null) return;
    const hole = distance(first.seq, this.#next);
    if (hole > 0) this.#gap(first.ts_ns, hole);
    this.#next = first.seq;
    this.#deliver();
  }

  #data(ts_ns: bigint, payload: Uint8Array, bytes: number): void {
    if (payload.length > 0) this.#emit(ts_ns, payload, 0, this.#offset);
    this.#offset += payload.length;
    this.bytes += payload.length;
    if (bytes > payload.length) this.#gap(ts_ns, bytes - payload.length);
  }

  #gap(ts_ns: bigint, bytes: number): void {
    this.#emit(ts_ns, null, bytes, this.#offset);
    this.#offset += bytes;
    this.gap_bytes += bytes;
  }
}

export class Conversation {
  readonly chunks: StreamChunk[] = [];
  readonly orig: Stream;
  readonly resp: Stream;
  readonly #ends: Ends;
  readonly #bytes_max: number;
  #bytes = 0;
  /** More was there than `bytes_max` let through. */
  truncated = false;

  constructor(ends: Ends, bytes_max: number) {
    this.#ends = ends;
    this.#bytes_max = bytes_max;
    this.orig = new Stream((...chunk) => this.#emit('orig', ...chunk));
    this.resp = new Stream((...chunk) => this.#emit('resp', ...chunk));
  }

  /** False once nothing more is taken. */
  add(ts_ns: bigint, segment: Segment): boolean {
    const side = this.#sideOf(segment);
    if (side === null || this.truncated) return !this.truncated;
    const [mine, other] = side === 'orig' ? [this.orig, this.resp] : [this.resp, this.orig];
    if (segment.protocol === 'udp') mine.datagram(ts_ns, segment.payload, segment.payload_bytes);
    else {
      // A FIN or SYN takes a number of its own, which the peer acknowledges too; it is no byte.
      if (segment.flags & TCP_ACK) other.acknowledged(ts_ns, segment.ack);
      mine.segment(ts_ns, segment);
    }
    return !this.truncated;
  }

  end(): void {
    this.orig.end();
    this.resp.end();
  }

  #sideOf({ source, destination, sourcePort, destinationPort }: Segment): Side | null {
    const { orig_addr, orig_port, resp_addr, resp_port } = this.#ends;
    const is = (a: string, p: number, b: string, q: number) =>
      source === a && sourcePort === p && destination === b && destinationPort === q;
    if (is(orig_addr, orig_port, resp_addr, resp_port)) return 'orig';
    return is(resp_addr, resp_port, orig_addr, orig_port) ? 'resp' : null;
  }

  #emit(side: Side, ts_ns: bigint, data: Uint8Array | null, gap_bytes: number, offset: number): void {
    if (this.truncated) return;
    const room = this.#bytes_max - this.#bytes;
    if (data && data.length > room) this.truncated = true;
    const taken = data?.subarray(0, room) ?? null;
    this.#bytes += taken?.length ?? 0;
    if (taken && taken.length === 0) return;
    const encoded = taken && Buffer.from(taken).toString('base64');
    this.chunks.push({ side, ts: timeText(ts_ns), offset, data: encoded, gap_bytes });
  }
}
