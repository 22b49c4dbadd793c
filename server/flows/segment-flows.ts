/**
 * Makes the flow records of one segment, or of the segments of all stripes of one run together: reads their
 * blocks in order of sequence into an engine. Goes on where it stopped while the segment grows. One engine;
 * runs on the flow thread; blocks on reads.
 *
 * A connection that spans segments has a record in each, joined by community_id; those that a segment's end
 * cut have `ended` = drained.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Engine, type Flow, type PacketRows } from '../../asm/host/index.js';
import { BLOCK_LOOK_BYTES, readBlockHeader } from '../store/block-header.js';
import { BlockChain, readHead } from '../store/segment-file.js';
import { type FlowRecord, recordOf } from './columns.js';
import { KEY_FILTER } from './key-fields.js';
import { Tracked } from './tracked.js';

/** Of an Enhanced Packet Block, before its packet. */
const EPB_HEADER_BYTES = 28;

export interface Member {
  stem: string;
  path: string;
}

interface Source extends Member {
  fd: number;
  head_bytes: number;
  chain: BlockChain;
  /** Extents of the chain read wholly, and how much of the one after them. */
  extent: number;
  extent_bytes: number;
}

/** Something to read: part of an extent. */
interface Next {
  source: Source;
  from: number;
  to: number;
}

export class SegmentFlows {
  /** Names the records: stem of the first stripe. */
  readonly stem: string;
  readonly #engine: Engine;
  readonly #sources: Source[];
  readonly #tracked = new Map<number, Tracked>();
  #ended: FlowRecord[] = [];
  #seq: number | null = null;
  #begun = false;
  /** Blocks the engine could not read to their end. */
  damaged = 0;

  private constructor(stem: string, engine: Engine, sources: Source[]) {
    this.stem = stem;
    this.#engine = engine;
    this.#sources = sources;
  }

  /** Throws when a file cannot be opened or is no segment. Close it. */
  static async open(
    module: WebAssembly.Module,
    members: readonly Member[],
    maxFlows: number,
  ): Promise<SegmentFlows> {
    const engine = await Engine.load(module, { maxFlows, exportFlows: true });
    engine.setFilter(KEY_FILTER);
    const sources: Source[] = [];
    try {
      for (const member of members) sources.push(openSource(member));
    } catch (error) {
      for (const { fd } of sources) closeSync(fd);
      throw error;
    }
    return new SegmentFlows(members[0]?.stem as string, engine, sources);
  }

