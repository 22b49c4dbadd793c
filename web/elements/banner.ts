/**
 * What must not be overlooked, between header and content: alarms for as long as they hold, a
 * ledger that does not balance, a gateway that is away, and for a while what an absence cost.
 */
import { css, html, LitElement, nothing } from 'lit';
import { ClockController } from '../controllers/clock-controller.js';
import type { EventEntry } from '../data/events.js';
import { formatCount } from '../data/format.js';
import type { LiveState } from '../data/store.js';
import { base, button } from './styles.js';

const NOTICE_MS = 60_000;

export class Banner extends LitElement {
  static override properties = { state: { attribute: false }, dismissed: { state: true } };
  declare state: LiveState | null;
  declare dismissed: number;
  readonly #clock = new ClockController(this);

  static override styles = [
    base,
    button,
    css`
      ul { display: grid; gap: 8px; padding: 12px 20px 0; }
      li {
        display: flex; align-items: baseline; gap: 4px 10px; flex-wrap: wrap; padding: 9px 14px; border-radius: 8px; font-size: 13px;
        border: 1px solid var(--warning-line); background: var(--warning-soft); color: var(--text);
      }
      li.alarm { border-color: var(--alarm-line); background: var(--alarm-soft); }
      li b { color: var(--warning); font-weight: 640; }
      li.alarm b { color: var(--alarm); }
      li span { flex: 1 1 20ch; min-width: 0; overflow-wrap: anywhere; }
      button { align-self: center; height: 24px; }
      @media (max-width: 720px) { ul { padding: 10px 12px 0; } }
    `,
  ];

  constructor() {
    super();
    this.state = null;
    this.dismissed = 0;
  }

  protected override render() {
    const items = [...this.#alarms(), ...this.#notice()];
    return items.length ? html`<ul role="alert" data-testid="banner">${items}</ul>` : nothing;
  }

  #alarms() {
    const { shown: probe, engine, connection } = this.state ?? {};
    const items = [];
    if (engine?.phase === 'failed') {
      items.push(
        html`<li class="alarm"><b>Packets cannot be decoded here</b><span>${engine.message}. Recording and its ledger are not affected; reload the page to try again.</span></li>`,
      );
    }
    if (connection?.phase === 'waiting') {
      items.push(html`
        <li><b>The gateway is away</b><span>${connection.reason ?? ''}. Recording goes on without it; what is shown below is the last that was received.</span>
          <button @click=${() => this.dispatchEvent(new CustomEvent('rt-reconnect', { bubbles: true, composed: true }))}>Try now</button></li>`);
    }
    if (probe?.ledger?.unaccounted) {
      items.push(
        html`<li class="alarm"><b>${formatCount(probe.ledger.unaccounted)} packets unaccounted for</b><span>The recorder's ledger does not balance. This is a defect; please report it.</span></li>`,
      );
    }
    for (const alarm of probe?.ledger?.alarms ?? [])
      items.push(html`<li class="alarm"><b>Alarm</b><span>${alarm}</span></li>`);
    return items;
  }

  // The newest thing that was missed, until read or a minute old; older ones are in the event log.
  #notice() {
    if (this.state?.connection.phase !== 'open') return [];
    const recent = (event: EventEntry) =>
      event.level === 'warning' && event.id > this.dismissed && this.#clock.nowMs - event.atMs < NOTICE_MS;
    const event = this.state.events.find(recent);
    if (!event) return [];
    return [
      html`
      <li data-testid="notice"><b>${event.title}</b><span>${event.detail}</span>
        <button class="plain" @click=${() => {
          this.dismissed = event.id;
        }}>Dismiss</button></li>`,
    ];
  }
}
customElements.define('rt-banner', Banner);
