/**
 * Real packets as real pcapng bytes, built by hand and from a seed, so that a test knows exactly
 * what a viewer must see: TCP conversations, DNS, ICMP and ARP on Ethernet.
 */
import { BT_EPB, BT_IDB, BT_SHB, LINKTYPE_ETHERNET, PCAPNG_MAGIC } from '../../../proto/gen/constants.js';

const text = (value: string) => Uint8Array.from(value, (char) => char.charCodeAt(0));

function block(type: number, body: Uint8Array): Uint8Array {
  const padded = (body.length + 3) & ~3;
  const bytes = new Uint8Array(padded + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, bytes.length, true);
  bytes.set(body, 8);
  view.setUint32(bytes.length - 4, bytes.length, true);
  return bytes;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** SHB and one Ethernet IDB with nanosecond times: what a probe's Hello carries. */
export function section(): Uint8Array {
  const shb = new Uint8Array(16);
  const shbView = new DataView(shb.buffer);
  shbView.setUint32(0, PCAPNG_MAGIC, true);
  shbView.setUint16(4, 1, true);
  shbView.setBigInt64(8, -1n, true);
  const idb = new Uint8Array(8 + 8 + 4);
  const idbView = new DataView(idb.buffer);
  idbView.setUint16(0, LINKTYPE_ETHERNET, true);
  idbView.setUint32(4, 262_144, true);
  idbView.setUint16(8, 9, true); // if_tsresol
  idbView.setUint16(10, 1, true);
  idb[12] = 9;
  return concat([block(BT_SHB, shb), block(BT_IDB, idb)]);
}

/** One Enhanced Packet Block; `snaplen` cuts what is kept of the frame. */
export function packetBlock(frame: Uint8Array, tsNs: bigint, snaplen = 0): Uint8Array {
  const kept = snaplen && snaplen < frame.length ? frame.subarray(0, snaplen) : frame;
  const body = new Uint8Array(20 + kept.length);
  const view = new DataView(body.buffer);
  view.setUint32(4, Number(tsNs >> 32n), true);
  view.setUint32(8, Number(tsNs & 0xffffffffn), true);
  view.setUint32(12, kept.length, true);
  view.setUint32(16, frame.length, true);
  body.set(kept, 20);
  return block(BT_EPB, body);
}

const ethernet = (etherType: number, payload: Uint8Array) => {
  const frame = new Uint8Array(14 + payload.length);
  frame.set([0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01]);
  new DataView(frame.buffer).setUint16(12, etherType);
  frame.set(payload, 14);
  return frame;
};

function ipv4(
  protocol: number,
  from: readonly number[],
  to: readonly number[],
  payload: Uint8Array,
): Uint8Array {
  const packet = new Uint8Array(20 + payload.length);
  const view = new DataView(packet.buffer);
  packet[0] = 0x45;
  view.setUint16(2, packet.length);
  packet[8] = 64;
  packet[9] = protocol;
  packet.set(from, 12);
  packet.set(to, 16);
  view.setUint16(10, checksum(packet.subarray(0, 20)));
  packet.set(payload, 20);
  return ethernet(0x0800, packet);
}

function checksum(header: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < header.length; i += 2) sum += (header[i]! << 8) | header[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** TCP with the given flags: 0x02 SYN, 0x12 SYN+ACK, 0x10 ACK, 0x18 PSH+ACK. */
export function tcp(
  from: readonly number[],
  fromPort: number,
  to: readonly number[],
  toPort: number,
  flags: number,
  length: number,
): Uint8Array {
  const segment = new Uint8Array(20 + length);
  const view = new DataView(segment.buffer);
  view.setUint16(0, fromPort);
  view.setUint16(2, toPort);
  view.setUint32(4, 1000);
  view.setUint32(8, 2000);
  segment[12] = 0x50;
  segment[13] = flags;
  view.setUint16(14, 64_240);
  for (let i = 20; i < segment.length; i++) segment[i] = 0x20 + (i % 95);
  return ipv4(6, from, to, segment);
}

export function udp(
  from: readonly number[],
  fromPort: number,
  to: readonly number[],
  toPort: number,
  data: Uint8Array,
) {
  const datagram = new Uint8Array(8 + data.length);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, fromPort);
  view.setUint16(2, toPort);
  view.setUint16(4, datagram.length);
  datagram.set(data, 8);
  return ipv4(17, from, to, datagram);
}

/** A DNS query for an A record of `name`. */
export function dnsQuery(from: readonly number[], name: string, id: number): Uint8Array {
  const labels = name.split('.').flatMap((label) => [label.length, ...text(label)]);
  const message = Uint8Array.from([
    id >> 8,
    id & 255,
    1,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    0,
    ...labels,
    0,
    0,
    1,
    0,
    1,
  ]);
  return udp(from, 40_000 + (id % 1000), [10, 0, 0, 53], 53, message);
}

export function icmpEcho(from: readonly number[], to: readonly number[], sequence: number): Uint8Array {
  const message = new Uint8Array(64);
  message[0] = 8;
  new DataView(message.buffer).setUint16(6, sequence & 0xffff);
  return ipv4(1, from, to, message);
}

export function arpRequest(from: readonly number[], to: readonly number[]): Uint8Array {
  return ethernet(
    0x0806,
    Uint8Array.from([0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, ...from, 0, 0, 0, 0, 0, 0, ...to]),
  );
}

const SERVERS = [443, 443, 443, 80, 22, 5432] as const;
const NAMES = ['example.com', 'ringtap.test', 'ntp.pool.test', 'static.cdn.test'] as const;

/** The `i`th frame of an endless, repeatable mix: about 86 % TCP, 8 % DNS, 4 % ICMP, 2 % ARP. */
export function mixedFrame(i: number): Uint8Array {
  const pick = (i * 2_654_435_761) >>> 0;
  const host = [10, 0, (pick >>> 8) % 4, 10 + ((pick >>> 12) % 40)];
  const kind = i % 50;
  if (kind === 49) return arpRequest(host, [10, 0, 0, 1]);
  if (kind >= 47) return icmpEcho(host, [10, 0, 0, 1], i);
  if (kind >= 43) return dnsQuery(host, NAMES[pick % NAMES.length]!, i & 0xffff);
  const flow = (pick >>> 16) % 60;
  const server = [192, 0, 2, 1 + (flow % 9)];
  const port = SERVERS[flow % SERVERS.length]!;
  const sizes = [0, 0, 120, 512, 1400, 1400] as const;
  const size = sizes[(pick >>> 4) % sizes.length]!;
  const flags = size ? 0x18 : 0x10;
  return pick & 1
    ? tcp(server, port, [10, 0, 1, 10 + flow], 50_000 + flow, flags, size)
    : tcp([10, 0, 1, 10 + flow], 50_000 + flow, server, port, flags, size >> 1);
}
