/**
 * Sees to it that every segment has its flow records: looks at the store now and again, gives the flow thread
 * one segment at a time, and removes records whose time is over. The files are its only memory.
 */
import { rmSync, statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { FastifyBaseLogger } from 'fastify';
import type { SegmentInfo, Store } from '../store/types.js';
import { allFlowFiles, flowFiles, flowPath, hourOf } from './files.js';
import type { FlowResult, FlowTask, FlowThreadData, ToFlowThread } from './messages.js';

export interface MakerOptions {
  directories: readonly string[];
  wasmFile: string;
  limits: {
    flow_table: number;
    flow_poll_ms: number;
    flow_read_bytes_per_second: number;
    flow_files_bytes: number;
  };
  /** Records stay so long after their packets; null: no longer than these. */
  retainFlows_s: number | null;
  log: Pick<FastifyBaseLogger, 'warn'>;
}

/** A segment that failed is tried again after this. */
const RETRY_MS = 60_000;

export class FlowMaker {
  readonly #store: Store;
  readonly #options: MakerOptions;
  readonly #failed_ms = new Map<string, number>();
  #worker: Worker | null = null;
  #settle: ((result: FlowResult) => void) | null = null;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;
  #round: Promise<void> = Promise.resolve();

  constructor(store: Store, options: MakerOptions) {
    this.#store = store;
    this.#options = options;
    this.#schedule(0);
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#worker?.terminate();
    await this.#round;
  }

  #schedule(delay_ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#round = this.#look()
        .catch((error: Error) => this.#options.log.warn(`flow records: ${error.message}`))
        .finally(() => this.#schedule(this.#options.limits.flow_poll_ms));
    }, delay_ms);
    this.#timer.unref();
  }

  /** One round: whatever lacks records gets them, the growing ones last, since they need least. */
  async #look(): Promise<void> {
    const segments = await this.#store.segments();
    const files = flowFiles(this.#options.directories);
    const final = new Set(files.filter(({ growing }) => !growing).map(({ stem }) => stem));
    const full = segments.filter(({ packets }) => packets > 0);
    const tasks = tasksOf(full).filter(({ stem }) => !final.has(stem) && this.#mayTry(stem));
    for (const task of tasks.sort((a, b) => Number(b.sealed) - Number(a.sealed))) {
      if (this.#closed) return;
      const { error, damaged } = await this.#run(task);
      if (error !== null) this.#failed_ms.set(task.stem, performance.now());
      if (error !== null) this.#options.log.warn(`flow records of ${task.stem}: ${error}`);
      else if (damaged > 0 && task.sealed)
        this.#options.log.warn(`flow records of ${task.stem}: ${damaged} blocks are damaged`);
    }
    this.#retain(new Set(segments.map(({ stem }) => stem)));
  }

  #mayTry(stem: string): boolean {
    const failed = this.#failed_ms.get(stem);
    return failed === undefined || performance.now() - failed > RETRY_MS;
  }

  #run(task: FlowTask): Promise<FlowResult> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    return new Promise((resolve) => {
      this.#settle = (result) => {
        this.#settle = null;
        resolve(result);
      };
      worker.postMessage({ type: 'work', task } satisfies ToFlowThread);
    });
  }

  #start(): Worker {
    const { wasmFile, limits } = this.#options;
    const workerData: FlowThreadData = {
      wasmFile,
      max_flows: limits.flow_table,
      read_bytes_per_second: limits.flow_read_bytes_per_second,
    };
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData });
    let reason = 'it was stopped';
    worker.on('message', (result: FlowResult) => this.#settle?.(result));
    worker.on('error', (error) => {
      reason = error.message;
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = null;
      const failure = `the flow thread ended: ${reason}`;
      this.#settle?.({ stem: '', done: false, flows: 0, damaged: 0, error: failure });
    });
    worker.unref();
    return worker;
  }

  /** Records go with their packets, or stay as long as told to and as there is room. */
  #retain(present: ReadonlySet<string>): void {
    const { directories, retainFlows_s, limits } = this.#options;
    const outlived = allFlowFiles(directories).filter(({ stem }) => !present.has(stem));
    const kept: { path: string; hour_ms: number; bytes: number }[] = [];
    for (const { stem, path, growing } of outlived) {
      this.#worker?.postMessage({ type: 'forget', stem } satisfies ToFlowThread);
      const hour_ms = hourOf(path);
      const old = retainFlows_s === null || Date.now() - hour_ms > retainFlows_s * 1000;
      if (old || growing) rmSync(path, { force: true });
      else kept.push({ path, hour_ms, bytes: statSync(path, { throwIfNoEntry: false })?.size ?? 0 });
    }
    let bytes = kept.reduce((sum, file) => sum + file.bytes, 0);
    for (const file of kept.sort((a, b) => a.hour_ms - b.hour_ms)) {
      if (bytes <= limits.flow_files_bytes) return;
      rmSync(file.path, { force: true });
      bytes -= file.bytes;
    }
  }
}

/**
 * One task per segment; of a striped run one per segment of its first stripe, with those of the other stripes
 * that lie (by their middle) between its start and the next one's: stripes rotate each for itself.
 */
export function tasksOf(segments: readonly SegmentInfo[]): FlowTask[] {
  const tasks = segments.filter((segment) => !isStriped(segment)).map((segment) => taskOf([segment]));
  const runs = new Set(segments.filter(isStriped).map(({ runId }) => runId));
  for (const run of runs) tasks.push(...tasksOfRun(segments.filter(({ runId }) => runId === run)));
  return tasks;
}

const isStriped = ({ stripes, runId }: SegmentInfo) => stripes > 1 && runId !== null;
const startOf = ({ range }: SegmentInfo) => range.fromNs ?? 0n;
const middleOf = ({ range }: SegmentInfo) => ((range.fromNs ?? 0n) + (range.toNs ?? range.fromNs ?? 0n)) / 2n;

function tasksOfRun(run: readonly SegmentInfo[]): FlowTask[] {
  const firsts = run.filter(({ stripe }) => stripe === 0).sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
  const groups = new Map(firsts.map((first) => [first, [first]]));
  const tasks: FlowTask[] = [];
  for (const segment of run.filter(({ stripe }) => stripe !== 0)) {
    const first = firsts.findLast((one) => startOf(one) <= middleOf(segment));
    if (first) groups.get(first)?.push(segment);
    else tasks.push(taskOf([segment])); // the first stripe's is gone already
  }
  return [...tasks, ...[...groups.values()].map(taskOf)];
}

function taskOf(group: SegmentInfo[]): FlowTask {
  const members = group.sort((a, b) => a.stripe - b.stripe || (startOf(a) < startOf(b) ? -1 : 1));
  const first = members[0] as SegmentInfo;
  return {
    stem: first.stem,
    members: members.map(({ stem, path }) => ({ stem, path })),
    path: flowPath({ ...first, range: { fromNs: earliest(members), toNs: null } }),
    sealed: members.every(({ sealed }) => sealed),
  };
}

function earliest(segments: readonly SegmentInfo[]): bigint | null {
  const starts = segments.flatMap(({ range }) => (range.fromNs === null ? [] : [range.fromNs]));
  return starts.length > 0 ? starts.reduce((a, b) => (a < b ? a : b)) : null;
}
