/** One restrained palette for protocols, the same in the list, the bars and the flow table. */
const families: Record<string, string> = {
  TCP: 'tcp',
  SCTP: 'tcp',
  UDP: 'udp',
  QUIC: 'udp',
  ICMP: 'icmp',
  ICMPV6: 'icmp',
  ARP: 'arp',
  VLAN: 'arp',
  MPLS: 'arp',
  GRE: 'arp',
  VXLAN: 'arp',
  GTP: 'arp',
  DNS: 'dns',
  HTTP: 'web',
  TLS: 'web',
};

/** Class name for a protocol, `p-tcp` to `p-other`; see the --p-* tokens. */
export function protocolClass(name: string): string {
  return `p-${families[name.toUpperCase()] ?? 'other'}`;
}
