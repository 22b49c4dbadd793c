/**
 * The throughput card: the two rates in figures, the chart with a readout under the pointer, and
 * the same as a table for those who cannot see or hover it. Redraws on new data, resize, theme and
 * pointer, and once a second so that silence is seen as it grows.
 */
import { css, html, LitElement, nothing, type PropertyValues } from 'lit';
import { ClockController } from '../../controllers/clock-controller.js';
import {
  formatBitRate,
  formatBytes,
  formatClock,
  formatCount,
  formatDuration,
  formatScaled,
  scaled,
} from '../../data/format.js';
import type { ProbeView } from '../../data/probe.js';
import type { ThroughputPoint } from '../../data/throughput.js';
import { badge, base, button, card } from '../styles.js';
import { type ChartColors, drawChart, type Geometry, msAt, pointAt, xOf } from './draw.js';
import { windowMs } from './scale.js';

const TABLE_ROWS = 60;

export class ThroughputCard extends LitElement {
  static override properties = {
    probe: { attribute: false },
    paused: { type: Boolean },
    theme: {},
    table: { state: true },
    hoverX: { state: true },
  };
  declare probe: ProbeView | null;
  declare paused: boolean;
  declare theme: string;
  declare table: boolean;
  declare hoverX: number | null;
  readonly #clock = new ClockController(this);
  readonly #resize = new ResizeObserver(() => this.requestUpdate());
  #heldMs: number | null = null;

  static override styles = [
    base,
    card,
    button,
    badge,
    css`
      .figures { display: flex; gap: 28px; padding: 0 16px 6px; flex-wrap: wrap; }
      .figure { display: flex; align-items: baseline; gap: 6px; }
      .figure b { font-size: 30px; font-weight: 620; letter-spacing: -0.02em; color: var(--strong); line-height: 1.1; }
      .figure span { color: var(--muted); }
      .figure i { width: 9px; height: 9px; border-radius: 3px; align-self: center; }
      .figure.packets i { background: var(--packets); }
      .figure.bits i { background: var(--bits); }
      @media (max-width: 720px) {
        .note { display: none; }
        .figures { gap: 18px; }
        .figure b { font-size: 24px; }
        .figure span { font-size: 12.5px; }
      }
      .plot { position: relative; flex: 1; min-height: 248px; margin: 2px 4px 8px 4px; }
      canvas { position: absolute; inset: 0; width: 100%; height: 100%; border-radius: 6px; }
      .readout {
        position: absolute; top: 0; left: 0; pointer-events: none; padding: 6px 10px; border-radius: 7px;
        background: var(--surface); border: 1px solid var(--line-strong); box-shadow: 0 4px 14px #0003;
        font-size: 12px; line-height: 1.5; white-space: nowrap; color: var(--text);
      }
      .scroll { flex: 1; overflow: auto; max-height: 300px; margin: 0 16px 12px; }
      table { width: 100%; border-collapse: collapse; font-size: 12.5px; font-variant-numeric: tabular-nums; }
      th, td { text-align: right; padding: 3px 8px; border-bottom: 1px solid var(--line); }
      th { position: sticky; top: 0; background: var(--surface); color: var(--muted); font-weight: 500; }
      th:first-child, td:first-child { text-align: left; padding-left: 0; }
    `,
  ];

