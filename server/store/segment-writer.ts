/**
 * Writes segments as a recorder does (native/src/block.h): a head on the 4 KiB grid, then blocks that begin with
 * an Interface Statistics Block and are padded to the grid. For imports; the recorder itself is ringtapd. A segment
 * has no name but NAME.part-PID until commit(), which names all of a run at once.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  BLOCK_ALIGN_BYTES,
  BLOCK_BYTES_DEFAULT,
  BT_PAD,
  OPT_BLOCK_HEADER,
  OPT_RUN,
  SNAPLEN_DEFAULT,
} from '../../proto/gen/constants.js';
import {
  interfaceBlock,
  type Option,
  packetBytes,
  putPacket,
  sectionBlock,
  statisticsBlock,
} from '../formats/pcapng-writer.js';
import { BLOCK_HEADER_BYTES, BLOCK_HEADER_VERSION } from './block-header.js';
import { crc32c } from './crc32c.js';

const PAD_MIN_BYTES = 12;

export interface WriterInterface {
  linktype: number;
  /** Of its description, if_tsresol left out. */
  options: Option[];
}

export interface WriterOptions {
  /** In the segments' names, where a recorder puts its interface. */
  name: string;
  application: string;
  comments: string[];
  /** A segment ends when it has so many bytes. */
  segmentBytes: number;
  blockBytes?: number;
  /** Hex; made up by default. */
  runId?: string;
  stripe?: number;
  stripes?: number;
}

/** Stamps a name can tell: from 1970 to the end of 9999. */
const STAMP_MAX_NS = 253_402_300_799_000_000_000n;

const nameable = (ts_ns: bigint): bigint => (ts_ns < 0n ? 0n : ts_ns > STAMP_MAX_NS ? STAMP_MAX_NS : ts_ns);

/** `20260131T120000.000000001Z` */
function stampText(ts_ns: bigint): string {
  const seconds = new Date(Number(ts_ns / 1_000_000_000n) * 1000)
    .toISOString()
    .replace(/[-:]/g, '')
    .slice(0, 15);
  return `${seconds}.${(ts_ns % 1_000_000_000n).toString().padStart(9, '0')}Z`;
}

/** A local-use block that takes `used` to the grid; empty when it is there. */
function padding(used: number): Buffer {
  let gap = (BLOCK_ALIGN_BYTES - (used % BLOCK_ALIGN_BYTES)) % BLOCK_ALIGN_BYTES;
  if (gap === 0) return Buffer.alloc(0);
  if (gap < PAD_MIN_BYTES) gap += BLOCK_ALIGN_BYTES;
  const block = Buffer.alloc(gap);
  block.writeUInt32LE(BT_PAD, 0);
  block.writeUInt32LE(gap, 4);
  block.writeUInt32LE(gap, gap - 4);
  return block;
}

export class SegmentWriter {
  readonly #directory: string;
  readonly #options: Required<WriterOptions>;
  readonly #block: Buffer;
  readonly #isbBytes: number;
  /** Segments written: the name each will get. */
  readonly #parts: { part: string; path: string }[] = [];
  #interfaces: WriterInterface[] = [];
  #fd = -1;
  #segment_bytes = 0;
  #used = 0;
  #seq: number;
  #packets = 0;
  #wireBytes = 0;
  #first_ns = 0n;
  #last_ns = 0n;
  packets = 0;
  bytes = 0;

