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

  // Stored captures
  /** Questions answered at once, of all callers; the next is told to come again. */
  scans: 64,
  /** Of one caller (address), so that one cannot take all. */
  scans_per_caller: 32,
  /** Of those, how many read at the same moment; they take turns, group of packets by group. */
  scan_turns: 4,
  /** A question answered with one JSON document is cut off after this, with what it has. */
  answer_timeout_ms: 20_000,
  /** A page of packets or flows. */
  page_rows: 1000,
  page_rows_default: 100,
  /** Rows of an export, and of a job's results. */
  export_rows: 10_000_000,
  job_results: 1_000_000,
  job_results_default: 10_000,
  /** Jobs known, finished ones included; the oldest finished one goes for a new one. */
  jobs: 100,
  /** Jobs at work at once; others wait, those of callers with fewer at work first. */
  jobs_running: 20,
  /** How long a job may run, and how long it is kept after its end. */
  job_timeout_ms: 3_600_000,
  job_keep_ms: 900_000,
  /** Disk for one job's results. */
  job_spool_bytes: 256 * MIB,
  /** A reader of a stream that takes nothing for this long is cut off. */
  stream_stall_ms: 60_000,
  /** Flows whose packets are looked for when a question names flow fields. */
  matched_flows: 10_000,
  follow_bytes: 16 * MIB,
  follow_bytes_default: MIB,
  follow_packets: 50_000,
  timeline_bins: 2000,
  timeline_bins_default: 200,

  // SQL
  sql_chars: 32 * KIB,
  sql_rows: 100_000,
  sql_rows_default: 1000,
  sql_result_bytes: 32 * MIB,
  sql_memory_bytes: 512 * MIB,
  sql_timeout_ms: 20_000,
  /** Statements at once; others wait, and beyond sql_waiting are told to come again. */
  sql_concurrent: 2,
  sql_waiting: 16,
  /** DuckDB's process ends after being idle for this long. */
  sql_idle_ms: 120_000,

  // Flow records
  /** Flows an engine keeps open per segment (320 bytes each). */
  flow_table: 262_144,
  /** How often the segments are looked at, and the growing ones read on. */
  flow_poll_ms: 1_000,
  /** Bytes read per second by the thread that makes flow records. */
  flow_read_bytes_per_second: 512 * MIB,
  /** Flow records kept beyond their packets take at most this much; the oldest go first. */
  flow_files_bytes: 64 * 1024 * MIB,

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
