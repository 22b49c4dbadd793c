// The dispatch tables: linktype, ethertype and IP protocol number to decoder. Each decoder is
// `name<M>(p, cap, wire): status` (see cursor.ts) in a file of its own; M is Scan or Tree.
import * as C from '../constants';
import { MALFORMED, OK, UNSUPPORTED } from '../cursor';
import * as F from '../fields';
import { KIND_FRAGMENT, touch } from '../flows';
import { descend } from '../state';
import { isTree, leaf } from '../tree';
import { authenticated } from './ah';
import { arp } from './arp';
import { esp } from './esp';
import { ethernet, llc } from './ethernet';
import { gre } from './gre';
import { icmp } from './icmp';
import { icmpv6 } from './icmpv6';
import { igmp } from './igmp';
import { arcnet, fddi, frameRelay, sunAtm, tokenRing } from './lan';
import { ieee80211, radiotap } from './ieee80211';
import { ipv4 } from './ipv4';
import { ipv6 } from './ipv6';
import { lldp } from './lldp';
import { mpls } from './mpls';
import { loopback } from './null';
import { chdlc, ppp, pppoe, pppoeDiscovery } from './ppp';
import { enc, ipnet, nflog, pflog, pktap, ppi, prism } from './pseudo';
import { raw } from './raw';
import { sctp } from './sctp';
import { backbone, eTag, fabricPath, hsr, macsec, nsh, vnTag } from './shims';
import { slow } from './slow';
import { sll, sll2 } from './sll';
import { tcp } from './tcp';
import { udp, udpLite } from './udp';
import { vlan } from './vlan';

export const ETHERTYPE_IPV4: u32 = 0x0800;
export const ETHERTYPE_ARP: u32 = 0x0806;
export const ETHERTYPE_TEB: u32 = 0x6558;
export const ETHERTYPE_RARP: u32 = 0x8035;
export const ETHERTYPE_VLAN: u32 = 0x8100;
export const ETHERTYPE_IPV6: u32 = 0x86dd;
export const ETHERTYPE_MPLS: u32 = 0x8847;
export const ETHERTYPE_MPLS_UPSTREAM: u32 = 0x8848;
export const ETHERTYPE_SLOW: u32 = 0x8809;
export const ETHERTYPE_PPPOE_DISCOVERY: u32 = 0x8863;
export const ETHERTYPE_PPPOE: u32 = 0x8864;
export const ETHERTYPE_8021AD: u32 = 0x88a8;
export const ETHERTYPE_LLDP: u32 = 0x88cc;
export const ETHERTYPE_QINQ_OLD: u32 = 0x9100;
const ETHERTYPE_FABRICPATH: u32 = 0x8903;
const ETHERTYPE_VNTAG: u32 = 0x8926;
const ETHERTYPE_ETAG: u32 = 0x893f;
const ETHERTYPE_HSR: u32 = 0x892f;
const ETHERTYPE_MACSEC: u32 = 0x88e5;
const ETHERTYPE_8021AH: u32 = 0x88e7;
const ETHERTYPE_NSH: u32 = 0x894f;

const LINKTYPE_RAW_BSD: u32 = 12;
const LINKTYPE_RAW_OPENBSD: u32 = 14;
const LINKTYPE_PPP_HDLC: u32 = 50;
const LINKTYPE_PPP_ETHER: u32 = 51;
const LINKTYPE_C_HDLC: u32 = 104;
const LINKTYPE_IEEE802_5: u32 = 6;
const LINKTYPE_FDDI: u32 = 10;
const LINKTYPE_ATM_RFC1483: u32 = 100;
const LINKTYPE_FRELAY: u32 = 107;
const LINKTYPE_ENC: u32 = 109;
const LINKTYPE_PFLOG: u32 = 117;
const LINKTYPE_PRISM: u32 = 119;
const LINKTYPE_SUNATM: u32 = 123;
const LINKTYPE_ARCNET_LINUX: u32 = 129;
const LINKTYPE_USER2: u32 = 149; // Apple's number for PKTAP before it had its own
const LINKTYPE_AVS: u32 = 163;
const LINKTYPE_PPI: u32 = 192;
const LINKTYPE_IPNET: u32 = 226;
const LINKTYPE_NFLOG: u32 = 239;
const LINKTYPE_PKTAP: u32 = 258;

/** Where the engine's knowledge ends: the rest is shown as data. */
export function unknown<M>(p: usize, cap: usize, status: u32): u32 {
  if (isTree<M>() && cap > p) leaf(F.DATA, p, cap - p, 0);
  return status;
}

export function link<M>(linktype: u32, p: usize, cap: usize, wire: usize): u32 {
  switch (linktype) {
    case C.LINKTYPE_ETHERNET:
      return ethernet<M>(p, cap, wire);
    case C.LINKTYPE_RAW:
    case LINKTYPE_RAW_BSD:
    case LINKTYPE_RAW_OPENBSD:
      return raw<M>(p, cap, wire);
    case C.LINKTYPE_IPV4:
      return etherType<M>(ETHERTYPE_IPV4, p, cap, wire);
    case C.LINKTYPE_IPV6:
      return etherType<M>(ETHERTYPE_IPV6, p, cap, wire);
    case C.LINKTYPE_NULL:
    case C.LINKTYPE_LOOP:
      return loopback<M>(p, cap, wire);
    case C.LINKTYPE_LINUX_SLL:
      return sll<M>(p, cap, wire);
    case C.LINKTYPE_LINUX_SLL2:
      return sll2<M>(p, cap, wire);
    case C.LINKTYPE_PPP:
    case LINKTYPE_PPP_HDLC:
      return ppp<M>(p, cap, wire);
    case LINKTYPE_PPP_ETHER:
      return pppoe<M>(p, cap, wire);
    case LINKTYPE_C_HDLC:
      return chdlc<M>(p, cap, wire);
    case C.LINKTYPE_IEEE802_11:
      return ieee80211<M>(p, cap, wire);
    case C.LINKTYPE_RADIOTAP:
      return radiotap<M>(p, cap, wire);
    default:
      return rareLink<M>(linktype, p, cap, wire);
  }
}

