/**
 * The page: lays out the cards, hands each its part of the state, and owns pause, theme and keys.
 * The only element that knows the store.
 */
import { css, html, LitElement } from 'lit';
import { ShortcutsController } from '../controllers/shortcuts-controller.js';
import { StoreController } from '../controllers/store-controller.js';
import { ThemeController } from '../controllers/theme-controller.js';
import type { Live } from '../data/live.js';
import type { LiveState } from '../data/store.js';
import type { FlowSort } from '../worker/messages.js';
import type { Banner } from './banner.js';
import './banner.js';
import type { ThroughputCard } from './chart/throughput.js';
import './chart/throughput.js';
import type { EventsCard } from './events.js';
import './events.js';
import type { FilterBox } from './filter-box.js';
import type { FlowsCard } from './flows.js';
import './flows.js';
import type { Header } from './header.js';
import './header.js';
import type { Help } from './help.js';
import './help.js';
import type { HexDump } from './hex-dump.js';
import type { LedgerCard } from './ledger.js';
import './ledger.js';
import type { PacketDetail } from './packet-detail.js';
import type { PacketList } from './packet-list.js';
import type { PacketTree } from './packet-tree.js';
import type { PacketsCard } from './packets.js';
import './packets.js';
import type { ProtocolsCard } from './protocols.js';
import './protocols.js';
import { base } from './styles.js';

export class App extends LitElement {
  static override properties = { live: { attribute: false } };
  /** Set before the element is connected. */
  declare live: Live | null;
  readonly #store = new StoreController(this, () => this.live?.store ?? null);
  readonly #theme = new ThemeController(this);

  static override styles = [
    base,
    css`
      main { padding: 16px 20px 32px; display: grid; gap: 16px; max-width: 2200px; margin: 0 auto; }
      .cards {
        display: grid; gap: 16px;
        grid-template-columns: minmax(270px, 3fr) minmax(0, 7fr) minmax(360px, 4.4fr);
        grid-template-areas: 'chart chart ledger' 'protocols flows ledger';
        grid-template-rows: minmax(0, auto) minmax(300px, 1fr);
      }
      rt-throughput { grid-area: chart; } rt-ledger { grid-area: ledger; } rt-protocols { grid-area: protocols; } rt-flows { grid-area: flows; }
      @media (max-width: 1280px) {
        .cards { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); grid-template-areas: 'chart chart' 'ledger protocols' 'flows flows'; grid-template-rows: none; }
      }
      @media (max-width: 820px) {
        .cards { grid-template-columns: minmax(0, 1fr); grid-template-areas: 'chart' 'ledger' 'protocols' 'flows'; }
      }
      @media (max-width: 720px) { main { padding: 12px 12px 24px; gap: 12px; } .cards { gap: 12px; } }
    `,
  ];

  constructor() {
    super();
    this.live = null;
    new ShortcutsController(this, {
      '/': () => this.#packets?.focusFilter(),
      ' ': () => this.#togglePause(),
      j: () => this.#packets?.move(1),
      k: () => this.#packets?.move(-1),
      Enter: () => this.#packets?.enter() ?? false,
      Escape: () => this.#packets?.leave() ?? false,
      l: () => this.#packets?.live(),
      t: () => this.#theme.toggle(),
      '?': () => this.renderRoot.querySelector('rt-help')?.show(),
    });
  }

  get #packets(): PacketsCard | null {
    return this.renderRoot.querySelector('rt-packets');
  }

  protected override render() {
    const { state, current, paused } = this.#store;
    const probe = state?.shown ?? null;
    const theme = this.#theme.theme;
    return html`
      <rt-header .state=${state} .current=${current} .paused=${paused} .theme=${theme}
        @rt-pause=${this.#togglePause} @rt-theme=${() => this.#theme.toggle()}
        @rt-help=${() => this.renderRoot.querySelector('rt-help')?.show()}
        @rt-probe=${(event: CustomEvent<number>) => this.live?.store.select(event.detail)}></rt-header>
      <rt-banner .state=${current} @rt-reconnect=${() => this.live?.connection.restart('asked to')}></rt-banner>
      <main @rt-sort=${(event: CustomEvent<FlowSort>) => this.live?.store.sortFlows(event.detail)}
        @rt-filter=${(event: CustomEvent<string>) => this.#packets?.setFilter(event.detail)}>
        <div class="cards">
          <rt-throughput .probe=${probe} .paused=${paused} .theme=${theme}></rt-throughput>
          <rt-ledger .probe=${probe}></rt-ledger>
          <rt-protocols .probe=${probe}></rt-protocols>
          <rt-flows .probe=${probe} .sort=${state?.flowSort ?? 'bytes'}></rt-flows>
        </div>
        <rt-packets .engine=${this.live?.engine ?? null} .empty=${emptyText(current)}></rt-packets>
        <rt-events .entries=${state?.events ?? []}></rt-events>
      </main>
      <rt-help></rt-help>
    `;
  }

  #togglePause(): void {
    this.#store.paused = !this.#store.paused;
    if (this.#store.paused) this.#packets?.hold();
    else this.#packets?.live();
  }
}

/** Why there is nothing in the list, and what to do about it. */
function emptyText(state: LiveState | null): string {
  if (!state || state.engine.phase === 'loading') return 'Loading the packet engine…';
  if (state.engine.phase === 'failed')
    return 'The packet engine could not be started; the ledger above is not affected.';
  if (state.connection.phase !== 'open')
    return 'Not connected to the gateway. Packets appear when it is back.';
  if (!state.shown)
    return 'No probe is connected. Start one with ringtapd -i INTERFACE --gateway URL, or npm start.';
  if (!state.shown.connected) return 'This probe is away. Packets appear when it is back.';
  return 'No packets yet. They appear here as the probe sends them.';
}

customElements.define('rt-app', App);

declare global {
  interface HTMLElementTagNameMap {
    'rt-app': App;
    'rt-header': Header;
    'rt-banner': Banner;
    'rt-throughput': ThroughputCard;
    'rt-ledger': LedgerCard;
    'rt-protocols': ProtocolsCard;
    'rt-flows': FlowsCard;
    'rt-events': EventsCard;
    'rt-help': Help;
    'rt-packets': PacketsCard;
    'rt-filter-box': FilterBox;
    'rt-packet-list': PacketList;
    'rt-packet-detail': PacketDetail;
    'rt-packet-tree': PacketTree;
    'rt-hex-dump': HexDump;
  }
}
