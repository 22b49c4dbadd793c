/**
 * The loss ledger as a waterfall: every packet from the interface to this browser is in exactly one
 * row. Exact integers; unknown is said, never drawn as nothing. Rows carry data-field/data-value.
 */
import { css, html, LitElement, nothing, svg } from 'lit';
import { formatCount, formatShare } from '../data/format.js';
import type { ProbeView } from '../data/probe.js';
import { recordedLoss, type WaterfallAccount, type WaterfallRow, waterfall } from '../data/waterfall.js';
import { base, card } from './styles.js';

export class LedgerCard extends LitElement {
  static override properties = { probe: { attribute: false } };
  declare probe: ProbeView | null;

  static override styles = [
    base,
    card,
    css`
      .accounts { padding: 0 16px 12px; display: grid; grid-template-columns: auto minmax(40px, 1fr) auto; gap: 12px; align-content: space-between; flex: 1; }
      .account, dl, .row { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; }
      h3 {
        grid-column: 1 / -1; margin: 0 0 3px; font-size: 11px; font-weight: 600; color: var(--muted); letter-spacing: 0.04em; text-transform: uppercase;
        padding-bottom: 4px; border-bottom: 1px solid var(--line);
      }
      .row { align-items: center; height: 24px; font-size: 13px; }
      dt { white-space: nowrap; color: var(--muted); }
      dd { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
      .total dt, .total dd { color: var(--strong); font-weight: 620; }
      .check dt, .check dd { color: var(--good); font-weight: 620; }
      .check.bad dt, .check.bad dd { color: var(--alarm); }
      .lost dt, .lost dd { color: var(--alarm); font-weight: 620; }
      .none dd { color: var(--muted); }
      .unknown dd { color: var(--muted); font-style: italic; }
      svg { display: block; width: 100%; height: 10px; overflow: visible; }
      .track { fill: var(--raised); }
      .total .bar { fill: var(--packets); }
      .minus .bar { fill: var(--bar); }
      .lost .bar { fill: var(--alarm); }
      .verdict { font-size: 12px; font-weight: 600; padding: 2px 9px; border-radius: 999px; }
      .verdict.good { color: var(--good); background: color-mix(in srgb, var(--good) 13%, transparent); }
      .verdict.bad { color: var(--alarm); background: var(--alarm-soft); }
      .verdict.open { color: var(--muted); background: var(--raised); }
    `,
  ];

  constructor() {
    super();
    this.probe = null;
  }

  protected override render() {
    const { probe } = this;
    return html`
      <section class="card" aria-label="Loss ledger">
        <header><h2>Where every packet went</h2><span class="spring"></span>${probe ? this.#renderVerdict(probe) : nothing}</header>
        ${
          probe
            ? html`<div class="accounts" data-testid="ledger">${waterfall(probe).map((account) => this.#renderAccount(account))}</div>`
            : html`<p class="empty">The ledger appears with the first probe.</p>`
        }
      </section>
    `;
  }

  #renderVerdict(probe: ProbeView) {
    const loss = recordedLoss(probe);
    const received = probe.ledger?.ringReceived ?? 0;
    const [kind, text] =
      loss === null
        ? ['open', probe.ledger ? 'losses partly unknown' : 'no ledger yet']
        : loss === 0
          ? ['good', 'nothing lost']
          : ['bad', `${formatShare(loss, received)} lost`];
    return html`<span class="verdict ${kind}" data-testid="verdict" title="By the recording; viewing may shed and says so below.">${text}</span>`;
  }

  #renderAccount(account: WaterfallAccount) {
    return html`
      <div class="account">
        <h3>${account.name}</h3>
        <dl>${account.rows.map((row) => this.#renderRow(row))}</dl>
      </div>
    `;
  }

  #renderRow(row: WaterfallRow) {
    const lost = row.loss && row.kind !== 'check' && (row.value ?? 0) > 0;
    const state = row.value === null ? 'unknown' : row.value === 0 && row.kind !== 'total' ? 'none' : '';
    const bad = row.kind === 'check' && row.value !== 0 && row.value !== null;
    const sign = row.kind === 'minus' && row.value ? '−' : '';
    return html`
      <div class="row ${row.kind} ${state} ${lost ? 'lost' : ''} ${bad ? 'bad' : ''}" title=${row.hint}>
        <dt>${row.label}</dt>
        ${this.#renderBar(row)}
        <dd data-field=${row.field} data-value=${row.value ?? 'unknown'}>${sign}${formatCount(row.value)}</dd>
      </div>
    `;
  }

  // Any loss is visible: at least two pixels wide, however small its share.
  #renderBar(row: WaterfallRow) {
    if (row.kind === 'check' || row.kind === 'aside') return html`<span></span>`;
    const width = (row.to - row.from) * 100;
    const bar = svg`<rect class="bar" x="${row.from * 100}%" y="1" width="${width}%" height="8" rx="2.5"></rect>`;
    const sliver = svg`<rect class="bar" x="${Math.min(row.from, 0.99) * 100}%" y="1" width="2.5" height="8" rx="1"></rect>`;
    return html`
      <svg aria-hidden="true">
        <rect class="track" x="0" y="1" width="100%" height="8" rx="2.5"></rect>
        ${row.value ? (width < 1 ? sliver : bar) : nothing}
      </svg>
    `;
  }
}
customElements.define('rt-ledger', LedgerCard);