/** Linktypes apart from the usual ones, so that these are told with few comparisons. */
function rareLink<M>(linktype: u32, p: usize, cap: usize, wire: usize): u32 {
  switch (linktype) {
    case LINKTYPE_IEEE802_5:
      return tokenRing<M>(p, cap, wire);
    case LINKTYPE_FDDI:
      return fddi<M>(p, cap, wire);
    case LINKTYPE_ATM_RFC1483:
      return llc<M>(p, cap, wire);
    case LINKTYPE_FRELAY:
      return frameRelay<M>(p, cap, wire);
    case LINKTYPE_ENC:
      return enc<M>(p, cap, wire);
    case LINKTYPE_PFLOG:
      return pflog<M>(p, cap, wire);
    case LINKTYPE_PRISM:
    case LINKTYPE_AVS:
      return prism<M>(p, cap, wire);
    case LINKTYPE_SUNATM:
      return sunAtm<M>(p, cap, wire);
    case LINKTYPE_ARCNET_LINUX:
      return arcnet<M>(p, cap, wire);
    case LINKTYPE_PPI:
      return ppi<M>(p, cap, wire);
    case LINKTYPE_IPNET:
      return ipnet<M>(p, cap, wire);
    case LINKTYPE_NFLOG:
      return nflog<M>(p, cap, wire);
    case LINKTYPE_USER2:
    case LINKTYPE_PKTAP:
      return pktap<M>(p, cap, wire);
    default:
      return unknown<M>(p, cap, UNSUPPORTED);
  }
}

export function etherType<M>(type: u32, p: usize, cap: usize, wire: usize): u32 {
  if (!descend()) return MALFORMED;
  switch (type) {
    case ETHERTYPE_IPV4:
      return ipv4<M>(p, cap, wire);
    case ETHERTYPE_IPV6:
      return ipv6<M>(p, cap, wire);
    case ETHERTYPE_ARP:
    case ETHERTYPE_RARP: // the same header (RFC 903)
      return arp<M>(p, cap, wire);
    case ETHERTYPE_VLAN:
    case ETHERTYPE_8021AD:
    case ETHERTYPE_QINQ_OLD:
      return vlan<M>(p, cap, wire);
    case ETHERTYPE_MPLS:
    case ETHERTYPE_MPLS_UPSTREAM:
      return mpls<M>(p, cap, wire);
    case ETHERTYPE_PPPOE:
      return pppoe<M>(p, cap, wire);
    case ETHERTYPE_PPPOE_DISCOVERY:
      return pppoeDiscovery<M>(p, cap, wire);
    case ETHERTYPE_LLDP:
      return lldp<M>(p, cap);
    case ETHERTYPE_SLOW:
      return slow<M>(p, cap);
    case ETHERTYPE_TEB:
      return ethernet<M>(p, cap, wire);
    case ETHERTYPE_FABRICPATH:
      return fabricPath<M>(p, cap, wire);
    case ETHERTYPE_VNTAG:
      return vnTag<M>(p, cap, wire);
    case ETHERTYPE_ETAG:
      return eTag<M>(p, cap, wire);
    case ETHERTYPE_HSR:
      return hsr<M>(p, cap, wire);
    case ETHERTYPE_MACSEC:
      return macsec<M>(p, cap, wire);
    case ETHERTYPE_8021AH:
      return backbone<M>(p, cap, wire);
    case ETHERTYPE_NSH:
      return nsh<M>(p, cap, wire);
    default:
      return unknown<M>(p, cap, UNSUPPORTED);
  }
}

export function ipProtocol<M>(protocol: u32, p: usize, cap: usize, wire: usize): u32 {
  if (!descend()) return MALFORMED;
  switch (protocol) {
    case 6:
      return tcp<M>(p, cap, wire);
    case 17:
      return udp<M>(p, cap, wire);
    case 1:
      return icmp<M>(p, cap, wire);
    case 58:
      return icmpv6<M>(p, cap, wire);
    case 132:
      return sctp<M>(p, cap, wire);
    case 136:
      return udpLite<M>(p, cap, wire);
  }
  if (!isTree<M>()) touch(protocol, 0, wire - p);
  else if (protocol == 2) return igmp(p, cap);
  else if (protocol == 50) return esp(p, cap);
  switch (protocol) {
    case 4:
      return ipv4<M>(p, cap, wire);
    case 41:
      return ipv6<M>(p, cap, wire);
    case 47:
      return gre<M>(p, cap, wire);
    case 51:
      return authenticated<M>(p, cap, wire);
    case 97: // EtherIP, RFC 3378: two bytes of version and reserved bits
      return cap - p < 2 ? unknown<M>(p, cap, OK) : ethernet<M>(p + 2, cap, wire);
    case 137: // MPLS in IP, RFC 4023
      return mpls<M>(p, cap, wire);
    default:
      return unknown<M>(p, cap, OK);
  }
}

/** A fragment other than the first: bytes without a header. */
export function laterFragment<M>(protocol: u32, p: usize, cap: usize, wire: usize): u32 {
  if (!isTree<M>()) touch(protocol, 0, wire - p, KIND_FRAGMENT);
  return unknown<M>(p, cap, OK);
}
