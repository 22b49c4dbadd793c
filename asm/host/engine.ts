/**
 * The engine: one WASM instance behind a typed, synchronous API. It owns its memory and nothing else:
 * no timers, no I/O, no globals; as many engines as needed can live side by side.
 */
import type { Description } from './describe.js';
import { describeNodes } from './describe.js';
import { EngineError } from './errors.js';
import { FilterSet } from './filter/set.js';
import type { FlowsOptions } from './flows.js';
import { FlowReader } from './flows.js';
import { sha256 } from './ja4.js';
import { HelloJoiner, stretch } from './joined-hello.js';
import type { KeyFields } from './keyfields.js';
import { readKeyFields } from './keyfields.js';
import { captureFormat, streamError } from './messages.js';
import { Module } from './module.js';
import { PacketRows } from './rows.js';
import { readSeries } from './series.js';
import { distinctOf, readSketch, readTalkers } from './talkers.js';
import type { NodeRecord } from './tree.js';
import { buildTree, decodedBytes, readNodes } from './tree.js';
import type {
  CaptureFormat,
  Distinct,
  Flow,
  ProtocolName,
  SeriesPoint,
  StreamError,
  TalkerKind,
  TopTalkers,
  Totals,
  TreeNode,
} from './types.js';
import { PROTOCOLS } from './types.js';

export interface EngineOptions {
  /** Flows kept at once (320 bytes each); beyond it the least recently seen are evicted. Default 262144. */
  maxFlows?: number;
  /** Seed of the flow hash and of uids; random by default, so that nobody can craft collisions. */
  seed?: bigint;
  /**
   * Keeps flows that ended for drainFlows(), which must then be called now and again. Default false: they
   * stay listed by flows() until their place is needed and are lost then, counted in flowsEvicted.
   */
  exportFlows?: boolean;
  /**
   * For counts only: flows that ended are neither listed, drained nor among the top talkers, which saves
   * the time of keeping them. Default false.
   */
  forgetFlows?: boolean;
  /** A flow silent for longer ends; the next packet begins another. Default: never. */
  idleTimeouts?: IdleTimeouts;
  /** Seed of Community IDs, 16 bits. Default 0. */
  communityIdSeed?: number;
  /** When packets are entered into the flow table together; results do not depend on it. Default auto. */
  flowBatches?: 'auto' | 'never' | 'always';
}

/** Whole seconds; 0 never. Zeek has 300, 60 and 60. */
export interface IdleTimeouts {
  tcp?: number;
  udp?: number;
  /** ICMP and ICMPv6. */
  icmp?: number;
  other?: number;
}

export interface TopTalkersOptions {
  /** At most this many; all counted by default, as mergeTopTalkers() needs. */
  k?: number;
  by: TalkerKind;
}

const MAX_FLOWS_DEFAULT = 262144;
const ROWS_NONE = 0;
const ROWS_WANTED = 1;
const ROWS_KEEP = 2;

export class Engine {
  readonly #module: Module;
  readonly #filter: FilterSet;
  readonly #rows: PacketRows;
  readonly #chunkMax: number;
  readonly #stopRows: number;
  readonly #stopFilter: number;
  readonly #stopFlows: number;
  readonly #flows: FlowReader;
  readonly #exporting: boolean;
  #ended: Flow[] = [];
  #hellos = new HelloJoiner();

