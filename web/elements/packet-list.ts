/**
 * The packet list: a window of rows over a scroll area as tall as all of them. Following, it stays
 * at the newest packet; the first scroll upwards asks for a freeze. Only what is in view exists.
 */
import { css, html, LitElement, nothing, type PropertyValues } from 'lit';
import { MediaController } from '../controllers/media-controller.js';
import { formatCount, formatPacketTime } from '../data/format.js';
import type { PacketRow, PacketWindow } from '../worker/messages.js';
import { protocolClass } from './protocol-color.js';
import { base } from './styles.js';

const ROW_PX = 25;
const NARROW_ROW_PX = 46;
/** Rows fetched beyond each edge, so that a short scroll shows no blank. */
const OVERSCAN = 20;

export class PacketList extends LitElement {
  static override properties = {
    window: { attribute: false },
    frozen: { type: Boolean },
    selected: { attribute: false },
    openedNo: { attribute: false },
    reveal: { attribute: false },
  };
  declare window: PacketWindow | null;
  declare frozen: boolean;
  declare selected: number | null;
  declare openedNo: number | null;
  /** A row to scroll to, once per object. */
  declare reveal: { index: number; top: boolean } | null;
  readonly #narrow = new MediaController(this, '(max-width: 720px)');
  readonly #resize = new ResizeObserver(() => this.#askView());
  #asked = '';
  #pressed: PacketRow | null = null;
  #drawnRowPx = 0;

  static override styles = [
    base,
    css`
      :host { display: flex; flex-direction: column; min-height: 0; --columns: 82px 122px minmax(110px, 1.1fr) minmax(110px, 1.1fr) 72px 62px minmax(160px, 3fr); }
      .head, .row { display: grid; grid-template-columns: var(--columns); column-gap: 14px; padding: 0 16px 0 13px; align-items: center; }
      .head { height: 30px; font-size: 12px; color: var(--muted); border-bottom: 1px solid var(--line); border-top: 1px solid var(--line); background: var(--raised); flex: none; overflow: hidden; scrollbar-gutter: stable; scrollbar-width: thin; }
      .scroller { contain: strict; position: relative; flex: 1; min-height: 0; overflow-y: scroll; overflow-anchor: none; scrollbar-width: thin; outline-offset: -2px; }
      .spacer { position: relative; overflow: hidden; }
      .rows { position: absolute; inset: 0 0 auto 0; will-change: transform; }
      .row { height: ${ROW_PX}px; font: 12px/1 var(--mono); font-variant-numeric: tabular-nums; cursor: pointer; border-left: 3px solid transparent; }
      .row > span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; line-height: 1.4; }
      .row:hover { background: var(--hover); }
      .row.selected { background: var(--accent-soft); border-left-color: var(--accent); color: var(--strong); }
      .row.opened { background: var(--accent-soft); }
      .right { text-align: right; }
      .no, .time { color: var(--muted); }
      .protocol { font-weight: 700; }
      .p-tcp { color: var(--p-tcp); } .p-udp { color: var(--p-udp); } .p-icmp { color: var(--p-icmp); } .p-arp { color: var(--p-arp); }
      .p-dns { color: var(--p-dns); } .p-web { color: var(--p-web); } .p-other { color: var(--p-other); }
      .cut { color: var(--warning); }
      :host([compact]) { --columns: 76px 122px minmax(90px, 1fr) minmax(90px, 1fr) 62px minmax(90px, 1.6fr); }
      :host([compact]) .length { display: none; }
      @media (max-width: 720px) {
        .head { display: none; }
        .scroller { border-top: 1px solid var(--line); }
        .row { height: ${NARROW_ROW_PX}px; padding: 0 12px 0 9px; grid-template-columns: auto auto 1fr auto; column-gap: 8px; row-gap: 0; align-content: center; border-bottom: 1px solid var(--line); }
        .row .no, .row .info { display: none; }
        .row .time { grid-area: 1 / 4; font-size: 11px; } .row .protocol { grid-area: 1 / 1; }
        .row .length { grid-area: 1 / 2; color: var(--muted); } :host([compact]) .row .length { display: block; } .row .length::after { content: ' B'; }
        .row .source { grid-area: 2 / 1 / 3 / 5; } .row .destination { display: none; } .row .source::after { content: ' → ' attr(data-to); }
      }
    `,
  ];

  constructor() {
    super();
    this.window = this.selected = this.openedNo = this.reveal = null;
    this.frozen = false;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resize.disconnect();
  }

