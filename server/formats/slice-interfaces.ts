/** The interfaces of a slice: packets of several sources go into one section. Writes to its caller only. */
import { SNAPLEN_DEFAULT } from '../../proto/gen/constants.js';
import type { InterfaceDescription } from './pcapng-interfaces.js';
import { comment, interfaceBlock, type Option } from './pcapng-writer.js';

/** What a section may have so that our own engine reads it. */
const INTERFACES_MAX = 4096;

/** Gives every distinct interface met a number in the file written. */
export class SliceInterfaces {
  readonly #numbers = new Map<string, number>();
  readonly #write: (block: Buffer) => void;

  constructor(write: (block: Buffer) => void) {
    this.#write = write;
  }

  /** Writes its description the first time. */
  number(linktype: number, description: InterfaceDescription | null): number {
    const options = description ? this.#options(description) : [];
    const key = `${linktype} ${options.map(({ code, value }) => `${code} ${Buffer.from(value).toString('hex')}`)}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    if (this.#numbers.size >= INTERFACES_MAX)
      throw new Error(
        `the packets come from more than ${INTERFACES_MAX} interfaces: slice fewer files at once`,
      );
    const number = this.#numbers.size;
    this.#numbers.set(key, number);
    this.#write(interfaceBlock(linktype, SNAPLEN_DEFAULT, options));
    return number;
  }

  /** One snaplen for all, as libpcap refuses files that mix them; the original one becomes a comment. */
  #options({ snaplen, options }: InterfaceDescription): Option[] {
    if (snaplen === 0 || snaplen === SNAPLEN_DEFAULT) return options;
    return [comment(`captured with snaplen ${snaplen}`), ...options];
  }
}
