/**
 * Reads the packets of a question from the store: admitted, in turns, within its time, and, when flow fields
 * are asked for, only those of the flows that have them. The only way from the API to `Store.scan`.
 */
import type { FlowRow, FlowStore } from '../flows/types.js';
import { nsOf, wantedOf } from '../flows/types.js';
import { CursorError } from '../store/plan.js';
import type { Coverage, PacketHit, PacketQuery, Progress, ScanOptions, Store } from '../store/types.js';
import { emptyCoverage } from './coverage.js';
import type { Decoder } from './decoder.js';
import type { WantedFlow } from './decoder-messages.js';
import { RequestError } from './failure.js';
import { hasFields, type Query } from './query.js';
import { intersect } from './range.js';
import type { Turns } from './turns.js';

export type Packets = AsyncGenerator<PacketHit[], Coverage, void>;

export interface ReadOptions {
  /** Address of who asks: one caller may not take all turns. Null: admitted already (a job). */
  caller: string | null;
  limit?: number;
  after?: string;
  signal?: AbortSignal;
  /** After this the answer ends, with `stopped: 'timeout'`. */
  timeout_ms?: number;
  withoutBytes?: boolean;
  onProgress?: (progress: Progress) => void;
}

export interface ReaderLimits {
  matched_flows: number;
}

/** Flows named in a filter expression; with more their packets are looked for by time alone. */
const FLOWS_IN_FILTER_MAX = 32;

export class Reader {
  readonly #store: Store;
  readonly #flows: FlowStore;
  readonly #decoder: Decoder;
  readonly #turns: Turns;
  readonly #limits: ReaderLimits;

  constructor(store: Store, flows: FlowStore, decoder: Decoder, turns: Turns, limits: ReaderLimits) {
    this.#store = store;
    this.#flows = flows;
    this.#decoder = decoder;
    this.#turns = turns;
    this.#limits = limits;
  }

  /**
   * The first group is found before this returns, so that what is wrong with the question is thrown here and
   * not in the middle of an answer. The generator must be run to its end or returned.
   */
  async open(query: Query, options: ReadOptions): Promise<Packets> {
    const leave = options.caller === null ? () => {} : this.#turns.admit(options.caller);
    try {
      return await primed(this.#read(query, options, leave));
    } catch (error) {
      leave();
      throw error instanceof CursorError ? new RequestError(400, `cursor: ${error.message}`) : error;
    }
  }

  async *#read(query: Query, options: ReadOptions, leave: () => void): Packets {
    const { signal, timeout_ms } = options;
    const clock = timeout_ms === undefined ? null : AbortSignal.timeout(timeout_ms);
    const signals = [signal, clock].filter((one) => one !== undefined && one !== null);
    const scanOptions: ScanOptions = { signal: AbortSignal.any(signals) };
    if (options.after !== undefined) scanOptions.after = options.after;
    if (options.onProgress) scanOptions.onProgress = options.onProgress;
    try {
      const packets = hasFields(query.fields)
        ? this.#ofFlows(query, options, scanOptions)
        : this.#plain(query.packets, options, scanOptions);
      return yield* packets;
    } finally {
      leave();
    }
  }

