/** Peers, packets and waiting for the gateway's tests. Ports are always the system's choice. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Long from 'long';
import { WebSocket } from 'ws';
import { decodeFrame, encodeFrame, type FrameFields } from '../../proto/frame.js';
import { BT_EPB, BT_IDB, BT_SHB, PCAPNG_MAGIC, PROTOCOL_VERSION } from '../../proto/gen/constants.js';
import { type App, buildApp } from '../../server/app.js';
import { LIMITS, type Limits } from '../../server/limits.js';
import type { GatewayOptions } from '../../server/options.js';
import { paths } from '../../server/paths.js';

type Frame = ReturnType<typeof decodeFrame>;
export const u64 = (value: number) => Long.fromNumber(value, true);

/** Polls until `ready` is truthy; fails naming what it waited for. */
export async function waitFor<T>(what: string, ready: () => T, timeout_ms = 5000): Promise<NonNullable<T>> {
  const end = performance.now() + timeout_ms;
  for (;;) {
    const value = ready();
    if (value) return value as NonNullable<T>;
    if (performance.now() > end) throw new Error(`waited ${timeout_ms} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Deterministic numbers (mulberry32), so that a failing seed can be run again. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function block(type: number, body: Buffer): Buffer {
  const padded = (body.length + 3) & ~3;
  const bytes = Buffer.alloc(12 + padded);
  bytes.writeUInt32LE(type >>> 0, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  body.copy(bytes, 8);
  bytes.writeUInt32LE(bytes.length, bytes.length - 4);
  return bytes;
}

/** SHB and one Ethernet IDB with nanosecond times. */
export function section(): Buffer {
  const shb = Buffer.alloc(16, 0xff);
  shb.writeUInt32LE(PCAPNG_MAGIC, 0);
  shb.writeUInt16LE(1, 4);
  shb.writeUInt16LE(0, 6);
  const idb = Buffer.alloc(8 + 8 + 4);
  idb.writeUInt16LE(1, 0);
  idb.writeUInt32LE(262144, 4);
  idb.writeUInt16LE(9, 8); // if_tsresol
  idb.writeUInt16LE(1, 10);
  idb[12] = 9;
  return Buffer.concat([block(BT_SHB, shb), block(BT_IDB, idb)]);
}

/** An Ethernet/IPv4/UDP packet from 10.0.0.1:port to 10.0.0.2:53. */
export function udpPacket(port: number, payloadBytes = 18): Buffer {
  const bytes = Buffer.alloc(14 + 20 + 8 + payloadBytes);
  bytes.writeUInt16BE(0x0800, 12);
  bytes[14] = 0x45;
  bytes.writeUInt16BE(20 + 8 + payloadBytes, 16);
  bytes[22] = 64;
  bytes[23] = 17;
  bytes.set([10, 0, 0, 1, 10, 0, 0, 2], 26);
  bytes.writeUInt16BE(port, 34);
  bytes.writeUInt16BE(5353, 36);
  bytes.writeUInt16BE(8 + payloadBytes, 38);
  return bytes;
}

export function epb(packet: Buffer, ts_ns: bigint): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt32LE(Number(ts_ns >> 32n), 4);
  head.writeUInt32LE(Number(ts_ns & 0xffffffffn), 8);
  head.writeUInt32LE(packet.length, 12);
  head.writeUInt32LE(packet.length, 16);
  return block(BT_EPB, Buffer.concat([head, packet]));
}

/** `packets` EPBs of distinct flows. */
export function payload(packets: number, payloadBytes = 18): Buffer {
  const blocks = Array.from({ length: packets }, (_, i) =>
    epb(udpPacket(1024 + i, payloadBytes), 1_700_000_000_000_000_000n + BigInt(i)),
  );
  return Buffer.concat(blocks);
}

/** A gateway on a free port of 127.0.0.1. */
export interface TestGateway extends App {
  port: number;
  url: string;
}

export async function startGateway(
  options: Partial<Omit<GatewayOptions, 'limits'>> & { limits?: Partial<Limits> } = {},
): Promise<TestGateway> {
  const limits = { ...LIMITS, ...options.limits };
  const built = await buildApp({ logLevel: 'silent', ...options, limits });
  await built.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = built.app.server.address() as AddressInfo;
  return { ...built, port, url: `ws://127.0.0.1:${port}` };
}

/** A WebSocket client that keeps what it received, raw and decoded. */
export class Client {
  readonly frames: Frame[] = [];
  readonly raw: Buffer[] = [];
  closed: { code: number; reason: string } | null = null;
  readonly socket: WebSocket;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url, { headers, perMessageDeflate: false });
    this.socket.on('message', (data) => {
      this.raw.push(data as Buffer);
      this.frames.push(decodeFrame(data as Buffer));
    });
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    this.socket.on('error', () => {});
  }

  async opened(): Promise<this> {
    if (this.socket.readyState !== WebSocket.OPEN) await once(this.socket, 'open');
    return this;
  }
  send(fields: FrameFields): void {
    this.socket.send(encodeFrame(fields));
  }
  all(body: Frame['body']): Frame[] {
    return this.frames.filter((frame) => frame.body === body);
  }
  async first(body: NonNullable<Frame['body']>): Promise<Frame> {
    return waitFor(`a ${body} frame`, () => this.all(body)[0]);
  }
  async close(): Promise<{ code: number; reason: string }> {
    return waitFor('the connection to close', () => this.closed);
  }
  end(): void {
    this.socket.terminate();
  }
}