  constructor() {
    super();
    this.probe = null;
    this.paused = false;
    this.theme = '';
    this.table = false;
    this.hoverX = null;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resize.disconnect();
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('paused')) this.#heldMs = this.paused ? this.#clock.nowMs : null;
  }

  protected override render() {
    const latest = this.probe?.points.at(-1) ?? null;
    const fresh = latest && this.#fresh() && !latest.gap ? latest : null;
    const [pps, ppsPrefix] = fresh ? scaled(Math.round(fresh.packetsPerSecond)) : ['–', ''];
    const [bps, bpsPrefix] = fresh ? scaled(Math.round(fresh.bitsPerSecond)) : ['–', ''];
    return html`
      <section class="card" aria-label="Throughput">
        <header>
          <h2>Throughput</h2>
          ${this.probe?.identity.synthetic ? html`<span class="badge synthetic" data-testid="chart-synthetic">SYNTHETIC</span>` : nothing}
          <span class="spring"></span>
          <span class="note">received by the recorder, 1 s means</span>
          <button class="plain" aria-pressed=${this.table} @click=${() => {
            this.table = !this.table;
          }} data-testid="chart-table-toggle">
            Table
          </button>
        </header>
        <div class="figures num">
          <div class="figure packets"><i></i><b data-testid="pps" data-value=${fresh?.packetsPerSecond ?? ''}>${pps}</b><span>${ppsPrefix} packets/s</span></div>
          <div class="figure bits"><i></i><b data-testid="bps" data-value=${fresh?.bitsPerSecond ?? ''}>${bps}</b><span>${bpsPrefix}bit/s</span></div>
        </div>
        ${this.table ? this.#renderTable() : this.#renderPlot()}
      </section>
    `;
  }

  #renderPlot() {
    const points = this.probe?.points ?? [];
    return html`
      <div class="plot">
        <canvas role="img" aria-label=${this.#summary()} data-testid="chart" data-points=${points.length}
          data-last=${points.at(-1)?.endMs ?? ''} data-gaps=${points.filter((point) => point.gap).length}
          @pointermove=${(event: PointerEvent) => {
            this.hoverX = event.offsetX;
          }}
          @pointerleave=${() => {
            this.hoverX = null;
          }}></canvas>
        ${this.hoverX === null ? nothing : this.#renderReadout()}
        ${points.length ? nothing : html`<p class="empty">Waiting for the second ledger: rates are differences.</p>`}
      </div>
    `;
  }

  #renderReadout() {
    const point = this.#hovered();
    if (!point) return nothing;
    return html`
      <div class="readout num">
        <time class="muted">${formatClock(point.startMs)} – ${formatClock(point.endMs)}</time><br />
        ${point.gap ? html`no ledger for ${formatDuration(point.endMs - point.startMs)}; mean<br />` : nothing}
        ${formatScaled(point.packetsPerSecond)} packets/s<br />${formatBitRate(point.bitsPerSecond)}
      </div>
    `;
  }

  #renderTable() {
    const row = (point: ThroughputPoint) => html`
      <tr>
        <td>${formatClock(point.endMs)}${point.gap ? ` (mean of ${formatDuration(point.endMs - point.startMs)} without ledgers)` : ''}</td>
        <td>${formatCount(point.packetsPerSecond)}</td>
        <td>${formatCount(point.bitsPerSecond)}</td>
        <td>${formatBytes(point.bitsPerSecond / 8)}</td>
      </tr>
    `;
    return html`
      <div class="scroll" tabindex="0" role="region" aria-label="Throughput as a table">
        <table>
          <thead><tr><th scope="col">Until</th><th scope="col">packets/s</th><th scope="col">bit/s</th><th scope="col">per second</th></tr></thead>
          <tbody>${[...(this.probe?.points ?? [])].reverse().slice(0, TABLE_ROWS).map(row)}</tbody>
        </table>
      </div>
    `;
  }

  protected override updated(): void {
    const canvas = this.#canvas;
    const geometry = this.#geometry();
    if (!canvas) return;
    this.#resize.observe(canvas);
    if (!geometry) return;
    this.#draw(canvas, geometry);
    this.#placeReadout(geometry);
  }

  #draw(canvas: HTMLCanvasElement, geometry: Geometry): void {
    const context = canvas.getContext('2d');
    if (!context || !this.probe) return;
    const ratio = devicePixelRatio || 1;
    const width = Math.round(geometry.width * ratio);
    const height = Math.round(geometry.height * ratio);
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawChart(context, {
      ...geometry,
      points: this.probe.points,
      marksMs: this.probe.gapMarksMs,
      synthetic: this.probe.identity.synthetic,
      hoverMs: this.hoverX === null ? null : msAt(geometry, this.hoverX),
      ...this.#appearance(),
    });
  }

  // Positioned through the object model: the page's policy forbids style attributes.
  #placeReadout(geometry: Geometry): void {
    const readout = this.renderRoot.querySelector<HTMLElement>('.readout');
    const point = this.#hovered();
    if (!readout || !point) return;
    const x = xOf(geometry, point.endMs);
    const left = x + readout.offsetWidth + 20 > geometry.width ? x - readout.offsetWidth - 12 : x + 12;
    readout.style.transform = `translate(${Math.max(0, left)}px, 20px)`;
  }

  /** Now on the probe's clock: its last ledger's time and what has passed here since. */
  #nowMs(): number | null {
    const probe = this.probe;
    if (!probe?.ledger || probe.ledgerAtMs === null) return null;
    return probe.ledger.tsMs + Math.max(0, (this.#heldMs ?? this.#clock.nowMs) - probe.ledgerAtMs);
  }

  #fresh(): boolean {
    const now = this.#nowMs();
    const latest = this.probe?.points.at(-1);
    return (
      now !== null &&
      latest !== undefined &&
      now - latest.endMs < Math.max(5000, 3 * (latest.endMs - latest.startMs))
    );
  }

  get #canvas(): HTMLCanvasElement | null {
    return this.renderRoot.querySelector('canvas');
  }

  #geometry(): Geometry | null {
    const endMs = this.#nowMs();
    const canvas = this.#canvas;
    if (endMs === null || !canvas?.clientWidth) return null;
    const startMs = endMs - windowMs(endMs - (this.probe?.points[0]?.startMs ?? endMs));
    return { startMs, endMs, width: canvas.clientWidth, height: canvas.clientHeight };
  }

  #hovered(): ThroughputPoint | null {
    const geometry = this.#geometry();
    if (!geometry || this.hoverX === null) return null;
    return pointAt(this.probe?.points ?? [], msAt(geometry, this.hoverX));
  }

  #appearance(): { colors: ChartColors; font: string } {
    const style = getComputedStyle(this);
    const color = (name: keyof ChartColors) => style.getPropertyValue(`--${name}`).trim();
    return {
      colors: {
        packets: color('packets'),
        bits: color('bits'),
        grid: color('grid'),
        muted: color('muted'),
        hatch: color('hatch'),
        warning: color('warning'),
      },
      font: `11px ${style.fontFamily}`,
    };
  }

  #summary(): string {
    const points = (this.probe?.points ?? []).filter((point) => !point.gap);
    const synthetic = this.probe?.identity.synthetic ? 'Synthetic traffic. ' : '';
    if (!points.length) return `${synthetic}Throughput: no data yet`;
    const rates = points.map((point) => point.packetsPerSecond);
    const gaps = (this.probe?.points.length ?? 0) - points.length;
    return (
      `${synthetic}Throughput of the last ${points.length} seconds: now ${formatScaled(rates.at(-1)!)} packets/s and ` +
      `${formatBitRate(points.at(-1)!.bitsPerSecond)}; lowest ${formatScaled(Math.min(...rates))}, highest ` +
      `${formatScaled(Math.max(...rates))} packets/s; ${gaps} gap${gaps === 1 ? '' : 's'}. The button Table shows the figures.`
    );
  }
}
customElements.define('rt-throughput', ThroughputCard);
