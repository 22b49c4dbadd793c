/**
 * The two WebSocket endpoints: which upgrade goes where and who may. Wrong hosts, origins and paths
 * get an HTTP answer; a missing token gets a Refusal, which a client can read. Compression is off:
 * packets do not shrink enough to pay for it, and it would make the bytes we forward not the same.
 */
import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { type WebSocket, WebSocketServer } from 'ws';
import { FRAME_BYTES_MAX } from '../../proto/gen/constants.js';
import { allows, authenticate, type Role } from '../auth.js';
import type { Gateway } from '../gateway.js';
import { hostAllowed, originAllowed } from '../hosts.js';
import { IngestSession } from '../ingest/session.js';
import { Viewer } from '../live/viewer.js';
import type { GatewayOptions } from '../options.js';
import { type RefusalError, refuse } from '../refusal.js';
import { Peer } from './peer.js';

interface Endpoint {
  role: Role;
  server: WebSocketServer;
  accept(socket: WebSocket, log: FastifyInstance['log']): Peer;
}

/** Twice the largest frame is read, so that an oversized one is refused with a reason. */
const INGEST_READ_BYTES = 2 * FRAME_BYTES_MAX;

function webSocketServer(maxPayload: number): WebSocketServer {
  return new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false, clientTracking: false });
}

function endpoints(gateway: Gateway, { limits }: GatewayOptions): Map<string, Endpoint> {
  const ingest: Endpoint = {
    role: 'probe',
    server: webSocketServer(INGEST_READ_BYTES),
    accept(socket, log) {
      const peer = new Peer(socket, limits, log, {
        onFrame: (frame, bytes) => session.onFrame(frame, bytes),
        onClose: (reason) => session.onClose(reason),
      });
      const session = new IngestSession(peer, limits, gateway);
      return peer;
    },
  };
  const live: Endpoint = {
    role: 'viewer',
    server: webSocketServer(limits.subscribe_bytes),
    accept(socket, log) {
      const peer = new Peer(socket, limits, log, {
        onFrame: (frame, bytes) => viewer.onFrame(frame, bytes),
        onClose: () => viewer.onClose(),
      });
      const viewer = new Viewer(peer, limits, gateway);
      attempt(peer, () => gateway.join(viewer, limits.viewers));
      return peer;
    },
  };
  return new Map([
    ['/ws/ingest', ingest],
    ['/ws/live', live],
  ]);
}

function attempt(peer: Peer, action: () => void): void {
  try {
    action();
  } catch (error) {
    peer.refuse(error as RefusalError);
  }
}

function rejectUpgrade(socket: Duplex, status: number, message: string): void {
  const body = JSON.stringify({ error: STATUS_CODES[status], message });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** Attaches both endpoints to the app's server. Returns what to call at shutdown. */
export function registerSockets(app: FastifyInstance, gateway: Gateway, options: GatewayOptions): () => void {
  const byPath = endpoints(gateway, options);
  const peers = new Set<Peer>();

  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const { host, origin } = request.headers;
    const path = (request.url ?? '').split('?')[0] as string;
    const endpoint = byPath.get(path);
    if (!hostAllowed(host, options.host))
      return rejectUpgrade(socket, 403, `host ${host} is not served here`);
    if (!originAllowed(origin, host))
      return rejectUpgrade(socket, 403, `origin ${origin} may not connect here`);
    if (!endpoint) return rejectUpgrade(socket, 404, 'WebSockets are at /ws/ingest and /ws/live');
    const allowed = allows(authenticate(request.headers, options.token), endpoint.role);
    endpoint.server.handleUpgrade(request, socket, head, (webSocket) => {
      const log = app.log.child({ peer: request.socket.remoteAddress, path });
      if (!allowed) return refuseStranger(webSocket, options, log);
      const peer = endpoint.accept(webSocket, log);
      peers.add(peer);
      webSocket.on('close', () => peers.delete(peer));
    });
  });

  return () => {
    for (const peer of peers) peer.goAway();
  };
}

function refuseStranger(socket: WebSocket, options: GatewayOptions, log: FastifyInstance['log']): void {
  const peer = new Peer(socket, options.limits, log, { onFrame() {}, onClose() {} });
  peer.refuse(refuse.unauthorized());
}
