/**
 * Captures made for tests of stored data: conversations whose every byte is known, as pcap, and stores the
 * recorder itself makes of them.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { paths } from '../../server/paths.js';
import { temporaryDirectory } from './helpers.js';

export interface Frame {
  ts_ns: bigint;
  bytes: Buffer;
}

export interface End {
  address: string;
  port: number;
}

const SECOND = 1_000_000_000n;
export const START_NS = 1_750_000_000n * SECOND;

function ipv4(source: string, destination: string, protocol: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(34);
  header.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
  header.writeUInt16BE(0x0800, 12);
  header[14] = 0x45;
  header.writeUInt16BE(20 + payload.length, 16);
  header[22] = 64;
  header[23] = protocol;
  header.set(source.split('.').map(Number), 26);
  header.set(destination.split('.').map(Number), 30);
  return Buffer.concat([header, payload]);
}

export function udp(from: End, to: End, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(from.port, 0);
  header.writeUInt16BE(to.port, 2);
  header.writeUInt16BE(8 + payload.length, 4);
  return ipv4(from.address, to.address, 17, Buffer.concat([header, payload]));
}

export const FIN = 1;
export const SYN = 2;
export const ACK = 16;

export function tcp(
  from: End,
  to: End,
  seq: number,
  ack: number,
  flags: number,
  payload = Buffer.alloc(0),
): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(from.port, 0);
  header.writeUInt16BE(to.port, 2);
  header.writeUInt32BE(seq >>> 0, 4);
  header.writeUInt32BE(ack >>> 0, 8);
  header[12] = 0x50;
  header[13] = flags;
  header.writeUInt16BE(8192, 14);
  return ipv4(from.address, to.address, 6, Buffer.concat([header, payload]));
}

/** What was said, in order, by the client (`>`) or the server (`<`). */
export type Script = [side: '>' | '<', data: string][];

/** Handshake, data in segments of at most `segment_bytes`, each acknowledged, and both FINs. */
export function conversation(
  client: End,
  server: End,
  script: Script,
  { start_ns = START_NS, step_ns = 1_000_000n, segment_bytes = 1000, seq = 1000, close = true } = {},
): Frame[] {
  const frames: Frame[] = [];
  let ts_ns = start_ns;
  let [mine, theirs] = [seq, 0xffff_ff00]; // the server's numbers wrap
  const add = (bytes: Buffer) => {
    frames.push({ ts_ns, bytes });
    ts_ns += step_ns;
  };
  add(tcp(client, server, mine++, 0, SYN));
  add(tcp(server, client, theirs++, mine, SYN | ACK));
  add(tcp(client, server, mine, theirs, ACK));
  for (const [side, text] of script)
    for (let at = 0; at < text.length; at += segment_bytes) {
      const data = Buffer.from(text.slice(at, at + segment_bytes), 'latin1');
      if (side === '>') {
        add(tcp(client, server, mine, theirs, ACK, data));
        mine += data.length;
        add(tcp(server, client, theirs, mine, ACK));
      } else {
        add(tcp(server, client, theirs, mine, ACK, data));
        theirs += data.length;
        add(tcp(client, server, mine, theirs, ACK));
      }
    }
  if (!close) return frames;
  add(tcp(client, server, mine++, theirs, FIN | ACK));
  add(tcp(server, client, theirs++, mine, FIN | ACK));
  add(tcp(client, server, mine, theirs, ACK));
  return frames;
}

/** A DNS query for an A record (RFC 1035). */
export function dnsQuery(id: number, name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  const header = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}

/** A TLS 1.2 ClientHello with a server name and ALPN (RFC 5246, 6066, 7301). */
export function clientHello(name: string, alpn = 'h2'): Buffer {
  const u16 = (value: number) => Buffer.from([value >> 8, value & 255]);
  const sized = (body: Buffer) => Buffer.concat([u16(body.length), body]);
  const sni = sized(sized(Buffer.concat([Buffer.from([0]), sized(Buffer.from(name))])));
  const protocols = sized(sized(Buffer.concat([Buffer.from([alpn.length]), Buffer.from(alpn)])));
  const extensions = sized(Buffer.concat([u16(0), sni, u16(16), protocols]));
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    Buffer.from([0]),
    sized(Buffer.concat([u16(0xc02f), u16(0xc030)])),
    Buffer.from([1, 0]),
    extensions,
  ]);
  const handshake = Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
  return Buffer.concat([Buffer.from([0x16, 3, 1]), sized(handshake)]);
}

/** A nanosecond pcap of Ethernet frames, sorted by time. */
export function pcap(frames: readonly Frame[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b23c4d, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(1, 20);
  const sorted = [...frames].sort((a, b) => (a.ts_ns < b.ts_ns ? -1 : a.ts_ns > b.ts_ns ? 1 : 0));
  const records = sorted.flatMap(({ ts_ns, bytes }) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(Number(ts_ns / SECOND), 0);
    record.writeUInt32LE(Number(ts_ns % SECOND), 4);
    record.writeUInt32LE(bytes.length, 8);
    record.writeUInt32LE(bytes.length, 12);
    return [record, bytes];
  });
  return Buffer.concat([header, ...records]);
}

/** A reason why no store can be made here, or null. */
export function withoutRecorder(): string | null {
  return existsSync(paths.probe) ? null : 'the recorder is not built (build/native/ringtapd)';
}

/** Lets the recorder replay a capture into a store; further `flags` as on its command line. */
export function record(frames: readonly Frame[], store: string, flags: string[] = [], name = 'tap'): void {
  const file = join(temporaryDirectory(), `${name}.pcap`);
  writeFileSync(file, pcap(frames));
  mkdirSync(store, { recursive: true });
  const given = ['-r', file, '--store', store, '--block-size', '256K', '--stats-interval', '0', ...flags];
  execFileSync(paths.probe, given, { stdio: 'ignore', timeout: 30_000 });
}

/** A store of one capture. */
export function storeOf(frames: readonly Frame[], flags: string[] = []): string {
  const store = join(temporaryDirectory(), 'store');
  record(frames, store, flags);
  return store;
}

/** Numbered UDP frames of several hosts and ports, a millisecond apart. */
export function numbered(count: number, payload_bytes = 100, start_ns = START_NS): Frame[] {
  return Array.from({ length: count }, (_, i) => {
    const payload = Buffer.alloc(payload_bytes);
    payload.writeUInt32BE(i, 0);
    const from = { address: `10.0.${i % 3}.${1 + (i % 50)}`, port: 20_000 + (i % 7) };
    const to = { address: '10.9.9.9', port: 7000 + (i % 5) };
    return { ts_ns: start_ns + BigInt(i) * 1_000_000n, bytes: udp(from, to, payload) };
  });
}
