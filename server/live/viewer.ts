/**
 * One viewer's connection: Subscribe, then frames from its own bounded queue at the pace of its own
 * socket. Sheds and says so; never makes anybody wait. A viewer that takes nothing is cut off.
 */
import type { FrameFields } from '../../proto/frame.js';
import { PROTOCOL_VERSION } from '../../proto/gen/constants.js';
import { type Limits, RateLimit } from '../limits.js';
import { refuse } from '../refusal.js';
import type { Peer } from '../sockets/peer.js';
import { gapFrame } from './frames.js';
import { type GapRange, ViewerQueue } from './queue.js';

/** Told of a subscription, so that the known probes can be sent. */
export interface ViewerHost {
  subscribed(viewer: Viewer): void;
  left(viewer: Viewer): void;
}

type Frame = FrameFields & { body?: string };

export class Viewer {
  readonly queue: ViewerQueue;
  readonly #peer: Peer;
  readonly #limits: Limits;
  readonly #host: ViewerHost;
  readonly #subscribes: RateLimit;
  #subscription: { probes: ReadonlySet<number>; batches: boolean } | null = null;
  /** performance.now() when the socket last took something, or had nothing to take. */
  #progress_ms = performance.now();
  readonly #stallTimer: NodeJS.Timeout;

  constructor(peer: Peer, limits: Limits, host: ViewerHost) {
    this.queue = new ViewerQueue(limits);
    this.#peer = peer;
    this.#limits = limits;
    this.#host = host;
    this.#subscribes = new RateLimit(limits.subscribes_per_second);
    this.#stallTimer = setInterval(() => this.#checkStall(), limits.viewer_stall_ms / 4);
  }

  onFrame(frame: Frame, _bytes: Buffer): void {
    const subscribe = frame.subscribe;
    if (frame.body !== 'subscribe' || !subscribe) {
      throw refuse.protocol(`a viewer sends Subscribe, not ${frame.body}`);
    }
    if (subscribe.protocol !== PROTOCOL_VERSION) throw refuse.version(subscribe.protocol ?? 0);
    if (!this.#subscribes.take()) {
      throw refuse.protocol(`more than ${this.#limits.subscribes_per_second} Subscribe frames a second`);
    }
    this.#peer.greeted();
    this.#subscription = { probes: new Set(subscribe.probes ?? []), batches: !subscribe.summariesOnly };
    this.#host.subscribed(this);
  }

  onClose(): void {
    clearInterval(this.#stallTimer);
    this.#subscription = null;
    this.#host.left(this);
  }

  wants(probe: number): boolean {
    const subscription = this.#subscription;
    return subscription !== null && (subscription.probes.size === 0 || subscription.probes.has(probe));
  }

  /** A frame about a probe that must not be dropped. */
  control(probe: number, frame: Uint8Array): void {
    if (!this.wants(probe)) return;
    this.queue.push({ frame, range: null, isBatch: false });
    if (this.queue.controlFrames > this.#limits.viewer_control_frames) {
      this.#peer.terminate('it left too many frames unread');
    } else this.#pump();
  }

  /** A batch, or with isBatch false the gap frame that stands for batches the uplink lost. */
  data(frame: Uint8Array, range: GapRange, isBatch: boolean): void {
    if (!this.wants(range.probe) || !this.#subscription?.batches) return;
    this.queue.push({ frame, range, isBatch });
    this.#pump();
  }

  /** Hands frames to the socket while it has room; its callbacks come back here. */
  #pump(): void {
    const { socket } = this.#peer;
    while (!this.queue.empty && socket.bufferedAmount < this.#limits.viewer_socket_bytes) {
      if (socket.readyState !== socket.OPEN) return;
      for (const gap of this.queue.takeGaps()) this.#write(gapFrame(gap, 'viewer-slow'));
      const item = this.queue.shift();
      if (item) this.#write(item.frame);
    }
  }

  #write(frame: Uint8Array): void {
    if (this.#peer.socket.bufferedAmount === 0) this.#progress_ms = performance.now();
    this.#peer.socket.send(frame, this.#written);
  }

  /** One closure for every frame: nothing allocated per send. */
  readonly #written = (error?: Error | null): void => {
    if (error) return;
    this.#progress_ms = performance.now();
    this.#pump();
  };

  #checkStall(): void {
    const waits = this.#peer.socket.bufferedAmount > 0;
    if (waits && performance.now() - this.#progress_ms > this.#limits.viewer_stall_ms) {
      this.#peer.terminate(`it took nothing for ${this.#limits.viewer_stall_ms / 1000} s`);
    }
  }
}