  constructor(directory: string, options: WriterOptions) {
    this.#directory = directory;
    const runId = randomBytes(16).toString('hex');
    this.#options = { blockBytes: BLOCK_BYTES_DEFAULT, runId, stripe: 0, stripes: 1, ...options };
    this.#block = Buffer.alloc(this.#options.blockBytes);
    this.#isbBytes = statisticsBlock(
      0,
      0n,
      [],
      [{ code: OPT_BLOCK_HEADER, value: Buffer.alloc(BLOCK_HEADER_BYTES) }],
    ).length;
    this.#used = this.#isbBytes;
    this.#seq = this.#options.stripe + 1;
  }

  /** The packets that follow are of these interfaces. Begins a new segment when they differ from those before. */
  setInterfaces(interfaces: WriterInterface[]): void {
    if (this.#fd >= 0 || this.#packets > 0) this.#endSegment();
    this.#interfaces = interfaces;
  }

  /** Throws what writing throws. */
  add(ifindex: number, ts_ns: bigint, wirelen: number, packet: Uint8Array, options: Option[] = []): void {
    const length = packetBytes(packet.length, options);
    if (this.#used + length + PAD_MIN_BYTES > this.#block.length) this.endBlock();
    if (this.#used + length + PAD_MIN_BYTES > this.#block.length)
      throw new RangeError('a packet larger than a block');
    putPacket(this.#block, this.#used, ifindex, ts_ns, wirelen, packet, options);
    this.#used += length;
    if (this.#packets === 0 || ts_ns < this.#first_ns) this.#first_ns = ts_ns;
    if (this.#packets === 0 || ts_ns > this.#last_ns) this.#last_ns = ts_ns;
    this.#packets++;
    this.#wireBytes += wirelen;
    this.packets++;
  }

  /** Seals the block at hand; nothing happens when it is empty. */
  endBlock(): void {
    if (this.#packets === 0) return;
    if (this.#fd < 0) this.#begin();
    const pad = padding(this.#used);
    const length = this.#used + pad.length;
    const crc = crc32c(crc32c(0, this.#block.subarray(this.#isbBytes, this.#used)), pad);
    const header = this.#header(length, crc);
    statisticsBlock(0, this.#last_ns, [], [{ code: OPT_BLOCK_HEADER, value: header }]).copy(this.#block);
    this.#write(this.#block.subarray(0, this.#used));
    this.#write(pad);
    this.#seq += this.#options.stripes;
    this.#used = this.#isbBytes;
    this.#packets = this.#wireBytes = 0;
    if (this.#segment_bytes >= this.#options.segmentBytes) this.#endSegment();
  }

  #header(length: number, crc: number): Buffer {
    const header = Buffer.alloc(BLOCK_HEADER_BYTES);
    header.writeUInt32LE(BLOCK_HEADER_VERSION, 0);
    header.writeUInt32LE(crc, 4);
    header.writeBigUInt64LE(BigInt(this.#seq), 8);
    header.writeBigInt64LE(this.#first_ns, 16);
    header.writeBigInt64LE(this.#last_ns, 24);
    header.writeBigUInt64LE(BigInt(this.#packets), 32);
    header.writeBigUInt64LE(BigInt(this.#wireBytes), 40);
    header.fill(0xff, 48, 72); // drops: who knows what was lost before
    header.writeUInt32LE(length, 72);
    header.writeUInt32LE(this.#used, 76);
    return header;
  }

  #begin(): void {
    const { name, application, comments, runId, stripe, stripes } = this.#options;
    const sequence = `${this.#parts.length + 1}`.padStart(6, '0');
    let path: string;
    for (let stamp = nameable(this.#first_ns); ; stamp++) {
      path = join(this.#directory, `ringtap-${name}-${stampText(stamp)}-${sequence}.pcapng`);
      if (!existsSync(path) && !this.#parts.some((other) => other.path === path)) break;
    }
    const part = `${path}.part-${process.pid}`;
    this.#fd = openSync(part, 'wx', 0o640); // packets are private
    this.#parts.push({ part, path });
    const run = Buffer.alloc(24);
    run.write(runId, 'hex');
    run.writeUInt32LE(stripe, 16);
    run.writeUInt32LE(stripes, 20);
    const section = sectionBlock(application, comments, [{ code: OPT_RUN, value: run }]);
    const descriptions = this.#interfaces.map(({ linktype, options }) =>
      interfaceBlock(linktype, SNAPLEN_DEFAULT, options),
    );
    const head = Buffer.concat([section, ...descriptions]);
    this.#segment_bytes = 0;
    this.#write(head);
    this.#write(padding(head.length));
  }

  #write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
    this.#segment_bytes += bytes.length;
    this.bytes += bytes.length;
  }

  #endSegment(): void {
    this.endBlock();
    if (this.#fd < 0) return; // endBlock() has ended it
    fsyncSync(this.#fd);
    closeSync(this.#fd);
    this.#fd = -1;
  }

  /** Ends and names the segments; returns their paths. */
  commit(): string[] {
    this.#endSegment();
    for (const { part, path } of this.#parts) renameSync(part, path);
    return this.#parts.splice(0).map(({ path }) => path);
  }

  /** Takes away what was not committed. May be called again, and after commit(). */
  discard(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    for (const { part } of this.#parts.splice(0)) unlinkSync(part);
  }
}
