/** The top flows of what this page has seen, sortable; choosing one filters the packet list to it. */
import { css, html, LitElement, nothing } from 'lit';
import { formatBitRate, formatBytes, formatClock, formatCount, formatEndpoint } from '../data/format.js';
import type { ProbeView } from '../data/probe.js';
import type { FlowRow, FlowSort } from '../worker/messages.js';
import { protocolClass } from './protocol-color.js';
import { base, card } from './styles.js';

const SHOWN = 50;

/** Of others the port columns carry the ICMP type and code, or nothing. */
const hasPorts = ({ proto }: FlowRow) => proto === 'tcp' || proto === 'udp' || proto === 'sctp';

/** A pcap-filter expression for one conversation, both directions. */
export function flowFilter(flow: FlowRow): string {
  const parts = [`host ${flow.origAddr}`, `host ${flow.respAddr}`];
  if (hasPorts(flow)) parts.push(flow.proto, `port ${flow.origPort}`, `port ${flow.respPort}`);
  return parts.join(' and ');
}

export class FlowsCard extends LitElement {
  static override properties = { probe: { attribute: false }, sort: {} };
  declare probe: ProbeView | null;
  declare sort: FlowSort;

  static override styles = [
    base,
    card,
    css`
      .scroll { flex: 1 1 0; min-height: 250px; overflow: auto; padding: 0 4px 8px 0; scrollbar-width: thin; }
      table { width: 100%; border-collapse: collapse; font-size: 12px; table-layout: fixed; }
      th { position: sticky; top: 0; z-index: 1; background: var(--surface); font-weight: 500; color: var(--muted); text-align: left; padding: 0; border-bottom: 1px solid var(--line); font-size: 12px; }
      th span, th button { display: block; width: 100%; padding: 5px 6px; font: inherit; color: inherit; background: none; border: 0; text-align: inherit; cursor: default; }
      th button { cursor: pointer; }
      th button:hover, th[aria-sort] button { color: var(--strong); }
      th[aria-sort] button { font-weight: 620; }
      th:first-child span, td:first-child { padding-left: 16px; }
      th:last-child button, td:last-child { padding-right: 12px; }
      td { padding: 0 6px; height: 26px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
      .right { text-align: right; font-variant-numeric: tabular-nums; }
      tr[tabindex] { cursor: pointer; }
      tbody tr:hover td { background: var(--hover); }
      tr:focus-visible { outline-offset: -2px; }
      .proto { width: 74px; font-weight: 600; } .packets { width: 72px; } .bytes { width: 70px; } .rate { width: 86px; } .last { width: 82px; }
      .p-tcp { color: var(--p-tcp); } .p-udp { color: var(--p-udp); } .p-icmp { color: var(--p-icmp); } .p-other { color: var(--p-other); }
      :host { container-type: inline-size; }
      @container (width < 560px) { .last { display: none; } }
      @container (width < 480px) {
        .rate { display: none; }
        thead tr { display: flex; justify-content: flex-end; border-bottom: 1px solid var(--line); }
        th { border: 0; } th:nth-child(-n + 3) { display: none; }
        tbody tr { display: grid; grid-template-columns: 74px minmax(0, 1fr) auto; padding: 5px 0; border-bottom: 1px solid var(--line); }
        td { height: 20px; line-height: 20px; }
        td:nth-child(2) { grid-area: 1 / 2; } td:nth-child(3) { grid-area: 2 / 2; color: var(--muted); } td:nth-child(3)::before { content: '→ '; }
        td.bytes { grid-area: 1 / 3; width: auto; } td.packets { grid-area: 2 / 3; width: auto; color: var(--muted); } td.packets::after { content: ' packets'; }
        td.bytes, td.packets { padding-right: 12px; }
      }
    `,
  ];

  constructor() {
    super();
    this.probe = null;
    this.sort = 'bytes';
  }

  protected override render() {
    const stats = this.probe?.stats;
    return html`
      <section class="card" aria-label="Top flows">
        <header>
          <h2>Top flows</h2>
          <span class="spring"></span>
          ${stats ? html`<span class="note num" data-testid="flow-count" data-value=${stats.flowCount}>${formatCount(stats.flowCount)} flows in memory</span>` : nothing}
        </header>
        ${stats?.flows.length ? this.#renderTable(stats.flows) : html`<p class="empty">No flows yet.</p>`}
      </section>
    `;
  }

  #renderTable(flows: readonly FlowRow[]) {
    return html`
      <div class="scroll" tabindex="0" role="region" aria-label="Flow table">
        <table data-testid="flows">
          <thead>
            <tr>
              <th scope="col" class="proto"><span>Proto</span></th>
              <th scope="col"><span>Originator</span></th>
              <th scope="col"><span>Responder</span></th>
              ${this.#renderSortHead('packets', 'Packets', 'packets')}
              ${this.#renderSortHead('bytes', 'Bytes', 'bytes')}
              <th scope="col" class="right rate"><span>Rate</span></th>
              ${this.#renderSortHead('last', 'Last', 'last')}
            </tr>
          </thead>
          <tbody>${flows.slice(0, SHOWN).map((flow) => this.#renderFlow(flow))}</tbody>
        </table>
      </div>
    `;
  }

  #renderSortHead(sort: FlowSort, label: string, name: string) {
    const active = this.sort === sort;
    return html`
      <th scope="col" class="right ${name}" aria-sort=${active ? 'descending' : nothing}>
        <button @click=${() => this.#emit('rt-sort', sort)}>${label}${active ? ' ↓' : ''}</button>
      </th>
    `;
  }

  #renderFlow(flow: FlowRow) {
    const originator = formatEndpoint(flow.origAddr, hasPorts(flow) ? flow.origPort : 0);
    const responder = formatEndpoint(flow.respAddr, hasPorts(flow) ? flow.respPort : 0);
    const choose = () => this.#emit('rt-filter', flowFilter(flow));
    return html`
      <tr tabindex="0" title="Show only these packets" @click=${choose} @keydown=${(event: KeyboardEvent) => {
        if (event.key !== 'Enter') return;
        event.preventDefault();
        choose();
      }}>
        <td class="proto ${protocolClass(flow.proto)}">${flow.proto === 'other' ? `IP ${flow.ipProto}` : flow.proto.toUpperCase()}</td>
        <td title=${originator}>${originator}</td>
        <td title=${responder}>${responder}</td>
        <td class="right packets">${formatCount(flow.origPackets + flow.respPackets)}</td>
        <td class="right bytes">${formatBytes(flow.origBytes + flow.respBytes)}</td>
        <td class="right rate">${formatBitRate(flow.bitsPerSecond)}</td>
        <td class="right last">${formatClock(Number(flow.lastTsNs / 1_000_000n))}</td>
      </tr>
    `;
  }

  #emit(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
customElements.define('rt-flows', FlowsCard);
