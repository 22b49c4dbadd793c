/**
 * What a lost connection to the gateway cost, told in the event log: first that it happened, and
 * once packets and ledgers flow again, how many packets are missing here and that recording went on.
 * Claims nothing before it is known.
 */
import type { EventLog } from './events.js';
import { formatCount, formatDuration, plural } from './format.js';
import type { ProbeRun } from './probe.js';

/** What is missed this long after the first batch still belongs to the absence: probes resend first. */
const SETTLE_MS = 5000;

interface Absence {
  eventId: number;
  storedBefore: number | null;
  missed: number | null;
  /** When the first batch came. */
  resumedMs: number | null;
  storedMeanwhile: number | null;
}

export class Absences {
  readonly #log: EventLog;
  readonly #open = new Map<number, Absence>();
  #lostAtMs: number | null = null;

  constructor(log: EventLog) {
    this.#log = log;
  }

  lost(nowMs: number, reason: string | null): void {
    this.#lostAtMs = nowMs;
    const detail = `${reason ?? 'No reason was given'}. Recording does not depend on it; reconnecting.`;
    this.#log.add(nowMs, 'warning', 'Connection to the gateway lost', detail);
  }

  /** The connection is back; `runs` are those known before. */
  returned(nowMs: number, runs: Iterable<ProbeRun>): void {
    if (this.#lostAtMs === null) return;
    const title = `Gateway was away ${formatDuration(nowMs - this.#lostAtMs)}`;
    const eventId = this.#log.add(nowMs, 'warning', title, 'Waiting for the probe to say what was missed.');
    for (const run of runs) {
      const storedBefore = run.ledger?.stored ?? null;
      this.#open.set(run.key, {
        eventId,
        storedBefore,
        missed: null,
        resumedMs: null,
        storedMeanwhile: null,
      });
    }
    this.#lostAtMs = null;
  }

  /** Whether what goes missing in this run now is explained by an absence. */
  explains(run: ProbeRun, nowMs: number): boolean {
    const absence = this.#open.get(run.key);
    if (!absence) return false;
    if (absence.resumedMs === null || nowMs - absence.resumedMs <= SETTLE_MS) return true;
    this.#open.delete(run.key);
    return false;
  }

  /** A batch came, `packets` before it never did. False: no absence explains that. */
  missed(run: ProbeRun, packets: number, nowMs: number): boolean {
    const absence = this.explains(run, nowMs) ? this.#open.get(run.key) : undefined;
    if (!absence) return false;
    const first = absence.missed === null;
    absence.missed = (absence.missed ?? 0) + packets;
    absence.resumedMs ??= nowMs;
    if (first || packets) this.#explain(run, absence);
    return true;
  }

  /** The first ledger after an absence says whether recording went on. */
  stored(run: ProbeRun, stored: number): void {
    const absence = this.#open.get(run.key);
    if (!absence || absence.storedBefore === null || absence.storedMeanwhile !== null) return;
    absence.storedMeanwhile = stored - absence.storedBefore;
    this.#explain(run, absence);
  }

  forget(run: ProbeRun): void {
    this.#open.delete(run.key);
  }

  #explain(run: ProbeRun, absence: Absence): void {
    const { missed, storedMeanwhile } = absence;
    const parts: string[] = [];
    if (missed !== null) {
      const who =
        missed === 0 ? 'no packet is' : missed === 1 ? '1 packet is' : `${formatCount(missed)} packets are`;
      parts.push(`${who} missing here`);
    }
    if (storedMeanwhile !== null) {
      parts.push(
        storedMeanwhile > 0
          ? `recording continued, ${plural(storedMeanwhile, 'packet')} stored meanwhile`
          : 'nothing was stored meanwhile',
      );
    }
    this.#log.amend(absence.eventId, { detail: `${run.identity.name}: ${parts.join('; ')}.` });
  }
}
