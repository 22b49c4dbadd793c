/**
 * Puts a TLS ClientHello together that TCP cut into segments, so that its SNI, ALPN and JA4 are known: today's
 * hellos with post-quantum key shares no longer fit one. Fed with the rows a host looks at, in their order; holds
 * at most PENDING_MAX unfinished hellos of HELLO_BYTES_MAX each, the oldest giving way, and needs segments in
 * sequence: one that is lost, late or beyond the record ends the attempt. Never touches the reading of streams.
 */
import { FieldSet, withoutQuoted } from './fieldset.js';
import type { NodeRecord } from './tree.js';

const PENDING_MAX = 256;
/** A record's most with its header (RFC 8446 section 5.1), and headers below it. */
const HELLO_BYTES_MAX = 16384 + 5 + 1024;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER = 5;

interface Pending {
  /** The first segment's frame and what followed. */
  parts: Uint8Array[];
  /** Bytes of the record still to come. */
  missing: number;
  next: number;
  port: number;
}

/** A decoded packet: its nodes and the bytes they speak of. */
export interface Decoded {
  nodes: readonly NodeRecord[];
  frame: Uint8Array;
}

interface Segment {
  port: number;
  seq: number;
  /** Where its payload ends in the frame. */
  end: number;
  payload: Uint8Array;
}

export class HelloJoiner {
  readonly #pending = new Map<number, Pending>();

  /**
   * The frame to read key fields from: `bytes` itself, or, when they complete a hello, the first segment's frame
   * with the payloads of all. `flow` is the row's flow id.
   */
  take(flow: number, bytes: Uint8Array, decoded: Decoded): Uint8Array {
    const fields = new FieldSet(withoutQuoted(decoded.nodes), decoded.frame);
    const segment = segmentOf(fields, decoded.frame);
    if (flow < 0 || !segment || segment.payload.length === 0) return bytes;
    const pending = this.#pending.get(flow);
    if (pending && pending.port === segment.port) return this.#goOn(flow, pending, segment) ?? bytes;
    const missing = missingOf(fields, segment.payload);
    if (missing === 0) return bytes;
    const head = bytes.slice(0, segment.end);
    this.#remember(flow, { parts: [head], missing, next: after(segment), port: segment.port });
    return bytes;
  }

  get pending(): number {
    return this.#pending.size;
  }

  #remember(flow: number, pending: Pending): void {
    if (this.#pending.size >= PENDING_MAX) this.#pending.delete(this.#pending.keys().next().value as number);
    this.#pending.set(flow, pending);
  }

  /** Null while the hello goes on, or when it cannot be completed. */
  #goOn(flow: number, pending: Pending, segment: Segment): Uint8Array | null {
    if (segment.seq !== pending.next) {
      // A repetition of what is here changes nothing; a gap ends it.
      if ((segment.seq - pending.next) >> 31 === 0) this.#pending.delete(flow);
      return null;
    }
    pending.parts.push(segment.payload.slice(0, pending.missing));
    pending.missing -= segment.payload.length;
    pending.next = after(segment);
    if (pending.missing > 0) return null;
    this.#pending.delete(flow);
    return concat(pending.parts);
  }
}

const after = ({ seq, payload }: Segment): number => (seq + payload.length) >>> 0;

function segmentOf(fields: FieldSet, frame: Uint8Array): Segment | null {
  const seq = fields.number('tcp.seq_raw');
  const port = fields.number('tcp.srcport');
  const header = fields.position('tcp.srcport');
  if (seq === undefined || port === undefined || header < 0) return null;
  const start = header + (frame[header + 12]! >> 4) * 4;
  const end = payloadEnd(fields, frame, start);
  return { port, seq: seq >>> 0, end, payload: frame.subarray(start, end) };
}

/** Where IP says the segment ends: Ethernet may have padded it. */
function payloadEnd(fields: FieldSet, frame: Uint8Array, start: number): number {
  const v4 = fields.position('ip.len');
  const v6 = fields.position('ipv6.plen');
  const end =
    v4 > v6
      ? v4 - 2 + (fields.number('ip.len') ?? 0)
      : v6 >= 0
        ? v6 + 36 + (fields.number('ipv6.plen') ?? 0)
        : frame.length;
  return Math.max(start, Math.min(end, frame.length));
}

/** Bytes that a ClientHello's record at the start of the payload lacks; 0 when there is none or it is whole. */
function missingOf(fields: FieldSet, payload: Uint8Array): number {
  if (!fields.has('tls.record') || payload[0] !== HANDSHAKE || payload[RECORD_HEADER] !== CLIENT_HELLO)
    return 0;
  const size = RECORD_HEADER + ((payload[3]! << 8) | payload[4]!);
  return size <= HELLO_BYTES_MAX ? Math.max(0, size - payload.length) : 0;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Makes the length fields of a joined frame's headers speak of all its bytes, in place. */
export function stretch(frame: Uint8Array, decoded: Decoded): void {
  const fields = new FieldSet(withoutQuoted(decoded.nodes), decoded.frame);
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  for (const record of fields.records) {
    const { name } = record.field;
    if (name === 'ip.len') view.setUint16(record.offset, Math.min(0xffff, frame.length - record.offset + 2));
    if (name === 'ipv6.plen')
      view.setUint16(record.offset, Math.min(0xffff, frame.length - record.offset - 36));
    if (name === 'pppoe.payload_length')
      view.setUint16(record.offset, Math.min(0xffff, frame.length - record.offset - 2));
    if (name === 'udp.length')
      view.setUint16(record.offset, Math.min(0xffff, frame.length - record.offset + 4));
  }
}
