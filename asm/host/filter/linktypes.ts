/**
 * Where things are in a frame of each linktype, in libpcap's terms: offsets of the link header, of its
 * type field and of its payload; and within the payload the offset of the network header, with and
 * without a SNAP header. UNSET where there is none: offsets then wrap as libpcap's do.
 */
import {
  LINKTYPE_ETHERNET,
  LINKTYPE_IEEE802_11,
  LINKTYPE_IPV4,
  LINKTYPE_IPV6,
  LINKTYPE_LINUX_SLL,
  LINKTYPE_LINUX_SLL2,
  LINKTYPE_LOOP,
  LINKTYPE_NULL,
  LINKTYPE_PPP,
  LINKTYPE_RADIOTAP,
  LINKTYPE_RAW,
} from '../../../proto/gen/constants.js';

export const UNSET = 0xffffffff;

/** How a family says what a frame carries: see carries.ts. */
export type Family =
  | 'ethernet'
  | 'hdlc'
  | 'wlan'
  | 'fddi'
  | 'token-ring'
  | 'atm'
  | 'sunatm'
  | 'fibre-channel'
  | 'sll'
  | 'sll2'
  | 'raw'
  | 'ipv4'
  | 'ipv6'
  | 'ppp'
  | 'ppp-bsd'
  | 'null'
  | 'loop'
  | 'pflog'
  | 'arcnet'
  | 'ltalk'
  | 'frame-relay'
  | 'juniper'
  | 'bacnet'
  | 'ipnet'
  | 'typed'
  | 'ss7'
  | 'none';

export interface Shape {
  family: Family;
  name: string;
  header: number;
  type: number;
  payload: number;
  network: number;
  noSnap: number;
}

function shape(
  family: Family,
  name: string,
  type: number,
  payload: number,
  network = 0,
  noSnap = 0,
  header = 0,
): Shape {
  return { family, name, header, type, payload, network, noSnap };
}
const juniper = (type: number, payload: number, network = 0, noSnap = UNSET): Shape =>
  shape('juniper', 'Juniper', type, payload, network, noSnap);

export const LINKTYPE_PPI = 192;
export const LINKTYPE_PRISM = 119;
export const LINKTYPE_AVS = 163;
export const LINKTYPE_PFLOG = 117;
export const LINKTYPE_SLIP = 8;
export const LINKTYPE_PPP_PPPD = 166;

export const PPP = shape('ppp', 'PPP', 2, 4);
/** Laid out alike, but libpcap has no mpls there. */
const PPP_SERIAL = shape('ppp', 'PPP', 2, 4);
export const ETHERNET = shape('ethernet', 'Ethernet', 12, 14, 0, 3);
const RAW = shape('raw', 'raw IP', UNSET, 0);
const HDLC = shape('hdlc', 'Cisco HDLC', 2, 4);
const WLAN = shape('wlan', '802.11', 24, 0, 8, 3);
const ATM = shape('atm', 'ATM', 0, 0, 8, 3);
const MTP2 = shape('ss7', 'MTP2', UNSET, UNSET, UNSET, UNSET);

