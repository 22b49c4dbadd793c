/**
 * Page-wide keys. Silent while the user types in a field, and for keys with Ctrl, Alt or Meta, which
 * belong to the browser; a handler that returns false declines the key.
 */
import type { ReactiveController, ReactiveControllerHost } from 'lit';

// biome-ignore lint/suspicious/noConfusingVoidType: most handlers have nothing to decline
export type Shortcuts = Record<string, () => boolean | void>;

/** Escape works inside fields, where it means "leave". */
const EVERYWHERE = new Set(['Escape']);
const typing = (target: EventTarget | undefined) =>
  target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
/** A focused button or link takes these itself. */
const pressing = (target: EventTarget | undefined, key: string) =>
  target instanceof HTMLElement &&
  /^(BUTTON|A|SUMMARY)$/.test(target.tagName) &&
  (key === ' ' || key === 'Enter');

export class ShortcutsController implements ReactiveController {
  readonly #keys: Shortcuts;
  readonly #listener = (event: KeyboardEvent) => this.#press(event);

  constructor(host: ReactiveControllerHost, keys: Shortcuts) {
    this.#keys = keys;
    host.addController(this);
  }

  hostConnected(): void {
    window.addEventListener('keydown', this.#listener);
  }

  hostDisconnected(): void {
    window.removeEventListener('keydown', this.#listener);
  }

  #press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const target = event.composedPath()[0];
    if ((typing(target) && !EVERYWHERE.has(event.key)) || pressing(target, event.key)) return;
    const handler = this.#keys[event.key];
    if (handler && handler() !== false) event.preventDefault();
  }
}
