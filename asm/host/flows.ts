/** Reads the module's flows, of the table and of the export area, into plain values. */
import { communityId, PORT_PROTOCOLS } from './community-id.js';
import { connState, historyText } from './conn.js';
import type { Module } from './module.js';
import { digestView, room, sha1 } from './sha1.js';
import { ipv4Text, ipv6Text } from './text.js';
import type { Flow } from './types.js';

export interface FlowsOptions {
  /** Largest first: bytes or packets both ways, last or first packet's time. Default bytes. */
  sort?: 'bytes' | 'packets' | 'last' | 'first';
  /** At most this many; all by default. */
  limit?: number;
}

/** Where a flow lies in the module's memory. */
interface Place {
  entry: number;
  more: number;
}

const PROTO_NAMES: Record<number, Flow['proto']> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  58: 'icmpv6',
  132: 'sctp',
};

/** Zeek's names of the protocols by their bit in FlowMore.services. */
const SERVICES: readonly (readonly [bit: number, name: string])[] = [
  [12, 'vxlan'],
  [13, 'gtpv1'],
  [14, 'dns'],
  [15, 'http'],
  [16, 'ssl'],
  [17, 'quic'],
  [18, 'dhcp'],
  [19, 'ntp'],
  [20, 'pfcp'],
];

const ENDED: readonly Flow['ended'][] = [null, 'evicted', 'idle', 'reused', 'drained'];
const TCP_FIN = 1;
const NO_FLOW = 0xffffffff;
const VLAN_PRESENT = 0x1000;
/** Order of the counters from FLOW_PACKETS_A on. */
const COUNTERS = { packets: 0, wire: 2, ip: 4, payload: 6 } as const;
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Constants of the module that every flow needs: looked up once. */
const CONSTANTS = [
  'FLOW_ADDRS', 'FLOW_FLAGS_A', 'FLOW_FLAGS_B', 'FLOW_KIND', 'FLOW_LAST_TS', 'FLOW_PACKETS_A', 'FLOW_PORTS', 'FLOW_SERIAL',
  'MORE_A0', 'MORE_ACKED_A', 'MORE_ACK_TS', 'MORE_B0', 'MORE_CARRIES', 'MORE_CLOSED_TS', 'MORE_DISORDERED_A', 'MORE_ENDED',
  'MORE_FIRST_TS', 'MORE_HISTORY0', 'MORE_HISTORY1', 'MORE_HOLE0_A', 'MORE_HOLE0_B', 'MORE_HOLES_A', 'MORE_HOLES_B',
  'MORE_MILESTONES', 'MORE_MISSED', 'MORE_PARENT', 'MORE_RETRANSMITS_A', 'MORE_SERVICES', 'MORE_STATE_A', 'MORE_STATE_B',
  'MORE_SYN_ACK_TS', 'MORE_SYN_TS', 'MORE_VLANS', 'MORE_ZERO_WINDOWS_A', 'FLIPPED', 'KIND_FRAGMENT', 'KIND_ONE_WAY',
  'SAW_CLOSE',
] as const; // biome-ignore format: a list of names
type Constants = Readonly<Record<(typeof CONSTANTS)[number], number>>;

/** Reads flows of one module. `seed` names them, `communitySeed` goes into the Community ID. */
export class FlowReader {
  readonly #module: Module;
  readonly #is: Constants;
  readonly #seedHigh: number;
  readonly #seedLow: number;
  readonly #communitySeed: number;

  constructor(module: Module, seed: bigint, communitySeed: number) {
    this.#module = module;
    this.#is = Object.fromEntries(CONSTANTS.map((name) => [name, module.constant(name)])) as Constants;
    this.#seedHigh = Number(BigInt.asUintN(32, seed >> 32n));
    this.#seedLow = Number(BigInt.asUintN(32, seed));
    this.#communitySeed = communitySeed;
  }

