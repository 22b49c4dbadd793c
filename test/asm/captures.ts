/** Builds packets and capture files byte by byte, in either byte order, for the engine's tests. */
import { readFileSync } from 'node:fs';
import type { EngineOptions } from '../../asm/host/index.js';
import { Engine } from '../../asm/host/index.js';

const wasm = readFileSync('build/asm/ringtap.wasm');
export const wasmBytes = new Uint8Array(wasm);
const compiled = WebAssembly.compile(wasm);

export async function newEngine(options: EngineOptions = { seed: 1n }): Promise<Engine> {
  return Engine.load(await compiled, options);
}

/** mulberry32: repeatable from a printed seed. */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

/** Seed of this run: RINGTAP_SEED, or the time. Printed, so that a failure can be repeated. */
export function runSeed(test: string): number {
  const seed = Number(process.env.RINGTAP_SEED ?? Date.now() % 1_000_000_000);
  console.log(`${test}: RINGTAP_SEED=${seed}`);
  return seed;
}

export type Bytes = Uint8Array | readonly number[];

export function join(...parts: Bytes[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
export const be16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
export const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value & 0xffff)];

// ── packets, inside out ──────────────────────────────────────────────────────────────────────────
export const ether = (type: number, payload: Bytes, dst = '020000000002', src = '020000000001'): Uint8Array =>
  join(hex(dst), hex(src), be16(type), payload);
export const vlan = (id: number, type: number, payload: Bytes): Uint8Array =>
  join(be16(id), be16(type), payload);

export interface Ipv4Options {
  src?: string;
  dst?: string;
  fragment?: number;
  ttl?: number;
  options?: Bytes;
}
export function ipv4(protocol: number, payload: Bytes, given: Ipv4Options = {}): Uint8Array {
  const { src = '10.0.0.1', dst = '10.0.0.2', fragment = 0, ttl = 64, options = [] } = given;
  const total = 20 + options.length + payload.length;
  const address = (text: string): number[] => text.split('.').map(Number);
  const head = [0x45 + options.length / 4, 0, ...be16(total), 0, 1, ...be16(fragment), ttl, protocol, 0, 0];
  return join(head, address(src), address(dst), options, payload);
}

export function ipv6(next: number, payload: Bytes, src = 1, dst = 2): Uint8Array {
  const address = (last: number): number[] => [0xfd, 0, ...Array<number>(13).fill(0), last];
  return join([0x60, 0, 0, 0], be16(payload.length), [next, 64], address(src), address(dst), payload);
}

export interface TcpOptions {
  flags?: number;
  seq?: number;
  ack?: number;
  window?: number;
  options?: Bytes;
}
export function tcp(sport: number, dport: number, payload: Bytes = [], given: TcpOptions = {}): Uint8Array {
  const { flags = 0x10, seq = 1, ack = 0, window = 1024, options = [] } = given;
  const offset = ((20 + options.length) / 4) << 4;
  return join(
    be16(sport),
    be16(dport),
    be32(seq),
    be32(ack),
    [offset, flags, ...be16(window), 0, 0, 0, 0],
    options,
    payload,
  );
}
export const udp = (sport: number, dport: number, payload: Bytes = []): Uint8Array =>
  join(be16(sport), be16(dport), be16(8 + payload.length), [0, 0], payload);
export const arpRequest = (): Uint8Array =>
  hex('0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002');
export const dnsQuery = (): Uint8Array =>
  hex('1234 0100 0001 0000 0000 0000 0765 78616d706c65 0363 6f6d 00 0001 0001');

// ── capture files ────────────────────────────────────────────────────────────────────────────────
export interface Packet {
  bytes: Uint8Array;
  /** Nanoseconds; 0 by default. */
  ts?: bigint;
  wirelen?: number;
  /** pcapng: interface number. */
  iface?: number;
}

/** Numbers in the order of the file. */
export class Order {
  constructor(readonly big: boolean) {}
  u16 = (value: number): number[] => (this.big ? be16(value) : be16(value).reverse());
  u32 = (value: number): number[] => (this.big ? be32(value) : be32(value).reverse());
  u64 = (value: bigint): number[] => {
    const bytes = [...be32(Number(value >> 32n) >>> 0), ...be32(Number(value & 0xffffffffn))];
    return this.big ? bytes : bytes.reverse();
  };
}

