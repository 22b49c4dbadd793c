/**
 * ringtapd as a child of `ringtap up`. Reads its ledger, never touches its data. In its own process
 * group, so that one SIGINT reaches it, ours; a crash by signal is answered with a few new starts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { paths } from '../../paths.js';
import { note } from '../output.js';
import { onLines } from './lines.js';

/** The ledger line of ringtapd: the fields of proto Ledger. Absent or null is unknown. */
export interface LedgerLine {
  ring_received: number;
  ring_drops?: number | null;
  if_drops?: number | null;
  pool_drops: number;
  stored: number;
  store_drops: number;
  unaccounted: number;
  received_bytes: number;
  stored_bytes: number;
  segment?: string;
  segments: number;
  final?: boolean;
  alarms?: string[];
}

/** Null for lines that are messages to people. */
function parseLedger(line: string): LedgerLine | null {
  try {
    const ledger = JSON.parse(line);
    return typeof ledger?.stored === 'number' ? ledger : null;
  } catch {
    return null;
  }
}

const RESTARTS_MAX = 3;
const RESTART_DELAY_MS = 500;

export class Recorder {
  /** Latest ledger of the current run. */
  ledger: LedgerLine | null = null;
  readonly #args: string[];
  readonly #onLedger: (ledger: LedgerLine) => void;
  #child: ChildProcess | null = null;
  #stopping = false;
  #restarts = 0;

  constructor(args: string[], onLedger: (ledger: LedgerLine) => void) {
    this.#args = args;
    this.#onLedger = onLedger;
    process.once('exit', () => this.stop()); // whatever ends us, short of SIGKILL, it flushes and ends
  }

  /** Records until stopped, finished or beyond help. Resolves to the exit code for the user. */
  async run(): Promise<number> {
    for (;;) {
      const { code, signal } = await this.#runOnce();
      // SIGINT before it could block it: it had recorded nothing yet.
      if (code === 0 || (this.#stopping && signal === 'SIGINT')) return 0;
      if (code === 2) return 2; // it has said what was wrong
      if (signal === null || this.#stopping) {
        note(`ringtap: the recorder ended with ${signal ?? `exit code ${code}`}`);
        return 1;
      }
      if (++this.#restarts > RESTARTS_MAX) {
        note(`ringtap: the recorder crashed ${this.#restarts} times (${signal}): giving up`);
        return 1;
      }
      note(`ringtap: the recorder was ended by ${signal}: starting it again; packets in between are lost`);
      await new Promise((resolve) => setTimeout(resolve, RESTART_DELAY_MS));
      if (this.#stopping) return 1;
    }
  }

  /** Asks it to flush and end. Asked again it is told again; `force` abandons what is not written. */
  stop(force = false): void {
    this.#stopping = true;
    this.#child?.kill(force ? 'SIGKILL' : 'SIGINT');
  }

  async #runOnce(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.ledger = null;
    // Even SIGKILL to us lets it flush and end: nobody would be left to stop it.
    const child = spawn(paths.probe, ['--exit-with-parent', ...this.#args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    this.#child = child;
    onLines(child.stderr, (line) => this.#line(line));
    child.on('error', (error) => note(`ringtap: ringtapd cannot be started: ${error.message}`));
    // 'close', not 'exit': the final ledger may still be in the pipe.
    const [code, signal] = await once(child, 'close').catch(() => [1, null]);
    this.#child = null;
    return { code, signal };
  }

  #line(line: string): void {
    const ledger = parseLedger(line);
    if (ledger) {
      this.ledger = ledger;
      this.#onLedger(ledger);
    } else note(line);
  }
}
