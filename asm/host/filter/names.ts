/** Names a filter may use for numbers. No resolver is asked: only what is fixed by registries is known. */

/** IP protocols, as in `ip proto \\tcp` (IANA's names, and pcap-filter's icmp6 and igrp). */
export const IP_PROTOCOLS: Record<string, number> = {
  ip: 0, hopopt: 0, icmp: 1, igmp: 2, ggp: 3, ipencap: 4, st: 5, tcp: 6, egp: 8, igp: 9, igrp: 9, pup: 12, udp: 17, hmp: 20,
  'xns-idp': 22, rdp: 27, 'iso-tp4': 29, dccp: 33, xtp: 36, ddp: 37, 'idpr-cmtp': 38, ipv6: 41, 'ipv6-route': 43,
  'ipv6-frag': 44, idrp: 45, rsvp: 46, gre: 47, esp: 50, ah: 51, skip: 57, 'ipv6-icmp': 58, icmp6: 58, 'ipv6-nonxt': 59,
  'ipv6-opts': 60, rspf: 73, vmtp: 81, eigrp: 88, ospf: 89, 'ax.25': 93, ipip: 94, etherip: 97, encap: 98, pim: 103,
  ipcomp: 108, vrrp: 112, carp: 112, l2tp: 115, isis: 124, sctp: 132, fc: 133, 'mobility-header': 135, udplite: 136,
  'mpls-in-ip': 137, manet: 138, hip: 139, shim6: 140, wesp: 141, rohc: 142, ethernet: 143, mptcp: 262,
}; // biome-ignore format: pairs

/** Ethertypes, as in `ether proto \\arp`, and the LLC SAPs of those that have no ethertype. */
export const ETHERTYPES: Record<string, number> = {
  ip: 0x0800, arp: 0x0806, rarp: 0x8035, ip6: 0x86dd, atalk: 0x809b, aarp: 0x80f3, mopdl: 0x6001, moprc: 0x6002,
  decnet: 0x6003, lat: 0x6004, sca: 0x6007, loopback: 0x9000, iso: 0xfe, stp: 0x42, ipx: 0xe0, netbeui: 0xf0,
}; // biome-ignore format: pairs

/** Network layer protocol identifiers of OSI, as in `iso proto \\isis`. */
export const OSI_PROTOCOLS: Record<string, number> = { clnp: 0x81, esis: 0x82, isis: 0x83 };

/** IS-IS PDU types by pcap-filter's words. */
export const ISIS_PDUS: Record<string, readonly number[]> = {
  l1: [26, 24, 18, 15, 17], l2: [27, 25, 20, 16, 17], iih: [17, 15, 16], lsp: [18, 20], snp: [27, 26, 24, 25],
  csnp: [24, 25], psnp: [26, 27],
}; // biome-ignore format: one word each

