/**
 * Community ID v1: one text for a flow that different tools agree on, whichever direction they saw first.
 * https://github.com/corelight/community-id-spec
 */
import { digest, room, sha1 } from './sha1.js';

export interface FlowTuple {
  ipProto: number;
  /** 4 or 16 bytes each. */
  source: Uint8Array;
  destination: Uint8Array;
  /** Source's and destination's; ICMP: type, and its answer's type or the code. Null without ports. */
  ports: readonly [number, number] | null;
  /** ICMP without an answer: not ordered. */
  oneWay?: boolean;
}

/** Protocols whose ports belong to the ID. */
export const PORT_PROTOCOLS: ReadonlySet<number> = new Set([1, 6, 17, 58, 132]);

/** `seed` is 16 bits, 0 where the parties agreed on none. */
export function communityId(tuple: FlowTuple, seed = 0): string {
  const { ipProto, source, destination, ports } = tuple;
  const order = compare(source, destination) || (ports ? ports[0] - ports[1] : 0);
  const swap = order > 0 && !tuple.oneWay;
  const size = source.length;
  room[0] = seed >> 8;
  room[1] = seed;
  room.set(swap ? destination : source, 2);
  room.set(swap ? source : destination, 2 + size);
  let length = 2 + size * 2;
  room[length++] = ipProto;
  room[length++] = 0;
  if (ports)
    for (const port of swap ? [ports[1], ports[0]] : ports) {
      room[length++] = port >> 8;
      room[length++] = port;
    }
  sha1(length);
  return `1:${base64(digest)}`;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Of 20 bytes: six groups of three and one of two. */
function base64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < 20; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | (i < 18 ? bytes[i + 2]! : 0);
    text += BASE64[group >> 18]! + BASE64[(group >> 12) & 63]! + BASE64[(group >> 6) & 63]!;
    text += i < 18 ? BASE64[group & 63]! : '=';
  }
  return text;
}
