// Above TCP and UDP: which application or tunnel the ports and the first bytes say it is. A protocol
// is named only when its bytes bear it out, so counts err low rather than high.
import { OK } from '../cursor';
import { unknown } from './dispatch';
import { dns, dnsTcp } from './dns';
import { geneve } from './geneve';
import { gtp } from './gtp';
import { http } from './http';
import { mpls } from './mpls';
import { quic } from './quic';
import { tls } from './tls';
import { vxlan } from './vxlan';

const PORT_DNS: u32 = 53;
const PORT_QUIC: u32 = 443;
const PORT_GTP_C: u32 = 2123;
const PORT_GTP_U: u32 = 2152;
const PORT_VXLAN: u32 = 4789;
const PORT_VXLAN_LINUX: u32 = 8472;
const PORT_GENEVE: u32 = 6081;
const PORT_MPLS: u32 = 6635;

@inline
function either(source: u32, destination: u32, port: u32): bool {
  return source == port || destination == port;
}

@inline
function host(port: u32): u32 {
  return bswap<u16>(<u16>port);
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
  return unknown<M>(p, cap, OK);
}

export function tcpPayload<M>(ports: u32, p: usize, cap: usize, wire: usize): u32 {
  if (either(host(ports), host(ports >> 16), PORT_DNS)) return dnsTcp<M>(p, cap, wire);
  const first = load<u8>(p);
  if (first >= 20 && first <= 24) return tls<M>(p, cap);
  if (first >= 0x41 && first <= 0x5a) return http<M>(p, cap);
  return unknown<M>(p, cap, OK);
}