  close(): void {
    for (const { fd } of this.#sources) closeSync(fd);
  }

  /**
   * Reads on, at most about `bytes_max`; returns how much was read, 0 when there is nothing new. Of a striped
   * run a block that is not there yet is waited for, unless the run is `sealed`.
   */
  advance(sealed: boolean, bytes_max: number): number {
    for (const { chain, fd } of this.#sources) chain.extend(fd, fstatSync(fd).size, sealed);
    let read = 0;
    while (read < bytes_max) {
      const next = this.#next(sealed);
      if (!next) break;
      this.#read(next);
      read += next.to - next.from;
    }
    return read;
  }

  /** Records of flows that ended since it was called last. */
  takeEnded(): FlowRecord[] {
    this.#drain(this.#engine.drainFlows());
    const rows = this.#ended;
    this.#ended = [];
    return rows;
  }

  /** Records of flows that go on, as they are now. */
  open(): FlowRecord[] {
    return this.#engine.flows({ sort: 'first' }).map((flow) => this.#row(flow));
  }

  /** The segment is over: all its flows end. */
  finish(): FlowRecord[] {
    this.#drain(this.#engine.drainFlows({ all: true }));
    return this.takeEnded();
  }

  #next(sealed: boolean): Next | null {
    let best: Source | null = null;
    for (const source of this.#sources) {
      const extent = source.chain.extents[source.extent];
      if (!extent) continue;
      const rival = best?.chain.extents[best.extent];
      if (!rival || extent.seq < rival.seq) best = source;
    }
    const extent = best?.chain.extents[best.extent];
    if (!best || !extent) return null;
    const striped = this.#sources.length > 1;
    if (striped && !sealed && this.#seq !== null && extent.seq !== this.#seq) return null;
    const from = extent.offset + best.extent_bytes;
    const to = extent.offset + extent.bytes;
    // The last extent of a growing segment may be joined by more blocks.
    const whole = best.extent + 1 < best.chain.extents.length || striped;
    if (whole) {
      best.extent++;
      best.extent_bytes = 0;
    } else {
      if (from === to) return null;
      best.extent_bytes = extent.bytes;
    }
    this.#seq = extent.seq + extent.blocks;
    return from === to ? this.#next(sealed) : { source: best, from, to };
  }

  /** Block by block, so that damage costs the block it is in and no other. */
  #read({ source, from, to }: Next): void {
    for (let at = from; at < to; ) {
      const look = Buffer.alloc(BLOCK_LOOK_BYTES);
      const header = readBlockHeader(look.subarray(0, readSync(source.fd, look, 0, look.length, at)));
      const end = header ? Math.min(to, at + header.bytes) : to;
      if (!this.#begun || this.#engine.error) this.#begin(source);
      this.#feed(source, at, end);
      if (this.#engine.error) this.damaged++;
      at = end;
    }
  }

  /** Bytes are read into the engine's own memory. */
  #feed({ fd, stem }: Source, from: number, to: number): void {
    const engine = this.#engine;
    for (let at = from; at < to && !engine.error; ) {
      const room = engine.room();
      const length = readSync(fd, room, 0, Math.min(room.length, to - at), at);
      if (length === 0) break; // it was cut off meanwhile
      // What lies at an address of this piece, or of the rest before it, lies in the file at that distance.
      const place = at - room.byteOffset - EPB_HEADER_BYTES;
      engine.push(room.subarray(0, length), (rows) => this.#rows(rows, stem, place));
      at += length;
    }
  }

  #begin({ fd, head_bytes }: Source): void {
    this.#begun = true;
    this.#engine.begin();
    const head = new Uint8Array(head_bytes);
    readSync(fd, head, 0, head_bytes, 0);
    this.#engine.push(head);
  }

  #rows(rows: PacketRows, stem: string, place: number): void {
    for (let i = 0; i < rows.length; i++) {
      const flow = rows.flowId(i);
      if (flow === -1) continue;
      let tracked = this.#tracked.get(flow);
      if (!tracked) {
        tracked = new Tracked();
        this.#tracked.set(flow, tracked);
      }
      const bytes = rows.bytes(i);
      tracked.at(stem, place + bytes.byteOffset);
      if (rows.matched(i) && tracked.keys.wanted)
        tracked.keys.add(this.#engine, rows.linktype(i), bytes, rows.wirelen(i));
    }
  }

  #drain(flows: readonly Flow[]): void {
    for (const flow of flows) {
      this.#ended.push(this.#row(flow));
      this.#tracked.delete(flow.id);
    }
  }

  #row(flow: Flow): FlowRecord {
    const tracked = this.#tracked.get(flow.id);
    const keys = tracked?.keysOrNull;
    return recordOf(flow, {
      id: `${this.stem}~${flow.id}`,
      segment: this.stem,
      sni: keys?.sni ?? null,
      alpn: keys?.alpn ?? null,
      ja4: keys?.ja4 ?? null,
      dns_names: keys?.dnsNames.size ? [...keys.dnsNames].join(' ') : null,
      http_host: keys?.httpHost ?? null,
      user_agent: keys?.userAgent ?? null,
      first_packet: tracked?.pages[0] ?? null,
      blocks: tracked ? tracked.pages.join(' ') : null,
      blocks_complete: tracked?.complete === false ? 0 : 1,
    });
  }
}

function openSource(member: Member): Source {
  const fd = openSync(member.path, 'r');
  try {
    const head = readHead(fd);
    return { ...member, fd, head_bytes: head.bytes, chain: new BlockChain(head), extent: 0, extent_bytes: 0 };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
