/**
 * Every limit of the gateway: its name, its default and why it is there. Tests shrink them; nothing
 * else in the gateway holds a bare number that bounds memory, time or rate.
 */
import { CREDIT_BATCHES_DEFAULT } from '../proto/gen/constants.js';

const KIB = 1024;
const MIB = 1024 * KIB;

export const LIMITS = {
  // HTTP
  /** TCP connections of any kind; the operating system queues the rest. */
  connections: 1024,
  /** Time for a request's headers: a slow sender of headers holds a connection no longer. */
  headers_timeout_ms: 10_000,
  request_timeout_ms: 30_000,
  /** How often the two above are enforced. */
  timeout_check_ms: 2_000,
  body_bytes: 64 * KIB,

  // Any WebSocket
  /** Time from the upgrade to Hello or Subscribe. */
  greeting_timeout_ms: 5_000,
  ping_interval_ms: 10_000,
  /** A peer that has not answered a ping for this long is gone. */
  pong_timeout_ms: 45_000,
  /** Time between Refusal and cutting a peer that does not close. */
  close_timeout_ms: 2_000,

  // /ws/ingest
  /** Probes known at once; the longest-gone one is forgotten for a new one. */
  probes: 64,
  credit_batches: CREDIT_BATCHES_DEFAULT,
  /** An Ack waits at most this long for company. */
  ack_delay_ms: 50,
  ledgers_per_second: 20,
  name_chars: 255,
  filter_chars: 4096,
  section_bytes: 64 * KIB,

  // /ws/live
  viewers: 256,
  subscribe_bytes: 4 * KIB,
  subscribes_per_second: 10,
  /** Per viewer, waiting in the gateway; above either the oldest batches are dropped. */
  viewer_queue_bytes: 8 * MIB,
  viewer_queue_frames: 1024,
  /** Ledgers and the like are never dropped: a viewer that lets this many gather is cut off. */
  viewer_control_frames: 4096,
  /** Handed to the socket at a time; small, so that drop-oldest decides and not the kernel. */
  viewer_socket_bytes: 256 * KIB,
  /** A viewer whose socket took nothing for this long is cut off. */
  viewer_stall_ms: 30_000,

  // Analysis
  /** Payload bytes on their way to the analysis thread; above it payloads are shed and counted. */
  analysis_queue_bytes: 32 * MIB,
  /** Flows kept per probe (128 bytes each), the least recently seen evicted. */
  analysis_flows: 65_536,
  analysis_restart_min_ms: 250,
  analysis_restart_max_ms: 30_000,
  summary_interval_ms: 1_000,

  // Shutdown
  shutdown_ms: 2_000,
};

export type Limits = typeof LIMITS;

/** Events per second with a burst of one second's worth. For rates of single peers, not for packets. */
export class RateLimit {
  readonly #perSecond: number;
  #tokens: number;
  #last_ms: number;

  constructor(perSecond: number, now_ms = performance.now()) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#last_ms = now_ms;
  }

  /** True when one more event fits in the rate. */
  take(now_ms = performance.now()): boolean {
    const refill = ((now_ms - this.#last_ms) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + refill);
    this.#last_ms = now_ms;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
