/**
 * Scans files for the commands: on this thread when there is little to read, else on worker threads, and
 * with progress. Results come in the order of the files. A file that grows while it is read is read up to
 * the size it had, or further; never less.
 */
import { statSync } from 'node:fs';
import { Engine, type Totals } from '../../../asm/host/index.js';
import { loadModule, setFilter } from '../capture.js';
import { Progress, totalBytes } from '../progress.js';
import { ScanCrew } from './crew.js';
import type { ScanResult, ScanTask } from './messages.js';
import { SCANNING, scan } from './scan.js';
import { split } from './split.js';

/** Less than this in all is read by one thread: a second costs more than it saves. */
const THREADED_BYTES_MIN = 32 << 20;
const PART_BYTES = 32 << 20;
const REFRESH_MS = 100;

export interface ScanOptions {
  files: string[];
  filter: string | null;
  threads: number;
  /** Only `matched` is wanted: large segments may be cut into parts. */
  countOnly: boolean;
  /** For tests: from how many bytes on threads are used, and how large a part is. */
  threaded_bytes_min?: number;
  part_bytes?: number;
}

export async function* scanFiles(options: ScanOptions): AsyncGenerator<ScanResult> {
  const { files, filter, threads, threaded_bytes_min = THREADED_BYTES_MIN } = options;
  const module = await loadModule();
  const engine = await Engine.load(module, SCANNING);
  setFilter(engine, filter);
  const total = totalBytes(files);
  const progress = new Progress(total);
  const plan = files.map((file) => tasksOf(file, options));
  const threaded = threads > 1 && plan.flat().length > 1 && (total === null || total >= threaded_bytes_min);
  try {
    if (threaded) yield* threadedScan(module, engine, plan, threads, progress);
    else yield* plainScan(engine, plan, progress);
  } finally {
    progress.clear();
  }
}

/** One task for the file, or several for its parts. */
function tasksOf(
  file: string,
  { filter, threads, countOnly, part_bytes = PART_BYTES }: ScanOptions,
): ScanTask[] {
  const whole = [{ file, filter, countOnly, part: null }];
  if (!countOnly || threads === 1 || !statSync(file, { throwIfNoEntry: false })?.isFile()) return whole;
  try {
    return split(file, part_bytes)?.map((part) => ({ file, filter, countOnly, part })) ?? whole;
  } catch {
    return whole; // the scan will say why it cannot be read
  }
}

async function* plainScan(
  engine: Engine,
  plan: ScanTask[][],
  progress: Progress,
): AsyncGenerator<ScanResult> {
  let read = 0;
  const onRead = (more: number) => {
    read += more;
    progress.at(read);
  };
  for (const [task] of plan) {
    const result = await scan(engine, { ...(task as ScanTask), part: null }, onRead);
    progress.clear();
    yield result;
  }
}

async function* threadedScan(
  module: WebAssembly.Module,
  engine: Engine,
  plan: ScanTask[][],
  threads: number,
  progress: Progress,
): AsyncGenerator<ScanResult> {
  const tasks = plan.flat();
  const crew = new ScanCrew(module, engine, tasks, Math.min(threads, tasks.length));
  const timer = setInterval(() => progress.at(crew.bytesRead), REFRESH_MS);
  const results = [...crew.results];
  try {
    for (const ofFile of plan) {
      const parts = await Promise.all(results.splice(0, ofFile.length));
      const merged = parts.length === 1 ? (parts[0] as ScanResult) : merge(parts);
      progress.clear();
      yield merged ?? (await rescan(module, ofFile[0] as ScanTask));
    }
  } finally {
    clearInterval(timer);
    await crew.close();
  }
}

/** A file whose parts do not add up, read in one go; the crew's engine may be at work. */
async function rescan(module: WebAssembly.Module, task: ScanTask): Promise<ScanResult> {
  return scan(await Engine.load(module, SCANNING), { ...task, part: null }, () => {});
}

/**
 * The sum of parts, only as far as `count` needs it. Null when a part ended early, or showed that a part
 * was read with another linktype or byte order than the head's: then the whole has to be read in one go.
 */
export function merge(parts: ScanResult[]): ScanResult | null {
  const [first] = parts as [ScanResult];
  const linktypes = first.totals.linkTypes;
  const alike = ({ error, format, totals }: ScanResult) =>
    error === null &&
    format === first.format &&
    linktypes.length === 1 &&
    totals.linkTypes.length === 1 &&
    totals.linkTypes[0] === linktypes[0];
  if (!parts.every(alike)) return null;
  const sum = (of: (result: ScanResult) => number) => parts.reduce((total, part) => total + of(part), 0);
  const totals: Totals = { ...first.totals, packets: sum((part) => part.totals.packets) };
  return { ...first, totals, matched: sum((part) => part.matched) };
}
