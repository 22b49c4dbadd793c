/** Names a filter may use for numbers. No resolver is asked: only what is fixed by registries is known. */

/** IP protocols, as in `ip proto \\tcp`. */
export const IP_PROTOCOLS: Record<string, number> = {
  icmp: 1, igmp: 2, ipip: 4, tcp: 6, igrp: 9, udp: 17, ipv6: 41, gre: 47, esp: 50, ah: 51, icmp6: 58, 'ipv6-icmp': 58,
  eigrp: 88, ospf: 89, pim: 103, vrrp: 112, carp: 112, sctp: 132, udplite: 136,
}; // biome-ignore format: pairs

/** Ethertypes, as in `ether proto \\arp`. */
export const ETHERTYPES: Record<string, number> = {
  ip: 0x0800, arp: 0x0806, rarp: 0x8035, ip6: 0x86dd, mopdl: 0x6001, moprc: 0x6002, decnet: 0x6003, lat: 0x6004,
  sca: 0x6007, loopback: 0x9000,
}; // biome-ignore format: pairs

/** Ports by service name (IANA), those people type. */
export const PORTS: Record<string, number> = {
  'ftp-data': 20, ftp: 21, ssh: 22, telnet: 23, smtp: 25, domain: 53, bootps: 67, bootpc: 68, tftp: 69, http: 80,
  kerberos: 88, pop3: 110, sunrpc: 111, ntp: 123, 'netbios-ns': 137, 'netbios-dgm': 138, 'netbios-ssn': 139, imap2: 143,
  imap: 143, snmp: 161, 'snmp-trap': 162, snmptrap: 162, bgp: 179, ldap: 389, https: 443, 'microsoft-ds': 445,
  submission: 587, syslog: 514, ldaps: 636, domains: 853, imaps: 993, pop3s: 995, socks: 1080, 'ms-sql-s': 1433,
  radius: 1812, mysql: 3306, 'ms-wbt-server': 3389, sip: 5060, 'sip-tls': 5061, mdns: 5353, postgresql: 5432, redis: 6379,
  'http-alt': 8080,
}; // biome-ignore format: pairs

/** Named constants of arithmetic expressions (pcap-filter(7)). */
export const CONSTANTS: Record<string, number> = {
  tcpflags: 13, 'tcp-fin': 1, 'tcp-syn': 2, 'tcp-rst': 4, 'tcp-push': 8, 'tcp-ack': 16, 'tcp-urg': 32, 'tcp-ece': 64,
  'tcp-cwr': 128, icmptype: 0, icmpcode: 1, 'icmp-echoreply': 0, 'icmp-unreach': 3, 'icmp-sourcequench': 4,
  'icmp-redirect': 5, 'icmp-echo': 8, 'icmp-routeradvert': 9, 'icmp-routersolicit': 10, 'icmp-timxceed': 11,
  'icmp-paramprob': 12, 'icmp-tstamp': 13, 'icmp-tstampreply': 14, 'icmp-ireq': 15, 'icmp-ireqreply': 16,
  'icmp-maskreq': 17, 'icmp-maskreply': 18, icmp6type: 0, icmp6code: 1, 'icmp6-destinationunreach': 1,
  'icmp6-packettoobig': 2, 'icmp6-timeexceeded': 3, 'icmp6-parameterproblem': 4, 'icmp6-echo': 128,
  'icmp6-echoreply': 129, 'icmp6-multicastlistenerquery': 130, 'icmp6-multicastlistenerreportv1': 131,
  'icmp6-multicastlistenerdone': 132, 'icmp6-routersolicit': 133, 'icmp6-routeradvert': 134,
  'icmp6-neighborsolicit': 135, 'icmp6-neighboradvert': 136, 'icmp6-redirect': 137,
}; // biome-ignore format: pairs

/** Protocol words and how they are called after parsing. */
export const PROTOCOLS: Record<string, string> = {
  ether: 'link', link: 'link', ppp: 'link', slip: 'link', fddi: 'link', tr: 'link', wlan: 'link', ip: 'ip', ip6: 'ip6', arp: 'arp',
  rarp: 'rarp', tcp: 'tcp', udp: 'udp', sctp: 'sctp', icmp: 'icmp', icmp6: 'icmp6', igmp: 'igmp', igrp: 'igrp',
  pim: 'pim', vrrp: 'vrrp', carp: 'carp', ah: 'ah', esp: 'esp', decnet: 'decnet', lat: 'lat', sca: 'sca',
  moprc: 'moprc', mopdl: 'mopdl', stp: 'stp',
}; // biome-ignore format: pairs

/** Words of the language this compiler does not take, and why. */
export const REFUSED: Record<string, string> = {
  gateway: 'needs a name resolver, which the engine has not: use ether host and not host',
  protochain: 'loops over headers, which a filter program cannot',
  atalk: 'is not supported', aarp: 'is not supported', iso: 'is not supported', clnp: 'is not supported',
  esis: 'is not supported', isis: 'is not supported', ipx: 'is not supported', netbeui: 'is not supported',
  geneve: 'is not supported', type: 'is not supported', subtype: 'is not supported', radio: 'is not supported',
  llc: 'is not supported', byte: 'is not supported', ifname: 'is not supported', ifindex: 'is not supported',
  rnr: 'is not supported', reason: 'is not supported', action: 'is not supported',
}; // biome-ignore format: one word each
