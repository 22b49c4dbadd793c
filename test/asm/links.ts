/** A packet of every linktype, and of headers between ethertypes, with the protocols it must count and fields of its tree. */
import type { Bytes } from './captures.js';
import { be16, be32, ether, hex, ipv4, ipv6, join, tcp, udp, vlan } from './captures.js';

export interface LinkVector {
  name: string;
  linktype: number;
  bytes: Uint8Array;
  seen: string;
  /** Fields of the tree and their values, all occurrences joined by `|`. */
  fields: Record<string, string>;
}

const le16 = (value: number): number[] => be16(value).reverse();
const le32 = (value: number): number[] => be32(value).reverse();
const v4 = ipv4(17, udp(5, 6));
const v6 = ipv6(17, udp(5, 6));
const snap = (type: number, payload: Bytes): Uint8Array => join(hex('aaaa03 000000'), be16(type), payload);
const wlan = join(hex('0801 0000 020000000001 020000000002 020000000003 0000'), snap(0x800, v4));
const zeros = (size: number): Uint8Array => new Uint8Array(size);
const inEther = (type: number, payload: Bytes): Uint8Array => ether(type, payload);
const attribute = (type: number, payload: Bytes): Uint8Array =>
  join(le16(payload.length + 4), le16(type), payload, zeros((4 - (payload.length % 4)) % 4));

