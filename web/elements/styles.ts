/** Styles several elements share. Colours and fonts are the tokens of static/app.css. */
import { css } from 'lit';

export const base = css`
  :host { display: block; min-width: 0; }
  :host([hidden]) { display: none; }
  *, *::before, *::after { box-sizing: border-box; }
  h2, p, ul, ol, dl, dd { margin: 0; padding: 0; }
  ul, ol { list-style: none; }
  .num, time, code, .mono { font-variant-numeric: tabular-nums; }
  .mono, code { font-family: var(--mono); font-size: 0.93em; }
  .muted { color: var(--muted); }
  .clip { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .hidden-text {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
  }
  :focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
`;

/** A titled panel: `<section class="card"><header>…</header>…</section>`. */
export const card = css`
  .card {
    display: flex; flex-direction: column; height: 100%; min-width: 0;
    background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius);
    box-shadow: var(--shadow);
  }
  .card > header {
    display: flex; align-items: center; gap: 8px 12px; flex-wrap: wrap;
    padding: 12px 16px; min-height: 48px;
  }
  h2 { font-size: 13px; font-weight: 650; color: var(--strong); line-height: 1.3; }
  .spring { flex: 1; }
  .note { font-size: 12px; color: var(--muted); }
  .empty { display: grid; place-items: center; flex: 1; padding: 24px; color: var(--muted); text-align: center; }
`;

export const button = css`
  button {
    font: inherit; font-size: 12.5px; color: var(--text); background: var(--raised);
    border: 1px solid var(--line); border-radius: 7px; padding: 0 10px; height: 30px;
    display: inline-flex; align-items: center; justify-content: center; gap: 6px;
    cursor: pointer; white-space: nowrap;
  }
  button:hover { background: var(--hover); border-color: var(--line-strong); }
  button.plain { background: none; border-color: transparent; }
  button.plain:hover { background: var(--hover); }
  button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
  button.primary:hover { filter: brightness(1.07); }
  button.square { width: 30px; padding: 0; }
  button[aria-pressed='true'] { background: var(--accent-soft); border-color: var(--accent); color: var(--strong); }
`;

export const badge = css`
  .badge {
    display: inline-flex; align-items: center; gap: 6px; height: 22px; padding: 0 8px; border-radius: 6px;
    font-size: 11px; font-weight: 700; letter-spacing: 0.06em; white-space: nowrap;
  }
  .badge.synthetic { background: var(--warning-soft); border: 1px solid var(--warning-line); color: var(--warning); }
`;
