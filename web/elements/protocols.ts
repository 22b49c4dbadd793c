/** Packets by protocol since the page opened, and how large a sample of the traffic that is. */
import { css, html, LitElement, nothing, svg } from 'lit';
import { formatCount, formatShare, protocolLabel } from '../data/format.js';
import type { ProbeView } from '../data/probe.js';
import { protocolClass } from './protocol-color.js';
import { base, card } from './styles.js';

export class ProtocolsCard extends LitElement {
  static override properties = { probe: { attribute: false } };
  declare probe: ProbeView | null;

  static override styles = [
    base,
    card,
    css`
      ul { padding: 0 16px; flex: 1; display: grid; grid-template-columns: auto minmax(24px, 1fr) auto auto; align-content: start; column-gap: 10px; }
      li { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; align-items: center; height: 26px; font-size: 13px; }
      .name { font-weight: 560; color: var(--text); }
      .num { text-align: right; }
      .share { color: var(--muted); }
      footer .num { text-align: inherit; }
      svg { display: block; width: 100%; height: 8px; }
      .track { fill: var(--raised); }
      .p-tcp { fill: var(--p-tcp); } .p-udp { fill: var(--p-udp); } .p-icmp { fill: var(--p-icmp); } .p-arp { fill: var(--p-arp); }
      .p-dns { fill: var(--p-dns); } .p-web { fill: var(--p-web); } .p-other { fill: var(--bar); }
      footer { padding: 10px 16px 14px; font-size: 12px; color: var(--muted); line-height: 1.5; }
      footer b { color: var(--text); font-weight: 600; }
      footer .warn { color: var(--warning); }
    `,
  ];

  constructor() {
    super();
    this.probe = null;
  }

  protected override render() {
    const totals = this.probe?.stats?.totals;
    const counts = Object.entries(totals?.protocolCounts ?? {}).filter(([, packets]) => packets > 0);
    counts.sort((a, b) => b[1] - a[1]);
    return html`
      <section class="card" aria-label="Protocols">
        <header><h2>Protocols</h2><span class="spring"></span><span class="note">share of packets</span></header>
        ${
          counts.length
            ? html`<ul data-testid="protocols">${counts.map(([name, packets]) => this.#renderRow(name, packets, totals!.packets))}</ul>`
            : html`<p class="empty">No packets parsed yet.</p>`
        }
        <footer>${this.#renderSample()}</footer>
      </section>
    `;
  }

  #renderRow(name: string, packets: number, all: number) {
    const width = Math.max(0.5, Math.min(100, (packets / all) * 100));
    return html`
      <li data-protocol=${name} data-value=${packets}>
        <span class="name">${protocolLabel(name)}</span>
        <svg aria-hidden="true">
          <rect class="track" width="100%" height="8" rx="2.5"></rect>
          ${svg`<rect class=${protocolClass(name)} width="${width}%" height="8" rx="2.5"></rect>`}
        </svg>
        <span class="num">${formatCount(packets)}</span>
        <span class="share num">${formatShare(packets, all)}</span>
      </li>
    `;
  }

  #renderSample() {
    const { probe } = this;
    if (!probe?.sample) return nothing;
    const { seen, of } = probe.sample;
    const snaplen = probe.identity.uplinkSnaplen;
    const malformed = probe.stats?.totals.malformed ?? 0;
    return html`
      <p data-testid="sample">
        This page was shown <b class="num">${formatShare(seen, of)}</b> of the packets since it opened,
        ${snaplen ? html`the first <b class="num">${snaplen}</b> bytes of each.` : 'each in full.'}
        ${malformed ? html`<span class="warn num">${formatCount(malformed)} malformed.</span>` : nothing}
        ${probe.damagedBatches ? html`<span class="warn num">${formatCount(probe.damagedBatches)} damaged batches.</span>` : nothing}
      </p>
    `;
  }
}
customElements.define('rt-protocols', ProtocolsCard);
