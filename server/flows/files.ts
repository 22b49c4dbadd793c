/**
 * Where flow records lie: DIR/flows/date=YYYY-MM-DD/hour=HH/STEM.parquet, by the time of the segment's first
 * packet; STEM.growing-N.parquet while the segment is written or its flows are being made. Names only.
 */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SegmentInfo } from '../store/types.js';

export interface FlowFile {
  stem: string;
  path: string;
  /** Of a segment that is not over: replaced again and again. */
  growing: boolean;
}

const DATE = /^date=\d{4}-\d{2}-\d{2}$/;
const HOUR = /^hour=\d{2}$/;
const NAME = /^(ringtap-.+?)(\.growing-\d+)?\.parquet$/;
export const FLOWS_DIRECTORY = 'flows';

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

/** All flow files of the directories; of a segment that has a final one, only that. */
export function flowFiles(directories: readonly string[]): FlowFile[] {
  const files = allFlowFiles(directories);
  const final = new Set(files.filter(({ growing }) => !growing).map(({ stem }) => stem));
  return files.filter(({ stem, growing }) => !growing || !final.has(stem));
}

/** Those too that another replaced. */
export function allFlowFiles(directories: readonly string[]): FlowFile[] {
  const found: FlowFile[] = [];
  for (const directory of directories) {
    const top = join(directory, FLOWS_DIRECTORY);
    for (const date of names(top).filter((name) => DATE.test(name)))
      for (const hour of names(join(top, date)).filter((name) => HOUR.test(name)))
        for (const name of names(join(top, date, hour))) {
          const match = NAME.exec(name);
          if (!match) continue;
          const path = join(top, date, hour, name);
          found.push({ stem: match[1] as string, path, growing: match[2] !== undefined });
        }
  }
  return found;
}

/** The hour a flow file is filed under, milliseconds since 1970. */
export function hourOf(path: string): number {
  const match = /date=(\d{4}-\d{2}-\d{2})\/hour=(\d{2})\/[^/]*$/.exec(path);
  return Date.parse(`${match?.[1]}T${match?.[2]}:00:00Z`);
}

/** Where a segment's final flow file lies. */
export function flowPath({ path, stem, range }: Pick<SegmentInfo, 'path' | 'stem' | 'range'>): string {
  const start = new Date(Number((range.fromNs ?? 0n) / 1_000_000n)).toISOString();
  const place = join(`date=${start.slice(0, 10)}`, `hour=${start.slice(11, 13)}`);
  return join(dirname(path), FLOWS_DIRECTORY, place, `${stem}.parquet`);
}

/** Part `part` of what there is while the segment grows. */
export const growingPath = (path: string, part: number): string =>
  path.replace(/\.parquet$/, `.growing-${part}.parquet`);
