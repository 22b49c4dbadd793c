/**
 * "The frame carries this": one test per link family, over ethertypes or, up to ETHERMTU, LLC service
 * access points. The order of loads is libpcap's, so cut frames get the same verdict.
 */
import type { Link } from './link.js';
import { LinkError } from './link.js';
import type { Block } from './program.js';
import { ALWAYS, and, loadXCell, NEVER, not, or, test } from './program.js';
import { isDataFrame } from './wlan.js';

export const ETHERTYPE = {
  ipv4: 0x0800,
  arp: 0x0806,
  teb: 0x6558,
  decnet: 0x6003,
  rarp: 0x8035,
  atalk: 0x809b,
  aarp: 0x80f3,
  vlan: 0x8100,
  ipx: 0x8137,
  ipv6: 0x86dd,
  mpls: 0x8847,
  pppoed: 0x8863,
  pppoes: 0x8864,
  provider: 0x88a8,
  qinq: 0x9100,
} as const;
export const SAP = { ip: 0x06, stp: 0x42, ipx: 0xe0, netbeui: 0xf0, iso: 0xfe } as const;

/** Values up to here in the type field are lengths of IEEE 802.3 frames, or LLC SAPs in a filter. */
const ETHERMTU = 1500;
const SLL_802_3 = 1;
const SLL_802_2 = 4;
const AF_INET = 2;
/** BSD's, FreeBSD's and macOS's; libpcap asks for these three when it reads files, not for Linux's 10. */
const AF_INET6 = [24, 28, 30];
const PFLOG_AF_INET6 = 10;
const IPNET_INET6 = 26;
const SUNATM_LLC = 2;
const JUNIPER_MAGIC = 0x4d474300;
/** First byte of an IP header, masked to its version. */
const VERSIONS: Record<number, number> = { [ETHERTYPE.ipv4]: 0x40, [ETHERTYPE.ipv6]: 0x60 };
const PPP_TYPES: Record<number, number> = {
  [ETHERTYPE.ipv4]: 0x21, [ETHERTYPE.ipv6]: 0x57, [ETHERTYPE.decnet]: 0x27, [ETHERTYPE.atalk]: 0x29, 1536: 0x25,
  [SAP.iso]: 0x23, [SAP.stp]: 0x31, [SAP.ipx]: 0x2b,
}; // biome-ignore format: pairs
const PPP_COMPRESSED_IP = 0x2d;
const PPP_UNCOMPRESSED_IP = 0x2f;
const ARCNET_TYPES: Record<number, readonly number[]> = {
  [ETHERTYPE.ipv6]: [0xc4], [ETHERTYPE.ipv4]: [212, 240], [ETHERTYPE.arp]: [213, 241], [ETHERTYPE.rarp]: [214],
  [ETHERTYPE.atalk]: [221],
}; // biome-ignore format: pairs
/** NLPIDs behind a UI control byte (RFC 2427). */
const FRAME_RELAY_TYPES: Record<number, readonly number[]> = {
  [ETHERTYPE.ipv4]: [0x03cc],
  [ETHERTYPE.ipv6]: [0x038e],
  [SAP.iso]: [0x0381, 0x0382, 0x0383],
};

/** Throws LinkError when the linktype has no way to tell. */
export function carries(link: Link, type: number, at: number): Block {
  if (link.labels) return mplsCarries(link, type, at);
  switch (link.shape.family) {
    case 'ethernet':
      return link.encapsulated === 'lane'
        ? and(encapsulation(link) ?? ALWAYS, ethernet(link, type))
        : ethernet(link, type);
    case 'hdlc':
      return link.compare('type', 0, 2, type === SAP.iso ? 0xfefe : type);
    case 'wlan':
      return and(isDataFrame(link), llc(link, type));
    case 'fddi':
    case 'token-ring':
    case 'atm':
    case 'fibre-channel':
      return llc(link, type);
    case 'sunatm':
      return and(link.compare('header', 0, 1, SUNATM_LLC, 0x0f), llc(link, type));
    case 'sll':
      return cooked(link, type);
    case 'sll2':
    case 'typed':
      return link.compare('type', 0, 2, type);
    case 'ppp':
    case 'ppp-bsd':
      return ppp(link, type);
    default:
      return lesser(link, type, at);
  }
}

/** Families that know few types, or one. */
function lesser(link: Link, type: number, at: number): Block {
  const version = VERSIONS[type];
  switch (link.shape.family) {
    case 'raw':
      return version === undefined ? NEVER : link.compare('header', 0, 1, version, 0xf0);
    case 'ipv4':
      return type === ETHERTYPE.ipv4 ? ALWAYS : NEVER;
    case 'ipv6':
      return type === ETHERTYPE.ipv6 ? ALWAYS : NEVER;
    case 'null':
    case 'loop':
      return loopback(link, type);
    case 'pflog':
      return version === undefined
        ? NEVER
        : link.compare('header', 1, 1, version === 0x40 ? AF_INET : PFLOG_AF_INET6);
    case 'ipnet':
      return version === undefined
        ? NEVER
        : link.compare('type', 0, 1, version === 0x40 ? AF_INET : IPNET_INET6);
    case 'arcnet':
      return or(NEVER, ...(ARCNET_TYPES[type] ?? []).map((one) => link.compare('type', 0, 1, one)));
    case 'ltalk':
      return type === ETHERTYPE.atalk ? ALWAYS : NEVER;
    case 'frame-relay':
      return or(NEVER, ...(FRAME_RELAY_TYPES[type] ?? []).map((one) => link.compare('header', 2, 2, one)));
    case 'juniper':
      return link.compare('header', 0, 4, JUNIPER_MAGIC, 0xffffff00);
    case 'bacnet':
      return link.compare('header', 0, 4, 0x55ff0000, 0xffff0000);
    default:
      return link.fail('only link-layer bytes, len, greater and less can be used', at);
  }
}

