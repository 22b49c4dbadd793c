/**
 * Tells the event log what did not reach this page. A browser that falls behind loses a little many
 * times a second: losses of one run and cause in quick succession become one entry that adds up.
 */
import { type Gap, GapCause } from '../../proto/frame.js';
import type { EventLog } from './events.js';
import { plural } from './format.js';
import type { ProbeRun } from './probe.js';

export type LossCause = Gap['cause'] | 'jump' | 'shed';

/** A loss this soon after the previous one continues its entry. */
const JOIN_MS = 10_000;

const REASONS: Record<LossCause, string> = {
  [GapCause.UNKNOWN]: 'The gateway gave no cause.',
  [GapCause.VIEWER_SLOW]: 'This browser did not keep up with the stream.',
  [GapCause.UPLINK]: 'They were shed between probe and gateway.',
  jump: 'The batch numbers jumped.',
  shed: 'This browser did not keep up with parsing.',
};

interface Entry {
  id: number;
  run: number;
  cause: LossCause;
  lastMs: number;
  /** null: at least one loss of unknown size. */
  packets: number | null;
}

export class GapLog {
  readonly #log: EventLog;
  #entry: Entry | null = null;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** `packets` null: the sender does not know how many. */
  add(run: ProbeRun, cause: LossCause, packets: number | null, nowMs: number): void {
    const open = this.#entry;
    const joined = open && open.run === run.key && open.cause === cause && nowMs - open.lastMs <= JOIN_MS;
    const sum = joined
      ? open.packets === null || packets === null
        ? null
        : open.packets + packets
      : packets;
    const title = `${sum === null ? 'An unknown number of packets' : plural(sum, 'packet')} not shown here`;
    const detail = `${REASONS[cause] ?? REASONS[GapCause.UNKNOWN]} Recording is not affected.`;
    if (joined) this.#log.amend(open.id, { atMs: nowMs, title });
    const id = joined ? open.id : this.#log.add(nowMs, 'warning', title, detail);
    this.#entry = { id, run: run.key, cause, lastMs: nowMs, packets: sum };
  }
}
