/**
 * What every WebSocket peer shares: liveness by ping, one Refusal then the close code, and cutting
 * off who does not go. Knows no protocol. Errors of a socket end that socket and nothing else.
 */
import type { FastifyBaseLogger } from 'fastify';
import type { RawData, WebSocket } from 'ws';
import { decodeFrame, encodeFrame, FrameError, type FrameFields } from '../../proto/frame.js';
import { FRAME_BYTES_MAX } from '../../proto/gen/constants.js';
import type { Limits } from '../limits.js';
import { RefusalError, refuse } from '../refusal.js';

type Frame = ReturnType<typeof decodeFrame>;

export interface PeerHandlers {
  /** One decoded frame and its bytes. May throw RefusalError; anything else thrown is our bug. */
  onFrame(frame: Frame, bytes: Buffer): void;
  /** Called once; `reason` is for people. */
  onClose(reason: string): void;
}

const CLOSE_GOING_AWAY = 1001;
const CLOSE_INTERNAL_ERROR = 1011;
/** RFC 6455 5.5: a control frame carries 125 bytes, two of them the code. */
const REASON_BYTES_MAX = 123;

export class Peer {
  readonly socket: WebSocket;
  readonly log: FastifyBaseLogger;
  readonly #limits: Limits;
  readonly #handlers: PeerHandlers;
  readonly #greeting: NodeJS.Timeout;
  readonly #pinger: NodeJS.Timeout;
  #alive_ms = performance.now();
  #reason = '';
  #refused = false;

  constructor(socket: WebSocket, limits: Limits, log: FastifyBaseLogger, handlers: PeerHandlers) {
    this.socket = socket;
    this.log = log;
    this.#limits = limits;
    this.#handlers = handlers;
    socket.on('message', (data, isBinary) => this.#message(data, isBinary));
    socket.on('pong', () => this.#seen());
    socket.on('error', (error) => this.#socketError(error));
    socket.on('close', (code, reason) => this.#closed(code, reason.toString()));
    this.#greeting = setTimeout(
      () => this.refuse(refuse.protocol('no Hello or Subscribe came in time')),
      limits.greeting_timeout_ms,
    );
    this.#pinger = setInterval(() => this.#ping(), limits.ping_interval_ms);
  }

  /** The first frame came: the greeting timeout ends. */
  greeted(): void {
    clearTimeout(this.#greeting);
  }

  /** Says why, closes with the code, and terminates a peer that does not go. */
  refuse(refusal: RefusalError): void {
    if (this.#refused) return;
    this.#refused = true;
    this.#reason = refusal.message;
    this.log.warn({ code: refusal.code }, `peer refused: ${refusal.message}`);
    this.#end(refusal.code, refusal.message);
  }

  /** The gateway stops. */
  goAway(): void {
    if (this.#refused) return;
    this.#refused = true;
    this.#end(CLOSE_GOING_AWAY, 'the gateway is shutting down');
  }

  /** For peers that take nothing any more, so that a Refusal would not reach them either. */
  terminate(reason: string): void {
    this.#refused = true;
    this.#reason = reason;
    this.log.warn(`peer cut off: ${reason}`);
    this.socket.terminate();
  }

  #end(code: number, message: string): void {
    this.socket.send(encodeFrame({ refusal: { code, message } } satisfies FrameFields), () => {});
    this.socket.close(code, Buffer.from(message).subarray(0, REASON_BYTES_MAX).toString());
    setTimeout(() => this.socket.terminate(), this.#limits.close_timeout_ms).unref();
  }

  #message(data: RawData, isBinary: boolean): void {
    if (this.#refused) return;
    this.#seen();
    try {
      if (!isBinary) throw refuse.protocol('a text message came where binary frames are spoken');
      const bytes = data as Buffer;
      if (bytes.length > FRAME_BYTES_MAX) throw refuse.tooBig(`frame over ${FRAME_BYTES_MAX} bytes`);
      this.#handlers.onFrame(decodeFrame(bytes), bytes);
    } catch (error) {
      this.refuse(this.#asRefusal(error as Error));
    }
  }

  #asRefusal(error: Error): RefusalError {
    if (error instanceof RefusalError) return error;
    if (error instanceof FrameError) return refuse.protocol(error.message);
    this.log.error(error, 'handling a frame failed');
    return new RefusalError(CLOSE_INTERNAL_ERROR, 'internal error');
  }

  #seen(): void {
    this.#alive_ms = performance.now();
  }

  #ping(): void {
    if (performance.now() - this.#alive_ms > this.#limits.pong_timeout_ms) {
      this.terminate('it answered no ping');
    } else this.socket.ping(() => {});
  }

  /** ws reports malformed WebSocket frames and socket errors here, and closes by itself. */
  #socketError(error: Error): void {
    if (this.#refused) return;
    this.#refused = true;
    this.#reason = error.message;
    this.log.warn(`peer failed: ${error.message}`);
    setTimeout(() => this.socket.terminate(), this.#limits.close_timeout_ms).unref();
  }

  #closed(code: number, reason: string): void {
    clearTimeout(this.#greeting);
    clearInterval(this.#pinger);
    this.#handlers.onClose(this.#reason || reason || `connection closed (${code})`);
  }
}