export interface PcapOptions {
  big?: boolean;
  variant?: 'us' | 'ns' | 'modified';
  linktype?: number;
}
const MAGICS = { us: 0xa1b2c3d4, ns: 0xa1b23c4d, modified: 0xa1b2cd34 };

export function pcap(packets: readonly Packet[], given: PcapOptions = {}): Uint8Array {
  const { big = false, variant = 'us', linktype = 1 } = given;
  const { u16, u32 } = new Order(big);
  const head = [
    ...u32(MAGICS[variant]),
    ...u16(2),
    ...u16(4),
    ...u32(0),
    ...u32(0),
    ...u32(262144),
    ...u32(linktype),
  ];
  const records = packets.map(({ bytes, ts = 0n, wirelen = bytes.length }) => {
    const fraction = Number(ts % 1_000_000_000n) / (variant === 'ns' ? 1 : 1000);
    const extra = variant === 'modified' ? [0, 0, 0, 0, 0, 0, 0, 0] : [];
    const times = [...u32(Number(ts / 1_000_000_000n)), ...u32(fraction)];
    return join(times, u32(bytes.length), u32(wirelen), extra, bytes);
  });
  return join(head, ...records);
}

/** Blocks and options of one pcapng section's byte order. */
export class Pcapng {
  readonly #order: Order;
  constructor(big = false) {
    this.#order = new Order(big);
  }
  block(type: number, body: Bytes): Uint8Array {
    const { u32 } = this.#order;
    const padding = new Uint8Array((4 - (body.length % 4)) % 4);
    const total = u32(12 + body.length + padding.length);
    return join(u32(type), total, body, padding, total);
  }
  option(code: number, value: Bytes): Uint8Array {
    const { u16 } = this.#order;
    return join(u16(code), u16(value.length), value, new Uint8Array((4 - (value.length % 4)) % 4));
  }
  section(): Uint8Array {
    const { u16, u32 } = this.#order;
    const comment = this.option(1, hex('68656c6c6f'));
    return this.block(
      0x0a0d0d0a,
      join(u32(0x1a2b3c4d), u16(1), u16(0), u32(0xffffffff), u32(0xffffffff), comment),
    );
  }
  iface(linktype = 1, options: Bytes = [], snaplen = 0): Uint8Array {
    const { u16, u32 } = this.#order;
    return this.block(1, join(u16(linktype), u16(0), u32(snaplen), options));
  }
  tsresol(value: number): Uint8Array {
    return this.option(9, [value]);
  }
  tsoffset(seconds: bigint): Uint8Array {
    return this.option(14, this.#order.u64(BigInt.asUintN(64, seconds)));
  }
  /** `raw` is the time in the interface's units. */
  enhanced(
    bytes: Uint8Array,
    raw: bigint,
    iface = 0,
    wirelen = bytes.length,
    options: Bytes = [],
  ): Uint8Array {
    const { u32 } = this.#order;
    const head = [...u32(iface), ...this.#time(raw), ...u32(bytes.length), ...u32(wirelen)];
    return this.block(6, join(head, bytes, new Uint8Array((4 - (bytes.length % 4)) % 4), options));
  }
  obsolete(bytes: Uint8Array, raw: bigint, iface = 0): Uint8Array {
    const { u16, u32 } = this.#order;
    const head = [...u16(iface), ...u16(0), ...this.#time(raw), ...u32(bytes.length), ...u32(bytes.length)];
    return this.block(2, join(head, bytes));
  }
  simple(bytes: Uint8Array, wirelen = bytes.length): Uint8Array {
    return this.block(3, join(this.#order.u32(wirelen), bytes));
  }
  #time(raw: bigint): number[] {
    const { u32 } = this.#order;
    return [...u32(Number(raw >> 32n)), ...u32(Number(raw & 0xffffffffn))];
  }
}

/** A frame of each kind the engine knows, with the protocols it must count. */
export const FRAMES: readonly { name: string; bytes: Uint8Array; seen: string }[] = [
  { name: 'tcp syn', bytes: ether(0x800, ipv4(6, tcp(40000, 80, [], { flags: 2 }))), seen: 'eth ip tcp' },
  {
    name: 'http request',
    bytes: ether(0x800, ipv4(6, tcp(40000, 80, Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')))),
    seen: 'eth ip tcp http',
  },
  {
    name: 'tls handshake',
    bytes: ether(0x86dd, ipv6(6, tcp(40001, 443, hex('16 0301 0004 01000000')))),
    seen: 'eth ipv6 tcp tls',
  },
  { name: 'dns query', bytes: ether(0x800, ipv4(17, udp(5353, 53, dnsQuery()))), seen: 'eth ip udp dns' },
  { name: 'dns over vlan', bytes: ether(0x8100, vlan(7, 0x800, ipv4(17, udp(53, 9, dnsQuery())))), seen: 'eth vlan ip udp dns' },
  { name: 'qinq', bytes: ether(0x88a8, vlan(1, 0x8100, vlan(2, 0x806, arpRequest()))), seen: 'eth vlan arp' },
  { name: 'arp', bytes: ether(0x806, arpRequest(), 'ffffffffffff'), seen: 'eth arp' },
  { name: 'mpls', bytes: ether(0x8847, join(hex('00010040 0002013f'), ipv4(1, hex('0800 0000 0001 0001')))), seen: 'eth mpls ip icmp' },
  { name: 'icmp error', bytes: ether(0x800, ipv4(1, join(hex('0303 0000 00000000'), ipv4(17, udp(1, 2))))), seen: 'eth ip icmp udp' },
  { name: 'icmpv6', bytes: ether(0x86dd, ipv6(58, hex('80000000 00010002'))), seen: 'eth ipv6 icmpv6' },
  { name: 'sctp', bytes: ether(0x800, ipv4(132, hex('0001 0002 00000000 00000000'))), seen: 'eth ip sctp' },
  { name: 'later fragment', bytes: ether(0x800, ipv4(17, udp(1, 2), { fragment: 185 })), seen: 'eth ip' },
  {
    name: 'ipv6 extensions',
    bytes: ether(0x86dd, ipv6(0, join(hex('3c00 010400000000'), hex('1100 010400000000'), udp(9, 10)))),
    seen: 'eth ipv6 udp',
  },
  { name: 'gre', bytes: ether(0x800, ipv4(47, join(hex('2000 0800 00000001'), ipv4(6, tcp(1, 2))))), seen: 'eth ip gre tcp' },
  {
    name: 'vxlan',
    bytes: ether(0x800, ipv4(17, udp(1000, 4789, join(hex('08000000 00002a00'), ether(0x86dd, ipv6(6, tcp(3, 4))))))),
    seen: 'eth ip udp vxlan ipv6 tcp',
  },
  {
    name: 'gtp-u with sequence and extension',
    bytes: ether(0x800, ipv4(17, udp(2152, 2152, join(hex('36 ff 0030 00000007 0001 00 85 01 100000'), hex(''), ipv4(17, udp(5, 6)))))),
    seen: 'eth ip udp gtp',
  },
  { name: 'ip in ip', bytes: ether(0x800, ipv4(4, ipv4(17, udp(7, 8)))), seen: 'eth ip udp' },
  { name: '6in4', bytes: ether(0x800, ipv4(41, ipv6(17, udp(7, 8)))), seen: 'eth ip ipv6 udp' },
  { name: 'pppoe', bytes: ether(0x8864, join(hex('1100 0001 0020 0021'), ipv4(17, udp(7, 8)))), seen: 'eth ip udp' },
  {
    name: 'quic initial',
    bytes: ether(0x800, ipv4(17, udp(50000, 443, hex('c3 00000001 08 0102030405060708 00 00 4000')))),
    seen: 'eth ip udp quic',
  },
  { name: 'llc snap', bytes: ether(36, join(hex('aaaa03 000000 0800'), ipv4(17, udp(7, 8)))), seen: 'eth ip udp' },
  { name: 'unknown ethertype', bytes: ether(0x88b5, hex('0200')), seen: 'eth' },
]; // biome-ignore format: one frame a line