const TCP = 6;
const UDP = 17;
const BOTH = 0;
/** Service names: port and the protocol it is registered for (0: both), which the filter then asks for. */
export const PORTS: Record<string, readonly [port: number, protocol: number]> = {
  echo: [7, BOTH], discard: [9, BOTH], daytime: [13, BOTH], chargen: [19, BOTH], 'ftp-data': [20, TCP], ftp: [21, TCP],
  ssh: [22, TCP], telnet: [23, TCP], smtp: [25, TCP], mail: [25, TCP], time: [37, BOTH], whois: [43, TCP],
  tacacs: [49, BOTH], domain: [53, BOTH], bootps: [67, UDP], bootpc: [68, UDP], tftp: [69, UDP], gopher: [70, TCP],
  finger: [79, TCP], http: [80, TCP], www: [80, TCP], kerberos: [88, BOTH], 'iso-tsap': [102, TCP], pop3: [110, TCP],
  sunrpc: [111, BOTH], portmapper: [111, BOTH], auth: [113, TCP], nntp: [119, TCP], ntp: [123, UDP], epmap: [135, TCP],
  'netbios-ns': [137, UDP], 'netbios-dgm': [138, UDP], 'netbios-ssn': [139, TCP], imap2: [143, TCP], imap: [143, TCP],
  snmp: [161, BOTH], 'snmp-trap': [162, BOTH], snmptrap: [162, BOTH], xdmcp: [177, UDP], bgp: [179, TCP],
  irc: [194, BOTH], ldap: [389, BOTH], https: [443, BOTH], 'microsoft-ds': [445, BOTH], kpasswd: [464, BOTH],
  submissions: [465, TCP], isakmp: [500, UDP], login: [513, TCP], syslog: [514, UDP], shell: [514, TCP],
  printer: [515, TCP], route: [520, UDP], 'dhcpv6-client': [546, UDP], 'dhcpv6-server': [547, UDP], rtsp: [554, BOTH],
  nntps: [563, TCP], submission: [587, TCP], ipp: [631, TCP], ldaps: [636, BOTH], 'domain-s': [853, BOTH],
  rsync: [873, TCP], 'ftps-data': [989, TCP], ftps: [990, TCP], telnets: [992, TCP], imaps: [993, TCP],
  pop3s: [995, TCP], socks: [1080, TCP], openvpn: [1194, BOTH], 'ms-sql-s': [1433, TCP], 'ms-sql-m': [1434, UDP],
  radius: [1812, BOTH], 'radius-acct': [1813, BOTH], nfs: [2049, BOTH], mysql: [3306, TCP], 'ms-wbt-server': [3389, TCP],
  svn: [3690, TCP], sip: [5060, BOTH], 'sip-tls': [5061, BOTH], 'xmpp-client': [5222, TCP], mdns: [5353, UDP],
  postgresql: [5432, TCP], amqp: [5672, BOTH], x11: [6000, TCP], redis: [6379, TCP], git: [9418, TCP],
  'http-alt': [8080, BOTH],
}; // biome-ignore format: pairs

/** Named constants of arithmetic expressions (pcap-filter(7)); they are numbers wherever they stand. */
export const CONSTANTS: Record<string, number> = {
  tcpflags: 13, 'tcp-fin': 1, 'tcp-syn': 2, 'tcp-rst': 4, 'tcp-push': 8, 'tcp-ack': 16, 'tcp-urg': 32, 'tcp-ece': 64,
  'tcp-cwr': 128, icmptype: 0, icmpcode: 1, 'icmp-echoreply': 0, 'icmp-unreach': 3, 'icmp-sourcequench': 4,
  'icmp-redirect': 5, 'icmp-echo': 8, 'icmp-routeradvert': 9, 'icmp-routersolicit': 10, 'icmp-timxceed': 11,
  'icmp-paramprob': 12, 'icmp-tstamp': 13, 'icmp-tstampreply': 14, 'icmp-ireq': 15, 'icmp-ireqreply': 16,
  'icmp-maskreq': 17, 'icmp-maskreply': 18, icmp6type: 0, icmp6code: 1, 'icmp6-destinationunreach': 1,
  'icmp6-packettoobig': 2, 'icmp6-timeexceeded': 3, 'icmp6-parameterproblem': 4, 'icmp6-echo': 128,
  'icmp6-echoreply': 129, 'icmp6-multicastlistenerquery': 130, 'icmp6-multicastlistenerreportv1': 131,
  'icmp6-multicastlistenerdone': 132, 'icmp6-routersolicit': 133, 'icmp6-routeradvert': 134,
  'icmp6-neighborsolicit': 135, 'icmp6-neighboradvert': 136, 'icmp6-redirect': 137, 'icmp6-routerrenum': 138,
  'icmp6-nodeinformationquery': 139, 'icmp6-nodeinformationresponse': 140, 'icmp6-ineighbordiscoverysolicit': 141,
  'icmp6-ineighbordiscoveryadvert': 142, 'icmp6-multicastlistenerreportv2': 143, 'icmp6-homeagentdiscoveryrequest': 144,
  'icmp6-homeagentdiscoveryreply': 145, 'icmp6-mobileprefixsolicit': 146, 'icmp6-mobileprefixadvert': 147,
  'icmp6-certpathsolicit': 148, 'icmp6-certpathadvert': 149, 'icmp6-multicastrouteradvert': 151,
  'icmp6-multicastroutersolicit': 152, 'icmp6-multicastrouterterm': 153,
}; // biome-ignore format: pairs

