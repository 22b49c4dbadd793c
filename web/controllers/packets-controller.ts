/**
 * The packet list's state between its element and the worker: follow or frozen, selection, filter,
 * and the opened packet. While following, the newest rows are shown; any selection or scroll freezes
 * the list in the worker, which then keeps exactly those packets until the user returns to live.
 */
import type { ReactiveController, ReactiveControllerHost } from 'lit';
import type { EngineClient, FilterProblem } from '../data/engine-client.js';
import type { OpenedPacket, PacketRow, PacketWindow } from '../worker/messages.js';

export class PacketsController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #engine: () => EngineClient | null;
  #unsubscribe: (() => void) | null = null;
  #openOnArrival = false;
  #filterRun = 0;
  window: PacketWindow | null = null;
  frozen = false;
  /** Row index of the selection in the frozen list. */
  selected: number | null = null;
  opened: OpenedPacket | null = null;
  /** The filter in force, empty for none, and what is wrong with the one being typed. */
  expression = '';
  problem: (FilterProblem & { expression: string }) | null = null;
  /** Row to bring into view, or to the top, after the next update; the list takes it from here. */
  reveal: { index: number; top: boolean } | null = null;

  constructor(host: ReactiveControllerHost, engine: () => EngineClient | null) {
    this.#host = host;
    this.#engine = engine;
    host.addController(this);
  }

  hostConnected(): void {
    this.#unsubscribe ??= this.#engine()?.onWindow((window) => this.#receive(window)) ?? null;
  }

  hostDisconnected(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
  }

  /** Another probe is on display, or none: nothing here belongs to it. */
  #reset(): void {
    this.frozen = false;
    this.window = this.opened = this.selected = this.reveal = null;
    this.#openOnArrival = false;
  }

  view(first: number, count: number): void {
    this.#engine()?.view(first, count);
  }

  /** Hold the list; `anchorNo` is the packet that should stay where it is. */
  async freeze(anchorNo: number | null): Promise<void> {
    if (this.frozen) return;
    this.frozen = true;
    const held = await this.#engine()?.freeze(anchorNo);
    if (held) this.reveal = { index: held.index, top: true };
    this.#host.requestUpdate();
  }

  /** Back to the newest packets. */
  live(): void {
    this.frozen = false;
    this.selected = this.reveal = null;
    this.#openOnArrival = false;
    this.#engine()?.thaw();
    this.#host.requestUpdate();
  }

  async select(row: PacketRow, open: boolean): Promise<void> {
    this.frozen = true;
    const held = await this.#engine()?.freeze(row.no);
    this.selected = held?.index ?? null;
    this.#revealSelected();
    if (open) await this.#open(row.no);
    this.#host.requestUpdate();
  }

  /** Move the selection by `delta` rows; with a packet open, the new one is opened. */
  async move(delta: number): Promise<void> {
    const { window } = this;
    if (!window?.total) return;
    if (this.selected === null) {
      const row = window.rows.at(-1);
      return row && this.select(row, false);
    }
    this.selected = Math.min(window.total - 1, Math.max(0, this.selected + delta));
    this.#revealSelected();
    this.#openOnArrival = this.opened !== null;
    await this.#openSelected();
    this.#host.requestUpdate();
  }

  /** Open what is selected. False: nothing is. */
  enter(): boolean {
    if (this.selected === null) return false;
    this.#openOnArrival = true;
    void this.#openSelected();
    return true;
  }

  close(): void {
    this.opened = null;
    this.#openOnArrival = false;
    this.#host.requestUpdate();
  }

  /** Apply a filter. A wrong one is reported in `problem` and the old one stays in force. */
  async filter(expression: string): Promise<void> {
    const text = expression.trim();
    const run = ++this.#filterRun;
    const engine = this.#engine();
    if (!engine) return;
    const problem = await engine.filter(text || null);
    if (run !== this.#filterRun) return;
    this.problem = problem && { ...problem, expression: text };
    if (!problem) await this.#refiltered(text);
    this.#host.requestUpdate();
  }

  // The selected packet may be filtered away: the selection then goes to the next one that is not.
  async #refiltered(text: string): Promise<void> {
    const anchor = this.#rowAt(this.selected)?.no ?? null;
    this.expression = text;
    if (!this.frozen) return;
    const held = await this.#engine()?.freeze(anchor);
    if (!held) return;
    if (this.selected !== null) this.selected = held.total ? Math.min(held.index, held.total - 1) : null;
    this.reveal = { index: held.index, top: false };
  }

  #revealSelected(): void {
    this.reveal = this.selected === null ? null : { index: this.selected, top: false };
  }

  #rowAt(index: number | null): PacketRow | null {
    if (index === null || !this.window) return null;
    return this.window.rows[index - this.window.first] ?? null;
  }

  #receive(window: PacketWindow): void {
    if (this.window && window.probe !== this.window.probe) this.#reset();
    if (window.frozen !== this.frozen) return; // on its way when the list was frozen or released
    this.window = window;
    if (this.#openOnArrival) void this.#openSelected();
    this.#host.requestUpdate();
  }

  async #openSelected(): Promise<void> {
    const row = this.#rowAt(this.selected);
    if (!this.#openOnArrival || !row) return;
    this.#openOnArrival = false;
    await this.#open(row.no);
  }

  async #open(no: number): Promise<void> {
    const packet = await this.#engine()?.open(no);
    if (packet) this.opened = packet;
    this.#host.requestUpdate();
  }
}
