/**
 * Where things are in a frame of one linktype, and how that shifts as `vlan`, `mpls` and `pppoes` are
 * met: libpcap's rules, in which such a word moves everything after it, also after `or` and `not`.
 */
import {
  LINKTYPE_ETHERNET,
  LINKTYPE_IPV4,
  LINKTYPE_IPV6,
  LINKTYPE_LINUX_SLL,
  LINKTYPE_LINUX_SLL2,
  LINKTYPE_LOOP,
  LINKTYPE_NULL,
  LINKTYPE_PPP,
  LINKTYPE_RAW,
} from '../../../proto/gen/constants.js';
import { FilterError } from '../errors.js';
import type { Block, Size } from './program.js';
import { ALWAYS, aluConstant, and, loadAbsolute, NEVER, not, or, test } from './program.js';

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_RARP = 0x8035;
export const ETHERTYPE_IPV6 = 0x86dd;
const ETHERTYPE_MPLS = 0x8847;
const ETHERTYPE_PPPOED = 0x8863;
const ETHERTYPE_PPPOES = 0x8864;
const VLAN_TPIDS = [0x8100, 0x88a8, 0x9100];
/** Values up to here in the type field are lengths of IEEE 802.3 frames, or LLC SAPs in a filter. */
const ETHERMTU = 1500;
const SLL_802_2 = 4;
const SLL_OUTGOING = 4;
const AF_INET = 2;
/** BSD's, FreeBSD's and macOS's; libpcap asks for these three when it reads files, not for Linux's 10. */
const AF_INET6 = [24, 28, 30];
const ALU_AND = 0x50;

const LINKTYPE_RAW_BSD = 12;
const LINKTYPE_RAW_OPENBSD = 14;
const LINKTYPE_PPP_HDLC = 50;
const LINKTYPE_C_HDLC = 104;

/** The expression makes no sense for this linktype: its packets never match. */
export class LinkError extends FilterError {
  override name = 'LinkError';
}

interface Shape {
  name: string;
  /** Offset of the type field; null when there is none. */
  type: number | null;
  payload: number;
}

const SHAPES: Record<number, Shape> = {
  [LINKTYPE_ETHERNET]: { name: 'Ethernet', type: 12, payload: 14 },
  [LINKTYPE_LINUX_SLL]: { name: 'Linux cooked v1', type: 14, payload: 16 },
  [LINKTYPE_LINUX_SLL2]: { name: 'Linux cooked v2', type: 0, payload: 20 },
  [LINKTYPE_NULL]: { name: 'BSD loopback', type: 0, payload: 4 },
  [LINKTYPE_LOOP]: { name: 'OpenBSD loopback', type: 0, payload: 4 },
  [LINKTYPE_RAW]: { name: 'raw IP', type: null, payload: 0 },
  [LINKTYPE_RAW_BSD]: { name: 'raw IP', type: null, payload: 0 },
  [LINKTYPE_RAW_OPENBSD]: { name: 'raw IP', type: null, payload: 0 },
  [LINKTYPE_IPV4]: { name: 'raw IPv4', type: null, payload: 0 },
  [LINKTYPE_IPV6]: { name: 'raw IPv6', type: null, payload: 0 },
  [LINKTYPE_C_HDLC]: { name: 'Cisco HDLC', type: 2, payload: 4 },
  [LINKTYPE_PPP]: { name: 'PPP', type: 2, payload: 4 },
  [LINKTYPE_PPP_HDLC]: { name: 'PPP', type: 2, payload: 4 },
};

const MPLS_LINKS = new Set([LINKTYPE_ETHERNET, LINKTYPE_PPP, LINKTYPE_C_HDLC]);
const PPP_TYPES: Record<number, number> = {
  [ETHERTYPE_IPV4]: 0x21,
  [ETHERTYPE_IPV6]: 0x57,
  [ETHERTYPE_MPLS]: 0x281,
};

export class Link {
  #linktype: number;
  readonly #shape: Shape | undefined;
  readonly #swapped: boolean;
  #type: number;
  #payload: number;
  /** Offset of the network header from the payload: MPLS labels come between. */
  #network = 0;
  #labels = 0;
  /** Start of the link header: after PPPoE, the PPP header's. */
  header = 0;

  constructor(linktype: number, swapped: boolean) {
    this.#linktype = linktype;
    this.#swapped = swapped;
    this.#shape = SHAPES[linktype];
    this.#type = this.#shape?.type ?? 0;
    this.#payload = this.#shape?.payload ?? 0;
  }

  get isEthernet(): boolean {
    return this.#linktype === LINKTYPE_ETHERNET;
  }

  get labelled(): boolean {
    return this.#labels > 0;
  }

  /** Offset of the network header. */
  network(at: number): number {
    this.#known(at);
    return this.#payload + this.#network;
  }

