/**
 * One WebSocket to the gateway's /ws/live, kept open: subscribes, decodes frames, reconnects with
 * back-off. Knows frames, not what they mean. Sockets, timers and randomness are injected, so it
 * runs the same in a browser and in Node. Never throws to its callers; damage is counted and told.
 */

import { decodeFrame, encodeFrame } from '../../proto/frame.js';
import { FRAME_BYTES_MAX, PROTOCOL_VERSION } from '../../proto/gen/constants.js';
import type { ringtap } from '../../proto/gen/messages.js';
import { backoffMs } from './backoff.js';

/** The part of the browser's WebSocket that is used. */
export interface Socket {
  binaryType: string;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: (() => void) | null;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

export interface Timers {
  set(fn: () => void, ms: number): unknown;
  clear(handle: unknown): void;
}

export interface ConnectionState {
  phase: 'connecting' | 'open' | 'waiting' | 'stopped';
  /** Local time this phase began. */
  sinceMs: number;
  /** When the next attempt is due; only while waiting. */
  retryAtMs: number | null;
  /** Failed attempts since the last frame was received. */
  failures: number;
  /** Why the last connection ended, for people; null when it never did. */
  reason: string | null;
}

export interface ConnectionOptions {
  url: string;
  openSocket: (url: string) => Socket;
  timers: Timers;
  now: () => number;
  random: () => number;
  /** `message` is the whole WebSocket message; the frame's bytes are views into it. */
  onFrame: (frame: ringtap.Frame, message: ArrayBuffer) => void;
  onState: (state: ConnectionState) => void;
  /** A message that is no frame; the connection goes on. */
  onDamage: (reason: string) => void;
}

/** No answer to a connection attempt in this time counts as a failure. */
export const CONNECT_TIMEOUT_MS = 10_000;

export class Connection {
  readonly #options: ConnectionOptions;
  #socket: Socket | null = null;
  #timer: unknown = null;
  #failures = 0;
  #refusal: string | null = null;
  state: ConnectionState;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.state = { phase: 'stopped', sinceMs: options.now(), retryAtMs: null, failures: 0, reason: null };
  }

  /** Connect now; does nothing while a socket is open or opening. */
  start(): void {
    if (this.#socket) return;
    this.#clearTimer();
    this.#enter('connecting', null, this.state.reason);
    try {
      this.#socket = this.#options.openSocket(this.#options.url);
    } catch (error) {
      this.#retry(`cannot open ${this.#options.url}: ${(error as Error).message}`);
      return;
    }
    this.#listen(this.#socket);
    this.#timer = this.#options.timers.set(
      () => this.#drop('no answer from the gateway'),
      CONNECT_TIMEOUT_MS,
    );
  }

  /** Close and stay closed. */
  stop(): void {
    this.#release();
    this.#enter('stopped', null, null);
  }

  /** Close a connection that has gone quiet, or cut a wait short, and try again. */
  restart(reason: string): void {
    this.#release();
    this.state = { ...this.state, reason };
    this.start();
  }

  #listen(socket: Socket): void {
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#clearTimer();
      this.#refusal = null;
      this.#enter('open', null, null);
      socket.send(encodeFrame({ subscribe: { protocol: PROTOCOL_VERSION, probes: [] } }));
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onerror = () => {}; // always followed by close, which has the code
    socket.onclose = (event) => {
      const said = this.#refusal ?? event.reason;
      this.#socket = null;
      this.#retry(
        said || (this.state.phase === 'open' ? 'the connection was lost' : 'the gateway does not answer'),
      );
    };
  }

  #receive(data: unknown): void {
    const frame = this.#decode(data);
    if (!frame) return;
    this.#failures = 0;
    if (frame.refusal) this.#refusal = frame.refusal.message || `refused with code ${frame.refusal.code}`;
    this.#options.onFrame(frame, data as ArrayBuffer);
  }

  /** Null, and told, when it is no frame. */
  #decode(data: unknown): ringtap.Frame | null {
    let damage: string;
    if (!(data instanceof ArrayBuffer)) {
      damage = 'a text message where frames are binary';
    } else if (data.byteLength > FRAME_BYTES_MAX) {
      damage = `a message of ${data.byteLength} bytes, over the limit of ${FRAME_BYTES_MAX}`;
    } else {
      try {
        return decodeFrame(new Uint8Array(data));
      } catch (error) {
        damage = (error as Error).message;
      }
    }
    this.#options.onDamage(damage);
    return null;
  }

  #drop(reason: string): void {
    this.#release();
    this.#retry(reason);
  }

  #retry(reason: string): void {
    this.#clearTimer();
    this.#failures++;
    const delay = backoffMs(this.#failures, this.#options.random);
    this.#enter('waiting', this.#options.now() + delay, reason);
    this.#timer = this.#options.timers.set(() => this.start(), delay);
  }

  #release(): void {
    this.#clearTimer();
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null; // onerror stays: closing early is one
    socket.close();
  }

  #clearTimer(): void {
    if (this.#timer !== null) this.#options.timers.clear(this.#timer);
    this.#timer = null;
  }

  #enter(phase: ConnectionState['phase'], retryAtMs: number | null, reason: string | null): void {
    this.state = { phase, sinceMs: this.#options.now(), retryAtMs, failures: this.#failures, reason };
    this.#options.onState(this.state);
  }
}
