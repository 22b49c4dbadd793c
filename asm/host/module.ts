/**
 * Loads the WASM module and checks that it is one this host can drive. Everything that knows how the
 * module's exports are called and where its arenas lie starts here; layouts are read from the binary.
 */
import { ABI_VERSION } from '../../proto/gen/constants.js';
import { EngineError } from './errors.js';

/** The exported functions. u64 values travel as two u32; a u32 above 2^31 arrives negative: `>>> 0`. */
export interface ModuleExports {
  memory: WebAssembly.Memory;
  /** Where the host puts the filter functions it emitted. */
  table: WebAssembly.Table;
  abi_version(): number;
  init(maxFlows: number, seedLow: number, seedHigh: number): number;
  reset(): void;
  stream_begin(): void;
  reserve(): number;
  push(length: number, rows: number): number;
  resume(rows: number): number;
  stream_end(): void;
  error_kind(): number;
  error_code(): number;
  error_argument(number: number): number;
  error_offset_low(): number;
  error_offset_high(): number;
  format(): number;
  row_count(): number;
  totals(): number;
  flow_count(): number;
  flow_slots(): number;
  flow_entry(number: number): number;
  flow_more(number: number): number;
  flow_options(exports: number, tcp: number, udp: number, icmp: number, other: number, batch: number): void;
  export_count(): number;
  export_clear(): void;
  export_rest(from: number): number;
  talkers(kind: number): number;
  talkers_error_low(): number;
  talkers_error_high(): number;
  filter_clear(active: number): void;
  filter_restart(): void;
  filter_add(key: number, count: number): number;
  filter_key(): number;
  filter_call(slot: number, index: number): void;
  filter_loops(slot: number, index: number): void;
  scan_only(on: number): void;
  decode(linktype: number, caplen: number, wirelen: number): number;
  digest(length: number): void;
  blocks_begin(): void;
  blocks_interface(linktype: number): number;
  blocks_range(on: number, fromLow: number, fromHigh: number, toLow: number, toHigh: number): void;
  blocks_scan(start: number, end: number): number;
  blocks_stop(): number;
  blocks_key(): number;
  blocks_found(): number;
  blocks_packets(): number;
  blocks_gather(first: number, count: number, headers: number): number;
  blocks_truncated(): number;
  index_init(): number;
  index_begin(): void;
  index_extent(number: number): void;
  index_opaque(): void;
  index_add(start: number, end: number): number;
  index_stop(): number;
  index_packets(): number;
  index_fill(section: number): number;
  index_pack(width: number, address: number, flow: number, service: number, ephemeral: number): number;
}

const FUNCTIONS = [
  'abi_version', 'init', 'reset', 'stream_begin', 'reserve', 'push', 'resume', 'stream_end', 'error_kind',
  'error_code', 'error_argument', 'error_offset_low', 'error_offset_high', 'format', 'row_count', 'totals',
  'flow_count', 'flow_slots', 'flow_entry', 'flow_more', 'flow_options', 'export_count', 'export_clear', 'export_rest',
  'talkers', 'talkers_error_low', 'talkers_error_high', 'filter_clear', 'filter_restart', 'filter_add', 'filter_key',
  'filter_call', 'filter_loops', 'scan_only', 'decode', 'digest', 'blocks_begin', 'blocks_interface', 'blocks_range', 'blocks_scan',
  'blocks_stop', 'blocks_key', 'blocks_found', 'blocks_packets', 'blocks_gather', 'blocks_truncated', 'index_init', 'index_begin', 'index_extent', 'index_opaque',
  'index_add', 'index_stop', 'index_packets', 'index_fill', 'index_pack',
] as const; // biome-ignore format: a list of names

/** A loaded module: its functions, its constants by name, and a view of its memory that stays valid. */
export class Module {
  readonly fn: ModuleExports;
  readonly constants: ReadonlyMap<string, number>;
  #view: DataView;
  #bytes: Uint8Array;

  private constructor(instance: WebAssembly.Instance) {
    this.fn = instance.exports as unknown as ModuleExports;
    const constants = new Map<string, number>();
    for (const [name, value] of Object.entries(instance.exports))
      if (value instanceof WebAssembly.Global) constants.set(name, (value.value as number) >>> 0);
    this.constants = constants;
    this.#view = new DataView(this.fn.memory.buffer);
    this.#bytes = new Uint8Array(this.fn.memory.buffer);
  }

  /** Compiles and instantiates; throws EngineError when the bytes are not our module in our version. */
  static async load(source: WebAssembly.Module | BufferSource): Promise<Module> {
    const compiled = source instanceof WebAssembly.Module ? source : await compile(source);
    const [wanted] = WebAssembly.Module.imports(compiled);
    if (wanted)
      throw new EngineError(
        `not the Ringtap module: it imports ${wanted.module}.${wanted.name}; ours has none`,
      );
    const instance = await WebAssembly.instantiate(compiled, {});
    const version = instance.exports.abi_version;
    if (typeof version !== 'function')
      throw new EngineError('not the Ringtap module: it does not export abi_version');
    if (version() !== ABI_VERSION)
      throw new EngineError(
        `ringtap.wasm has ABI version ${version()}, this engine needs ${ABI_VERSION}: take both from the same build`,
      );
    const missing = FUNCTIONS.find((name) => typeof instance.exports[name] !== 'function');
    const { memory, table } = instance.exports;
    if (missing || !(memory instanceof WebAssembly.Memory) || !(table instanceof WebAssembly.Table))
      throw new EngineError(
        `ringtap.wasm does not export ${missing ?? 'memory and table'}: take module and engine from the same build`,
      );
    return new Module(instance);
  }

  /** Value of an exported constant. */
  constant(name: string): number {
    const value = this.constants.get(name);
    if (value === undefined)
      throw new EngineError(
        `ringtap.wasm does not export ${name}: take module and engine from the same build`,
      );
    return value;
  }

  /** Memory, viewed anew after it grew (growing detaches earlier views). */
  get view(): DataView {
    if (this.#view.buffer !== this.fn.memory.buffer) this.#view = new DataView(this.fn.memory.buffer);
    return this.#view;
  }

  get bytes(): Uint8Array {
    if (this.#bytes.buffer !== this.fn.memory.buffer) this.#bytes = new Uint8Array(this.fn.memory.buffer);
    return this.#bytes;
  }

  /** A count kept as u64; exact below 2^53, which counts never reach. */
  count(address: number): number {
    return Number(this.view.getBigUint64(address, true));
  }
}

async function compile(source: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(source);
  } catch (cause) {
    throw new EngineError(`not a WebAssembly module: ${(cause as Error).message}`);
  }
}
