/**
 * The event log: what an operator would want to have been told, newest first, bounded. Entries may
 * be completed later (how much was missed is known only when packets flow again), so each has an id.
 */

export type EventLevel = 'info' | 'warning' | 'alarm';

export interface EventEntry {
  id: number;
  atMs: number;
  level: EventLevel;
  title: string;
  /** A second sentence, empty when there is nothing to add yet. */
  detail: string;
}

export const EVENTS_KEPT = 100;

export class EventLog {
  entries: readonly EventEntry[] = [];
  #nextId = 1;

  add(atMs: number, level: EventLevel, title: string, detail = ''): number {
    const id = this.#nextId++;
    this.entries = [{ id, atMs, level, title, detail }, ...this.entries].slice(0, EVENTS_KEPT);
    return id;
  }

  /** Change an entry that is still kept. */
  amend(id: number, change: Partial<Omit<EventEntry, 'id'>>): void {
    this.entries = this.entries.map((entry) => (entry.id === id ? { ...entry, ...change } : entry));
  }
}
