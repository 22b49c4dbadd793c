/** What following a stream needs of a packet: its innermost TCP or UDP header and payload. Pure; never throws. */
import type { Engine, TreeNode } from '../../asm/host/index.js';

export interface Segment {
  protocol: 'tcp' | 'udp';
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
  /** TCP only, else 0. */
  seq: number;
  ack: number;
  flags: number;
  /** Captured payload, a copy; may be shorter than `payload_bytes`, which the wire had. */
  payload: Uint8Array;
  payload_bytes: number;
}

export const TCP_FIN = 1;
export const TCP_SYN = 2;
export const TCP_RST = 4;
export const TCP_ACK = 16;

/** Null when the packet carries neither, or its header is cut. */
export function transportOf(
  engine: Engine,
  linktype: number,
  bytes: Uint8Array,
  wirelen: number,
): Segment | null {
  const layers = engine.decode(linktype, bytes, wirelen);
  const at = layers.findLastIndex(({ field }) => field === 'tcp' || field === 'udp');
  const ip = layers.slice(0, at).findLast(({ field }) => field === 'ip' || field === 'ipv6');
  const header = layers[at];
  if (!header || !ip) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = packetEnd(view, ip, wirelen);
  return end === null ? null : segmentOf(view, bytes, header, ip, end);
}

/** Where the IP packet ends in the frame; a length of 0 is left to the network card, which means: all of it. */
function packetEnd(view: DataView, { field, offset }: TreeNode, wirelen: number): number | null {
  if (offset + 6 > view.byteLength) return null;
  const stated = field === 'ip' ? view.getUint16(offset + 2) : view.getUint16(offset + 4) + 40;
  const nothing = field === 'ip' ? 0 : 40;
  return stated === nothing ? wirelen : Math.min(wirelen, offset + stated);
}

function segmentOf(
  view: DataView,
  bytes: Uint8Array,
  { field, offset }: TreeNode,
  ip: TreeNode,
  end: number,
): Segment | null {
  const tcp = field === 'tcp';
  if (offset + (tcp ? 20 : 8) > bytes.length) return null;
  const start = offset + (tcp ? (view.getUint8(offset + 12) >> 4) * 4 : 8);
  if (start > end || start < offset + 8) return null;
  const address = (name: string) => ip.children.find((node) => node.field === `${ip.field}.${name}`)?.value;
  const [source, destination] = [address('src'), address('dst')];
  if (source === undefined || destination === undefined) return null;
  return {
    protocol: tcp ? 'tcp' : 'udp',
    source,
    destination,
    sourcePort: view.getUint16(offset),
    destinationPort: view.getUint16(offset + 2),
    seq: tcp ? view.getUint32(offset + 4) : 0,
    ack: tcp ? view.getUint32(offset + 8) : 0,
    flags: tcp ? view.getUint8(offset + 13) : 0,
    payload: bytes.slice(start, Math.min(end, bytes.length)),
    payload_bytes: end - start,
  };
}
