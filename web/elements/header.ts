/**
 * The bar on top: which probe, whether it is live, what is being recorded, and the page's switches.
 * Says "live" only while data arrives; silence is shown with its age.
 */
import { css, html, LitElement, nothing, svg } from 'lit';
import { ClockController } from '../controllers/clock-controller.js';
import { formatBytes, formatDuration, formatElapsed } from '../data/format.js';
import type { ProbeView } from '../data/probe.js';
import type { LiveState } from '../data/store.js';
import { badge, base, button } from './styles.js';

/** Ledgers come every second: silence beyond this is worth saying. */
const QUIET_MS = 3500;

const logo = svg`
  <circle cx="16" cy="16" r="11" stroke-width="4.5" stroke-dasharray="52 18" stroke-linecap="round" transform="rotate(-58 16 16)"></circle>
  <circle class="dot" cx="16" cy="16" r="4"></circle>`;
const icons = {
  pause: svg`<path d="M5 3v10M11 3v10"></path>`,
  play: svg`<path d="M5 3l8 5-8 5z"></path>`,
  dark: svg`<path d="M13 9.5A5.5 5.5 0 1 1 6.5 3a4.5 4.5 0 0 0 6.5 6.5z"></path>`,
  light: svg`<circle cx="8" cy="8" r="2.8"></circle><path d="M8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M12.6 3.4l-1.1 1.1M4.5 11.5l-1.1 1.1"></path>`,
};
const icon = (name: keyof typeof icons) =>
  html`<svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">${icons[name]}</svg>`;

export class Header extends LitElement {
  static override properties = {
    state: { attribute: false },
    current: { attribute: false },
    paused: { type: Boolean },
    theme: {},
  };
  /** What is displayed, and what is true now: they differ while paused. */
  declare state: LiveState | null;
  declare current: LiveState | null;
  declare paused: boolean;
  declare theme: string;
  readonly #clock = new ClockController(this, 500);

  static override styles = [
    base,
    button,
    badge,
    css`
      :host { position: sticky; top: 0; z-index: 20; }
      header {
        display: flex; align-items: center; gap: 8px 16px; padding: 10px 20px;
        background: var(--surface); border-bottom: 1px solid var(--line);
      }
      h1 { display: flex; align-items: center; gap: 9px; margin: 0; font-size: 16px; font-weight: 680; letter-spacing: -0.01em; color: var(--strong); }
      h1 svg { stroke: var(--accent); fill: none; }
      h1 svg .dot { fill: var(--accent); stroke: none; }
      button svg { fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }
      .probe { position: relative; display: inline-flex; align-items: center; min-width: 0; max-width: 100%; }
      select {
        font: inherit; font-size: 13px; color: var(--strong); background: var(--raised); border: 1px solid var(--line);
        border-radius: 7px; height: 30px; padding: 0 28px 0 10px; appearance: none; max-width: min(420px, 100%); text-overflow: ellipsis; cursor: pointer;
      }
      select:hover { border-color: var(--line-strong); background: var(--hover); }
      .probe svg { position: absolute; right: 9px; pointer-events: none; fill: none; stroke: var(--muted); stroke-width: 1.6; }
      .status { display: inline-flex; align-items: center; gap: 7px; font-size: 13px; font-weight: 560; white-space: nowrap; }
      .status i { width: 8px; height: 8px; border-radius: 50%; background: currentColor; }
      .status.live { color: var(--good); }
      .status.quiet, .status.waiting, .status.paused { color: var(--warning); }
      .status.gone, .status.ended { color: var(--muted); }
      .status.failed { color: var(--alarm); }
      .status.live i { animation: pulse 2s ease-out infinite; }
      @keyframes pulse { 0% { box-shadow: 0 0 0 0 color-mix(in srgb, currentColor 45%, transparent); } 70%, 100% { box-shadow: 0 0 0 7px transparent; } }
      @media (prefers-reduced-motion: reduce) { .status.live i { animation: none; } }
      .facts { flex: 1 1 auto; display: flex; align-items: center; gap: 6px 18px; min-width: 0; font-size: 12.5px; color: var(--muted); }
      .facts b { color: var(--text); font-weight: 560; }
      .facts > span { white-space: nowrap; flex: none; }
      .facts > .segment { overflow: hidden; text-overflow: ellipsis; flex: 0 1 auto; }
      .switches { display: flex; gap: 6px; margin-left: auto; }
      @media (max-width: 1180px) { header { flex-wrap: wrap; } .facts { order: 5; flex-basis: 100%; } }
      @media (max-width: 720px) {
        :host { position: static; }
        header { padding: 10px 12px; gap: 8px 10px; }
        .pause span { display: none; }
        .probe { order: 3; flex: 1 1 100%; }
        select { width: 100%; max-width: none; }
        .synthetic, .status { order: 4; }
        .facts { flex-wrap: wrap; }
      }
    `,
  ];

