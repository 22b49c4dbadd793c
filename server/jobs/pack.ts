/**
 * Packets of an answer as a pcapng stream in memory, for an engine to read: one section, one interface per
 * linktype met. One packer per stream.
 */
import { SNAPLEN_DEFAULT } from '../../proto/gen/constants.js';
import { interfaceBlock, packetBytes, putPacket, sectionBlock } from '../formats/pcapng-writer.js';
import type { PacketHit } from '../store/types.js';

export class Packer {
  readonly #interfaces = new Map<number, number>();
  #started = false;

  /** The stream's next bytes, in memory of their own (not pooled: it may be transferred). */
  pack(hits: readonly PacketHit[]): Uint8Array<ArrayBuffer> {
    const head: Buffer[] = [];
    if (!this.#started) head.push(sectionBlock('ringtap', []));
    this.#started = true;
    for (const { linktype } of hits)
      if (!this.#interfaces.has(linktype)) {
        this.#interfaces.set(linktype, this.#interfaces.size);
        head.push(interfaceBlock(linktype, SNAPLEN_DEFAULT, []));
      }
    const head_bytes = head.reduce((sum, { length }) => sum + length, 0);
    const size = hits.reduce((sum, { bytes }) => sum + packetBytes(bytes.length), head_bytes);
    const stream = new Uint8Array(size);
    const to = Buffer.from(stream.buffer);
    let at = 0;
    for (const block of head) at += block.copy(to, at);
    for (const { linktype, tsNs, wirelen, bytes } of hits)
      at = putPacket(to, at, this.#interfaces.get(linktype) as number, tsNs, wirelen, bytes);
    return stream;
  }
}
