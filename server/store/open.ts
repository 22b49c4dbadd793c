/**
 * Opens a store: directories of recorder segments, read only. One catalogue and one pool of threads serve all
 * queries. Never writes to the directories; indexes are made by indexer.ts.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { explainFilter } from '../../asm/host/filter/explain.js';
import { BT_EPB, LINKTYPE_ETHERNET } from '../../proto/gen/constants.js';
import { paths } from '../paths.js';
import { Catalogue } from './catalogue.js';
import { CoverageBuilder } from './coverage.js';
import { Indexer, type IndexerOptions } from './indexer.js';
import { InlineRunner } from './inline.js';
import { CursorError, parseCursor } from './plan.js';
import { ScanPool } from './pool.js';
import { prunerOf } from './prune.js';
import { type Batch, noteMissing, scanBatches } from './scan.js';
import { EPB_HEADER_BYTES } from './scan-task.js';
import type { Segment } from './segment.js';
import type {
  BlockRun,
  Coverage,
  MissingPart,
  PacketHit,
  PacketQuery,
  ScanOptions,
  SegmentInfo,
  Store,
  TimeRange,
} from './types.js';

const THREADS_MAX = 64;
const EPB_BYTES_MAX = 16 << 20;

export interface StoreOptions {
  /** Scanning threads; as many as the machine has by default. */
  threads?: number;
  /** Added to their niceness: a server's queries must not slow the recorder. */
  nice?: number;
  wasmFile?: string;
  /** False: queries scan all blocks of their time range. Default true. */
  useIndexes?: boolean;
  /** Do the first tasks of a query on the calling thread, before others have started. For commands. */
  inline?: boolean;
}

/** Throws when a directory cannot be listed or the engine is missing. */
export async function openStore(
  directories: readonly string[],
  options: StoreOptions = {},
): Promise<LocalStore> {
  const {
    threads = Math.min(availableParallelism(), THREADS_MAX),
    nice = 0,
    wasmFile = paths.wasm,
    useIndexes = true,
    inline = false,
  } = options;
  const module = await WebAssembly.compile(new Uint8Array(readFileSync(wasmFile)));
  const catalogue = new Catalogue(directories);
  catalogue.refresh();
  const pool = new ScanPool(module, threads, nice);
  return new LocalStore(catalogue, module, pool, useIndexes, inline ? new InlineRunner(module) : null);
}

export class LocalStore implements Store {
  readonly #catalogue: Catalogue;
  readonly #module: WebAssembly.Module;
  readonly #pool: ScanPool;
  readonly #useIndexes: boolean;
  readonly #inline: InlineRunner | null;
  #indexer: Indexer | null = null;

  constructor(
    catalogue: Catalogue,
    module: WebAssembly.Module,
    pool: ScanPool,
    useIndexes: boolean,
    inline: InlineRunner | null,
  ) {
    this.#catalogue = catalogue;
    this.#module = module;
    this.#pool = pool;
    this.#useIndexes = useIndexes;
    this.#inline = inline;
  }

  /** Makes indexes from now on, in a thread of its own: writes to the directories. Once. */
  startIndexing(options: IndexerOptions = {}): Indexer {
    this.#indexer ??= new Indexer(this.#catalogue, this.#module, options);
    this.#indexer.start();
    return this.#indexer;
  }

