/**
 * What a person sees of a running `up`: one line that updates itself on a terminal, alarms as they come
 * and go, and the final account. Says unknown where the source cannot tell.
 */
import { isatty } from 'node:tty';
import { bitRateText, countText, pairs, sizeText } from '../format.js';
import { note, transientNote } from '../output.js';
import type { LedgerLine } from './recorder.js';

const STDERR = 2;

const known = (value: number | null | undefined) =>
  value === null || value === undefined ? 'unknown' : countText(value);

/** Packets lost at every stage that can tell. */
function drops(ledger: LedgerLine): number {
  return (ledger.if_drops ?? 0) + (ledger.ring_drops ?? 0) + ledger.pool_drops + ledger.store_drops;
}

export class StatusLine {
  readonly #name: string;
  readonly #tty = isatty(STDERR);
  #previous: { ledger: LedgerLine; at_ms: number } | null = null;
  #alarms: string[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  update(ledger: LedgerLine): void {
    this.#alarm(ledger.alarms ?? []);
    const at_ms = performance.now();
    if (this.#tty) transientNote(ledger.final ? '' : this.#text(ledger, at_ms));
    this.#previous = { ledger, at_ms };
  }

  #text(ledger: LedgerLine, at_ms: number): string {
    const seconds = this.#previous ? (at_ms - this.#previous.at_ms) / 1000 : 0;
    const rate = (now: number, before: number) => (seconds > 0 ? (now - before) / seconds : 0);
    const previous = this.#previous?.ledger ?? ledger;
    const pps = Math.max(0, rate(ledger.ring_received, previous.ring_received));
    const bytes = Math.max(0, rate(ledger.received_bytes, previous.received_bytes));
    return (
      `${this.#name}: ${countText(Math.round(pps))} packets/s, ${bitRateText(bytes)} · ` +
      `stored ${countText(ledger.stored)} packets, ${sizeText(ledger.stored_bytes)} · ` +
      `dropped ${countText(drops(ledger))}`
    );
  }

  #alarm(alarms: string[]): void {
    for (const alarm of alarms) {
      if (!this.#alarms.includes(alarm)) note(`ringtap: ALARM: ${alarm}`);
    }
    this.#alarms = alarms;
  }
}

/** The last words of a recording. */
export function finalAccount(ledger: LedgerLine | null, name: string, store: string): string {
  if (!ledger) return 'The recorder left no account; what it had written is in the store.';
  const heading = ledger.final ? 'Recorded' : 'Recorded at the last account (the recorder left no final one)';
  const files = `${countText(ledger.segments)} ${ledger.segments === 1 ? 'file' : 'files'}`;
  return pairs([
    [heading, `${countText(ledger.stored)} packets of ${name}`],
    ['Written', `${sizeText(ledger.stored_bytes)} in ${files} in ${store}`],
    [
      'Dropped',
      `by the interface ${known(ledger.if_drops)}, in the ring ${known(ledger.ring_drops)}, ` +
        `for want of blocks ${known(ledger.pool_drops)}, by the drives ${known(ledger.store_drops)}`,
    ],
    ['Unaccounted', known(ledger.unaccounted)],
  ]);
}
