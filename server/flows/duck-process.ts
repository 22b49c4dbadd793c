/**
 * The gateway's side of DuckDB's process: starts it when needed, one request at a time each, kills it when it
 * does not keep its time, ends it when idle. Bounded: so many at once, so many waiting.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { RequestError } from '../jobs/failure.js';
import type { DuckAnswer, DuckRequest, DuckResult } from './duck-messages.js';

export interface DuckLimits {
  sql_memory_bytes: number;
  sql_timeout_ms: number;
  sql_concurrent: number;
  sql_waiting: number;
  sql_idle_ms: number;
}

export type DuckQuestion = Pick<
  DuckRequest,
  'views' | 'sql' | 'parameters' | 'rows_max' | 'bytes_max' | 'hostile'
>;

/** A statement that failed. `fault` says whether it, a limit, a file or the installation is to blame. */
export class DuckError extends Error {
  override name = 'DuckError';
  readonly fault: Extract<DuckAnswer, { failure: string }>['fault'];
  constructor(fault: DuckError['fault'], message: string) {
    super(message);
    this.fault = fault;
  }
}

const CHILD = fileURLToPath(new URL('./duck-child.js', import.meta.url));
/** After its time a statement may take this long to hear of it. */
const GRACE_MS = 2000;
const HEAP_MIB = 512;

/** Why DuckDB cannot be used here, or null. */
export function duckProblem(): string | null {
  try {
    createRequire(import.meta.url).resolve('@duckdb/node-api');
    return null;
  } catch {
    return 'flow records are stored, but searching them needs DuckDB: npm install @duckdb/node-api';
  }
}

interface Waiting {
  request: DuckRequest;
  resolve(result: DuckResult): void;
  reject(error: Error): void;
}

export class DuckPool {
  readonly #limits: DuckLimits;
  readonly #queue: Waiting[] = [];
  readonly #idle = new Map<ChildProcess, NodeJS.Timeout>();
  readonly #busy = new Set<ChildProcess>();
  #lastId = 0;
  #closed = false;

  constructor(limits: DuckLimits) {
    this.#limits = limits;
  }

  /** Throws DuckError; RequestError 429 when too many wait. */
  run(question: DuckQuestion, signal?: AbortSignal): Promise<DuckResult> {
    if (this.#queue.length >= this.#limits.sql_waiting)
      throw new RequestError(429, `${this.#queue.length} statements are waiting: ask again later`, {
        retryAfter_s: 5,
      });
    const { sql_memory_bytes, sql_timeout_ms } = this.#limits;
    const limits = { memory_bytes: sql_memory_bytes, timeout_ms: sql_timeout_ms };
    const request: DuckRequest = { id: ++this.#lastId, ...limits, ...question };
    return new Promise((resolve, reject) => {
      const waiting = { request, resolve, reject };
      this.#queue.push(waiting);
      signal?.addEventListener('abort', () => this.#drop(waiting), { once: true });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#queue.splice(0)) reject(new DuckError('limit', 'the gateway is stopping'));
    const children = [...this.#idle.keys(), ...this.#busy];
    for (const timer of this.#idle.values()) clearTimeout(timer);
    await Promise.all(children.map(ended));
  }

  #drop(waiting: Waiting): void {
    const i = this.#queue.indexOf(waiting);
    if (i < 0) return;
    this.#queue.splice(i, 1);
    waiting.reject(new DuckError('limit', 'it was given up'));
  }

  #next(): void {
    while (this.#queue.length > 0 && this.#busy.size < this.#limits.sql_concurrent && !this.#closed) {
      const waiting = this.#queue.shift() as Waiting;
      const child = this.#takeIdle() ?? start();
      this.#busy.add(child);
      this.#serve(child, waiting).then(waiting.resolve, waiting.reject);
    }
  }

  #takeIdle(): ChildProcess | null {
    for (const [child, timer] of this.#idle) {
      clearTimeout(timer);
      this.#idle.delete(child);
      if (child.connected) return child;
    }
    return null;
  }

  async #serve(child: ChildProcess, { request }: Waiting): Promise<DuckResult> {
    child.ref();
    try {
      const answer = await exchange(child, request);
      if ('failure' in answer) throw new DuckError(answer.fault, answer.failure);
      const { id: _, ...result } = answer;
      return result;
    } finally {
      this.#busy.delete(child);
      this.#rest(child);
      this.#next();
    }
  }

  #rest(child: ChildProcess): void {
    if (!child.connected || this.#closed) {
      child.kill('SIGKILL');
      return;
    }
    child.unref();
    const timer = setTimeout(() => {
      this.#idle.delete(child);
      child.kill('SIGKILL');
    }, this.#limits.sql_idle_ms);
    timer.unref();
    this.#idle.set(child, timer);
  }
}

/** No environment: what a statement could ever read of it is not there. */
function start(): ChildProcess {
  const child = fork(CHILD, {
    env: {},
    execArgv: [`--max-old-space-size=${HEAP_MIB}`],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  child.channel?.unref();
  return child;
}

/** Sends a request and waits for its answer; kills a child that is late. */
function exchange(child: ChildProcess, request: DuckRequest): Promise<DuckAnswer> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => child.kill('SIGKILL'), request.timeout_ms + GRACE_MS);
    const done = (settle: () => void) => {
      clearTimeout(late);
      child.removeAllListeners();
      child.on('error', () => {}); // of a kill that came too late
      settle();
    };
    child.on('message', (answer: DuckAnswer) => done(() => resolve(answer)));
    const died = (why: string) => done(() => reject(new DuckError('limit', why)));
    child.on('error', (error) => died(`DuckDB could not be started: ${error.message}`));
    child.on('exit', () => died('it took more time or memory than allowed, and was stopped'));
    child.send(request, (error) => {
      if (error) died('it was stopped before it began');
    });
  });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.ref();
    child.kill('SIGKILL');
  });
}
