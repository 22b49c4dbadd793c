/**
 * Where flow records lie: DIR/flows/date=YYYY-MM-DD/hour=HH/STEM.parquet, by the time of the segment's first
 * packet; STEM.growing.parquet while the segment is written, or its flows are being made. Names only.
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
const NAME = /^(ringtap-.+?)(\.growing)?\.parquet$/;
export const FLOWS_DIRECTORY = 'flows';

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

/** All flow files of the directories; of a segment that has both kinds, the final one. */
export function flowFiles(directories: readonly string[]): FlowFile[] {
  const found = new Map<string, FlowFile>();
  for (const directory of directories) {
    const top = join(directory, FLOWS_DIRECTORY);
    for (const date of names(top).filter((name) => DATE.test(name)))
      for (const hour of names(join(top, date)).filter((name) => HOUR.test(name)))
        for (const name of names(join(top, date, hour))) {
          const match = NAME.exec(name);
          if (!match) continue;
          const file = { stem: match[1] as string, path: join(top, date, hour, name), growing: !!match[2] };
          if (!found.get(file.stem) || !file.growing) found.set(file.stem, file);
        }
  }
  return [...found.values()];
}

/** Directory and name of a segment's flow file. A segment without packets is filed under 1970. */
export function flowPath({ path, stem, range }: SegmentInfo, growing: boolean): string {
  const start = new Date(Number((range.fromNs ?? 0n) / 1_000_000n)).toISOString();
  const place = join(`date=${start.slice(0, 10)}`, `hour=${start.slice(11, 13)}`);
  return join(dirname(path), FLOWS_DIRECTORY, place, `${stem}${growing ? '.growing' : ''}.parquet`);
}
