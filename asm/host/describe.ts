/** The packet list's line for one packet: who, to whom, which protocol, and what it says. */
import type { NodeRecord } from './tree.js';
import { valueText } from './tree.js';
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
  dns: 'DNS', http: 'HTTP', tls: 'TLS', quic: 'QUIC', ah: 'AH',
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

/** Looks fields up by name, the last of a name first: the innermost header wins. */
class Reader {
  readonly #last = new Map<string, NodeRecord>();
  constructor(
    records: readonly NodeRecord[],
    readonly frame: Uint8Array,
  ) {
    for (const record of records) this.#last.set(record.field.name, record);
  }
  number(name: string): number | undefined {
    return this.#last.get(name)?.value;
  }
  text(name: string): string {
    const record = this.#last.get(name);
    return record ? valueText(record, this.frame) : '';
  }
  position(name: string): number {
    return this.#last.get(name)?.offset ?? -1;
  }
}

export function describeNodes(
  records: readonly NodeRecord[],
  frame: Uint8Array,
  wirelen: number,
): Description {
  const quoted = quotedStart(records);
  const own = quoted < 0 ? records : records.slice(0, quoted);
  const reader = new Reader(own, frame);
  const top = own.filter(({ depth, field }) => depth === 0 && field.name in NAMES).at(-1)?.field.name ?? '';
  const [source, destination] = addresses(reader);
  return { source, destination, protocol: NAMES[top] ?? 'Unknown', info: info(top, reader, wirelen) };
}

/** Index of the first record of the packet an ICMP error quotes; -1 without one. */
function quotedStart(records: readonly NodeRecord[]): number {
  const icmp = records.findIndex(({ field }) => field.name === 'icmp' || field.name === 'icmpv6');
  return icmp < 0 ? -1 : records.findIndex(({ depth }, i) => i > icmp && depth === 0);
}

function addresses(reader: Reader): [string, string] {
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

function info(top: string, reader: Reader, wirelen: number): string {
  switch (top) {
    case 'tcp':
      return tcpInfo(reader);
    case 'udp':
    case 'sctp':
      return portsInfo(top, reader);
    case 'arp':
      return arpInfo(reader);
    case 'icmp':
    case 'icmpv6':
      return icmpInfo(top, reader);
    case 'dns':
      return dnsInfo(reader);
    case 'http':
      return reader.text('http.request.line') || reader.text('http.response.line');
    case 'tls':
      return tlsInfo(reader);
    case 'quic':
      return `Version ${reader.text('quic.version')} DCID=${reader.text('quic.dcid')}`;
    case 'gtp':
      return `${reader.text('gtp.message')} TEID=${reader.text('gtp.teid')}`;
    case 'ip':
      return ipInfo('ip.proto', reader.number('ip.frag_offset'), reader);
    case 'ipv6':
      return ipInfo('ipv6.nxt', reader.number('ipv6.fraghdr.offset'), reader);
    case 'eth':
      return `Ethertype ${reader.text('eth.type') || reader.text('eth.len')}, ${wirelen} bytes`;
    default:
      return `${wirelen} bytes`;
  }
}

function ports(prefix: string, reader: Reader): string {
  return `${reader.number(`${prefix}.srcport`)} → ${reader.number(`${prefix}.dstport`)}`;
}

function tcpInfo(reader: Reader): string {
  const flags = tcpFlagNames(reader.number('tcp.flags') ?? 0);
  const sequence = `Seq=${reader.number('tcp.seq_raw')} Ack=${reader.number('tcp.ack_raw')}`;
  const length = tcpLength(reader);
  return `${ports('tcp', reader)} [${flags}] ${sequence} Win=${reader.number('tcp.window_size_value')}${length}`;
}

/** Payload bytes by the IP header's length, which is right also for cut frames. */
function tcpLength(reader: Reader): string {
  const header = (reader.number('tcp.hdr_len') ?? 5) * 4;
  const total = reader.number('ip.len');
  if (total !== undefined && reader.position('ip.len') > reader.position('ipv6.plen'))
    return total ? ` Len=${total - (reader.number('ip.hdr_len') ?? 5) * 4 - header}` : '';
  const start = reader.position('tcp.srcport');
  const from = reader.position('ipv6.dst') + 16;
  const plen = reader.number('ipv6.plen');
  return plen && start >= from ? ` Len=${plen - (start - from) - header}` : '';
}

function portsInfo(top: string, reader: Reader): string {
  const length = reader.number('udp.length');
  return ports(top, reader) + (top === 'udp' && length ? ` Len=${length - 8}` : '');
}

function arpInfo(reader: Reader): string {
  const sender = reader.text('arp.src.proto_ipv4');
  const target = reader.text('arp.dst.proto_ipv4');
  if (!sender) return reader.text('arp.opcode');
  if (reader.number('arp.opcode') === 2) return `${sender} is at ${reader.text('arp.src.hw_mac')}`;
  return `Who has ${target}? Tell ${sender}`;
}

function icmpInfo(top: 'icmp' | 'icmpv6', reader: Reader): string {
  const type = reader.number(`${top}.type`) ?? 0;
  const name = nameOf(top, type) ?? `Type ${type}`;
  const target = reader.text('icmpv6.nd.target_address');
  if (target) return `${name} for ${target}`;
  const id = top === 'icmp' ? reader.number('icmp.ident') : reader.number('icmpv6.echo.identifier');
  if (id === undefined) return `${name} (code ${reader.number(`${top}.code`)})`;
  const sequence = reader.number(top === 'icmp' ? 'icmp.seq' : 'icmpv6.echo.sequence_number');
  return `${name} id=0x${id.toString(16).padStart(4, '0')}, seq=${sequence}`;
}

function dnsInfo(reader: Reader): string {
  const response = reader.number('dns.flags.response');
  const type = reader.text('dns.qry.type').replace(/ \(\d+\)$/, '');
  const failed = response && reader.number('dns.flags.rcode');
  const outcome = failed ? ` ${reader.text('dns.flags.rcode').replace(/ \(\d+\)$/, '')}` : '';
  const question = type ? ` ${type} ${reader.text('dns.qry.name')}` : '';
  return `Standard query${response ? ' response' : ''} ${reader.text('dns.id')}${outcome}${question}`;
}

function tlsInfo(reader: Reader): string {
  const content = reader.number('tls.record.content_type') ?? 0;
  const handshake = reader.number('tls.handshake.type');
  const name = handshake === undefined ? undefined : nameOf('tlshandshake', handshake);
  return (content === 22 ? name : undefined) ?? nameOf('tlscontent', content) ?? 'Record';
}

function ipInfo(protocol: string, fragment: number | undefined, reader: Reader): string {
  const name = reader.text(protocol);
  return fragment ? `Fragment at ${fragment * 8} of ${name}` : name;
}