  #plain(query: PacketQuery, { limit, withoutBytes }: ReadOptions, scanOptions: ScanOptions): Packets {
    if (limit !== undefined) scanOptions.limit = limit;
    if (withoutBytes) scanOptions.withoutBytes = true;
    return this.#inTurns(this.#store.scan(query, scanOptions));
  }

  /** The generator, each of its steps when it is its turn. */
  async *#inTurns(packets: Packets): Packets {
    try {
      for (;;) {
        const step = await this.#turns.take(() => packets.next());
        if (step.done) return step.value;
        yield step.value;
      }
    } finally {
      await packets.return(emptyCoverage('cancelled'));
    }
  }

  /** Scans with a filter made from the flows' addresses, and keeps what the engine says belongs to them. */
  async *#ofFlows(query: Query, options: ReadOptions, scanOptions: ScanOptions): Packets {
    const { range, filter } = query.packets;
    const flows = await this.wantedFlows(query);
    if (flows.rows.length === 0) return this.#flows.coverage(range);
    const wanted = flows.rows.map(wantedOf);
    const narrowed = intersect(range, spanOf(wanted));
    const enough = new AbortController();
    const signal = AbortSignal.any([enough.signal, scanOptions.signal as AbortSignal]);
    const packets = this.#inTurns(
      this.#store.scan(
        { range: narrowed, filter: both(filter, flowsFilter(flows.rows)) },
        { ...scanOptions, signal },
      ),
    );
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    const coverage = yield* this.#matching(packets, wanted, limit, enough);
    const known = await this.#flows.coverage(range);
    const missing = [...known.missing, ...coverage.missing.filter((part) => !has(known.missing, part))];
    return { ...coverage, missing, stopped: coverage.stopped ?? (flows.more ? 'limit' : null) };
  }

  /** Ends the scan by `enough` at the limit, and hears from it what it had looked at. */
  async *#matching(packets: Packets, wanted: WantedFlow[], limit: number, enough: AbortController): Packets {
    const session = await this.#decoder.session(wanted);
    let left = limit;
    try {
      for (;;) {
        const { done, value } = await packets.next();
        if (done) return left <= 0 ? { ...value, stopped: 'limit' } : value;
        if (left <= 0) continue;
        const matches = (await session.feed(value, 'matches')).map((i) => value[i] as PacketHit);
        if (matches.length > 0) yield matches.slice(0, left);
        left -= matches.length;
        if (left <= 0) enough.abort();
      }
    } finally {
      await packets.return(emptyCoverage('cancelled'));
      await session.close();
    }
  }

  /** The flows that have the query's fields. Throws RequestError when the flow store cannot say. */
  async wantedFlows(query: Query): Promise<{ rows: FlowRow[]; more: boolean }> {
    if (this.#flows.problem) throw new RequestError(501, this.#flows.problem);
    const { range } = query.packets;
    const question = { range, fields: query.fields, communities: null };
    const rows: FlowRow[] = [];
    for await (const group of this.#flows.rows(question, this.#limits.matched_flows + 1)) rows.push(...group);
    return {
      rows: rows.slice(0, this.#limits.matched_flows),
      more: rows.length > this.#limits.matched_flows,
    };
  }
}

function has(missing: Coverage['missing'], part: Coverage['missing'][number]): boolean {
  return missing.some(({ reason, segment }) => reason === part.reason && segment === part.segment);
}

/** Half open, around all of them. */
function spanOf(wanted: readonly WantedFlow[]): { fromNs: bigint; toNs: bigint } {
  let { fromNs, toNs } = wanted[0] as WantedFlow;
  for (const flow of wanted) {
    if (flow.fromNs < fromNs) fromNs = flow.fromNs;
    if (flow.toNs > toNs) toNs = flow.toNs;
  }
  return { fromNs, toNs: toNs + 1n };
}

function both(a: string, b: string): string {
  return a && b ? `(${a}) and (${b})` : a || b;
}

/**
 * An expression that every packet of the flows passes: what the index can rule blocks out by. Empty (all
 * packets) when there are too many flows, or one came in a tunnel or under two tags, where no simple
 * expression finds it.
 */
export function flowsFilter(rows: readonly FlowRow[]): string {
  if (rows.length > FLOWS_IN_FILTER_MAX) return '';
  if (rows.some(({ tunnel_parents, inner_vlan }) => tunnel_parents !== null || inner_vlan !== null))
    return '';
  const one = [...new Set(rows.map(endsFilter))].join(' or ');
  // `vlan` shifts all that follows it, so it comes last.
  return rows.every(({ vlan }) => vlan === null) ? one : `(${one}) or (vlan and (${one}))`;
}

function endsFilter({ orig_addr, resp_addr, orig_port, resp_port, proto }: FlowRow): string {
  const ends = `host ${orig_addr} and host ${resp_addr}`;
  if (proto !== 'tcp' && proto !== 'udp' && proto !== 'sctp') return `(${ends})`;
  return `(${ends} and ${proto} port ${orig_port} and ${proto} port ${resp_port})`;
}

/** The time a row spans, half open. */
export function rowRange(row: FlowRow): { fromNs: bigint; toNs: bigint } {
  return { fromNs: nsOf(row.first_ts as string), toNs: nsOf(row.last_ts as string) + 1n };
}

/** A generator that has found its first value already. Returning it before it was run ends what it reads from. */
async function primed(packets: Packets): Promise<Packets> {
  const first = await packets.next();
  const rest = (async function* (): Packets {
    if (first.done) return first.value;
    yield first.value;
    return yield* packets;
  })();
  const end = rest.return.bind(rest);
  rest.return = async (value) => {
    await packets.return(emptyCoverage('cancelled'));
    return end(value);
  };
  return rest;
}