export const SHAPES: Readonly<Record<number, Shape>> = {
  [LINKTYPE_NULL]: shape('null', 'BSD loopback', 0, 4),
  [LINKTYPE_ETHERNET]: ETHERNET,
  6: shape('token-ring', 'Token Ring', 14, 14, 8, 3),
  7: shape('arcnet', 'ARCnet', 2, 6),
  [LINKTYPE_SLIP]: shape('raw', 'SLIP', UNSET, 16),
  [LINKTYPE_PPP]: PPP,
  10: shape('fddi', 'FDDI', 13, 13, 8, 3),
  // DLT_RAW of Linux and the BSDs, and of OpenBSD, which some writers left in their files.
  12: RAW,
  14: RAW,
  50: PPP_SERIAL,
  51: shape('ppp', 'PPPoE session', 6, 8),
  99: shape('typed', 'Symantec firewall', 6, 44),
  100: ATM,
  [LINKTYPE_RAW]: RAW,
  102: shape('raw', 'SLIP of BSD/OS', UNSET, 24),
  103: shape('ppp-bsd', 'PPP of BSD/OS', 5, 24),
  104: HDLC,
  [LINKTYPE_IEEE802_11]: WLAN,
  106: ATM,
  107: shape('frame-relay', 'Frame Relay', UNSET, 0),
  [LINKTYPE_LOOP]: shape('loop', 'OpenBSD loopback', 0, 4),
  109: shape('null', 'OpenBSD encapsulated IP', 0, 12),
  112: HDLC,
  [LINKTYPE_LINUX_SLL]: shape('sll', 'Linux cooked v1', 14, 16),
  114: shape('ltalk', 'LocalTalk', UNSET, 0),
  [LINKTYPE_PFLOG]: shape('pflog', 'PF log', 0, 0),
  [LINKTYPE_PRISM]: WLAN,
  122: shape('fibre-channel', 'IP over Fibre Channel', 16, 16, 8, 3),
  123: shape('sunatm', 'SunATM', 4, 4, 8, 3),
  [LINKTYPE_RADIOTAP]: WLAN,
  129: shape('arcnet', 'ARCnet', 4, 8),
  130: juniper(4, 4),
  131: juniper(4, 4),
  132: juniper(6, UNSET, UNSET),
  133: juniper(6, 12),
  134: juniper(4, 4),
  135: juniper(8, 8, 0, 10),
  136: juniper(12, UNSET, UNSET),
  137: juniper(4, 4, 0, 10),
  138: shape('typed', 'IP over FireWire', 16, 18),
  139: MTP2,
  140: MTP2,
  [LINKTYPE_AVS]: WLAN,
  164: juniper(12, 12),
  165: shape('bacnet', 'BACnet MS/TP', UNSET, UNSET, UNSET, UNSET),
  [LINKTYPE_PPP_PPPD]: PPP_SERIAL,
  167: juniper(16, 14, 18, 21),
  168: juniper(4, 6),
  178: juniper(16, 14, 18, 21),
  179: juniper(4, 4),
  180: juniper(4, 4),
  181: juniper(4, 4),
  182: shape('none', 'multi-link Frame Relay', UNSET, 0, 4),
  183: juniper(18, UNSET, UNSET),
  [LINKTYPE_PPI]: WLAN,
  194: juniper(8, UNSET, UNSET),
  197: shape('ss7', 'ERF', UNSET, UNSET, UNSET, UNSET),
  200: juniper(18, UNSET, UNSET),
  226: shape('ipnet', 'IPNET', 1, 24, 0, UNSET),
  [LINKTYPE_IPV4]: shape('ipv4', 'raw IPv4', UNSET, 0),
  [LINKTYPE_IPV6]: shape('ipv6', 'raw IPv6', UNSET, 0),
  232: juniper(8, UNSET, UNSET),
  233: juniper(8, UNSET, UNSET),
  234: juniper(8, UNSET, UNSET),
  238: juniper(8, UNSET, UNSET),
  240: shape('ethernet', 'netANALYZER', 16, 18, 0, 3, 4),
  241: shape('ethernet', 'netANALYZER', 24, 26, 0, 3, 12),
  246: shape('none', 'PF sync', UNSET, 4),
  [LINKTYPE_LINUX_SLL2]: shape('sll2', 'Linux cooked v2', 0, 20),
};

/** Everything else: only bytes of the link layer and lengths can be asked for. */
export function shapeOf(linktype: number): Shape {
  return SHAPES[linktype] ?? shape('none', `linktype ${linktype}`, UNSET, UNSET, UNSET, UNSET);
}

/** First bytes of SS7's fields: by linktype (MTP2, MTP2 with a pseudo-header, ERF). */
export const SS7_START: Readonly<Record<number, number>> = { 140: 0, 139: 4, 197: 20 };
