/** The help sheet: a modal dialog listing every key. `show()` opens it, Escape closes it. */
import { css, html, LitElement } from 'lit';
import { base, button } from './styles.js';

const KEYS: [keys: string[], what: string][] = [
  [['/'], 'Go to the filter'],
  [['Space'], 'Pause the display, resume it; recording goes on'],
  [['j'], 'Next packet; ↓ in the list'],
  [['k'], 'Previous packet; ↑ in the list'],
  [['PageDown', 'PageUp'], 'A page of packets further or back, in the list'],
  [['Enter'], 'Open the selected packet'],
  [['Esc'], 'Close the packet; again: back to live'],
  [['l'], 'Jump to live'],
  [['t'], 'Dark or light'],
  [['?'], 'This help'],
];

export class Help extends LitElement {
  static override styles = [
    base,
    button,
    css`
      dialog {
        border: 1px solid var(--line-strong); border-radius: 12px; padding: 20px 24px 24px; max-width: min(520px, calc(100vw - 32px));
        background: var(--surface); color: var(--text); box-shadow: 0 24px 64px #0006;
      }
      dialog::backdrop { background: #0a0f14a6; }
      header { display: flex; align-items: center; justify-content: space-between; gap: 24px; margin-bottom: 12px; }
      h2 { font-size: 15px; color: var(--strong); }
      dl { display: grid; grid-template-columns: auto 1fr; gap: 9px 20px; font-size: 13px; align-items: baseline; }
      dt { display: flex; gap: 5px; }
      kbd {
        font: 600 11.5px/1 var(--mono); padding: 4px 7px; border-radius: 5px; background: var(--raised);
        border: 1px solid var(--line); border-bottom-width: 2px; color: var(--strong);
      }
      p { margin-top: 16px; padding-top: 14px; border-top: 1px solid var(--line); font-size: 12.5px; color: var(--muted); line-height: 1.6; }
    `,
  ];

  show(): void {
    this.renderRoot.querySelector('dialog')?.showModal();
  }

  protected override render() {
    return html`
      <dialog aria-labelledby="title" data-testid="help-dialog" @keydown=${(event: Event) => event.stopPropagation()}>
        <header><h2 id="title">Keyboard</h2><button autofocus @click=${() => this.renderRoot.querySelector('dialog')?.close()}>Close</button></header>
        <dl>${KEYS.map(([keys, what]) => html`<dt>${keys.map((key) => html`<kbd>${key}</kbd>`)}</dt><dd>${what}</dd>`)}</dl>
        <p>
          The filter takes pcap-filter expressions, as tcpdump does:
          <code>tcp port 443</code>, <code>host 10.0.0.1 and not udp</code>, <code>net 192.168.0.0/16</code>.
          It chooses what the list shows; it never changes what is recorded.
        </p>
      </dialog>
    `;
  }
}
customElements.define('rt-help', Help);
