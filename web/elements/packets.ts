/** The packets card: filter, list and detail around one PacketsController. */
import { css, html, LitElement, nothing } from 'lit';
import { PacketsController } from '../controllers/packets-controller.js';
import type { EngineClient } from '../data/engine-client.js';
import { formatCount, plural } from '../data/format.js';
import type { PacketRow } from '../worker/messages.js';
import { base, button, card } from './styles.js';
import './filter-box.js';
import './packet-detail.js';
import './packet-list.js';

export class PacketsCard extends LitElement {
  static override properties = { engine: { attribute: false }, empty: {} };
  declare engine: EngineClient | null;
  /** What to say while there are no packets. */
  declare empty: string;
  readonly #packets = new PacketsController(this, () => this.engine);

  static override styles = [
    base,
    card,
    button,
    css`
      :host { scroll-margin-top: 72px; }
      .card { height: clamp(440px, 74vh, 1000px); overflow: hidden; }
      .bar { display: flex; align-items: flex-start; gap: 10px 16px; padding: 12px 16px; flex-wrap: wrap; }
      h2 { line-height: 32px; }
      rt-filter-box { flex: 1 1 260px; max-width: 720px; }
      .state { display: flex; align-items: center; gap: 10px; margin-left: auto; min-height: 32px; font-size: 12.5px; color: var(--muted); }
      .body { position: relative; flex: 1; min-height: 0; display: grid; grid-template-columns: minmax(0, 1fr); }
      .body.open { grid-template-columns: minmax(0, 5fr) minmax(380px, 4fr); }
      rt-packet-list { min-width: 0; }
      rt-packet-detail { border-left: 1px solid var(--line); border-top: 1px solid var(--line); min-width: 0; }
      .empty { position: absolute; inset: 30px 0 0; pointer-events: none; }
      @media (max-width: 1000px) {
        .body.open { grid-template-columns: minmax(0, 1fr); grid-template-rows: minmax(0, 2fr) minmax(0, 3fr); }
        rt-packet-detail { border-left: 0; border-top: 2px solid var(--line-strong); }
      }
      @media (max-width: 720px) {
        .card { height: 84vh; }
        .bar { padding: 10px 12px; } .bar h2 { display: none; }
        .body.open { grid-template-rows: minmax(0, 1fr); }
        rt-packet-detail {
          position: fixed; inset: 14vh 0 0; z-index: 30; border-top: 0; border-radius: 14px 14px 0 0;
          box-shadow: 0 -8px 40px #0007, 0 0 0 100vmax #0a0f1466;
        }
        .state { width: 100%; margin: 0; justify-content: space-between; flex-wrap: wrap; }
        .state span { white-space: nowrap; }
      }
    `,
  ];

  constructor() {
    super();
    this.engine = null;
    this.empty = '';
  }

  protected override render() {
    const { window, frozen, opened, selected, reveal, expression, problem } = this.#packets;
    return html`
      <section class="card" aria-label="Packets">
        <div class="bar">
          <h2>Packets</h2>
          <rt-filter-box .applied=${expression} .problem=${problem} @rt-filter=${(
            event: CustomEvent<string>,
          ) => {
            event.stopPropagation();
            void this.#packets.filter(event.detail);
          }}></rt-filter-box>
          <div class="state num">${this.#renderState()}</div>
        </div>
        <div class="body ${opened ? 'open' : ''}"
          @rt-view=${(event: CustomEvent<{ first: number; count: number }>) => this.#packets.view(event.detail.first, event.detail.count)}
          @rt-freeze=${(event: CustomEvent<number | null>) => this.#packets.freeze(event.detail)}
          @rt-select=${(event: CustomEvent<PacketRow>) => this.#packets.select(event.detail, true)}
          @rt-move=${(event: CustomEvent<number>) => this.#packets.move(event.detail)}
          @rt-close=${() => this.#packets.close()}>
          <rt-packet-list ?compact=${opened !== null} .window=${window} .frozen=${frozen} .selected=${selected}
            .openedNo=${opened?.row.no ?? null} .reveal=${reveal}></rt-packet-list>
          ${opened ? html`<rt-packet-detail .packet=${opened} data-testid="packet-detail"></rt-packet-detail>` : nothing}
          ${window?.total ? nothing : html`<p class="empty" data-testid="packets-empty">${this.#emptyText()}</p>`}
        </div>
      </section>
    `;
  }

  #renderState() {
    const { window, frozen, expression } = this.#packets;
    if (!window) return nothing;
    const shown = expression
      ? `${formatCount(window.total)} of the last ${plural(window.retained, 'packet')}`
      : `last ${plural(window.total, 'packet')}`;
    if (!frozen) return html`<span data-testid="list-state">following · ${shown}</span>`;
    return html`
      <span data-testid="list-state">held · ${formatCount(window.total)} packets</span>
      <button class="primary" @click=${() => this.#packets.live()} data-testid="jump-live" title="l">
        ${window.newer ? `${plural(window.newer, 'new packet')} · ` : ''}Jump to live
      </button>
    `;
  }

  #emptyText(): string {
    const { expression, window } = this.#packets;
    if (expression && window?.retained)
      return `None of the last ${plural(window.retained, 'packet')} matches the filter.`;
    return this.empty;
  }

  // --- what the page's keys do here ---

  focusFilter(): void {
    this.scrollIntoView({ block: 'nearest' });
    this.renderRoot.querySelector('rt-filter-box')?.focus();
  }

  setFilter(expression: string): void {
    this.renderRoot.querySelector('rt-filter-box')?.set(expression);
    this.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  }

  move(delta: number): void {
    void this.#packets.move(delta);
  }

  /** False when nothing is selected. */
  enter(): boolean {
    if (this.#packets.opened) {
      this.renderRoot.querySelector('rt-packet-detail')?.focusTree();
      return true;
    }
    return this.#packets.enter();
  }

  /** Close the packet, or else go back to live. False: there was nothing to leave. */
  leave(): boolean {
    if (this.#packets.opened) {
      this.#packets.close();
      this.renderRoot
        .querySelector('rt-packet-list')
        ?.renderRoot.querySelector<HTMLElement>('.scroller')
        ?.focus();
      return true;
    }
    if (!this.#packets.frozen) return false;
    this.#packets.live();
    return true;
  }

  hold(): void {
    void this.#packets.freeze(null);
  }

  live(): void {
    this.#packets.live();
  }
}
customElements.define('rt-packets', PacketsCard);