  get #rowPx(): number {
    return this.#narrow.matches ? NARROW_ROW_PX : ROW_PX;
  }

  /** Rows that fit, for moving by a page. */
  get pageRows(): number {
    return Math.max(1, Math.floor((this.#scroller?.clientHeight ?? 0) / this.#rowPx));
  }

  get #scroller(): HTMLElement | null {
    return this.renderRoot.querySelector('.scroller');
  }

  protected override render() {
    const rows = this.window?.rows ?? [];
    const active = this.selected === null ? nothing : `row-${this.selected}`;
    return html`
      <div class="head" aria-hidden="true">
        <span class="right">No.</span><span>Time</span><span>Source</span><span>Destination</span><span>Protocol</span><span class="right length">Length</span><span>Info</span>
      </div>
      <div class="scroller" role="grid" tabindex="0" aria-label="Packets" aria-rowcount=${this.window?.total ?? 0} aria-activedescendant=${active}
        data-testid="packet-list" data-total=${this.window?.total ?? 0} data-frozen=${this.frozen}
        @scroll=${this.#onScroll} @wheel=${{ handleEvent: (event: WheelEvent) => this.#onWheel(event), passive: true }}
        @keydown=${this.#onKey} @pointerdown=${this.#onPress} @click=${this.#onClick}>
        <div class="spacer"><div class="rows" role="rowgroup">${rows.map((row, i) => this.#renderRow(row, this.window!.first + i))}</div></div>
      </div>
    `;
  }

  #renderRow(row: PacketRow, index: number) {
    const selected = index === this.selected && this.frozen;
    const state = `${selected ? 'selected' : ''} ${row.no === this.openedNo ? 'opened' : ''}`;
    return html`
      <div class="row ${state}" role="row" id="row-${index}" aria-rowindex=${index + 1} aria-selected=${selected} data-no=${row.no}>
        <span class="no right" role="gridcell">${formatCount(row.no)}</span>
        <span class="time" role="gridcell">${formatPacketTime(row.tsNs)}</span>
        <span class="source" role="gridcell" title=${row.source} data-to=${row.destination}>${row.source}</span>
        <span class="destination" role="gridcell" title=${row.destination}>${row.destination}</span>
        <span class="protocol ${protocolClass(row.protocol)}" role="gridcell">${row.protocol}</span>
        <span class="length right" role="gridcell">${row.wirelen}</span>
        <span class="info" role="gridcell" title=${row.info}>${row.info}</span>
      </div>
    `;
  }

  protected override updated(changed: PropertyValues<this>): void {
    const scroller = this.#scroller!;
    this.#resize.observe(scroller);
    const total = this.window?.total ?? 0;
    scroller.querySelector<HTMLElement>('.spacer')!.style.height = `${total * this.#rowPx}px`;
    scroller.querySelector<HTMLElement>('.rows')!.style.transform =
      `translateY(${(this.window?.first ?? 0) * this.#rowPx}px)`;
    // Rows of another height after a rotation: the same row stays on top.
    if (this.#drawnRowPx && this.#drawnRowPx !== this.#rowPx)
      scroller.scrollTop *= this.#rowPx / this.#drawnRowPx;
    this.#drawnRowPx = this.#rowPx;
    if (!this.frozen) scroller.scrollTop = scroller.scrollHeight;
    else if (changed.has('reveal') && this.reveal) this.#revealRow(scroller, this.reveal);
    this.#askView();
  }

  #revealRow(scroller: HTMLElement, { index, top }: { index: number; top: boolean }): void {
    const y = index * this.#rowPx;
    const above = y < scroller.scrollTop;
    const below = y + this.#rowPx > scroller.scrollTop + scroller.clientHeight;
    if (top || above) scroller.scrollTop = y;
    else if (below) scroller.scrollTop = y + this.#rowPx - scroller.clientHeight;
  }

  /** Tell which rows are wanted, whenever that changes. */
  #askView(): void {
    const scroller = this.#scroller;
    if (!scroller?.clientHeight) return;
    const fitting = Math.ceil(scroller.clientHeight / this.#rowPx) + 1;
    const first = this.frozen ? Math.max(0, Math.floor(scroller.scrollTop / this.#rowPx) - OVERSCAN) : 0;
    const count = this.frozen ? fitting + 2 * OVERSCAN : fitting;
    const asking = `${this.frozen} ${first} ${count}`;
    if (asking === this.#asked) return;
    this.#asked = asking;
    this.#emit('rt-view', { first, count });
  }

  #onScroll(): void {
    if (this.frozen) {
      this.#askView();
      return;
    }
    const scroller = this.#scroller!;
    const distance = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
    if (distance > 2 * this.#rowPx) this.#freeze(); // dragged by the scroll bar or a finger
  }

  #onWheel(event: WheelEvent): void {
    if (!this.frozen && event.deltaY < 0 && (this.window?.total ?? 0) > this.pageRows) this.#freeze();
  }

  #freeze(): void {
    const scroller = this.#scroller!;
    const { window } = this;
    if (!window) return;
    const top = Math.floor(scroller.scrollTop / this.#rowPx) - window.first;
    const anchor = window.rows[Math.max(0, top)] ?? window.rows[0];
    this.#emit('rt-freeze', anchor?.no ?? null);
  }

  /** The row as it is drawn now: rows move on under the pointer while the list follows. */
  #rowOf(event: Event): PacketRow | null {
    const row = (event.target as Element).closest?.<HTMLElement>('.row');
    return this.window?.rows.find(({ no }) => String(no) === row?.dataset.no) ?? null;
  }

  #onPress(event: PointerEvent): void {
    this.#pressed = this.#rowOf(event);
  }

  /** Opens what was under the pointer when it went down, whatever has moved there since. */
  #onClick(event: MouseEvent): void {
    const row = this.#pressed ?? this.#rowOf(event);
    this.#pressed = null;
    if (row) this.#emit('rt-select', row);
  }

  #onKey(event: KeyboardEvent): void {
    const moves: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: this.pageRows,
      PageUp: -this.pageRows,
      Home: Number.NEGATIVE_INFINITY,
      End: Number.POSITIVE_INFINITY,
    };
    const delta = moves[event.key];
    if (delta === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.#emit('rt-move', delta);
  }

  #emit(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
customElements.define('rt-packet-list', PacketList);
