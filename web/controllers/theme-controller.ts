/**
 * Dark or light: the system's choice until the user makes one, which localStorage keeps and
 * static/theme.js applies before the first paint.
 */
import type { ReactiveController, ReactiveControllerHost } from 'lit';

export type Theme = 'dark' | 'light';
const KEY = 'ringtap-theme';

export class ThemeController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #system = matchMedia('(prefers-color-scheme: dark)');
  readonly #changed = () => this.#host.requestUpdate();

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  get theme(): Theme {
    const chosen = document.documentElement.dataset.theme;
    if (chosen === 'dark' || chosen === 'light') return chosen;
    return this.#system.matches ? 'dark' : 'light';
  }

  toggle(): void {
    const theme: Theme = this.theme === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Storage may be forbidden; the choice then lasts as long as the page.
    }
    this.#host.requestUpdate();
  }

  hostConnected(): void {
    this.#system.addEventListener('change', this.#changed);
  }

  hostDisconnected(): void {
    this.#system.removeEventListener('change', this.#changed);
  }
}
