/**
 * The gateway as a child of `ringtap up`, restarted with back-off when it dies. It shares nothing with
 * the recorder, so its death costs no packet. In its own process group: Ctrl-C in the terminal reaches
 * it only through `up`, after the recorder has sent its final account.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import type { ListeningMessage } from '../../main.js';
import { paths } from '../../paths.js';
import { note } from '../output.js';
import { onLines } from './lines.js';

const BACKOFF_MIN_MS = 250;
const BACKOFF_MAX_MS = 10_000;
/** Up for this long, the next death starts with the shortest wait again. */
const SETTLED_MS = 30_000;
const STOP_MS = 5_000;
/** Below the recorder's. */
const NICE = 5;

export interface GatewayChildOptions {
  host: string;
  /** 0 for a free one; a restart keeps the one that was taken. */
  port: number;
  tokenFile: string | null;
  /** Where the recorder stores. */
  store: string;
}

export class GatewayChild {
  readonly #options: GatewayChildOptions;
  #port: number;
  #child: ChildProcess | null = null;
  #stopping = false;
  #backoff_ms = BACKOFF_MIN_MS;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: GatewayChildOptions) {
    this.#options = options;
    this.#port = options.port;
  }

  /** Resolves to the port once it listens, or null when it ended before: it has said why. */
  async start(): Promise<number | null> {
    const child = this.#spawn();
    const listening = once(child, 'message').then(([message]) => (message as ListeningMessage).port);
    const exited = once(child, 'exit').then(() => null);
    const port = await Promise.race([listening, exited]);
    if (port === null || this.#stopping) return null;
    this.#port = port;
    this.#watch(child);
    return port;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#timer) clearTimeout(this.#timer);
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await exited;
    clearTimeout(killer);
  }

  #spawn(): ChildProcess {
    const { host, tokenFile, store } = this.#options;
    const listen = `${host.includes(':') ? `[${host}]` : host}:${this.#port}`;
    const args = [paths.cli, 'gateway', '--listen', listen, '--log-level', 'warn', '--store', store];
    if (tokenFile !== null) args.push('--token-file', tokenFile);
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      detached: true,
    });
    lowerPriority(child);
    if (child.stderr) onLines(child.stderr, printLog);
    this.#child = child;
    return child;
  }

  #watch(child: ChildProcess): void {
    const since_ms = performance.now();
    const ended = (how: string) => {
      if (this.#stopping || this.#child !== child) return;
      this.#child = null;
      if (performance.now() - since_ms > SETTLED_MS) this.#backoff_ms = BACKOFF_MIN_MS;
      note(`gateway: ended (${how}); recording goes on, the gateway is started again`);
      this.#timer = setTimeout(() => this.#watch(this.#spawn()), this.#backoff_ms);
      this.#backoff_ms = Math.min(this.#backoff_ms * 2, BACKOFF_MAX_MS);
    };
    child.once('exit', (code, signal) => ended(signal ?? `exit ${code}`));
    child.once('error', (error) => ended(error.message)); // not started: the recorder must not pay for it
  }
}

function lowerPriority(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) setPriority(child.pid, NICE);
  } catch {
    // it has ended already, which its exit event tells
  }
}

/** The gateway logs JSON; people get the message. Other lines are errors for people, as they are. */
function printLog(line: string): void {
  let message: unknown;
  try {
    message = JSON.parse(line).msg;
  } catch {
    message = undefined;
  }
  note(typeof message === 'string' ? `gateway: ${message.replace(/\s+/g, ' ')}` : line);
}
