/** The decode tree of one packet. What is expanded is remembered by field, from packet to packet. */
import { css, html, LitElement, nothing, type PropertyValues } from 'lit';
import { nodesOn, type TreeRow, treeRows } from '../data/tree.js';
import type { TreeNode } from '../worker/messages.js';
import { base } from './styles.js';

export class PacketTree extends LitElement {
  static override properties = {
    nodes: { attribute: false },
    selected: { attribute: false },
    toggled: { state: true },
  };
  declare nodes: readonly TreeNode[];
  /** Path of the selected node. */
  declare selected: string | null;
  /** Fields whose state differs from the default: layers open, their parts closed. */
  declare toggled: ReadonlySet<string>;

  static override styles = [
    base,
    css`
      [role='tree'] { padding: 6px 0; outline-offset: -2px; }
      [role='treeitem'] {
        display: flex; align-items: baseline; gap: 4px; min-height: 23px; padding: 2px 12px 2px 8px; font-size: 12.5px; line-height: 1.5; cursor: default; overflow-wrap: anywhere;
        border-left: 3px solid transparent;
      }
      [role='treeitem']:hover { background: var(--mark-soft); }
      [role='treeitem'][aria-selected='true'] { background: var(--mark); color: var(--strong); border-left-color: var(--warning); }
      [aria-level='1'] { font-weight: 620; color: var(--strong); }
      [aria-level='2'] { padding-left: 24px; } [aria-level='3'] { padding-left: 40px; } [aria-level='4'] { padding-left: 56px; }
      [aria-level='5'], [aria-level='6'], [aria-level='7'], [aria-level='8'] { padding-left: 72px; }
      svg { flex: none; width: 14px; height: 12px; fill: none; stroke: var(--muted); stroke-width: 1.7; align-self: flex-start; margin-top: 4px; cursor: pointer; }
      .leaf { flex: none; width: 14px; }
    `,
  ];

  constructor() {
    super();
    this.nodes = [];
    this.selected = null;
    this.toggled = new Set();
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('selected') && this.selected !== null) this.#expandTo(this.selected);
  }

  protected override render() {
    const rows = this.#rows();
    const active = rows.some((row) => row.path === this.selected) ? `node-${this.selected}` : nothing;
    return html`
      <div role="tree" tabindex="0" aria-label="Decoded packet" aria-activedescendant=${active} data-testid="tree"
        @keydown=${(event: KeyboardEvent) => this.#onKey(event, rows)}>
        ${rows.map((row) => this.#renderRow(row))}
      </div>
    `;
  }

  #renderRow({ path, node, depth, expanded, position, siblings }: TreeRow) {
    const branch = node.children.length > 0;
    return html`
      <div role="treeitem" id="node-${path}" aria-level=${depth + 1} aria-posinset=${position} aria-setsize=${siblings}
        aria-expanded=${branch ? String(expanded) : nothing} aria-selected=${path === this.selected}
        data-field=${node.field} data-offset=${node.offset} data-length=${node.length}
        @click=${() => this.#emit('rt-node', path)} @dblclick=${() => branch && this.#toggle(node)}
        @pointerenter=${() => this.#emit('rt-node-hover', path)} @pointerleave=${() => this.#emit('rt-node-hover', null)}>
        ${
          branch
            ? html`<svg viewBox="0 0 14 12" aria-hidden="true" @click=${(event: Event) => {
                event.stopPropagation();
                this.#toggle(node);
              }}><path d=${expanded ? 'M3 4l4 4 4-4' : 'M5 2l4 4-4 4'}></path></svg>`
            : html`<span class="leaf"></span>`
        }
        <span>${node.label}</span>
      </div>
    `;
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (changed.has('selected') && this.selected !== null) {
      this.renderRoot.querySelector(`[id="node-${this.selected}"]`)?.scrollIntoView({ block: 'nearest' });
    }
  }

  #rows(): TreeRow[] {
    return treeRows(this.nodes, (node, depth) => (depth === 0) !== this.toggled.has(node.field));
  }

  #toggle(node: TreeNode): void {
    const toggled = new Set(this.toggled);
    if (!toggled.delete(node.field)) toggled.add(node.field);
    this.toggled = toggled;
  }

  #expandTo(path: string): void {
    const ancestors = nodesOn(this.nodes, path)?.slice(0, -1) ?? [];
    ancestors.forEach((node, depth) => {
      if ((depth === 0) === this.toggled.has(node.field)) this.#toggle(node);
    });
  }

  #onKey(event: KeyboardEvent, rows: readonly TreeRow[]): void {
    const at = rows.findIndex((row) => row.path === this.selected);
    const row = rows[at];
    const go = (index: number) =>
      this.#emit('rt-node', rows[Math.min(rows.length - 1, Math.max(0, index))]?.path ?? null);
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at < 0 ? 0 : at - 1),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      ArrowRight: () => (row?.node.children.length && !row.expanded ? this.#toggle(row.node) : go(at + 1)),
      ArrowLeft: () =>
        row?.expanded
          ? this.#toggle(row.node)
          : go(rows.findIndex(({ path }) => path === row?.path.split('.').slice(0, -1).join('.'))),
    };
    const press = keys[event.key];
    if (!press || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    press();
  }

  #emit(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
customElements.define('rt-packet-tree', PacketTree);
