/**
 * Who may read when. Bounds the questions answered at once, in all and per caller, and lets the admitted
 * ones take turns, first come first served, one group of packets a turn: a short question is not stuck
 * behind a long one. Main thread only, no timers.
 */
import { RequestError } from './failure.js';

export interface TurnLimits {
  scans: number;
  scans_per_caller: number;
  scan_turns: number;
}

const RETRY_S = 5;

export class Turns {
  readonly #limits: TurnLimits;
  readonly #callers = new Map<string, number>();
  readonly #queue: (() => void)[] = [];
  #admitted = 0;
  #reading = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  get admitted(): number {
    return this.#admitted;
  }

  /** Admits a question; the function returned, called once, ends it. Throws RequestError 429 when it is one too many. */
  admit(caller: string): () => void {
    const own = this.#callers.get(caller) ?? 0;
    const { scans, scans_per_caller } = this.#limits;
    if (this.#admitted >= scans || own >= scans_per_caller) {
      const whose =
        own >= scans_per_caller ? `${own} questions from ${caller}` : `${this.#admitted} questions`;
      throw new RequestError(429, `${whose} are being answered: ask again when one is done`, {
        retryAfter_s: RETRY_S,
      });
    }
    this.#admitted++;
    this.#callers.set(caller, own + 1);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.#admitted--;
      const left = (this.#callers.get(caller) as number) - 1;
      if (left > 0) this.#callers.set(caller, left);
      else this.#callers.delete(caller);
    };
  }

  /** Runs one step when it is its turn. */
  async take<T>(step: () => Promise<T>): Promise<T> {
    if (this.#reading >= this.#limits.scan_turns)
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#reading++;
    try {
      return await step();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#reading--;
    }
  }
}