export interface HelloFields {
  runId?: Buffer;
  name?: string;
  interfaceName?: string;
  protocol?: number;
  section?: Buffer;
}

export function hello(fields: HelloFields = {}): FrameFields {
  return {
    hello: {
      protocol: fields.protocol ?? PROTOCOL_VERSION,
      runId: fields.runId ?? Buffer.alloc(16, 1),
      probeName: fields.name ?? 'probe-a',
      interfaceName: fields.interfaceName ?? 'eth0',
      linktype: 1,
      source: 'synth',
      synthetic: true,
      filter: '',
      uplinkSnaplen: 256,
      section: fields.section ?? section(),
      startedTsNs: u64(1),
    },
  };
}

/** A probe that plays by the rules: it numbers its batches and packets. */
export class TestProbe extends Client {
  number = 0;
  credit = 0;
  resumeSeq = 0;
  seq = 0;
  packetsBefore = 0;

  static async connect(gateway: { url: string }, fields: HelloFields = {}, headers = {}): Promise<TestProbe> {
    const probe = new TestProbe(`${gateway.url}/ws/ingest`, headers);
    await probe.opened();
    probe.send(hello(fields));
    const { welcome } = await probe.first('welcome');
    probe.number = welcome?.probe ?? 0;
    probe.credit = welcome?.creditBatches ?? 0;
    probe.resumeSeq = Number(welcome?.resumeSeq);
    return probe;
  }

  /** The next batch as bytes. */
  next(packets = 2, body = payload(packets)): Uint8Array {
    const bytes = encodeFrame({
      batch: {
        probe: this.number,
        seq: u64(++this.seq),
        packets,
        packetsBefore: u64(this.packetsBefore),
        payload: body,
      },
    });
    this.packetsBefore += packets;
    return bytes;
  }
  /** Sends the next batch and returns the very bytes. */
  batch(packets = 2, body = payload(packets)): Uint8Array {
    const bytes = this.next(packets, body);
    this.socket.send(bytes);
    return bytes;
  }
  acked(): number {
    const ack = this.all('ack').at(-1)?.ack;
    return Number(ack?.seq ?? 0);
  }
}

export async function viewer(
  gateway: { url: string },
  subscribe: { probes?: number[]; summariesOnly?: boolean } = {},
): Promise<Client> {
  const client = new Client(`${gateway.url}/ws/live`);
  await client.opened();
  client.send({ subscribe: { protocol: PROTOCOL_VERSION, ...subscribe } });
  return client;
}

/** A reason to skip tests that need the built engine, or null. */
export function withoutEngine(): string | null {
  return existsSync(paths.wasm) ? null : 'the engine is not built (build/asm/ringtap.wasm)';
}

export interface CliResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs `ringtap ARGS` to its end. */
export async function ringtap(args: string[], stdin?: Buffer, timeout_ms = 20_000): Promise<CliResult> {
  const child = spawn(process.execPath, [paths.cli, ...args], { stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  const timer = setTimeout(() => child.kill('SIGKILL'), timeout_ms);
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  return { code, signal, stdout, stderr };
}

/** Removed when the test process ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ringtap-test-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
process.setMaxListeners(100);
