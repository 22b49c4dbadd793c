/**
 * The bytes of one packet with the selected and the hovered field marked. Long packets are shown a
 * part at a time. Says where the capture was cut.
 */
import { css, html, LitElement, nothing, type PropertyValues } from 'lit';
import { MediaController } from '../controllers/media-controller.js';
import { formatCount } from '../data/format.js';
import { base, button } from './styles.js';

export interface ByteRange {
  offset: number;
  length: number;
}

const PART_BYTES = 2048;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const printable = (byte: number) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·');
const within = (range: ByteRange | null, offset: number) =>
  range !== null && offset >= range.offset && offset < range.offset + range.length;

export class HexDump extends LitElement {
  static override properties = {
    bytes: { attribute: false },
    wirelen: { type: Number },
    selected: { attribute: false },
    hovered: { attribute: false },
    shown: { state: true },
  };
  declare bytes: Uint8Array;
  declare wirelen: number;
  declare selected: ByteRange | null;
  declare hovered: ByteRange | null;
  declare shown: number;
  readonly #narrow = new MediaController(this, '(max-width: 480px)');

  static override styles = [
    base,
    button,
    css`
      .dump { padding: 10px 12px; font: 12px/1.65 var(--mono); overflow-x: auto; }
      .line { display: flex; gap: 14px; white-space: pre; width: max-content; }
      .offset { color: var(--muted); user-select: none; }
      .hex { display: flex; }
      .text { color: var(--muted); display: flex; }
      .hex span { padding: 0 0.27em; cursor: pointer; }
      .hex span:nth-child(8) { margin-right: 0.75em; }
      .text span { cursor: pointer; }
      .hovered { background: var(--mark-soft); color: var(--strong); }
      .selected { background: var(--mark); color: var(--strong); }
      .cut { padding: 0 12px 12px; font-size: 12px; color: var(--warning); }
      .more { margin: 0 12px 12px; }
    `,
  ];

  constructor() {
    super();
    this.bytes = new Uint8Array();
    this.wirelen = 0;
    this.selected = this.hovered = null;
    this.shown = PART_BYTES;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('bytes')) this.shown = PART_BYTES;
    const end = this.selected ? Math.min(this.selected.offset + 1, this.bytes.length) : 0;
    while (this.shown < end) this.shown += PART_BYTES;
  }

  protected override render() {
    const width = this.#narrow.matches ? 8 : 16;
    const end = Math.min(this.bytes.length, this.shown);
    const lines = [];
    for (let offset = 0; offset < end; offset += width)
      lines.push(this.#renderLine(offset, Math.min(end, offset + width), width));
    const cut = this.wirelen - this.bytes.length;
    return html`
      <div class="dump" tabindex="0" role="region" aria-label="Bytes of the packet" data-testid="hex"
        @click=${(event: MouseEvent) => this.#emit('rt-byte', event)} @pointerover=${(event: PointerEvent) => this.#emit('rt-byte-hover', event)}
        @pointerleave=${() => this.dispatchEvent(new CustomEvent('rt-byte-hover', { detail: null, bubbles: true, composed: true }))}>
        ${lines}
      </div>
      ${
        end < this.bytes.length
          ? html`<button class="more" @click=${() => {
              this.shown += PART_BYTES;
            }}>Show more of ${formatCount(this.bytes.length)} bytes</button>`
          : nothing
      }
      ${
        cut > 0
          ? html`<p class="cut num" data-testid="truncated">${formatCount(this.bytes.length)} of ${formatCount(this.wirelen)} bytes were sent here; ${formatCount(cut)} are not shown.</p>`
          : nothing
      }
    `;
  }

  #renderLine(from: number, to: number, width: number) {
    const hex = [];
    const text = [];
    for (let offset = from; offset < to; offset++) {
      const byte = this.bytes[offset]!;
      const mark = within(this.selected, offset) ? 'selected' : within(this.hovered, offset) ? 'hovered' : '';
      hex.push(html`<span class=${mark} data-byte=${offset}>${HEX[byte]}</span>`);
      text.push(html`<span class=${mark} data-byte=${offset}>${printable(byte)}</span>`);
    }
    for (let missing = width - (to - from); missing > 0; missing--) hex.push(html`<span>  </span>`);
    return html`<div class="line"><span class="offset">${from.toString(16).padStart(4, '0')}</span><span class="hex">${hex}</span><span class="text">${text}</span></div>`;
  }

  #emit(name: string, event: Event): void {
    const byte = (event.target as HTMLElement).dataset.byte;
    const detail = byte === undefined ? null : Number(byte);
    if (detail === null && name === 'rt-byte') return;
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
customElements.define('rt-hex-dump', HexDump);