  constructor() {
    super();
    this.state = this.current = null;
    this.paused = false;
    this.theme = 'light';
  }

  protected override render() {
    const probe = this.current?.shown ?? null;
    return html`
      <header>
        <h1><svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">${logo}</svg>Ringtap</h1>
        ${this.#renderProbes()}
        ${
          probe?.identity.synthetic
            ? html`<span class="badge synthetic" role="note" data-testid="synthetic" title="These packets are generated by the probe, not captured from a network.">SYNTHETIC TRAFFIC</span>`
            : nothing
        }
        ${this.#renderStatus(probe)}
        ${probe ? this.#renderFacts(probe) : nothing}
        <div class="switches">
          <button class="pause" aria-pressed=${this.paused} @click=${() => this.#emit('rt-pause')} title="Space" data-testid="pause">
            ${icon(this.paused ? 'play' : 'pause')}<span>${this.paused ? 'Resume' : 'Pause'}</span>
          </button>
          <button class="square" @click=${() => this.#emit('rt-theme')} data-testid="theme"
            aria-label=${this.theme === 'dark' ? 'Use the light theme' : 'Use the dark theme'}
            title=${this.theme === 'dark' ? 'Light theme' : 'Dark theme'}>
            ${icon(this.theme === 'dark' ? 'light' : 'dark')}
          </button>
          <button class="square" @click=${() => this.#emit('rt-help')} aria-label="Keyboard help" title="Keyboard help (?)" data-testid="help">?</button>
        </div>
      </header>
    `;
  }

  #renderProbes() {
    const probes = this.current?.probes ?? [];
    if (!probes.length) return nothing;
    const label = ({ identity: { name, interfaceName, source }, connected }: ProbeView) =>
      `${name} · ${interfaceName} · ${source}${connected ? '' : ' (away)'}`;
    return html`
      <span class="probe">
        <select aria-label="Probe" data-testid="probe-select" @change=${(event: Event) =>
          this.#emit('rt-probe', Number((event.target as HTMLSelectElement).value))}>
          ${probes.map((probe) => html`<option value=${probe.key} ?selected=${probe.key === this.current?.shown?.key}>${label(probe)}</option>`)}
        </select>
        <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true"><path d="M3 6l5 5 5-5"></path></svg>
      </span>
    `;
  }

  #renderStatus(probe: ProbeView | null) {
    const [kind, text] = this.#status(probe);
    return html`<span class="status num ${kind}" role="status" data-testid="connection" data-state=${kind}><i></i>${text}</span>`;
  }

  /** The worst of what holds: engine, gateway, probe, silence; then paused; then live. */
  #status(probe: ProbeView | null): [string, string] {
    const now = this.#clock.nowMs;
    const current = this.current;
    if (!current) return ['gone', 'Starting'];
    if (current.engine.phase === 'failed') return ['failed', 'Packet engine failed'];
    const { phase, retryAtMs } = current.connection;
    const age = probe?.dataAtMs ? `, last data ${formatDuration(now - probe.dataAtMs)} ago` : '';
    if (phase === 'waiting')
      return [
        'waiting',
        `Gateway away${age}, next try in ${Math.max(0, Math.ceil((retryAtMs! - now) / 1000))} s`,
      ];
    if (phase !== 'open') return ['waiting', `Connecting${age}`];
    if (!probe) return ['gone', 'No probe yet'];
    if (!probe.connected)
      return probe.ledger?.final ? ['ended', `Recording ended${age}`] : ['gone', `Probe away${age}`];
    if (probe.dataAtMs === null) return ['gone', 'Waiting for data'];
    if (now - probe.dataAtMs > QUIET_MS) return ['quiet', `Quiet${age}`];
    return this.paused ? ['paused', 'Paused, recording goes on'] : ['live', 'Live'];
  }

  #renderFacts(probe: ProbeView) {
    const { ledger, identity } = probe;
    const running = ledger && probe.connected && !ledger.final;
    const since = ledger ? ledger.tsMs - identity.startedMs : 0;
    const elapsed =
      since + (running && probe.ledgerAtMs ? Math.max(0, this.#clock.nowMs - probe.ledgerAtMs) : 0);
    return html`
      <span class="facts num">
        <span>Recording <b data-testid="elapsed">${ledger && identity.startedMs ? formatElapsed(elapsed) : 'unknown'}</b></span>
        <span>On disk <b>${formatBytes(ledger?.storedBytes ?? null)}</b></span>
        <span class="segment">
          ${
            ledger?.segment
              ? html`<code data-testid="segment" title=${ledger.segment}>${ledger.segment.split('/').at(-1)}</code>`
              : html`<span data-testid="segment">${ledger ? 'no segment open' : ''}</span>`
          }
        </span>
      </span>
    `;
  }

  #emit(name: string, detail?: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
customElements.define('rt-header', Header);