// biome-ignore format: one packet a line
export const LINKS: readonly LinkVector[] = [
  { name: 'null', linktype: 0, bytes: join(le32(2), v4), seen: 'ip udp', fields: { 'null.family': 'IP (2)' } },
  { name: 'null, IPv6 of macOS, big-endian', linktype: 0, bytes: join(be32(30), v6), seen: 'ipv6 udp', fields: { 'null.family': 'IPv6 (30)' } },
  { name: 'loop', linktype: 108, bytes: join(be32(24), v6), seen: 'ipv6 udp', fields: { 'null.family': 'IPv6 (24)' } },
  { name: 'raw', linktype: 101, bytes: v4, seen: 'ip udp', fields: { 'udp.dstport': '6' } },
  { name: 'raw of BSD', linktype: 12, bytes: v6, seen: 'ipv6 udp', fields: { 'udp.dstport': '6' } },
  { name: 'raw of OpenBSD', linktype: 14, bytes: v4, seen: 'ip udp', fields: { 'udp.dstport': '6' } },
  { name: 'IPv4', linktype: 228, bytes: v4, seen: 'ip udp', fields: { 'ip.src': '10.0.0.1' } },
  { name: 'IPv6', linktype: 229, bytes: v6, seen: 'ipv6 udp', fields: { 'ipv6.hlim': '64' } },
  { name: 'SLL', linktype: 113, bytes: join(hex('0004 0001 0006 020000000001 0000 0800'), v4), seen: 'ip udp', fields: { 'sll.etype': 'IPv4 (0x0800)' } },
  { name: 'SLL2', linktype: 276, bytes: join(hex('86dd 0000 00000002 0001 00 06 020000000001 0000'), v6), seen: 'ipv6 udp', fields: { 'sll.ifindex': '2' } },
  { name: 'PPP', linktype: 9, bytes: join(hex('0021'), v4), seen: 'ip udp', fields: { 'ppp.protocol': 'Internet Protocol version 4 (0x0021)' } },
  { name: 'PPP in HDLC framing', linktype: 50, bytes: join(hex('ff03 0057'), v6), seen: 'ipv6 udp', fields: { 'ipv6.nxt': 'UDP (17)' } },
  { name: 'PPPoE', linktype: 51, bytes: join(hex('1100 0001'), be16(v4.length + 2), hex('0021'), v4), seen: 'ip udp', fields: { 'pppoe.session_id': '0x0001' } },
  { name: 'Cisco HDLC', linktype: 104, bytes: join(hex('0f00 0800'), v4), seen: 'ip udp', fields: { 'chdlc.protocol': 'IPv4 (0x0800)' } },
  { name: '802.11', linktype: 105, bytes: wlan, seen: 'ip udp', fields: { 'llc.type': 'IPv4 (0x0800)' } },
  { name: 'radiotap', linktype: 127, bytes: join(hex('00 00 0800 00000000'), wlan), seen: 'ip udp', fields: { 'radiotap.length': '8' } },
  { name: 'Prism', linktype: 119, bytes: join(hex('00000044'), be32(144), zeros(136), wlan), seen: 'ip udp', fields: { 'prism.msglen': '144' } },
  { name: 'Prism of a little-endian machine', linktype: 119, bytes: join(hex('44000000'), le32(144), zeros(136), wlan), seen: 'ip udp', fields: { 'prism.msglen': '144' } },
  { name: 'AVS', linktype: 163, bytes: join(hex('80211001 00000040'), zeros(56), wlan), seen: 'ip udp', fields: { 'prism.msglen': '64' } },
  { name: 'PPI', linktype: 192, bytes: join(hex('00 00 0c00'), le32(105), hex('00000000'), wlan), seen: 'ip udp', fields: { 'ppi.dlt': '105' } },
  { name: 'PPI, Ethernet', linktype: 192, bytes: join(hex('00 00 0800'), le32(1), inEther(0x800, v4)), seen: 'eth ip udp', fields: { 'ppi.dlt': '1' } },
  { name: 'PKTAP', linktype: 258, bytes: join(le32(108), le32(1), le32(1), zeros(96), inEther(0x800, v4)), seen: 'eth ip udp', fields: { 'pktap.dlt': '1' } },
  { name: 'NFLOG', linktype: 239, bytes: join(hex('02 00 0000'), attribute(1, hex('0800 0100')), attribute(10, hex('00')), attribute(9, v4)), seen: 'ip udp', fields: { 'nflog.family': '2' } },
  { name: 'NFLOG of a bridge', linktype: 239, bytes: join(hex('07 00 0000'), attribute(1, hex('86dd 0100')), attribute(9, v6)), seen: 'ipv6 udp', fields: { 'nflog.family': '7' } },
  { name: 'IPNET', linktype: 226, bytes: join(hex('01 1a'), zeros(22), v6), seen: 'ipv6 udp', fields: { 'ipnet.family': '26' } },
  { name: 'PF log', linktype: 117, bytes: join(hex('3d 02'), zeros(62), v4), seen: 'ip udp', fields: { 'pflog.af': '2' } },
  { name: 'ENC', linktype: 109, bytes: join(le32(2), zeros(8), v4), seen: 'ip udp', fields: { 'enc.af': '2' } },
  { name: 'FDDI', linktype: 10, bytes: join(hex('50 020000000002 020000000001'), snap(0x800, v4)), seen: 'ip udp', fields: { 'fddi.src': '02:00:00:00:00:01' } },
  { name: 'Token Ring, source routed', linktype: 6, bytes: join(hex('10 40 020000000002 820000000001 0410 0011'), snap(0x86dd, v6)), seen: 'ipv6 udp', fields: { 'tr.dst': '02:00:00:00:00:02' } },
  { name: 'ARCNET, RFC 1051', linktype: 129, bytes: join(hex('01 02 0000 f0'), v4), seen: 'ip udp', fields: { 'arcnet.prot_id': '0xf0' } },
  { name: 'ARCNET, RFC 1201', linktype: 129, bytes: join(hex('01 02 0000 d4 00 0001'), v4), seen: 'ip udp', fields: { 'arcnet.dst': '0x02' } },
  { name: 'Frame Relay, NLPID', linktype: 107, bytes: join(hex('1841 03 cc'), v4), seen: 'ip udp', fields: { 'fr.nlpid': '0xcc' } },
  { name: 'Frame Relay, SNAP', linktype: 107, bytes: join(hex('1841 03 00 80 000000 86dd'), v6), seen: 'ipv6 udp', fields: { 'fr.dlci': '0x1841' } },
  { name: 'Frame Relay, Cisco', linktype: 107, bytes: join(hex('1841 0800'), v4), seen: 'ip udp', fields: { 'fr.dlci': '0x1841' } },
  { name: 'ATM, LLC', linktype: 100, bytes: snap(0x800, v4), seen: 'ip udp', fields: { 'llc.type': 'IPv4 (0x0800)' } },
  { name: 'SunATM', linktype: 123, bytes: join(hex('02 01 0020'), snap(0x800, v4)), seen: 'ip udp', fields: { 'atm.vpi': '1', 'atm.vci': '32' } },
  { name: 'VN-Tag', linktype: 1, bytes: inEther(0x8926, join(hex('00000000 8100'), vlan(7, 0x800, v4))), seen: 'eth vlan ip udp', fields: { 'shim.etype': '802.1Q Virtual LAN (0x8100)' } },
  { name: 'E-Tag', linktype: 1, bytes: inEther(0x893f, join(hex('100000d30000 0800'), v4)), seen: 'eth ip udp', fields: { 'shim.etype': 'IPv4 (0x0800)' } },
  { name: 'HSR', linktype: 1, bytes: inEther(0x892f, join(hex('0034 00d7 0800'), v4)), seen: 'eth ip udp', fields: { 'shim.etype': 'IPv4 (0x0800)' } },
  { name: '802.1ah', linktype: 1, bytes: inEther(0x88e7, join(hex('00000001'), inEther(0x800, v4))), seen: 'eth ip udp', fields: { 'ieee8021ah.isid': '1' } },
  { name: 'FabricPath', linktype: 1, bytes: inEther(0x8903, join(hex('0060'), inEther(0x800, v4))), seen: 'eth ip udp', fields: { 'cfp.ftag': '0x0060' } },
  { name: 'MACsec for integrity', linktype: 1, bytes: inEther(0x88e5, join(hex('20 00 00000044 020000000001 0001 0800'), v4, zeros(16))), seen: 'eth ip udp', fields: { 'macsec.pn': '68' } },
  { name: 'MACsec, encrypted', linktype: 1, bytes: inEther(0x88e5, join(hex('2c 00 00000044 020000000001 0001'), zeros(40))), seen: 'eth', fields: { 'macsec.tci': '0x2c' } },
  { name: 'NSH', linktype: 1, bytes: inEther(0x894f, join(hex('0002 02 01 000001 02'), v4)), seen: 'eth ip udp', fields: { 'nsh.spi': '1', 'nsh.si': '2' } },
  { name: 'UDP-Lite', linktype: 101, bytes: ipv4(136, udp(5, 6, [1, 2])), seen: 'ip', fields: { 'udplite.checksum_coverage': '10', 'udp.dstport': '6' } },
  { name: 'GRE in UDP', linktype: 101, bytes: ipv4(17, udp(1, 4754, join(hex('0000 0800'), ipv4(6, tcp(1, 2))))), seen: 'ip tcp udp gre', fields: { 'tcp.dstport': '2' } },
  { name: 'Teredo with an origin', linktype: 101, bytes: ipv4(17, udp(3544, 9, join(hex('0000 1234 01020304'), v6))), seen: 'ip ipv6 udp', fields: { 'udp.dstport': '9|6' } },
  { name: 'AYIYA', linktype: 101, bytes: ipv4(17, udp(9, 5072, join(hex('41 52 11 29 00000000'), zeros(16 + 20), v6))), seen: 'ip ipv6 udp', fields: { 'udp.dstport': '5072|6' } },
];
