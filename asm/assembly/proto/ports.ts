// Above TCP and UDP: which application or tunnel the ports and the first bytes say it is. A protocol
// is named only when its bytes bear it out, so counts err low rather than high.
import { OK } from '../cursor';
import { carries } from '../state';
import * as F from '../fields';
import { isTree } from '../tree';
import { unknown } from './dispatch';
import { dns, dnsLike, dnsTcp } from './dns';
import { dhcp } from './dhcp';
import { espUdp } from './esp';
import { geneve } from './geneve';
import { gtp } from './gtp';
import { http } from './http';
import { l2tp } from './l2tp';
import { mpls } from './mpls';
import { ntp } from './ntp';
import { pfcp } from './pfcp';
import { isLong as longHeader, quic } from './quic';
import { sslv2Hello, tls } from './tls';
import { ayiya, greUdp, teredo } from './udp_tunnels';
import { vxlan } from './vxlan';

const PORT_DNS: u32 = 53;
const PORT_QUIC: u32 = 443;
const PORT_GTP_C: u32 = 2123;
const PORT_GTP_U: u32 = 2152;
const PORT_VXLAN: u32 = 4789;
const PORT_VXLAN_LINUX: u32 = 8472;
const PORT_GENEVE: u32 = 6081;
const PORT_MPLS: u32 = 6635;
const PORT_L2TP: u32 = 1701;
const PORT_DHCP_SERVER: u32 = 67;
const PORT_DHCP_CLIENT: u32 = 68;
const PORT_NTP: u32 = 123;
const PORT_ESP: u32 = 4500;
const PORT_MDNS: u32 = 5353;
const PORT_LLMNR: u32 = 5355;
const PORT_TEREDO: u32 = 3544;
const PORT_GRE: u32 = 4754;
const PORT_AYIYA: u32 = 5072;
const PORT_PFCP: u32 = 8805;

@inline
function either(source: u32, destination: u32, port: u32): bool {
  return source == port || destination == port;
}

@inline
function host(port: u32): u32 {
  return bswap<u16>(<u16>port);
}

/** HTTP's and its proxies', IPP's. */
function onWebPort(source: u32, destination: u32): bool {
  return either(source, destination, 80) || either(source, destination, 8080) || either(source, destination, 3128) ||
    either(source, destination, 8088) || either(source, destination, 631);
}

/** `ports` as they lie in the header: source in the low half, network order. */
export function udpPayload<M>(ports: u32, p: usize, cap: usize, wire: usize): u32 {
  const source = host(ports);
  const destination = host(ports >> 16);
  if (either(source, destination, PORT_DNS)) return dns<M>(p, cap, wire);
  if (either(source, destination, PORT_QUIC)) return quic<M>(p, cap);
  if (either(source, destination, PORT_VXLAN) || destination == PORT_VXLAN_LINUX) return vxlan<M>(p, cap, wire);
  if (either(source, destination, PORT_GTP_U) || either(source, destination, PORT_GTP_C))
    return gtp<M>(p, cap, wire);
  if (destination == PORT_GENEVE) return geneve<M>(p, cap, wire);
  if (destination == PORT_MPLS) return mpls<M>(p, cap, wire);
  if (either(source, destination, PORT_L2TP)) return l2tp<M>(p, cap, wire);
  if (destination == PORT_GRE) return greUdp<M>(p, cap, wire);
  if (either(source, destination, PORT_TEREDO)) return teredo<M>(p, cap, wire);
  if (either(source, destination, PORT_AYIYA)) return ayiya<M>(p, cap, wire);
  // Long headers on any port, and whatever may go on with a connection that began with one.
  if (load<u8>(p) & 0x40 && (!isTree<M>() || longHeader(p, cap))) return quic<M>(p, cap);
  return isTree<M>() ? uncounted(source, destination, p, cap, wire) : OK;
}

/** Protocols that are shown but have no counter, so that reading a stream spends no time on them. */
function uncounted(source: u32, destination: u32, p: usize, cap: usize, wire: usize): u32 {
  if (either(source, destination, PORT_DHCP_SERVER) || either(source, destination, PORT_DHCP_CLIENT)) return dhcp(p, cap);
  if (either(source, destination, PORT_NTP)) return ntp(p, cap);
  if (either(source, destination, PORT_MDNS)) return dnsLike(F.MDNS, p, cap, wire);
  if (either(source, destination, PORT_LLMNR)) return dnsLike(F.LLMNR, p, cap, wire);
  if (either(source, destination, PORT_PFCP)) return pfcp(p, cap);
  if (either(source, destination, PORT_ESP)) return espUdp(p, cap);
  return unknown<u16>(p, cap, OK);
}

export function tcpPayload<M>(ports: u32, p: usize, cap: usize, wire: usize): u32 {
  if (either(host(ports), host(ports >> 16), PORT_DNS)) return dnsTcp<M>(p, cap, wire);
  if (!isTree<M>()) carries(p, cap - p);
  const first = load<u8>(p);
  if (first >= 20 && first <= 24) return tls<M>(p, cap);
  if (first >= 0x80 && cap - p > 2 && load<u8>(p, 2) == 1) return sslv2Hello<M>(p, cap);
  if (first >= 0x41 && first <= 0x5a) return http<M>(p, cap, onWebPort(host(ports), host(ports >> 16)));
  return unknown<M>(p, cap, OK);
}
