/**
 * When how much was recorded, and what was lost, from block headers alone: no packet is read. A run of blocks
 * that spans several bins is spread over them evenly.
 */
import type { TimelineAnswer, TimelineBin } from '../../proto/api.js';
import type { BlockRun, SegmentInfo, Store, TimeRange } from '../store/types.js';
import { missingAnswer, overlaps } from './coverage.js';
import { timeText } from './range.js';
import { Bins, storedRange } from './summary.js';

interface Bin {
  packets: number;
  bytes: number;
  drops: number | null;
  gaps: number;
}

export async function timeline(store: Store, asked: TimeRange, count: number): Promise<TimelineAnswer> {
  const segments = await store.segments();
  const missing = (await store.missing(asked)).map(missingAnswer);
  const edge = segments.reduce<bigint | null>(
    (oldest, { range: { fromNs } }) =>
      fromNs !== null && (oldest === null || fromNs < oldest) ? fromNs : oldest,
    null,
  );
  const range = await storedRange(store, asked);
  const retention_edge = timeText(edge);
  if (!range) return { from: null, to: null, bin_seconds: 1, bins: [], retention_edge, missing };
  const bins = new Bins(range, count);
  const filled = Array.from({ length: bins.count }, (): Bin => ({ packets: 0, bytes: 0, drops: 0, gaps: 0 }));
  for (const [, own] of byRun(segments.filter((segment) => overlaps(segment.range, range))))
    addRun(filled, bins, range, (await Promise.all(own.map(({ stem }) => store.blocks(stem)))).flat());
  const rounded = filled.map(
    ({ packets, bytes, ...rest }, i): TimelineBin => ({
      ts: bins.ts(i),
      packets: Math.round(packets),
      bytes: Math.round(bytes),
      ...rest,
    }),
  );
  const ends = { from: timeText(range.fromNs), to: timeText(range.toNs) };
  return { ...ends, bin_seconds: bins.width_s, bins: rounded, retention_edge, missing };
}

/** Segments whose blocks are numbered together; a file no recorder wrote is a run of its own. */
function byRun(segments: readonly SegmentInfo[]): Map<string, SegmentInfo[]> {
  const runs = new Map<string, SegmentInfo[]>();
  for (const segment of segments) {
    const key = segment.runId ?? segment.stem;
    const own = runs.get(key);
    if (own) own.push(segment);
    else runs.set(key, [segment]);
  }
  return runs;
}

function addRun(
  filled: Bin[],
  bins: Bins,
  range: { fromNs: bigint; toNs: bigint },
  blocks: BlockRun[],
): void {
  blocks.sort((a, b) => a.seq - b.seq);
  let expected: number | null = null;
  for (const run of blocks) {
    const lost = expected === null ? 0 : Math.max(0, run.seq - expected);
    expected = run.seq + run.blocks;
    if (run.packets > 0 && overlaps(range, { fromNs: run.firstNs, toNs: run.lastNs + 1n }))
      addBlocks(filled, bins, run, lost);
  }
}

function addBlocks(filled: Bin[], bins: Bins, run: BlockRun, lost: number): void {
  const first = bins.index(run.firstNs);
  const last = bins.index(run.lastNs);
  const share = 1 / (last - first + 1);
  for (let i = Math.max(0, first); i <= Math.min(last, filled.length - 1); i++) {
    const bin = filled[i] as Bin;
    bin.packets += run.packets * share;
    bin.bytes += run.wireBytes * share;
  }
  const start = filled[Math.min(Math.max(0, first), filled.length - 1)] as Bin;
  start.gaps += lost;
  const drops = [run.ringDrops, run.poolDrops, run.storeDrops];
  const sum = drops.every((count) => count !== null) ? drops.reduce((a, b) => a + b, 0) : null;
  start.drops = start.drops === null || sum === null ? null : start.drops + sum;
}
