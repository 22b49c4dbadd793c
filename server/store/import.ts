/**
 * Copies a capture file into a store as a recorder's segments: every packet, its time, lengths, interface and
 * options. What was read before damage is kept. Which files were imported stands in the heads of their segments.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { PacketRows } from '../../asm/host/index.js';
import { type InterfaceDescription, InterfaceTracker } from '../formats/pcapng-interfaces.js';
import { comment, type Option } from '../formats/pcapng-writer.js';
import { VERSION } from '../paths.js';
import { SegmentWriter, type WriterInterface } from './segment-writer.js';

const NAME = 'import';
const SEGMENT_BYTES = 1 << 30;
/** Of a file's start and end, for telling files apart. */
const SAMPLE_BYTES = 1 << 20;
const HEAD_LOOK_BYTES = 64 << 10;
const INTERFACES_MAX = 4096;

/** What the segments of a file say it was: its size, and a digest of its first and last bytes. */
export function fingerprint(file: string): string {
  const fd = openSync(file, 'r');
  try {
    const { size } = fstatSync(fd);
    const hash = createHash('sha256').update(`${size}\n`);
    const sample = Buffer.alloc(Math.min(SAMPLE_BYTES, size));
    for (const at of [0, size - sample.length])
      hash.update(sample.subarray(0, readSync(fd, sample, 0, sample.length, at)));
    return `source-id: ${hash.digest('hex')}`;
  } finally {
    closeSync(fd);
  }
}

/** The segment that a file with this fingerprint was imported to, or null. */
export function findImport(directory: string, id: string): string | null {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(`ringtap-${NAME}-`) || !name.endsWith('.pcapng')) continue;
    const head = Buffer.alloc(HEAD_LOOK_BYTES);
    const fd = openSync(join(directory, name), 'r');
    try {
      if (head.subarray(0, readSync(fd, head, 0, head.length, 0)).includes(id)) return name;
    } finally {
      closeSync(fd);
    }
  }
  return null;
}

export class Importer {
  readonly #writer: SegmentWriter;
  readonly #tracker: InterfaceTracker;
  /** By number of the packet in the file. */
  readonly #options = new Map<number, Option[]>();
  readonly #numbers = new Map<string, number>();
  #interfaces: WriterInterface[] = [];
  /** So that the common case makes no key. */
  #last: { description: InterfaceDescription | null; linktype: number; number: number } | null = null;
  #before = 0;
  readonly #comments: string[];

  constructor(directory: string, file: string, id: string, blockBytes?: number) {
    this.#comments = [`imported by ringtap ${VERSION} from ${basename(file)}`, id];
    this.#tracker = new InterfaceTracker((packet, options) => this.#options.set(packet, options));
    this.#writer = new SegmentWriter(directory, {
      name: NAME,
      application: `ringtap ${VERSION}`,
      comments: this.#comments,
      segmentBytes: SEGMENT_BYTES,
      ...(blockBytes === undefined ? {} : { blockBytes }),
    });
  }

  get packets(): number {
    return this.#writer.packets;
  }

  /** Bytes the engine is about to read. */
  readonly see = (chunk: Uint8Array): void => {
    this.#tracker.forget(this.#before);
    this.#tracker.push(chunk);
  };

  readonly take = (rows: PacketRows): boolean => {
    for (let i = 0; i < rows.length; i++) this.#copy(rows, i);
    this.#before += rows.length;
    return true;
  };

  #copy(rows: PacketRows, i: number): void {
    const packet = this.#before + i;
    const number = this.#number(packet, rows.linktype(i), this.#tracker.find(packet, rows.ifindex(i)));
    const ts_ns = rows.tsNs(i);
    let options = this.#options.get(packet) ?? [];
    if (options.length) this.#options.delete(packet);
    if (ts_ns === null) options = [comment('time unknown: the source has none'), ...options];
    this.#writer.add(number, ts_ns ?? 0n, rows.wirelen(i), rows.bytes(i), options);
  }

  #number(packet: number, linktype: number, description: InterfaceDescription | null): number {
    const last = this.#last;
    if (last && last.description === description && last.linktype === linktype) return last.number;
    const number =
      this.#numbers.get(keyOf(linktype, description)) ?? this.#add(packet, linktype, description);
    this.#last = { description, linktype, number };
    return number;
  }

  /** A segment describes its interfaces at its start: those the section has so far, and this one. */
  #add(packet: number, linktype: number, description: InterfaceDescription | null): number {
    const { comments, interfaces } = this.#tracker.section(packet);
    for (const text of comments) if (!this.#comments.includes(text)) this.#comments.push(text);
    if (this.#interfaces.length >= INTERFACES_MAX)
      throw new Error(`more than ${INTERFACES_MAX} interfaces: split the file`);
    for (const one of interfaces.slice(0, INTERFACES_MAX - this.#interfaces.length - 1))
      this.#describe(one.linktype, one);
    const number = this.#describe(linktype, description);
    this.#writer.setInterfaces([...this.#interfaces]);
    return number;
  }

  #describe(linktype: number, description: InterfaceDescription | null): number {
    const key = keyOf(linktype, description);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#interfaces.length;
    this.#numbers.set(key, number);
    this.#interfaces.push({ linktype, options: description?.options ?? [] });
    return number;
  }

  /** Names the segments; returns their paths. */
  commit(): string[] {
    return this.#writer.commit();
  }

  /** Takes away what was not committed. */
  discard(): void {
    this.#writer.discard();
  }
}

function keyOf(linktype: number, description: InterfaceDescription | null): string {
  const options = description?.options.map(
    ({ code, value }) => `${code} ${Buffer.from(value).toString('hex')}`,
  );
  return `${linktype} ${description?.snaplen ?? ''} ${options ?? ''}`;
}