  /** Indexes everything that is there, and resolves when that is done. `onProblem` hears what failed. */
  async indexAll(options: IndexerOptions = {}): Promise<Indexer> {
    this.#catalogue.refresh();
    const indexer = new Indexer(this.#catalogue, this.#module, options);
    try {
      await indexer.catchUp();
    } finally {
      await indexer.close();
    }
    return indexer;
  }

  /** What is wrong with indexes: sentences for people. They are not used, and made anew by who indexes. */
  problems(): string[] {
    const segments = this.#catalogue.segments().filter(({ indexProblem }) => indexProblem !== null);
    return segments.map(({ indexPath, indexProblem }) => `${indexPath}: ${indexProblem}; it is not used`);
  }

  async segments(): Promise<SegmentInfo[]> {
    this.#catalogue.refresh();
    return this.#catalogue.segments().map(infoOf).sort(byTime);
  }

  /** Packet blocks as they lie in their segments: what scan() and slices are made of. */
  async *batches(query: PacketQuery, options: ScanOptions = {}): AsyncGenerator<Batch, Coverage, void> {
    if (query.filter.trim()) explainFilter(query.filter, LINKTYPE_ETHERNET); // throws FilterError
    this.#catalogue.refresh();
    const prune = prunerOf(query.filter, query.range, this.#useIndexes);
    const context = { catalogue: this.#catalogue, pool: this.#pool, prune, inline: this.#inline };
    return yield* scanBatches(context, query, options);
  }

  async *scan(query: PacketQuery, options: ScanOptions = {}): AsyncGenerator<PacketHit[], Coverage, void> {
    const batches = this.batches(query, options);
    try {
      for (;;) {
        const { value, done } = await batches.next();
        if (done) return value;
        yield hitsOf(value, options.withoutBytes);
      }
    } finally {
      await batches.return(undefined as never);
    }
  }

  async blocks(stem: string): Promise<readonly BlockRun[]> {
    this.#catalogue.refresh();
    return this.#catalogue.get(stem)?.extents ?? [];
  }

  async missing(range: TimeRange): Promise<MissingPart[]> {
    this.#catalogue.refresh();
    const coverage = new CoverageBuilder(range);
    noteMissing(this.#catalogue, range, coverage);
    return coverage.missing;
  }

  async packet(id: string): Promise<PacketHit | MissingPart> {
    this.#catalogue.refresh();
    const { stem, offset } = parseCursor(id);
    const segment = this.#catalogue.get(stem);
    if (!segment) return this.#absent(stem);
    const extent = segment.extents.find((one) => offset >= one.offset && offset < one.offset + one.bytes);
    const block = extent && readBlock(segment.path, offset, extent.offset + extent.bytes);
    if (block) return hitOf(segment, block, 0, offset);
    throw new CursorError(`${id}: there is no packet at this place`);
  }

  #absent(stem: string): MissingPart {
    const coverage = new CoverageBuilder({ fromNs: null, toNs: null });
    const expired = this.#catalogue.expired().get(stem);
    if (expired) coverage.expired(expired);
    else coverage.gone({ stem } as Segment, { fromNs: null, toNs: null }, null, false);
    return coverage.missing[0] as MissingPart;
  }

  async close(): Promise<void> {
    this.#inline?.close();
    await Promise.all([this.#pool.close(), this.#indexer?.close()]);
  }
}

/** The packet block at `offset`, or null when what lies there is none. */
function readBlock(path: string, offset: number, end: number): Buffer | null {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return null;
  }
  try {
    const head = Buffer.alloc(EPB_HEADER_BYTES);
    if (readSync(fd, head, 0, head.length, offset) < head.length || head.readUInt32LE(0) !== BT_EPB)
      return null;
    const length = head.readUInt32LE(4);
    const caplen = head.readUInt32LE(20);
    if (length > EPB_BYTES_MAX || offset + length > end || caplen > length - EPB_HEADER_BYTES - 4)
      return null;
    const block = Buffer.alloc(length);
    const got = readSync(fd, block, 0, length, offset);
    return got === length && block.readUInt32LE(length - 4) === length ? block : null;
  } finally {
    closeSync(fd);
  }
}

function hitOf(segment: Segment, bytes: Uint8Array, start: number, offset: number): PacketHit {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start);
  const ifindex = view.getUint32(8, true);
  const data = start + EPB_HEADER_BYTES;
  return {
    id: `${segment.stem}:${offset}`,
    tsNs: BigInt.asIntN(64, (BigInt(view.getUint32(12, true)) << 32n) | BigInt(view.getUint32(16, true))),
    ifindex,
    linktype: segment.head?.interfaces[ifindex]?.linktype ?? 0,
    wirelen: view.getUint32(24, true),
    bytes: bytes.subarray(data, data + view.getUint32(20, true)),
  };
}

export function hitsOf({ bytes, starts, offsets, parts }: Batch, withoutBytes = false): PacketHit[] {
  const hits: PacketHit[] = [];
  for (const { segment, packets } of parts)
    for (const end = hits.length + packets; hits.length < end && hits.length < starts.length; ) {
      const i = hits.length;
      const hit = hitOf(segment, bytes, starts[i] as number, offsets[i] as number);
      if (withoutBytes) hit.bytes = bytes.subarray(0, 0);
      hits.push(hit);
    }
  return hits;
}

function infoOf(segment: Segment): SegmentInfo {
  const { stem, path, extents, head } = segment;
  const timed = extents.filter(({ packets }) => packets > 0);
  const first = timed.reduce<bigint | null>(
    (least, { firstNs }) => (least === null || firstNs < least ? firstNs : least),
    null,
  );
  const last = timed.reduce<bigint | null>(
    (most, { lastNs }) => (most === null || lastNs > most ? lastNs : most),
    null,
  );
  return {
    stem,
    path,
    interfaceName: head?.interfaces[0]?.name ?? '',
    runId: head?.run?.id ?? null,
    stripe: head?.run?.stripe ?? 0,
    stripes: head?.run?.stripes ?? 1,
    range: { fromNs: first, toNs: last === null ? null : last + 1n },
    packets: extents.reduce((sum, { packets }) => sum + packets, 0),
    bytes: segment.size,
    sealed: segment.sealed,
    indexed: segment.indexed,
  };
}

function byTime(a: SegmentInfo, b: SegmentInfo): number {
  const [x, y] = [a.range.fromNs ?? 0n, b.range.fromNs ?? 0n];
  return x < y ? -1 : x > y ? 1 : a.stem < b.stem ? -1 : 1;
}