  fail(problem: string, at: number): never {
    throw new LinkError(`${problem} on ${this.#shape?.name ?? `linktype ${this.#linktype}`}`, at);
  }

  #known(at: number): void {
    if (!this.#shape) this.fail('only len, greater and less can be used', at);
  }

  /** The frame carries this ethertype, or, up to ETHERMTU, this LLC SAP. */
  carries(type: number, at: number): Block {
    this.#known(at);
    if (this.#labels) return this.#mplsCarries(type, at);
    switch (this.#linktype) {
      case LINKTYPE_ETHERNET:
        return type <= ETHERMTU ? this.#ethernetSap(type) : compare(this.#type, 2, type);
      case LINKTYPE_LINUX_SLL:
      case LINKTYPE_LINUX_SLL2:
        return type <= ETHERMTU
          ? and(compare(this.#type, 2, SLL_802_2), compare(this.#payload, 1, type))
          : compare(this.#type, 2, type);
      case LINKTYPE_C_HDLC:
        return compare(this.#type, 2, type);
      case LINKTYPE_PPP:
      case LINKTYPE_PPP_HDLC:
        return compare(this.#type, 2, PPP_TYPES[type] ?? type);
      case LINKTYPE_NULL:
      case LINKTYPE_LOOP:
        return this.#familyCarries(type);
      default:
        return this.#rawCarries(type);
    }
  }

  #ethernetSap(sap: number): Block {
    const isLength = not(test([loadAbsolute(this.#type, 2)], 'gt', ETHERMTU));
    return and(isLength, compare(this.#payload, 1, sap));
  }

  /** The bottom label, and IP by its version: nothing names what follows (RFC 3032). */
  #mplsCarries(type: number, at: number): Block {
    const version = VERSIONS[type];
    if (version === undefined) throw new LinkError('only IPv4 and IPv6 can be told after mpls', at);
    const network = this.#payload + this.#network;
    return and(compare(network - 2, 1, 1, 1), compare(network, 1, version, 0xf0));
  }

  #familyCarries(type: number): Block {
    const families = type === ETHERTYPE_IPV4 ? [AF_INET] : type === ETHERTYPE_IPV6 ? AF_INET6 : [];
    const bigEndian = this.#linktype === LINKTYPE_LOOP || this.#swapped;
    return or(NEVER, ...families.map((family) => compare(0, 4, bigEndian ? family : family * 0x1000000)));
  }

  #rawCarries(type: number): Block {
    const version = VERSIONS[type];
    if (this.#linktype === LINKTYPE_IPV4) return version === 0x40 ? ALWAYS : NEVER;
    if (this.#linktype === LINKTYPE_IPV6) return version === 0x60 ? ALWAYS : NEVER;
    return version === undefined ? NEVER : compare(0, 1, version, 0xf0);
  }

  vlan(id: number | undefined, at: number): Block {
    if (this.#labels) throw new FilterError('no vlan after mpls', at);
    if (!this.isEthernet) this.fail('no vlan', at);
    let block = or(...VLAN_TPIDS.map((tpid) => this.carries(tpid, at)));
    if (id !== undefined) block = and(block, compare(this.#payload, 2, id, 0x0fff));
    this.#type += 4;
    this.#payload += 4;
    return block;
  }

  mpls(label: number | undefined, at: number): Block {
    if (!MPLS_LINKS.has(this.#linktype)) this.fail('no mpls', at);
    const network = this.#payload + this.#network;
    // After a label comes another exactly when the first is not the bottom of the stack.
    let block = this.#labels ? compare(network - 2, 1, 0, 1) : this.carries(ETHERTYPE_MPLS, at);
    if (label !== undefined) block = and(block, compare(network, 4, label * 4096, 0xfffff000));
    this.#network += 4;
    this.#labels++;
    return block;
  }

  pppoeDiscovery(at: number): Block {
    return this.carries(ETHERTYPE_PPPOED, at);
  }

  /** From here on the link is PPP, behind the six bytes of PPPoE. */
  pppoeSession(session: number | undefined, at: number): Block {
    let block = this.carries(ETHERTYPE_PPPOES, at);
    const network = this.#payload + this.#network;
    if (session !== undefined) block = and(block, compare(network, 4, session, 0xffff));
    this.#linktype = LINKTYPE_PPP;
    this.header = network + 6;
    this.#type = this.header;
    this.#payload = this.header + 2;
    this.#network = 0;
    return block;
  }

  way(inbound: boolean, at: number): Block {
    const sll = this.#linktype === LINKTYPE_LINUX_SLL;
    if (!sll && this.#linktype !== LINKTYPE_LINUX_SLL2) this.fail('no inbound or outbound', at);
    const outgoing = sll ? compare(0, 2, SLL_OUTGOING) : compare(10, 1, SLL_OUTGOING);
    return inbound ? not(outgoing) : outgoing;
  }
}

/** First byte of an IP header, masked to its version. */
const VERSIONS: Record<number, number> = { [ETHERTYPE_IPV4]: 0x40, [ETHERTYPE_IPV6]: 0x60 };

/** Bytes at a fixed offset equal a value under a mask. A zero mask needs no load, as in libpcap. */
export function compare(at: number, size: Size, value: number, mask = 0xffffffff): Block {
  if (mask === 0) return ALWAYS;
  const code = [loadAbsolute(at, size)];
  if (mask !== 0xffffffff) code.push(aluConstant(ALU_AND, mask));
  return test(code, 'eq', value);
}