/** Protocol words and how they are called after parsing. */
export const PROTOCOLS: Record<string, string> = {
  ether: 'link', link: 'link', ppp: 'link', slip: 'link', fddi: 'link', tr: 'link', wlan: 'link', ip: 'ip', ip6: 'ip6',
  arp: 'arp', rarp: 'rarp', tcp: 'tcp', udp: 'udp', sctp: 'sctp', icmp: 'icmp', icmp6: 'icmp6', igmp: 'igmp',
  igrp: 'igrp', pim: 'pim', vrrp: 'vrrp', carp: 'carp', ah: 'ah', esp: 'esp', atalk: 'atalk', aarp: 'aarp',
  decnet: 'decnet', lat: 'lat', sca: 'sca', moprc: 'moprc', mopdl: 'mopdl', stp: 'stp', ipx: 'ipx', netbeui: 'netbeui',
  iso: 'iso', clnp: 'clnp', esis: 'esis', 'es-is': 'esis', isis: 'isis', 'is-is': 'isis', l1: 'l1', l2: 'l2', iih: 'iih',
  lsp: 'lsp', snp: 'snp', csnp: 'csnp', psnp: 'psnp', radio: 'radio',
}; // biome-ignore format: pairs

/** Words for a direction other than src and dst: the addresses of an 802.11 header. */
export const WLAN_ADDRESSES: Record<string, 'addr1' | 'addr2' | 'addr3' | 'addr4' | 'ra' | 'ta'> = {
  addr1: 'addr1', address1: 'addr1', addr2: 'addr2', address2: 'addr2', addr3: 'addr3', address3: 'addr3',
  addr4: 'addr4', address4: 'addr4', ra: 'ra', ta: 'ta',
}; // biome-ignore format: pairs

/** 802.11 frame types and subtypes, in place in the frame control byte. */
export const WLAN_TYPES: Record<string, number> = {
  mgt: 0x00,
  management: 0x00,
  ctl: 0x04,
  control: 0x04,
  data: 0x08,
};
export const WLAN_SUBTYPES: Record<number, Record<string, number>> = {
  0: {
    assocreq: 0x00, 'assoc-req': 0x00, assocresp: 0x10, 'assoc-resp': 0x10, reassocreq: 0x20, 'reassoc-req': 0x20,
    reassocresp: 0x30, 'reassoc-resp': 0x30, probereq: 0x40, 'probe-req': 0x40, proberesp: 0x50, 'probe-resp': 0x50,
    beacon: 0x80, atim: 0x90, disassoc: 0xa0, disassociation: 0xa0, auth: 0xb0, authentication: 0xb0, deauth: 0xc0,
    deauthentication: 0xc0,
  },
  4: { 'ps-poll': 0xa0, rts: 0xb0, cts: 0xc0, ack: 0xd0, 'cf-end': 0xe0, 'cf-end-ack': 0xf0 },
  8: {
    data: 0x00, 'data-cf-ack': 0x10, 'data-cf-poll': 0x20, 'data-cf-ack-poll': 0x30, null: 0x40, 'cf-ack': 0x50,
    'cf-poll': 0x60, 'cf-ack-poll': 0x70, 'qos-data': 0x80, 'qos-data-cf-ack': 0x90, 'qos-data-cf-poll': 0xa0,
    'qos-data-cf-ack-poll': 0xb0, qos: 0xc0, 'qos-cf-poll': 0xe0, 'qos-cf-ack-poll': 0xf0,
  },
}; // biome-ignore format: pairs
export const WLAN_DIRECTIONS: Record<string, number> = { nods: 0, tods: 1, fromds: 2, dstods: 3 };

