/** Reads the module's flow entries and series into plain values. */
import type { Module } from './module.js';
import { ipv4Text, ipv6Text } from './text.js';
import type { Flow, SeriesPoint } from './types.js';

export interface FlowsOptions {
  /** Largest first: bytes or packets both ways, last or first packet's time. Default bytes. */
  sort?: 'bytes' | 'packets' | 'last' | 'first';
  /** At most this many; all by default. */
  limit?: number;
}

const PROTO_NAMES: Record<number, Flow['proto']> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  58: 'icmpv6',
  132: 'sctp',
};

/** Sorts by numbers read from the entries; only the rows asked for become objects. */
export function readFlows(
  module: Module,
  { sort = 'bytes', limit = Number.POSITIVE_INFINITY }: FlowsOptions,
): Flow[] {
  const base = module.fn.flow_entries();
  const stride = module.constant('FLOW_STRIDE');
  const entries = Array.from({ length: module.fn.flow_count() }, (_, i) => base + i * stride);
  const keys = new Map(entries.map((entry) => [entry, sortKey(module, entry, sort)]));
  entries.sort((a, b) => keys.get(b)! - keys.get(a)!);
  return entries.slice(0, limit).map((entry) => readFlow(module, entry));
}

function sortKey(module: Module, entry: number, sort: NonNullable<FlowsOptions['sort']>): number {
  const value = (name: string) => module.count(entry + module.constant(`FLOW_${name}`));
  const time = (name: string) =>
    Number(module.view.getBigInt64(entry + module.constant(`FLOW_${name}`), true));
  switch (sort) {
    case 'bytes':
      return value('BYTES_A') + value('BYTES_B');
    case 'packets':
      return value('PACKETS_A') + value('PACKETS_B');
    case 'last':
      return time('LAST_TS');
    default:
      return time('FIRST_TS');
  }
}

function readFlow(module: Module, entry: number): Flow {
  const { view, bytes } = module;
  const at = (name: string) => entry + module.constant(`FLOW_${name}`);
  const kind = view.getUint16(at('KIND'), true);
  const ipProto = kind & 0xff;
  const v4 = ((kind >> 8) & 0xf) === 4;
  const address = (v4Offset: number, v6: string) =>
    v4
      ? ipv4Text(bytes.subarray(at('ADDRS') + v4Offset, at('ADDRS') + v4Offset + 4))
      : ipv6Text(bytes.subarray(at(v6), at(v6) + 16));
  return {
    id: view.getUint32(at('SERIAL'), true),
    proto: kind & module.constant('KIND_FRAGMENT') ? 'other' : (PROTO_NAMES[ipProto] ?? 'other'),
    ipProto,
    origAddr: address(0, 'A0'),
    origPort: view.getUint16(at('PORTS'), false),
    respAddr: address(4, 'B0'),
    respPort: view.getUint16(at('PORTS') + 2, false),
    firstTsNs: view.getBigInt64(at('FIRST_TS'), true),
    lastTsNs: view.getBigInt64(at('LAST_TS'), true),
    origPackets: module.count(at('PACKETS_A')),
    respPackets: module.count(at('PACKETS_B')),
    origBytes: module.count(at('BYTES_A')),
    respBytes: module.count(at('BYTES_B')),
    origTcpFlags: view.getUint8(at('FLAGS_A')),
    respTcpFlags: view.getUint8(at('FLAGS_B')),
  };
}

/** Seconds of the window that had packets, oldest first; `since` leaves earlier ones out. */
export function readSeries(module: Module, since: number): SeriesPoint[] {
  const { view } = module;
  const base = module.constant('SERIES_BASE');
  const stride = module.constant('BUCKET_STRIDE');
  const seconds = module.constant('SERIES_SECONDS');
  const points: SeriesPoint[] = [];
  for (let bucket = base; bucket < base + seconds * stride; bucket += stride) {
    const packets = module.count(bucket + module.constant('BUCKET_PACKETS'));
    if (!packets) continue;
    const sec = Number(view.getBigInt64(bucket + module.constant('BUCKET_SEC'), true));
    points.push({ sec, packets, bytes: module.count(bucket + module.constant('BUCKET_BYTES')) });
  }
  points.sort((a, b) => a.sec - b.sec);
  const newest = points.at(-1)?.sec ?? 0;
  return points.filter(({ sec }) => sec >= since && sec > newest - seconds);
}
