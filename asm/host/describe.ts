/** The packet list's line for one packet: who, to whom, which protocol, and what it says. */
import { FieldSet, withoutQuoted } from './fieldset.js';
import { INFO } from './info.js';
import type { NodeRecord } from './tree.js';
import { nameOf, tcpFlagNames } from './values.js';

/** The texts of one packet-list line. */
export interface Description {
  source: string;
  destination: string;
  /** Highest protocol decoded, upper case. */
  protocol: string;
  info: string;
}

/** Protocol nodes and what the Protocol column calls them, in the order of precedence of the last seen. */
const NAMES: Record<string, string> = {
  eth: 'Ethernet', llc: 'LLC', vlan: 'VLAN', mpls: 'MPLS', arp: 'ARP', ip: 'IPv4', ipv6: 'IPv6', icmp: 'ICMP',
  icmpv6: 'ICMPv6', tcp: 'TCP', udp: 'UDP', sctp: 'SCTP', gre: 'GRE', ppp: 'PPP', pppoe: 'PPPoE', chdlc: 'CHDLC',
  null: 'NULL', sll: 'SLL', radiotap: '802.11', wlan: '802.11', vxlan: 'VXLAN', geneve: 'Geneve', gtp: 'GTP',
  dns: 'DNS', http: 'HTTP', tls: 'TLS', quic: 'QUIC', ah: 'AH', esp: 'ESP', igmp: 'IGMP', pfcp: 'PFCP', l2tp: 'L2TP',
  pppoed: 'PPPoED', lldp: 'LLDP', stp: 'STP', slow: 'Slow', lacp: 'LACP', dhcp: 'DHCP', ntp: 'NTP', mdns: 'MDNS',
  llmnr: 'LLMNR', erspan: 'ERSPAN',
}; // biome-ignore format: pairs

/** Source and destination come from the innermost of these that the packet has. */
const ADDRESSES: readonly (readonly [source: string, destination: string])[] = [
  ['wlan.ta', 'wlan.ra'],
  ['eth.src', 'eth.dst'],
  ['sll.src.eth', ''],
  ['arp.src.hw_mac', 'arp.dst.hw_mac'],
  ['ip.src', 'ip.dst'],
  ['ipv6.src', 'ipv6.dst'],
];

export function describeNodes(
  records: readonly NodeRecord[],
  frame: Uint8Array,
  wirelen: number,
): Description {
  const own = withoutQuoted(records);
  const reader = new FieldSet(own, frame);
  const top = own.filter(({ depth, field }) => depth === 0 && field.name in NAMES).at(-1)?.field.name ?? '';
  const [source, destination] = addresses(reader);
  return { source, destination, protocol: NAMES[top] ?? 'Unknown', info: info(top, reader, wirelen) };
}

function addresses(reader: FieldSet): [string, string] {
  let best = -1;
  let found: [string, string] = ['', ''];
  for (const [source, destination] of ADDRESSES) {
    const position = reader.position(source);
    if (position <= best) continue;
    best = position;
    found = [reader.text(source), destination && reader.text(destination)];
  }
  return found;
}

function info(top: string, reader: FieldSet, wirelen: number): string {
  switch (top) {
    case 'tcp':
      return tcpInfo(reader);
    case 'udp':
      return udpInfo(reader);
    case 'arp':
      return arpInfo(reader);
    case 'icmp':
    case 'icmpv6':
      return icmpInfo(top, reader);
    case 'ip':
      return ipInfo('ip.proto', reader.number('ip.frag_offset'), reader);
    case 'ipv6':
      return ipInfo('ipv6.nxt', reader.number('ipv6.fraghdr.offset'), reader);
    case 'eth':
      return `Ethertype ${reader.text('eth.type') || reader.text('eth.len')}, ${wirelen} bytes`;
    default:
      return INFO[top]?.(reader) || `${wirelen} bytes`;
  }
}

function ports(prefix: string, reader: FieldSet): string {
  return `${reader.number(`${prefix}.srcport`)} → ${reader.number(`${prefix}.dstport`)}`;
}

function tcpInfo(reader: FieldSet): string {
  const flags = tcpFlagNames(reader.number('tcp.flags') ?? 0);
  const sequence = `Seq=${reader.number('tcp.seq_raw')} Ack=${reader.number('tcp.ack_raw')}`;
  const length = tcpLength(reader);
  return `${ports('tcp', reader)} [${flags}] ${sequence} Win=${reader.number('tcp.window_size_value')}${length}`;
}

/** Payload bytes by the IP header's length, which is right also for cut frames. */
function tcpLength(reader: FieldSet): string {
  const header = (reader.number('tcp.hdr_len') ?? 5) * 4;
  const total = reader.number('ip.len');
  if (total !== undefined && reader.position('ip.len') > reader.position('ipv6.plen'))
    return total ? ` Len=${total - (reader.number('ip.hdr_len') ?? 5) * 4 - header}` : '';
  const start = reader.position('tcp.srcport');
  const from = reader.position('ipv6.dst') + 16;
  const plen = reader.number('ipv6.plen');
  return plen && start >= from ? ` Len=${plen - (start - from) - header}` : '';
}

function udpInfo(reader: FieldSet): string {
  const length = reader.number('udp.length');
  return ports('udp', reader) + (length ? ` Len=${length - 8}` : '');
}

function arpInfo(reader: FieldSet): string {
  const sender = reader.text('arp.src.proto_ipv4');
  const target = reader.text('arp.dst.proto_ipv4');
  if (!sender) return reader.text('arp.opcode');
  if (reader.number('arp.opcode') === 2) return `${sender} is at ${reader.text('arp.src.hw_mac')}`;
  return `Who has ${target}? Tell ${sender}`;
}

function icmpInfo(top: 'icmp' | 'icmpv6', reader: FieldSet): string {
  const type = reader.number(`${top}.type`) ?? 0;
  const name = nameOf(top, type) ?? `Type ${type}`;
  const target = reader.text('icmpv6.nd.ns.target_address');
  if (target) return `${name} for ${target}`;
  const advertised = reader.text('icmpv6.nd.na.target_address');
  if (advertised) return `${name} ${advertised}`;
  const id = top === 'icmp' ? reader.number('icmp.ident') : reader.number('icmpv6.echo.identifier');
  if (id === undefined) return `${name} (code ${reader.number(`${top}.code`)})`;
  const sequence = reader.number(top === 'icmp' ? 'icmp.seq' : 'icmpv6.echo.sequence_number');
  return `${name} id=0x${id.toString(16).padStart(4, '0')}, seq=${sequence}`;
}

function ipInfo(protocol: string, fragment: number | undefined, reader: FieldSet): string {
  const name = reader.text(protocol);
  return fragment ? `Fragment at ${fragment * 8} of ${name}` : name;
}