/** LLC control bytes: I, S and U frames, then the commands of S and U. */
export const LLC_CONTROLS: Record<string, { value: number; mask: number }> = {
  i: { value: 0, mask: 1 }, s: { value: 1, mask: 3 }, u: { value: 3, mask: 3 },
  rr: { value: 0x01, mask: 0x0f }, rnr: { value: 0x05, mask: 0x0f }, rej: { value: 0x09, mask: 0x0f },
  ui: { value: 0x03, mask: 0xef }, ua: { value: 0x63, mask: 0xef }, disc: { value: 0x43, mask: 0xef },
  dm: { value: 0x0f, mask: 0xef }, sabme: { value: 0x6f, mask: 0xef }, test: { value: 0xe3, mask: 0xef },
  xid: { value: 0xaf, mask: 0xef }, frmr: { value: 0x87, mask: 0xef },
}; // biome-ignore format: pairs

/** Reasons and actions of the packet filter's log. */
export const PFLOG_REASONS: Record<string, number> = {
  match: 0, 'bad-offset': 1, fragment: 2, short: 3, normalize: 4, memory: 5, 'bad-timestamp': 6, congestion: 7,
  'ip-option': 8, 'proto-cksum': 9, 'state-mismatch': 10, 'state-insert': 11, 'state-limit': 12, 'src-limit': 13,
  synproxy: 14,
}; // biome-ignore format: pairs
export const PFLOG_ACTIONS: Record<string, number> = {
  pass: 0, accept: 0, drop: 1, block: 1, scrub: 2, noscrub: 3, nat: 4, nonat: 5, binat: 6, nobinat: 7, rdr: 8, nordr: 9,
  'synproxy-drop': 10,
}; // biome-ignore format: pairs
/** Words before a field of the packet filter's log. */
export const PFLOG_WORDS = {
  ifname: 'ifname', on: 'ifname', ruleset: 'ruleset', rset: 'ruleset', rnr: 'rulenr', rulenum: 'rulenr',
  srnr: 'subrulenr', subrulenum: 'subrulenr', reason: 'reason', action: 'action',
} as const; // biome-ignore format: pairs

export const ATM_WORDS: ReadonlySet<string> = new Set([
  'lane', 'metac', 'bcc', 'oam', 'oamf4', 'oamf4ec', 'oamf4sc', 'sc', 'ilmic', 'connectmsg', 'metaconnect',
]); // biome-ignore format: a list of words
export const SIGNAL_WORDS: ReadonlySet<string> = new Set([
  'fisu',
  'lssu',
  'lsu',
  'msu',
  'hfisu',
  'hlssu',
  'hmsu',
]);
export const FIELD_WORDS: ReadonlySet<string> = new Set([
  'vpi', 'vci', 'sio', 'opc', 'dpc', 'sls', 'hsio', 'hopc', 'hdpc', 'hsls',
]); // biome-ignore format: a list of words

/** Words that cannot be names without a backslash before them. */
export const KEYWORDS: ReadonlySet<string> = new Set([
  'src', 'dst', 'host', 'net', 'mask', 'port', 'portrange', 'proto', 'protochain', 'gateway', 'type', 'subtype',
  'direction', 'dir', 'less', 'greater', 'byte', 'broadcast', 'multicast', 'and', 'or', 'not', 'len', 'length',
  'inbound', 'outbound', 'ifindex', 'vlan', 'mpls', 'pppoed', 'pppoes', 'geneve', 'llc',
  ...Object.keys(PROTOCOLS), ...Object.keys(WLAN_ADDRESSES), ...Object.keys(PFLOG_WORDS), ...ATM_WORDS,
  ...SIGNAL_WORDS, ...FIELD_WORDS,
]); // biome-ignore format: a list of words
