/**
 * The filter: applied while typing, after a pause, or at once with Enter. A wrong expression leaves
 * the old filter in force and says where it is wrong.
 */
import { css, html, LitElement, nothing } from 'lit';
import { base, button } from './styles.js';

const TYPING_PAUSE_MS = 350;

export interface FilterBoxProblem {
  expression: string;
  message: string;
  position: number;
}

export class FilterBox extends LitElement {
  static override properties = { applied: {}, problem: { attribute: false }, text: { state: true } };
  /** The filter in force. */
  declare applied: string;
  declare problem: FilterBoxProblem | null;
  declare text: string;
  #timer: ReturnType<typeof setTimeout> | null = null;

  static override styles = [
    base,
    button,
    css`
      .field { display: flex; align-items: center; gap: 6px; position: relative; }
      svg { position: absolute; left: 10px; width: 14px; height: 14px; fill: none; stroke: var(--muted); stroke-width: 1.7; stroke-linecap: round; pointer-events: none; }
      input {
        flex: 1; min-width: 0; height: 32px; padding: 0 34px 0 32px; border-radius: 7px; border: 1px solid var(--line-strong);
        background: var(--ground); color: var(--strong); font: 13px var(--mono);
      }
      input::placeholder { color: var(--muted); opacity: 1; }
      input:focus { outline: 2px solid var(--focus); outline-offset: -1px; }
      input[aria-invalid='true'] { border-color: var(--alarm); }
      .active input { border-color: var(--accent); background: var(--accent-soft); }
      .clear { position: absolute; right: 4px; height: 24px; width: 24px; padding: 0; }
      .problem { margin-top: 6px; font-size: 12.5px; color: var(--alarm); display: flex; gap: 4px 12px; flex-wrap: wrap; align-items: baseline; }
      .problem code { color: var(--text); white-space: pre-wrap; overflow-wrap: anywhere; }
      mark { background: none; color: var(--alarm); text-decoration: underline wavy var(--alarm); text-underline-offset: 3px; font-weight: 700; }
    `,
  ];

  constructor() {
    super();
    this.applied = this.text = '';
    this.problem = null;
  }

  /** Put the cursor here, everything selected. */
  override focus(): void {
    this.renderRoot.querySelector('input')?.select();
    this.renderRoot.querySelector('input')?.focus();
  }

  /** Replace the text and apply it. */
  set(expression: string): void {
    this.text = expression;
    this.#apply();
  }

  protected override render() {
    const wrong = this.problem !== null && this.problem.expression === this.text.trim();
    const active = this.applied !== '' && !wrong;
    return html`
      <div class="field ${active ? 'active' : ''}">
        <svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="7" cy="7" r="4.5"></circle><path d="M10.5 10.5L14 14"></path></svg>
        <input type="text" spellcheck="false" autocomplete="off" autocapitalize="off" aria-label="Filter packets" aria-describedby="problem"
          aria-invalid=${wrong} placeholder="Filter:  tcp port 443,  host 10.0.0.1 and not udp" .value=${this.text} data-testid="filter"
          @input=${this.#onInput} @keydown=${this.#onKey} />
        ${this.text ? html`<button class="plain clear" aria-label="Clear the filter" @click=${() => this.set('')}>✕</button>` : nothing}
      </div>
      <div id="problem" role="status">${wrong ? this.#renderProblem(this.problem!) : nothing}</div>
    `;
  }

  #renderProblem({ expression, message, position }: FilterBoxProblem) {
    const at = Math.min(Math.max(0, position), expression.length);
    const word = /^\S+/.exec(expression.slice(at))?.[0] ?? '';
    return html`
      <p class="problem" data-testid="filter-error" data-position=${position}>
        <code>${expression.slice(0, at)}<mark>${word || '▏'}</mark>${expression.slice(at + word.length)}</code><span>${message}</span>
      </p>
    `;
  }

  #onInput(event: InputEvent): void {
    this.text = (event.target as HTMLInputElement).value;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#apply(), TYPING_PAUSE_MS);
  }

  #onKey(event: KeyboardEvent): void {
    if (event.key === 'Enter') this.#apply();
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    (event.target as HTMLInputElement).blur();
  }

  #apply(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.dispatchEvent(new CustomEvent('rt-filter', { detail: this.text, bubbles: true, composed: true }));
  }
}
customElements.define('rt-filter-box', FilterBox);