  /** Sorts by numbers read from the entries; only the rows asked for become objects. */
  list({ sort = 'bytes', limit = Number.POSITIVE_INFINITY }: FlowsOptions): Flow[] {
    const { fn, view } = this.#module;
    const places: Place[] = [];
    const keys = new Map<Place, number>();
    const kind = this.#module.constant('FLOW_KIND');
    for (let i = 0; i < fn.flow_slots(); i++) {
      const place = { entry: fn.flow_entry(i), more: fn.flow_more(i) };
      if (!view.getUint16(place.entry + kind, true)) continue;
      places.push(place);
      keys.set(place, this.#sortKey(place, sort));
    }
    places.sort((a, b) => keys.get(b)! - keys.get(a)!);
    return places.slice(0, limit).map((place) => this.#flow(place));
  }

  /** The flows in the export area, which is emptied. */
  takeExports(): Flow[] {
    const { fn } = this.#module;
    const base = this.#module.constant('EXPORT_BASE');
    const stride = this.#module.constant('FLOW_STRIDE');
    const step = stride + this.#module.constant('MORE_STRIDE');
    const flows = Array.from({ length: fn.export_count() }, (_, i) =>
      this.#flow({ entry: base + i * step, more: base + i * step + stride }),
    );
    fn.export_clear();
    return flows;
  }

  #sortKey(place: Place, sort: NonNullable<FlowsOptions['sort']>): number {
    const { view } = this.#module;
    const sum = (which: number) => this.#counter(place, which) + this.#counter(place, which + 1);
    switch (sort) {
      case 'bytes':
        return sum(COUNTERS.wire);
      case 'packets':
        return sum(COUNTERS.packets);
      case 'last':
        return Number(view.getBigInt64(place.entry + this.#is.FLOW_LAST_TS, true));
      default:
        return Number(view.getBigInt64(place.more + this.#is.MORE_FIRST_TS, true));
    }
  }

  /** 32 bits in the entry, the 16 above them in the rest. */
  #counter({ entry, more }: Place, which: number): number {
    const { view } = this.#module;
    const low = view.getUint32(entry + this.#is.FLOW_PACKETS_A + which * 4, true);
    return low + view.getUint16(more + this.#is.MORE_CARRIES + which * 2, true) * 2 ** 32;
  }

  #flow(place: Place): Flow {
    const { view } = this.#module;
    const { entry, more } = place;
    const is = this.#is;
    const kind = view.getUint16(entry + is.FLOW_KIND, true);
    const ipProto = kind & 0xff;
    const fragment = (kind & is.KIND_FRAGMENT) !== 0;
    const proto = fragment ? 'other' : (PROTO_NAMES[ipProto] ?? 'other');
    const isTcp = proto === 'tcp';
    const [source, destination] = this.#addresses(place, kind);
    const [origPort, respPort] = [
      view.getUint16(entry + is.FLOW_PORTS, false),
      view.getUint16(entry + is.FLOW_PORTS + 2, false),
    ];
    const milestones = view.getUint8(more + is.MORE_MILESTONES);
    const closed = (milestones & is.SAW_CLOSE) !== 0;
    const origTcpFlags = view.getUint8(entry + is.FLOW_FLAGS_A);
    const respTcpFlags = view.getUint8(entry + is.FLOW_FLAGS_B);
    const payload = (which: number, flags: number) => {
      const bytes = this.#counter(place, which);
      return isTcp && flags & TCP_FIN && bytes > 0 ? bytes - 1 : bytes;
    };
    const id = view.getUint32(entry + is.FLOW_SERIAL, true);
    const parent = view.getUint32(more + is.MORE_PARENT, true);
    const vlans = view.getUint32(more + is.MORE_VLANS, true);
    const firstTsNs = view.getBigInt64(more + is.MORE_FIRST_TS, true);
    const lastTsNs = view.getBigInt64(entry + is.FLOW_LAST_TS, true);
    const durationNs = (closed ? view.getBigInt64(more + is.MORE_CLOSED_TS, true) : lastTsNs) - firstTsNs;
    const counts = {
      origPackets: this.#counter(place, COUNTERS.packets),
      respPackets: this.#counter(place, COUNTERS.packets + 1),
      origBytes: this.#counter(place, COUNTERS.wire),
      respBytes: this.#counter(place, COUNTERS.wire + 1),
      origIpBytes: this.#counter(place, COUNTERS.ip),
      respIpBytes: this.#counter(place, COUNTERS.ip + 1),
      origPayloadBytes: payload(COUNTERS.payload, origTcpFlags),
      respPayloadBytes: payload(COUNTERS.payload + 1, respTcpFlags),
    };
    const flipped = (milestones & is.FLIPPED) !== 0;
    const letters = [
      view.getUint32(more + is.MORE_HISTORY0, true),
      view.getUint32(more + is.MORE_HISTORY0 + 4, true),
      view.getUint32(more + is.MORE_HISTORY1, true),
      view.getUint32(more + is.MORE_HISTORY1 + 4, true),
    ];
    const history = historyText(proto, letters, flipped, counts);
    const states = [
      view.getUint8(more + is.MORE_STATE_A) & 15,
      view.getUint8(more + is.MORE_STATE_B) & 15,
    ] as const;
    return {
      id,
      uid: this.uid(id),
      communityId: communityId(
        {
          ipProto,
          source,
          destination,
          ports: PORT_PROTOCOLS.has(ipProto) && !fragment ? [origPort, respPort] : null,
          oneWay: (kind & is.KIND_ONE_WAY) !== 0,
        },
        this.#communitySeed,
      ),
      proto,
      ipProto,
      origAddr: addressText(source),
      origPort,
      respAddr: addressText(destination),
      respPort,
      firstTsNs,
      lastTsNs,
      durationNs: durationNs > 0n ? durationNs : 0n,
      service: serviceText(view.getUint32(more + is.MORE_SERVICES, true)),
      // Listed one by one: spreading costs as much as all the rest.
      origPackets: counts.origPackets,
      respPackets: counts.respPackets,
      origBytes: counts.origBytes,
      respBytes: counts.respBytes,
      origIpBytes: counts.origIpBytes,
      respIpBytes: counts.respIpBytes,
      origPayloadBytes: counts.origPayloadBytes,
      respPayloadBytes: counts.respPayloadBytes,
      origTcpFlags,
      respTcpFlags,
      connState: connState(proto, states, history, counts),
      history,
      missedBytes: isTcp ? this.#missed(more) : 0,
      vlan: vlans & VLAN_PRESENT ? vlans & 0xfff : null,
      innerVlan: (vlans >>> 16) & VLAN_PRESENT ? (vlans >>> 16) & 0xfff : null,
      tunnelParents: parent === NO_FLOW ? [] : [this.uid(parent)],
      synAckRttNs:
        isTcp && (milestones & 3) === 3 ? this.#span(more + is.MORE_SYN_TS, more + is.MORE_SYN_ACK_TS) : null,
      ackRttNs:
        isTcp && (milestones & 7) === 7 ? this.#span(more + is.MORE_SYN_ACK_TS, more + is.MORE_ACK_TS) : null,
      handshakeRttNs:
        isTcp && (milestones & 7) === 7 ? this.#span(more + is.MORE_SYN_TS, more + is.MORE_ACK_TS) : null,
      origRetransmits: isTcp ? view.getUint32(more + is.MORE_RETRANSMITS_A, true) : null,
      respRetransmits: isTcp ? view.getUint32(more + is.MORE_RETRANSMITS_A + 4, true) : null,
      origOutOfOrder: isTcp ? view.getUint32(more + is.MORE_DISORDERED_A, true) : null,
      respOutOfOrder: isTcp ? view.getUint32(more + is.MORE_DISORDERED_A + 4, true) : null,
      origZeroWindows: isTcp ? view.getUint32(more + is.MORE_ZERO_WINDOWS_A, true) : null,
      respZeroWindows: isTcp ? view.getUint32(more + is.MORE_ZERO_WINDOWS_A + 4, true) : null,
      ended: ENDED[view.getUint8(more + is.MORE_ENDED)] ?? null,
    };
  }

  /** Zeek's shape, C and base 62 of 96 bits; one way, since the seed also guards the flow hash. */
  uid(id: number): string {
    roomView.setUint32(0, this.#seedHigh);
    roomView.setUint32(4, this.#seedLow);
    roomView.setUint32(8, id);
    roomView.setUint32(12, 0x756964); // "uid": no Community ID is a hash of this
    sha1(16);
    for (let i = 0; i < LIMBS.length; i++) LIMBS[i] = digestView.getUint16(i * 2);
    let text = '';
    for (let i = 0; i < 17; i++) text += BASE62[divide(62)]!;
    return `C${text}`;
  }

  #addresses({ entry, more }: Place, kind: number): [Uint8Array, Uint8Array] {
    const { bytes } = this.#module;
    const v4 = ((kind >> 8) & 0xf) === 4;
    const at = entry + this.#is.FLOW_ADDRS;
    if (v4) return [bytes.slice(at, at + 4), bytes.slice(at + 4, at + 8)];
    const [a, b] = [more + this.#is.MORE_A0, more + this.#is.MORE_B0];
    return [bytes.slice(a, a + 16), bytes.slice(b, b + 16)];
  }

  /** Given-up holes, and those still open as far as the peer acknowledged them. */
  #missed(more: number): number {
    const { view } = this.#module;
    const is = this.#is;
    let bytes = this.#module.count(more + is.MORE_MISSED);
    for (let side = 0; side < 2; side++) {
      const count = view.getUint8(more + (side ? is.MORE_HOLES_B : is.MORE_HOLES_A));
      const acked = view.getUint32(more + is.MORE_ACKED_A + side * 4, true);
      for (let i = 0; i < count; i++) {
        const hole = more + (side ? is.MORE_HOLE0_B : is.MORE_HOLE0_A) + i * 8;
        const [from, to] = [view.getUint32(hole, true), view.getUint32(hole + 4, true)];
        bytes += Math.max(0, Math.min((acked - from) | 0, (to - from) | 0));
      }
    }
    return bytes;
  }

  /** From one time to a later one; null when it is not. */
  #span(from: number, to: number): bigint | null {
    const { view } = this.#module;
    const ns = view.getBigInt64(to, true) - view.getBigInt64(from, true);
    return ns >= 0n ? ns : null;
  }
}

export const addressText = (address: Uint8Array): string =>
  address.length === 4 ? ipv4Text(address) : ipv6Text(address);

/** 96 bits, the highest first, for uid(). */
const LIMBS = new Uint16Array(6);
const roomView = new DataView(room.buffer);

/** Divides LIMBS in place; returns the rest. */
function divide(by: number): number {
  let rest = 0;
  for (let i = 0; i < LIMBS.length; i++) {
    const part = rest * 65536 + LIMBS[i]!;
    LIMBS[i] = Math.floor(part / by);
    rest = part % by;
  }
  return rest;
}

function serviceText(bits: number): string | null {
  if (bits === 0) return null;
  const names = SERVICES.filter(([bit]) => bits & (1 << bit)).map(([, name]) => name);
  return names.length > 0 ? names.join(',') : null;
}
