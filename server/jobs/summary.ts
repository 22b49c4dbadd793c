/** The summary of an answer's packets: totals, protocols, series, talkers, from an engine fed with them. */
import type { CoverageAnswer, SummaryAnswer } from '../../proto/api.js';
import type { Coverage, PacketHit, Store, TimeRange } from '../store/types.js';
import { coverageAnswer, emptyCoverage, overlaps } from './coverage.js';
import type { Decoder } from './decoder.js';
import type { SummaryParts } from './decoder-messages.js';
import { intersect, timeText } from './range.js';
import type { Packets } from './reader.js';

const TALKERS = 20;
export const BINS_DEFAULT = 120;
export const BINS_MAX = 2000;
const NS = 1_000_000_000n;
/** Widths of bins people can read, in seconds. */
const WIDTHS_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400,
];

/** Bins of equal width that cover a range: a width of whole seconds, at most `bins` of them. */
export class Bins {
  readonly from_ns: bigint;
  readonly width_s: number;
  readonly count: number;

  constructor({ fromNs, toNs }: { fromNs: bigint; toNs: bigint }, bins: number) {
    const span_s = Number((toNs - fromNs + NS - 1n) / NS);
    // One more bin than asked for may be touched when the first one starts before the range.
    const wanted_s = Math.max(1, Math.ceil(span_s / Math.max(1, bins - 1)));
    this.width_s = WIDTHS_S.find((width) => width >= wanted_s) ?? Math.ceil(wanted_s / 86_400) * 86_400;
    const width_ns = BigInt(this.width_s) * NS;
    const rest = ((fromNs % width_ns) + width_ns) % width_ns;
    this.from_ns = fromNs - rest;
    this.count = Number((toNs - this.from_ns + width_ns - 1n) / width_ns);
  }

  /** Which bin a time lies in; may be outside. */
  index(ts_ns: bigint): number {
    return Math.floor(Number(ts_ns - this.from_ns) / (this.width_s * 1e9));
  }

  ts(index: number): string {
    return timeText(this.from_ns + BigInt(index) * BigInt(this.width_s) * NS);
  }
}

/** The question's range, cut to what is stored; null when nothing is. */
export async function storedRange(
  store: Store,
  range: TimeRange,
): Promise<{ fromNs: bigint; toNs: bigint } | null> {
  let found: { fromNs: bigint; toNs: bigint } | null = null;
  for (const { range: own } of await store.segments()) {
    if (own.fromNs === null || own.toNs === null || !overlaps(own, range)) continue;
    if (!found) found = { fromNs: own.fromNs, toNs: own.toNs };
    if (own.fromNs < found.fromNs) found.fromNs = own.fromNs;
    if (own.toNs > found.toNs) found.toNs = own.toNs;
  }
  if (!found) return null;
  const { fromNs, toNs } = intersect(found, range) as { fromNs: bigint; toNs: bigint };
  return fromNs < toNs ? { fromNs, toNs } : null;
}

/** Packets and bytes per bin; a growing segment may go on past the last one foreseen. */
class Series {
  readonly #bins: Bins;
  readonly #points = new Map<number, { packets: number; bytes: number }>();
  /** Earliest and latest stamp; packets of several runs come run by run. */
  first_ns: bigint | null = null;
  last_ns: bigint | null = null;

  constructor(bins: Bins) {
    this.#bins = bins;
  }

  add({ tsNs, wirelen }: PacketHit): void {
    if (this.first_ns === null || tsNs < this.first_ns) this.first_ns = tsNs;
    if (this.last_ns === null || tsNs > this.last_ns) this.last_ns = tsNs;
    const index = this.#bins.index(tsNs);
    const point = this.#points.get(index);
    if (point) {
      point.packets++;
      point.bytes += wirelen;
    } else if (this.#points.size < 2 * BINS_MAX) this.#points.set(index, { packets: 1, bytes: wirelen });
  }

  answer(): SummaryAnswer['series'] {
    const sorted = [...this.#points].sort(([a], [b]) => a - b);
    const points = sorted.map(([index, point]) => ({ ts: this.#bins.ts(index), ...point }));
    return { bin_seconds: this.#bins.width_s, points };
  }
}

export async function summarize(
  packets: Packets,
  decoder: Decoder,
  range: { fromNs: bigint; toNs: bigint } | null,
  bins: number,
): Promise<SummaryAnswer> {
  const series = new Series(new Bins(range ?? { fromNs: 0n, toNs: 1n }, bins));
  const session = await decoder.session();
  try {
    for (;;) {
      const { done, value } = await packets.next();
      if (done) return answer(await session.summary(TALKERS), series, value);
      for (const hit of value) series.add(hit);
      if (value.length > 0) await session.feed(value, 'nothing');
    }
  } finally {
    await packets.return(emptyCoverage('cancelled'));
    await session.close();
  }
}

function answer(
  { totals, talkers, distinct }: SummaryParts,
  series: Series,
  coverage: Coverage,
): SummaryAnswer {
  return {
    packets: totals.packets,
    captured_bytes: totals.capturedBytes,
    original_bytes: totals.originalBytes,
    first_ts: timeText(series.first_ns),
    last_ts: timeText(series.last_ns),
    truncated: totals.truncated,
    malformed: totals.malformed,
    tcp_conversations: totals.tcpConversations,
    udp_conversations: totals.udpConversations,
    protocols: { ...totals.protocolCounts },
    series: series.answer(),
    talkers: Object.fromEntries(talkers.map(({ by, talkers: keys }) => [by, keys])),
    distinct: {
      originators: distinct.originators,
      responders: distinct.responders,
      originator_ports: distinct.originatorPorts,
      responder_ports: distinct.responderPorts,
      flows: distinct.flows,
    },
    coverage: coverageAnswer(coverage) satisfies CoverageAnswer,
  };
}
