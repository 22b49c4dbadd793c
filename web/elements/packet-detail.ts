/** One packet in full: its decode tree and its bytes, each marking what is chosen in the other. */
import { css, html, LitElement, type PropertyValues } from 'lit';
import { formatCount, formatTimestamp } from '../data/format.js';
import { nodeAt, nodesOn } from '../data/tree.js';
import type { OpenedPacket } from '../worker/messages.js';
import type { ByteRange } from './hex-dump.js';
import { base, button } from './styles.js';
import './hex-dump.js';
import './packet-tree.js';

export class PacketDetail extends LitElement {
  static override properties = {
    packet: { attribute: false },
    selected: { state: true },
    hovered: { state: true },
  };
  declare packet: OpenedPacket | null;
  declare selected: string | null;
  declare hovered: string | null;

  static override styles = [
    base,
    button,
    css`
      :host { display: flex; flex-direction: column; min-height: 0; background: var(--surface); }
      header { display: flex; align-items: center; gap: 10px; padding: 0 8px 0 16px; height: 44px; flex: none; border-bottom: 1px solid var(--line); }
      h3 { margin: 0; font-size: 13px; font-weight: 650; color: var(--strong); white-space: nowrap; }
      header .note { flex: 1; min-width: 0; font-size: 12px; color: var(--muted); }
      .panes { flex: 1; min-height: 0; display: grid; grid-template-rows: minmax(0, 1fr) fit-content(42%); }
      .panes > * { min-height: 0; overflow: auto; scrollbar-width: thin; }
      rt-hex-dump { border-top: 1px solid var(--line); background: var(--raised); }
      @media (max-width: 720px) { .panes { display: block; overflow: auto; } }
    `,
  ];

  constructor() {
    super();
    this.packet = this.selected = this.hovered = null;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('packet')) return;
    this.hovered = null;
    if (this.selected !== null && !nodesOn(this.packet?.tree ?? [], this.selected)) this.selected = null;
  }

  protected override render() {
    const { packet } = this;
    if (!packet) return html``;
    const { row } = packet;
    return html`
      <header>
        <h3 class="num" data-testid="opened" data-no=${row.no}>Packet ${formatCount(row.no)}</h3>
        <span class="note num clip" title="${formatTimestamp(row.tsNs)}">${formatTimestamp(row.tsNs)} · ${formatCount(row.wirelen)} bytes</span>
        <button class="plain" @click=${() => this.dispatchEvent(new CustomEvent('rt-close', { bubbles: true, composed: true }))}
          title="Esc" data-testid="close-packet">Close</button>
      </header>
      <div class="panes"
        @rt-node=${(event: CustomEvent<string | null>) => {
          this.selected = event.detail;
        }}
        @rt-node-hover=${(event: CustomEvent<string | null>) => {
          this.hovered = event.detail;
        }}
        @rt-byte=${(event: CustomEvent<number>) => {
          this.selected = nodeAt(packet.tree, event.detail);
        }}
        @rt-byte-hover=${(event: CustomEvent<number | null>) => {
          this.hovered = event.detail === null ? null : nodeAt(packet.tree, event.detail);
        }}>
        <rt-packet-tree .nodes=${packet.tree} .selected=${this.selected}></rt-packet-tree>
        <rt-hex-dump .bytes=${packet.bytes} .wirelen=${row.wirelen} .selected=${this.#range(this.selected)} .hovered=${this.#range(this.hovered)}></rt-hex-dump>
      </div>
    `;
  }

  #range(path: string | null): ByteRange | null {
    return path === null ? null : (nodesOn(this.packet?.tree ?? [], path)?.at(-1) ?? null);
  }

  /** Put the keyboard into the tree. */
  focusTree(): void {
    const tree = this.renderRoot.querySelector('rt-packet-tree');
    tree?.renderRoot.querySelector<HTMLElement>('[role=tree]')?.focus();
  }
}
customElements.define('rt-packet-detail', PacketDetail);
