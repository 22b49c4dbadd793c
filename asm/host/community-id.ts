/**
 * Community ID v1: one text for a flow that different tools agree on, whichever direction they saw first.
 * https://github.com/corelight/community-id-spec
 */
import { sha1 } from './sha1.js';

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
  const message = new Uint8Array(4 + size * 2 + (ports ? 4 : 0));
  const view = new DataView(message.buffer);
  view.setUint16(0, seed);
  message.set(swap ? destination : source, 2);
  message.set(swap ? source : destination, 2 + size);
  message[2 + size * 2] = ipProto;
  if (ports) {
    view.setUint16(4 + size * 2, ports[swap ? 1 : 0]);
    view.setUint16(6 + size * 2, ports[swap ? 0 : 1]);
  }
  return `1:${base64(sha1(message))}`;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}

const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