/** In a tunnel: the test that a link header is there, or null where none is needed. */
export function encapsulation(link: Link): Block | null {
  if (link.encapsulated === 'lane') return not(link.compare('outer', 4, 2, 0xff00));
  if (link.encapsulated !== 'geneve') return null;
  // Geneve left header and payload in cells; they are equal when there is no link header.
  const code = [link.loadOffset(link.header.cell!), loadXCell(link.cell(link.payload.cell!))];
  return not(test(code, 'eq', null));
}

const isLength = (link: Link): Block => not(test(link.load('type', 0, 2), 'gt', ETHERMTU));

function ethernet(link: Link, type: number): Block {
  switch (type) {
    case SAP.iso:
    case SAP.ip:
    case SAP.netbeui:
      return and(isLength(link), link.compare('llc', 0, 2, type * 0x101));
    case SAP.ipx: {
      const plain = or(link.compare('llc', 0, 1, SAP.ipx), link.compare('llc', 0, 2, 0xffff));
      const framed = and(isLength(link), or(snap(link, 0, ETHERTYPE.ipx), plain));
      return or(link.compare('type', 0, 2, ETHERTYPE.ipx), framed);
    }
    case ETHERTYPE.atalk:
    case ETHERTYPE.aarp: {
      const framed = and(isLength(link), snap(link, type === ETHERTYPE.atalk ? 0x080007 : 0, type));
      return or(link.compare('type', 0, 2, type), framed);
    }
    default:
      return type <= ETHERMTU
        ? and(isLength(link), link.compare('type', 2, 1, type))
        : link.compare('type', 0, 2, type);
  }
}

function cooked(link: Link, type: number): Block {
  const isLlc = (): Block => link.compare('type', 0, 2, SLL_802_2);
  switch (type) {
    case SAP.iso:
    case SAP.ip:
    case SAP.netbeui:
      return and(isLlc(), link.compare('llc', 0, 2, type * 0x101));
    case SAP.ipx: {
      const framed = and(isLlc(), or(link.compare('llc', 0, 1, SAP.ipx), snap(link, 0, ETHERTYPE.ipx)));
      return or(link.compare('type', 0, 2, ETHERTYPE.ipx), link.compare('type', 0, 2, SLL_802_3), framed);
    }
    case ETHERTYPE.atalk:
    case ETHERTYPE.aarp: {
      const framed = and(isLlc(), snap(link, type === ETHERTYPE.atalk ? 0x080007 : 0, type));
      return or(link.compare('type', 0, 2, type), framed);
    }
    default:
      return type <= ETHERMTU
        ? and(isLlc(), link.compare('llc', 0, 1, type))
        : link.compare('type', 0, 2, type);
  }
}

/** Links whose payload starts with an LLC header, which for ethertypes is taken to be SNAP's. */
function llc(link: Link, type: number): Block {
  switch (type) {
    case SAP.iso:
    case SAP.ip:
    case SAP.netbeui:
      return link.compare('llc', 0, 2, type * 0x101);
    case ETHERTYPE.atalk:
      return snap(link, 0x080007, type);
    default:
      return type <= ETHERMTU ? link.compare('llc', 0, 1, type) : link.compare('llc', 6, 2, type);
  }
}

/** An LLC header for SNAP, and SNAP's organization and type behind it. */
function snap(link: Link, organization: number, type: number): Block {
  return and(
    link.compare('llc', 4, 4, (organization & 0xffff) * 0x10000 + type),
    link.compare('llc', 0, 4, 0xaaaa0300 + (organization >>> 16)),
  );
}

function ppp(link: Link, type: number): Block {
  const plain = link.compare('type', 0, 2, PPP_TYPES[type] ?? type);
  if (link.shape.family === 'ppp' || type !== ETHERTYPE.ipv4) return plain;
  return or(
    plain,
    link.compare('type', 0, 2, PPP_COMPRESSED_IP),
    link.compare('type', 0, 2, PPP_UNCOMPRESSED_IP),
  );
}

/** The address family in the byte order of the machine that captured (LINKTYPE_LOOP: network order). */
function loopback(link: Link, type: number): Block {
  const families = type === ETHERTYPE.ipv4 ? [AF_INET] : type === ETHERTYPE.ipv6 ? AF_INET6 : [];
  const bigEndian = link.shape.family === 'loop' || link.swapped;
  const values = families.map((family) => (bigEndian ? family : family * 0x1000000));
  return or(NEVER, ...values.map((value) => link.compare('header', 0, 4, value)));
}

/** The bottom label, and IP by its version: nothing names what follows (RFC 3032). */
function mplsCarries(link: Link, type: number, at: number): Block {
  const version = VERSIONS[type];
  if (version === undefined) throw new LinkError('only IPv4 and IPv6 can be told after mpls', at);
  return and(link.compare('network', -2, 1, 1, 1), link.compare('network', 0, 1, version, 0xf0));
}
