/** Packet rows of one push: a window on wasm memory, valid only during the callback that receives it. */
import type { PacketLine } from './types.js';

export class PacketRows {
  get length(): number {
    return 0;
  }
  /** Nanoseconds since the epoch; null where the block carries no time (pcapng simple packets). */
  tsNs(_i: number): bigint | null {
    return null;
  }
  ifindex(_i: number): number {
    return 0;
  }
  linktype(_i: number): number {
    return 0;
  }
  caplen(_i: number): number {
    return 0;
  }
  wirelen(_i: number): number {
    return 0;
  }
  /** Whether the packet passed the filter; true when none is set. */
  matched(_i: number): boolean {
    return true;
  }
  /** Id of the innermost flow the packet belongs to, -1 when it has none (ARP, unsupported). */
  flowId(_i: number): number {
    return -1;
  }
  /** View into wasm memory, valid during the callback: copy what must outlive it. */
  bytes(_i: number): Uint8Array {
    return new Uint8Array();
  }
  line(_i: number): PacketLine {
    throw new Error('under construction');
  }
}
