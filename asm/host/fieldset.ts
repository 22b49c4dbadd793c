/** Looks up the fields of a decoded packet, or of a part of it, by Wireshark's names. */
import type { NodeRecord } from './tree.js';
import { valueText } from './tree.js';

/** Of fields that occur more than once, single look-ups give the last one: the innermost header wins. */
export class FieldSet {
  readonly #last = new Map<string, NodeRecord>();
  constructor(
    readonly records: readonly NodeRecord[],
    readonly frame: Uint8Array,
  ) {
    for (const record of records) this.#last.set(record.field.name, record);
  }
  has(name: string): boolean {
    return this.#last.has(name);
  }
  number(name: string): number | undefined {
    return this.#last.get(name)?.value;
  }
  /** The value as the tree shows it; '' without the field. */
  text(name: string): string {
    const record = this.#last.get(name);
    return record ? valueText(record, this.frame) : '';
  }
  /** The value's name alone, `ACK` of `ACK (5)`. */
  name(name: string): string {
    return this.text(name).replace(/ \((0x)?[0-9a-f]+\)$/, '');
  }
  /** Offset in the frame, -1 without the field. */
  position(name: string): number {
    return this.#last.get(name)?.offset ?? -1;
  }
  /** The bytes of the last field of that name. */
  bytes(name: string): Uint8Array | null {
    const record = this.#last.get(name);
    return record ? this.frame.subarray(record.at, record.at + record.size) : null;
  }
  numbers(name: string): number[] {
    return this.#named(name).map(({ value }) => value);
  }
  texts(name: string): string[] {
    return this.#named(name).map((record) => valueText(record, this.frame));
  }
  /** The nodes of that name, each with all that is under it. */
  parts(name: string): FieldSet[] {
    return this.records.flatMap((record, i) =>
      record.field.name === name ? [new FieldSet(this.#under(i), this.frame)] : [],
    );
  }
  #named(name: string): NodeRecord[] {
    return this.records.filter(({ field }) => field.name === name);
  }
  #under(start: number): NodeRecord[] {
    const { depth } = this.records[start]!;
    let end = start + 1;
    while (end < this.records.length && this.records[end]!.depth > depth) end++;
    return this.records.slice(start, end);
  }
}

/** The packet's own records, without those of the packet an ICMP error quotes. */
export function withoutQuoted(records: readonly NodeRecord[]): readonly NodeRecord[] {
  const icmp = records.findIndex(({ field }) => field.name === 'icmp' || field.name === 'icmpv6');
  const quoted = icmp < 0 ? -1 : records.findIndex(({ depth }, i) => i > icmp && depth === 0);
  return quoted < 0 ? records : records.slice(0, quoted);
}
