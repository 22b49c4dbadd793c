/**
 * A gateway for the dashboard's tests: real HTTP, real WebSocket, the product's frames and its
 * content security policy, and one probe whose recorder is arithmetic that balances. Serves the
 * built dashboard. It is the test's other end, not a part of the product.
 */

import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import Long from 'long';
import { WebSocket, WebSocketServer } from 'ws';
import { decodeFrame, encodeFrame, type FrameFields, long } from '../../../proto/frame.js';
import { LINKTYPE_ETHERNET, PROTOCOL_VERSION } from '../../../proto/gen/constants.js';
import { concat, mixedFrame, packetBlock, section } from './traffic.js';

export const CSP =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; " +
  "img-src 'self' data:; worker-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.map': 'application/json',
};
const ROOT = 'build/web/dist';
const u64 = (value: number) => Long.fromNumber(value, true);

export interface ProbeOptions {
  name?: string;
  interfaceName?: string;
  source?: string;
  synthetic?: boolean;
  runId?: number;
  snaplen?: number;
}

/** One probe's recorder and uplink, advanced by hand. */
export class TestProbe {
  readonly number: number;
  readonly options: Required<ProbeOptions>;
  readonly startedNs: bigint;
  seq = 0;
  sent = 0;
  bytes = 0;
  ringDrops = 0;
  alarms: string[] = [];
  connected = true;

  constructor(number: number, options: ProbeOptions = {}) {
    this.number = number;
    this.options = {
      name: 'edge-1',
      interfaceName: 'eth0',
      source: 'afpacket',
      synthetic: false,
      runId: 7,
      snaplen: 256,
      ...options,
    };
    this.startedNs = BigInt(Date.now()) * 1_000_000n;
  }

  up(): FrameFields {
    const { name, interfaceName, source, synthetic, runId, snaplen } = this.options;
    return {
      probeUp: {
        probe: this.number,
        connected: this.connected,
        lastSeq: u64(this.seq),
        hello: {
          protocol: PROTOCOL_VERSION,
          runId: new Uint8Array(16).fill(runId),
          probeName: name,
          interfaceName,
          source,
          synthetic,
          linktype: LINKTYPE_ETHERNET,
          uplinkSnaplen: snaplen,
          section: section(),
          startedTsNs: long(this.startedNs),
        },
      },
    };
  }

  /** The next `packets` packets as a frame; they count as sent whether or not anyone gets it. */
  batch(packets: number, change: Partial<NonNullable<FrameFields['batch']>> = {}): FrameFields {
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    const blocks: Uint8Array[] = [];
    for (let i = 0; i < packets; i++) {
      const frame = mixedFrame(this.sent + i);
      this.bytes += frame.length;
      blocks.push(packetBlock(frame, nowNs + BigInt(i) * 1000n, this.options.snaplen));
    }
    const fields: FrameFields = {
      batch: {
        probe: this.number,
        seq: u64(++this.seq),
        firstTsNs: long(nowNs),
        lastTsNs: long(nowNs + BigInt(packets) * 1000n),
        packets,
        packetsBefore: u64(this.sent),
        offeredTotal: u64(this.sent + packets),
        payload: concat(blocks),
        ...change,
      },
    };
    this.sent += packets;
    return fields;
  }

  /** Accounts that balance: everything received is stored but for the ring's drops. */
  ledger(change: Partial<NonNullable<FrameFields['ledger']>> = {}): FrameFields {
    return {
      ledger: {
        probe: this.number,
        tsNs: long(BigInt(Date.now()) * 1_000_000n),
        ringReceived: u64(this.sent + this.ringDrops),
        ringDrops: u64(this.ringDrops),
        ifDrops: u64(0),
        stored: u64(this.sent),
        receivedBytes: u64(this.bytes),
        storedBytes: u64(this.bytes),
        offered: u64(this.sent),
        sent: u64(this.sent),
        segment: '2026-01-31T13-03-22.123456789Z-000001.pcapng',
        segments: u64(1),
        alarms: this.alarms,
        poolBlocks: u64(64),
        poolBlocksFree: u64(60),
        ...change,
      },
    };
  }

  summary(): FrameFields {
    return {
      summary: {
        probe: this.number,
        tsNs: long(BigInt(Date.now()) * 1_000_000n),
        packets: u64(this.sent),
        wireBytes: u64(this.bytes),
        flows: u64(60),
        batches: u64(this.seq),
        viewers: u64(1),
      },
    };
  }
}

export class TestGateway {
  probes: TestProbe[] = [];
  /** Subscribe frames received, and every path asked for. */
  subscriptions = 0;
  readonly paths: string[] = [];
  #server: Server | null = null;
  #sockets: WebSocketServer | null = null;
  readonly #subscribed = new Set<WebSocket>();
  port = 0;

  /** Listens on loopback; the same port again after `stop`. */
  async start(): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request.url ?? '/', response));
    const sockets = new WebSocketServer({ server, path: '/ws/live', perMessageDeflate: false });
    sockets.on('connection', (socket) =>
      socket.on('message', (data) => this.#subscribe(socket, data as Buffer)),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.#server = server;
    this.#sockets = sockets;
    this.port = (server.address() as AddressInfo).port;
  }

  /** As kill -9 looks from outside: every connection ends at once. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets?.clients ?? []) socket.terminate();
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
    this.#server = this.#sockets = null;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  get viewers(): number {
    return this.#sockets?.clients.size ?? 0;
  }

  /** Send one frame to every subscribed viewer. */
  send(fields: FrameFields): void {
    this.sendRaw(encodeFrame(fields));
  }

  sendRaw(data: Uint8Array | string): void {
    for (const socket of this.#subscribed) if (socket.readyState === WebSocket.OPEN) socket.send(data);
  }

  #subscribe(socket: WebSocket, data: Buffer): void {
    if (!decodeFrame(data).subscribe) return;
    this.subscriptions++;
    this.#subscribed.add(socket);
    socket.on('close', () => this.#subscribed.delete(socket));
    for (const probe of this.probes) socket.send(encodeFrame(probe.up()));
  }

  async #serve(url: string, response: import('node:http').ServerResponse): Promise<void> {
    const path = normalize(new URL(url, 'http://localhost').pathname);
    this.paths.push(path);
    response.setHeader('content-security-policy', CSP);
    response.setHeader('x-content-type-options', 'nosniff');
    try {
      const file = path === '/' ? '/index.html' : path;
      const body = await readFile(join(ROOT, file));
      response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
      response.end(body);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  }
}

/** Sends `packetsPerSecond` in batches and a ledger and summary each second, until stopped. */
export function stream(gateway: TestGateway, probe: TestProbe, packetsPerSecond: number): { stop(): void } {
  const ticksPerSecond = 20;
  let tick = 0;
  let owed = 0;
  const timer = setInterval(() => {
    // A little swing, so that a chart of it has a shape.
    owed +=
      (packetsPerSecond * (1 + 0.35 * Math.sin(Date.now() / 4000) + 0.1 * Math.sin(Date.now() / 700))) /
      ticksPerSecond;
    const packets = Math.floor(owed);
    owed -= packets;
    if (packets) gateway.send(probe.batch(packets));
    if (++tick % ticksPerSecond === 0) {
      gateway.send(probe.ledger());
      gateway.send(probe.summary());
    }
  }, 1000 / ticksPerSecond);
  return { stop: () => clearInterval(timer) };
}
