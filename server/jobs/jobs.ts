/**
 * Questions that take long, as jobs: they wait for their place, work, and keep their results until they
 * expire. Bounded in number, time and disk. Main thread; the work itself is given by who creates a job.
 */
import { randomBytes } from 'node:crypto';
import type { CaptureQuery, CoverageAnswer, JobAnswer, JobKind, JobState } from '../../proto/api.js';
import type { Row } from '../formats/table.js';
import type { Progress } from '../store/types.js';
import { RequestError } from './failure.js';
import { Spool } from './spool.js';

export interface JobLimits {
  jobs: number;
  jobs_running: number;
  job_keep_ms: number;
  job_spool_bytes: number;
}

export interface JobContext {
  signal: AbortSignal;
  onProgress(progress: Progress): void;
  /** False when no more results fit: the work must stop. */
  append(rows: readonly Row[]): Promise<boolean>;
}

/** Does the job; returns what its results rest on. */
export type Work = (context: JobContext) => Promise<CoverageAnswer>;

export interface JobSpec {
  kind: JobKind;
  query: CaptureQuery;
  limit: number;
  caller: string;
  work: Work;
}

export class Job {
  readonly id = randomBytes(12).toString('base64url');
  readonly spec: JobSpec;
  readonly created = new Date();
  readonly abort = new AbortController();
  state: JobState = 'waiting';
  spool: Spool | null = null;
  coverage: CoverageAnswer | null = null;
  error: string | null = null;
  expires: Date | null = null;
  progress: Progress = { bytesDone: 0, bytesTotal: 0, packets: 0 };
  #listeners = new Set<() => void>();

  constructor(spec: JobSpec) {
    this.spec = spec;
  }

  get over(): boolean {
    return this.state !== 'waiting' && this.state !== 'running';
  }

  /** Resolves at the next change of state or progress. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#listeners.add(resolve));
  }

  tell(): void {
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }

  answer(): JobAnswer {
    const { bytesDone, bytesTotal, packets } = this.progress;
    return {
      id: this.id,
      kind: this.spec.kind,
      state: this.state,
      query: this.spec.query,
      limit: this.spec.limit,
      created: this.created.toISOString(),
      expires: this.expires?.toISOString() ?? null,
      progress: { bytes_done: bytesDone, bytes_total: bytesTotal, packets },
      results: this.spool?.rows ?? 0,
      coverage: this.coverage,
      error: this.error,
    };
  }
}

export class Jobs {
  readonly #limits: JobLimits;
  readonly #jobs = new Map<string, Job>();
  readonly #timers = new Map<Job, NodeJS.Timeout>();
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(limits: JobLimits) {
    this.#limits = limits;
  }

  /** Throws RequestError 429 when all places are taken by jobs that are not over. */
  create(spec: JobSpec): Job {
    if (this.#jobs.size >= this.#limits.jobs) {
      const oldest = this.all().find((job) => job.over);
      if (!oldest)
        throw new RequestError(
          429,
          `${this.#jobs.size} queries are under way: delete one, or ask again later`,
          {
            retryAfter_s: 10,
          },
        );
      this.delete(oldest.id);
    }
    const job = new Job(spec);
    this.#jobs.set(job.id, job);
    this.#next();
    return job;
  }

  /** Oldest first. */
  all(): Job[] {
    return [...this.#jobs.values()];
  }

  /** Throws RequestError 404. */
  get(id: string): Job {
    const job = this.#jobs.get(id);
    if (job) return job;
    throw new RequestError(404, `there is no query ${id}: it expired, was deleted, or never was`);
  }

  /** Cancels it if it is not over, and forgets it with its results. */
  delete(id: string): void {
    const job = this.get(id);
    this.#jobs.delete(id);
    clearTimeout(this.#timers.get(job));
    this.#timers.delete(job);
    job.abort.abort();
    if (!job.over) job.state = 'cancelled';
    void job.spool?.close();
    job.tell();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const job of this.all()) this.delete(job.id);
    await Promise.all(this.#running);
  }

  /** Starts what has a place: callers with fewer jobs at work first, then who came first. */
  #next(): void {
    while (!this.#closed) {
      const atWork = this.all().filter((job) => job.state === 'running');
      if (this.#running.size >= this.#limits.jobs_running) return;
      const load = (job: Job) => atWork.filter(({ spec }) => spec.caller === job.spec.caller).length;
      const waiting = this.all().filter((job) => job.state === 'waiting');
      const [first] = waiting.sort((a, b) => load(a) - load(b));
      if (!first) return;
      first.state = 'running';
      const run = this.#run(first).finally(() => {
        this.#running.delete(run);
        this.#next();
      });
      this.#running.add(run);
    }
  }

  async #run(job: Job): Promise<void> {
    const { signal } = job.abort;
    job.tell();
    try {
      job.spool = await Spool.create(this.#limits.job_spool_bytes);
      const spool = job.spool;
      job.coverage = await job.spec.work({
        signal,
        onProgress: (progress) => {
          job.progress = progress;
          job.tell();
        },
        append: async (rows) => {
          const taken = !signal.aborted && (await spool.append(rows));
          job.tell();
          return taken;
        },
      });
      job.state = signal.aborted ? 'cancelled' : 'done';
    } catch (error) {
      job.state = signal.aborted ? 'cancelled' : 'failed';
      job.error = error instanceof RequestError ? error.message : `internal error: ${(error as Error).name}`;
    }
    job.spool?.finish();
    if (signal.aborted) await job.spool?.close();
    else this.#expire(job);
    job.tell();
  }

  #expire(job: Job): void {
    const { job_keep_ms } = this.#limits;
    job.expires = new Date(Date.now() + job_keep_ms);
    const timer = setTimeout(() => this.delete(job.id), job_keep_ms);
    timer.unref();
    this.#timers.set(job, timer);
  }
}
