/** What is remembered of a flow beside the engine: where its packets lie, and what they say. */
import { FlowKeys } from './key-fields.js';

/** A flow's packets are found by reading from its first one in each page to the page's end. */
export const PAGE_BYTES = 4 << 20;
/** Pages remembered per flow; one that lasts longer is searched for by its addresses. */
const PAGES_MAX = 64;

export class Tracked {
  readonly pages: string[] = [];
  complete = true;
  #keys: FlowKeys | null = null;
  #last = '';
  #lastPage = -1;

  /** A packet of the flow: segment and offset of its block. */
  at(stem: string, offset: number): void {
    const page = Math.floor(offset / PAGE_BYTES);
    if (page === this.#lastPage && stem === this.#last) return;
    this.#last = stem;
    this.#lastPage = page;
    if (this.pages.length < PAGES_MAX) this.pages.push(`${stem}:${offset}`);
    else this.complete = false;
  }

  get keys(): FlowKeys {
    this.#keys ??= new FlowKeys();
    return this.#keys;
  }

  get keysOrNull(): FlowKeys | null {
    return this.#keys;
  }
}