  private constructor(module: Module, seed: bigint, options: EngineOptions) {
    this.#flows = new FlowReader(module, seed, options.communityIdSeed ?? 0);
    this.#exporting = options.exportFlows ?? false;
    this.#stopFlows = module.constant('STOP_FLOWS');
    this.#module = module;
    this.#filter = new FilterSet(module);
    this.#chunkMax = module.constant('CHUNK_MAX');
    this.#stopRows = module.constant('STOP_ROWS');
    this.#stopFilter = module.constant('STOP_FILTER');
    this.#rows = new PacketRows(module, (rows, i) =>
      this.describe(rows.linktype(i), rows.bytes(i), rows.wirelen(i)),
    );
  }

  /** Throws EngineError when the module is not ours, has another ABI version, or memory is short. */
  static async load(source: WebAssembly.Module | BufferSource, options: EngineOptions = {}): Promise<Engine> {
    const module = await Module.load(source);
    const { maxFlows = MAX_FLOWS_DEFAULT, seed = randomSeed() } = options;
    const low = Number(BigInt.asUintN(32, seed));
    const high = Number(BigInt.asUintN(32, seed >> 32n));
    if (module.fn.init(maxFlows, low, high) !== 0)
      throw new EngineError(`the engine cannot hold ${maxFlows} flows: use a maxFlows from 16 to 2097152`);
    setFlowOptions(module, options);
    return new Engine(module, seed, options);
  }

  /** Starts a new stream, whose format shows in its first bytes. Totals, flows and series are kept. */
  begin(): void {
    this.#module.fn.stream_begin();
    this.#hellos = new HelloJoiner();
  }

  /**
   * Feeds bytes of the stream, cut anywhere. `onRows` is called zero or more times with the packets
   * that became whole; it must not call push, begin or reset. After an error the bytes are ignored.
   */
  push(chunk: Uint8Array, onRows?: (rows: PacketRows) => void): void {
    this.#feed(chunk, onRows, false);
  }

  /**
   * As push, but only filters and counts: of totals() packets, bytes, times and `matched` go on, and rows
   * have no flow; protocols, flows and series stay as they were. Several times as fast. A stream may be
   * pushed and scanned in turns.
   */
  scan(chunk: Uint8Array, onRows?: (rows: PacketRows) => void): void {
    this.#feed(chunk, onRows, true);
  }

  /**
   * Room in the engine's memory for the next bytes of the stream: what is read into it and then given to
   * push or scan as `room.subarray(0, length)` is not copied again. Void after the next call of either.
   */
  room(): Uint8Array {
    const address = this.#module.fn.reserve();
    return this.#module.bytes.subarray(address, address + this.#chunkMax);
  }

  #feed(chunk: Uint8Array, onRows: ((rows: PacketRows) => void) | undefined, scan: boolean): void {
    this.#module.fn.scan_only(scan ? 1 : 0);
    for (let at = 0; at < chunk.length; at += this.#chunkMax)
      this.#pushPiece(chunk.subarray(at, at + this.#chunkMax), onRows);
    if (scan) this.#filter.settleLoops();
  }

  /** One chunk. The module stops when rows are full or a linktype needs its filter, and is resumed. */
  #pushPiece(piece: Uint8Array, onRows: ((rows: PacketRows) => void) | undefined): void {
    const { fn } = this.#module;
    const address = fn.reserve();
    const { bytes } = this.#module;
    if (piece.buffer !== bytes.buffer || piece.byteOffset !== address) bytes.set(piece, address);
    let failure: unknown;
    for (let stop = fn.push(piece.length, onRows ? ROWS_WANTED : ROWS_NONE); ; ) {
      if (stop === this.#stopFilter) {
        this.#filter.supply(fn.filter_key() >>> 0);
        stop = fn.resume(ROWS_KEEP);
        continue;
      }
      if (stop === this.#stopFlows) {
        this.#ended.push(...this.#flows.takeExports());
        stop = fn.resume(ROWS_KEEP);
        continue;
      }
      // A callback that throws must not leave the chunk half read: the rest is read without it.
      if (!failure) failure = this.#handOut(onRows);
      if (stop !== this.#stopRows) break;
      stop = fn.resume(ROWS_WANTED);
    }
    this.#filter.settle(piece.length);
    if (failure) throw failure;
  }

  /** Returns what the callback threw. */
  #handOut(onRows: ((rows: PacketRows) => void) | undefined): unknown {
    try {
      if (onRows && this.#module.fn.row_count() > 0) onRows(this.#rows.refresh());
    } catch (error) {
      return error ?? new Error('onRows threw nothing');
    }
    return undefined;
  }

  /** End of input: returns the stream's error, a truncated tail included, or null when it was whole. */
  end(): StreamError | null {
    this.#module.fn.stream_end();
    return this.error;
  }

  /** Forgets totals, flows, series and the stream. The filter stays. */
  reset(): void {
    this.#module.fn.reset();
    this.#ended = [];
    this.#hellos = new HelloJoiner();
  }

  get error(): StreamError | null {
    return streamError(this.#module);
  }

  get format(): CaptureFormat {
    return captureFormat(this.#module.fn.format());
  }

  get flowCount(): number {
    return this.#module.fn.flow_count();
  }

  /** Flows given up because the table was full. A flow that comes back counts as a new one. */
  get flowsEvicted(): number {
    return this.#total('FLOWS_EVICTED');
  }

  /** Packets that passed the filter since it was set (all of them when none is). */
  get matched(): number {
    return this.#total('MATCHED');
  }

  totals(): Totals {
    this.#module.fn.totals();
    const { view } = this.#module;
    const state = this.#module.constant('STATE_BASE');
    const at = (name: string) => state + this.#module.constant(`TOTALS_${name}`);
    const timed = view.getUint32(at('TIMED'), true) === 1;
    return {
      packets: this.#total('PACKETS'),
      capturedBytes: this.#total('CAPTURED_BYTES'),
      originalBytes: this.#total('ORIGINAL_BYTES'),
      firstTsNs: timed ? view.getBigInt64(at('FIRST_TS'), true) : null,
      lastTsNs: timed ? view.getBigInt64(at('LAST_TS'), true) : null,
      protocolCounts: this.#protocolCounts(),
      tcpConversations: this.#total('TCP_CONVERSATIONS'),
      udpConversations: this.#total('UDP_CONVERSATIONS'),
      truncated: this.#total('TRUNCATED'),
      malformed: this.#total('MALFORMED'),
      unsupported: this.#total('UNSUPPORTED'),
      linkTypes: this.#linkTypes(view.getUint32(at('LINKTYPE_COUNT'), true)),
    };
  }

  /** Packets counted in flows, once for each IP layer: the sum over all flows ever listed and drained. */
  get flowPackets(): number {
    return this.#total('FLOW_PACKETS');
  }

  /** The flows in the table. */
  flows(options: FlowsOptions = {}): Flow[] {
    return this.#flows.list(options);
  }

  /**
   * The flows that ended since the last call, in order of their end; with `all` those still in the table
   * end too. Needs the option exportFlows. Until it is called they take memory of the host.
   */
  drainFlows({ all = false } = {}): Flow[] {
    if (!this.#exporting) throw new EngineError('drainFlows needs an engine loaded with exportFlows: true');
    const flows = this.#ended;
    this.#ended = [];
    for (const flow of this.#flows.takeExports()) flows.push(flow);
    if (all) for (const some of this.endFlows()) for (const flow of some) flows.push(flow);
    return flows;
  }

  /**
   * Ends the flows in the table and hands them out about a thousand at a time, after those that ended
   * before: memory stays bounded. Packets must not be pushed in between. Needs exportFlows.
   */
  *endFlows(): Generator<Flow[]> {
    yield this.drainFlows();
    const { fn } = this.#module;
    for (let from = 0; from < fn.flow_slots(); ) {
      from = fn.export_rest(from);
      yield this.#flows.takeExports();
    }
  }

  /** Who sent, received or carried most bytes since the last reset, ended flows included. */
  topTalkers({ k = Number.POSITIVE_INFINITY, by }: TopTalkersOptions): TopTalkers {
    return readTalkers(this.#module, by, k);
  }

  /** How many different addresses, ports and flows there were since the last reset, estimated. */
  distinct(): Distinct {
    return distinctOf(this.distinctSketch());
  }

  /** What distinct() is estimated from, a copy: mergeSketches() and distinctOf() for several engines. */
  distinctSketch(): Uint8Array {
    return readSketch(this.#module);
  }

  /** Seconds with traffic within the newest SERIES_SECONDS (4096), oldest first, from `sinceSec` on. */
  series(sinceSec = Number.NEGATIVE_INFINITY): SeriesPoint[] {
    return readSeries(this.#module, sinceSec);
  }

  /**
   * Sets the pcap-filter expression and restarts `matched`; null or blank removes it. Throws
   * FilterError, with the position in the expression, and then leaves the filter as it was.
   */
  setFilter(expression: string | null): void {
    this.#filter.set(expression);
  }

  /** Why packets of a linktype met since setFilter could not be filtered and count as not matching, or null. */
  get filterProblem(): string | null {
    return this.#filter.problem;
  }

  /**
   * Filters run as WebAssembly functions of their own once so many bytes went through them (default
   * 262144), until then and where the host's policy refuses compiling by the module's interpreter: the
   * same results, more slowly. Infinity keeps to the interpreter.
   */
  emitFiltersAfter(bytes: number): void {
    this.#filter.emitAfter = bytes;
  }

  /** Number of filter programs (one per linktype met) that run as functions of their own. */
  get filtersEmitted(): number {
    return this.#filter.emitted;
  }

  /** Packet tree with byte ranges. Never throws on hostile bytes; frames over 262144 bytes are cut. */
  decode(linktype: number, bytes: Uint8Array, wirelen = bytes.length): TreeNode[] {
    const { nodes, frame } = this.#decode(linktype, bytes, wirelen);
    return buildTree(nodes, frame);
  }

  describe(linktype: number, bytes: Uint8Array, wirelen = bytes.length): Description {
    const { nodes, frame } = this.#decode(linktype, bytes, wirelen);
    return describeNodes(nodes, frame, wirelen);
  }

  /** What the packet's application and tunnel headers say, of its innermost ones; empty when it has none. */
  keyFields(linktype: number, bytes: Uint8Array, wirelen = bytes.length): KeyFields {
    const { nodes, frame } = this.#decode(linktype, bytes, wirelen);
    return readKeyFields(nodes, frame, (text) => sha256(this.#module, text));
  }

  /**
   * As keyFields, of row i, and of the rows before it: a TLS ClientHello cut into TCP segments is put together,
   * and the row that completes it has its SNI, ALPN and JA4. For that, rows of the flow must all be asked for,
   * in order; unfinished hellos take at most 4.5 MB. begin() and reset() forget them.
   */
  streamKeyFields(rows: PacketRows, i: number): KeyFields {
    const [linktype, bytes, wirelen] = [rows.linktype(i), rows.bytes(i), rows.wirelen(i)];
    const decoded = this.#decode(linktype, bytes, wirelen);
    const whole = this.#hellos.take(rows.flowId(i), bytes, decoded);
    if (whole === bytes)
      return readKeyFields(decoded.nodes, decoded.frame, (text) => sha256(this.#module, text));
    stretch(whole, this.#decode(linktype, whole, whole.length));
    return this.keyFields(linktype, whole);
  }

  /** Node records and the bytes they speak of, of frames cut to CAPLEN_MAX. */
  #decode(linktype: number, bytes: Uint8Array, wirelen: number): { nodes: NodeRecord[]; frame: Uint8Array } {
    const captured = bytes.subarray(0, this.#module.constant('CAPLEN_MAX'));
    this.#module.bytes.set(captured, this.#module.constant('SCRATCH_BASE'));
    const nodes = readNodes(this.#module, this.#module.fn.decode(linktype, captured.length, wirelen));
    return { nodes, frame: decodedBytes(this.#module, nodes, captured.length) };
  }

  #total(name: string): number {
    return this.#module.count(this.#module.constant('STATE_BASE') + this.#module.constant(`TOTALS_${name}`));
  }

  #protocolCounts(): Record<ProtocolName, number> {
    const base = this.#module.constant('COUNTS_BASE');
    const counts = PROTOCOLS.map((name, i) => [name, this.#module.count(base + i * 8)] as const);
    return Object.fromEntries(counts) as Record<ProtocolName, number>;
  }

  #linkTypes(count: number): number[] {
    const base = this.#module.constant('LINKTYPES_BASE');
    return Array.from({ length: count }, (_, i) => this.#module.view.getUint32(base + i * 4, true));
  }
}

const BATCHES = { auto: 0, never: 1, always: 2 } as const;
const IDLE_MAX_SEC = 0xffffffff;

function setFlowOptions(module: Module, options: EngineOptions): void {
  const { tcp = 0, udp = 0, icmp = 0, other = 0 } = options.idleTimeouts ?? {};
  for (const seconds of [tcp, udp, icmp, other])
    if (!Number.isInteger(seconds) || seconds < 0 || seconds > IDLE_MAX_SEC)
      throw new EngineError(
        `${seconds} is no idle timeout: use whole seconds from 0 (never) to ${IDLE_MAX_SEC}`,
      );
  const batches = BATCHES[options.flowBatches ?? 'auto'];
  if (options.exportFlows && options.forgetFlows)
    throw new EngineError('exportFlows and forgetFlows exclude each other');
  const keep = options.exportFlows ? 1 : options.forgetFlows ? 2 : 0;
  module.fn.flow_options(keep, tcp, udp, icmp, other, batches);
}

function randomSeed(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0]!;
}
