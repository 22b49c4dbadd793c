/** Coverage as JSON, empty, and of several answers together. Pure. */
import type { CoverageAnswer, MissingAnswer } from '../../proto/api.js';
import type { Coverage, MissingPart, TimeRange } from '../store/types.js';
import { timeText } from './range.js';

/** Missing parts listed by an answer; more are one line that counts them. */
const MISSING_LISTED_MAX = 1000;

export function emptyCoverage(stopped: Coverage['stopped'] = null): Coverage {
  return {
    range: { fromNs: null, toNs: null },
    segments: 0,
    blocksPruned: 0,
    blocksScanned: 0,
    bytesScanned: 0,
    ringDrops: null,
    poolDrops: null,
    storeDrops: null,
    truncated: 0,
    missing: [],
    stopped,
  };
}

export function missingAnswer({ reason, segment, range, packets, message }: MissingPart): MissingAnswer {
  return { reason, segment, from: timeText(range.fromNs), to: timeText(range.toNs), packets, message };
}

export function coverageAnswer(coverage: Coverage): CoverageAnswer {
  const missing = coverage.missing.slice(0, MISSING_LISTED_MAX).map(missingAnswer);
  const more = coverage.missing.length - missing.length;
  if (more > 0)
    missing.push({
      ...(missing.at(-1) as MissingAnswer),
      segment: null,
      from: null,
      to: null,
      packets: null,
      message: `and ${more} more parts are missing`,
    });
  return {
    from: timeText(coverage.range.fromNs),
    to: timeText(coverage.range.toNs),
    segments: coverage.segments,
    blocks_pruned: coverage.blocksPruned,
    blocks_scanned: coverage.blocksScanned,
    bytes_scanned: coverage.bytesScanned,
    ring_drops: coverage.ringDrops,
    pool_drops: coverage.poolDrops,
    store_drops: coverage.storeDrops,
    truncated: coverage.truncated,
    missing,
    stopped: coverage.stopped,
  };
}

const nsOrNull = (text: string | null) => (text === null ? null : BigInt(text.replace('.', '')));

/** What coverageAnswer() made into text. */
export function readCoverage(answer: CoverageAnswer): Coverage {
  return {
    range: { fromNs: nsOrNull(answer.from), toNs: nsOrNull(answer.to) },
    segments: answer.segments,
    blocksPruned: answer.blocks_pruned,
    blocksScanned: answer.blocks_scanned,
    bytesScanned: answer.bytes_scanned,
    ringDrops: answer.ring_drops,
    poolDrops: answer.pool_drops,
    storeDrops: answer.store_drops,
    truncated: answer.truncated,
    missing: answer.missing.map(({ from, to, ...part }) => ({
      ...part,
      range: { fromNs: nsOrNull(from), toNs: nsOrNull(to) },
    })),
    stopped: answer.stopped,
  };
}

/** Whether two half-open ranges meet. */
export function overlaps(a: TimeRange, b: TimeRange): boolean {
  const before = (end: bigint | null, start: bigint | null) => end !== null && start !== null && end <= start;
  return !before(a.toNs, b.fromNs) && !before(b.toNs, a.fromNs);
}
