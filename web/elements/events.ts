/** The event log: what an operator would want to have been told, newest first. */
import { css, html, LitElement } from 'lit';
import type { EventEntry } from '../data/events.js';
import { formatClock } from '../data/format.js';
import { base, card } from './styles.js';

export class EventsCard extends LitElement {
  static override properties = { entries: { attribute: false } };
  declare entries: readonly EventEntry[];

  static override styles = [
    base,
    card,
    css`
      ol { padding: 0 16px 12px; max-height: 264px; overflow: auto; scrollbar-width: thin; }
      li { display: grid; grid-template-columns: 8px 66px minmax(0, 1fr); gap: 10px; align-items: baseline; padding: 6px 0; font-size: 13px; border-top: 1px solid var(--line); }
      li:first-child { border-top: 0; }
      i { width: 8px; height: 8px; border-radius: 50%; background: var(--bar); }
      .warning i { background: var(--warning); }
      .alarm i { background: var(--alarm); }
      time { color: var(--muted); }
      b { font-weight: 600; color: var(--strong); }
      p { overflow-wrap: anywhere; }
    `,
  ];

  constructor() {
    super();
    this.entries = [];
  }

  protected override render() {
    return html`
      <section class="card" aria-label="Events">
        <header><h2>Events</h2><span class="spring"></span><span class="note">since this page opened</span></header>
        ${
          this.entries.length
            ? html`<ol data-testid="events" tabindex="0" aria-label="Event log">${this.entries.map((entry) => this.#renderEntry(entry))}</ol>`
            : html`<p class="empty">Nothing has happened yet.</p>`
        }
      </section>
    `;
  }

  #renderEntry(entry: EventEntry) {
    return html`
      <li class=${entry.level}>
        <i role="img" aria-label=${entry.level}></i>
        <time>${formatClock(entry.atMs)}</time>
        <p><b>${entry.title}</b>${entry.detail ? ' — ' : ''}<span class="muted">${entry.detail}</span></p>
      </li>
    `;
  }
}
customElements.define('rt-events', EventsCard);
