/**
 * Subscribes an element to the store while it is connected. While paused the element keeps the state
 * of that moment; the store goes on behind it.
 */
import type { ReactiveController, ReactiveControllerHost } from 'lit';
import type { LiveState, LiveStore } from '../data/store.js';

export class StoreController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #store: () => LiveStore | null;
  #unsubscribe: (() => void) | null = null;
  #held: LiveState | null = null;

  /** `store` may still be null when the element is made; it is asked again on every connection. */
  constructor(host: ReactiveControllerHost, store: () => LiveStore | null) {
    this.#host = host;
    this.#store = store;
    host.addController(this);
  }

  /** What to show: now, or the moment of the pause. Null before there is a store. */
  get state(): LiveState | null {
    return this.#held ?? this.current;
  }

  /** Now, also while paused: for what must never be stale, such as the connection. */
  get current(): LiveState | null {
    return this.#store()?.state ?? null;
  }

  get paused(): boolean {
    return this.#held !== null;
  }

  set paused(paused: boolean) {
    this.#held = paused ? this.current : null;
    this.#host.requestUpdate();
  }

  hostConnected(): void {
    this.#unsubscribe ??= this.#store()?.subscribe(() => this.#host.requestUpdate()) ?? null;
  }

  hostDisconnected(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
  }
}
