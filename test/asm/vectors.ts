/** Packets of every protocol above and between IP, written from their specifications, with what they say. */
import { createCipheriv, createHmac } from 'node:crypto';
import type { Bytes } from './captures.js';
import { be16, be32, ether, hex, ipv4, ipv6, join, tcp, udp } from './captures.js';

export interface Vector {
  name: string;
  bytes: Uint8Array;
  /** Fields of the tree and their values, all occurrences joined by `|`. */
  fields: Record<string, string>;
  protocol: string;
  info: string;
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const sized8 = (bytes: Bytes): Uint8Array => join([bytes.length], bytes);
const sized16 = (bytes: Bytes): Uint8Array => join(be16(bytes.length), bytes);
const numbers = (values: readonly number[]): number[] => values.flatMap(be16);
export const overUdp = (port: number, payload: Bytes, from = 40000): Uint8Array =>
  ether(0x800, ipv4(17, udp(from, port, payload)));
export const overTcp = (port: number, payload: Bytes): Uint8Array =>
  ether(0x800, ipv4(6, tcp(40000, port, payload)));

// ── TLS (RFC 8446 section 4.1.2) ────────────────────────────────────────────────────────────────
export const extension = (type: number, data: Bytes = []): Uint8Array => join(be16(type), sized16(data));
export const serverName = (name: string): Uint8Array =>
  extension(0, sized16(join([0], sized16(ascii(name)))));
export const alpn = (...names: string[]): Uint8Array =>
  extension(16, sized16(join(...names.map((name) => sized8(Buffer.from(name, 'latin1'))))));
export const versions = (...values: number[]): Uint8Array => extension(43, sized8(numbers(values)));
export const signatures = (...values: number[]): Uint8Array => extension(13, sized16(numbers(values)));
export const groups = (...values: number[]): Uint8Array => extension(10, sized16(numbers(values)));

export function clientHello(
  ciphers: readonly number[],
  extensions: readonly Uint8Array[] | null,
  version = 0x303,
): Uint8Array {
  const body = join(
    be16(version),
    new Uint8Array(32).fill(7),
    sized8(new Uint8Array(32).fill(9)),
    sized16(numbers(ciphers)),
    sized8([0]),
    extensions ? sized16(join(...extensions)) : [],
  );
  return join([1, 0], be16(body.length), body);
}
export const tlsRecord = (type: number, payload: Bytes): Uint8Array => join([type, 3, 1], sized16(payload));

/** The example of the JA4 specification, in its original order with GREASE where Chrome puts it. */
export const SPEC_CIPHERS = [
  0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
]; // biome-ignore format: a table
export const SPEC_EXTENSIONS = [
  extension(0x2a2a), extension(0x1b), serverName('example.org'), extension(0x33, sized16([])), alpn('h2', 'http/1.1'), extension(0x4469),
  extension(0x17), extension(0x2d), signatures(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601), extension(5), extension(0x23),
  extension(0x12), versions(0x1a1a, 0x0304, 0x0303), extension(0xff01, [0]), extension(0xb, sized8([0])), groups(0x4a4a, 29, 23), extension(0x15),
]; // biome-ignore format: a table
export const SPEC_JA4 = '8daaf6152771_e5627efa2ab1';

const serverHello = join(
  [2, 0, 0, 55],
  hex('0303'),
  new Uint8Array(32).fill(5),
  [0],
  hex('1301 00'),
  sized16(join(extension(43, hex('0304')), extension(51, hex('001d 0001 ff')))),
);

// ── QUIC Initial packets, protected as RFC 9001 section 5 says, by Node's own cryptography ───────
const hmac = (key: Uint8Array, data: Uint8Array): Buffer => createHmac('sha256', key).update(data).digest();
function expand(secret: Uint8Array, label: string, size: number): Buffer {
  const text = ascii(`tls13 ${label}`);
  return hmac(secret, join(be16(size), sized8(text), [0, 1])).subarray(0, size);
}
const SALTS: Record<number, string> = {
  1: '38762cf7f55934b34d179ae6a4c80cadccbb7f0a',
  1798521807: '0dede3def700a6db819381be6e269dcbf9bd2ed9',
  4278190109: 'afbfec289993d24c9e9786f19c6111e04390a899',
  4278190107: 'c3eef712c72ebb5a11a7d2432bb46365bef9f502',
};
export interface Initial {
  version?: number;
  dcid?: Uint8Array;
  number?: number;
  token?: Uint8Array;
  /** Bytes of the frames, filled up with PADDING. */
  size?: number;
}
export function quicInitial(frames: Uint8Array, given: Initial = {}): Uint8Array {
  const {
    version = 1,
    dcid = hex('8394c8f03e515708'),
    number = 2,
    token = new Uint8Array(),
    size = 1162,
  } = given;
  const secret = expand(hmac(hex(SALTS[version]!), dcid), 'client in', 32);
  const prefix = version === 0x6b3343cf ? 'quicv2' : 'quic';
  const [key, iv, hp] = [
    expand(secret, `${prefix} key`, 16),
    expand(secret, `${prefix} iv`, 12),
    expand(secret, `${prefix} hp`, 16),
  ];
  const first = version === 0x6b3343cf ? 0xd3 : 0xc3;
  const plain = join(frames, new Uint8Array(Math.max(0, size - frames.length)));
  const length = 4 + plain.length + 16;
  const head = join(
    [first],
    be32(version),
    sized8(dcid),
    [0],
    sized8(token),
    be16(0x4000 | length),
    be32(number),
  );
  const nonce = Uint8Array.from(iv, (value, i) => value ^ (i < 8 ? 0 : be32(number)[i - 8]!));
  const cipher = createCipheriv('aes-128-gcm', key, nonce).setAAD(head);
  const packet = join(head, cipher.update(plain), cipher.final(), cipher.getAuthTag());
  const mask = createCipheriv('aes-128-ecb', hp, null).update(packet.subarray(head.length, head.length + 16));
  packet[0]! ^= mask[0]! & 15;
  for (let i = 0; i < 4; i++) packet[head.length - 4 + i]! ^= mask[1 + i]!;
  return packet;
}
export const cryptoFrame = (offset: number, data: Uint8Array): Uint8Array =>
  join([6], be16(0x4000 | offset), be16(0x4000 | data.length), data);

/** RFC 9001 appendix A.2: the frames, and start and end of the packet they make. */
export const RFC9001_FRAMES = hex(`
  060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868 04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578
  616d706c652e636f6dff01000100000a00080006001d00170018001000070005 04616c706e000500050100000000003300260024001d00209370b2c9caa47fba
  baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400 0d0010000e0403050306030203080408050806002d00020101001c0002400100
  3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000 75300901100f088394c8f03e51570806048000ffff`);
export const RFC9001_START = 'c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11';
export const RFC9001_TAG = 'e221af44860018ab0856972e194cd934';

// ── DNS (RFC 1035) ──────────────────────────────────────────────────────────────────────────────
const name = (text: string): Uint8Array => join(...text.split('.').map((label) => sized8(ascii(label))), [0]);
const record = (owner: Bytes, type: number, ttl: number, data: Bytes): Uint8Array =>
  join(owner, be16(type), be16(1), be32(ttl), sized16(data));
const HERE = hex('c00c'); // the name of the question
export const dnsAnswer = join(
  hex('1234 8180 0001 0006 0000 0001'),
  join(name('www.example.org'), hex('0001 0001')),
  record(HERE, 5, 300, join([1, 0x61], hex('c010'))), // a.example.org
  record(HERE, 1, 60, [192, 0, 2, 1]),
  record(HERE, 28, 60, hex('20010db8000000000000000000000001')),
  record(HERE, 15, 9, join(be16(10), sized8(ascii('mx')), hex('c010'))),
  record(HERE, 16, 9, join(sized8(ascii('v=1')), sized8(ascii('b')))),
  record(HERE, 33, 9, join(be16(1), be16(2), be16(443), hex('c00c'))),
  join([0], be16(41), be16(1232), be32(0), be16(0)),
);

// ── DHCP (RFC 2131) ─────────────────────────────────────────────────────────────────────────────
const dhcpOption = (code: number, data: Bytes): Uint8Array => join([code], sized8(data));
export const dhcpRequest = join(
  hex('01 01 06 00 3903f326 0000 0000'),
  [0, 0, 0, 0, 10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0],
  hex('020000000001'),
  new Uint8Array(10 + 64 + 128),
  hex('63825363'),
  dhcpOption(53, [3]),
  [0],
  dhcpOption(50, [10, 0, 0, 9]),
  dhcpOption(54, [10, 0, 0, 1]),
  dhcpOption(12, ascii('laptop')),
  dhcpOption(55, [1, 3, 6]),
  dhcpOption(51, be32(3600)),
  [255],
);

/** RFC 5905, stratum 1 by GPS; transmitted 2001-09-09 01:46:40.5 UTC. */
export const ntpServer = join(
  hex('24 01 06 ec 00000000 00000100'),
  ascii('GPS'),
  [0],
  new Uint8Array(24),
  be32(2208988800 + 1e9),
  hex('80000000'),
);

// ── PFCP (TS 29.244) ────────────────────────────────────────────────────────────────────────────
const ie = (type: number, ...parts: Bytes[]): Uint8Array => join(be16(type), sized16(join(...parts)));
const pfcpIes = join(
  ie(60, [0, 10, 1, 1, 1]),
  ie(57, [2], hex('00000000000000aa'), [10, 1, 1, 1]),
  ie(
    1,
    ie(56, be16(1)),
    ie(
      2,
      ie(20, [0]),
      ie(21, [1], be32(0x1001), [10, 1, 1, 2]),
      ie(22, sized8(ascii('internet'))),
      ie(93, [2, 10, 60, 0, 1]),
      ie(124, [9]),
    ),
  ),
  ie(3, ie(108, be32(5)), ie(44, [2]), ie(4, ie(84, be16(0x100), be32(0x2002), [10, 1, 1, 3]))),
  ie(32770, hex('1234 ff')),
);
export const pfcpEstablishment = join(
  [0x21, 50],
  be16(12 + pfcpIes.length),
  hex('0000000000000001 000007 00'),
  pfcpIes,
);

const inner = ipv4(17, udp(5, 6), { src: '192.168.0.1', dst: '192.168.0.2' });
const nd = (type: number, rest: Bytes): Uint8Array => ether(0x86dd, ipv6(58, join([type, 0, 0, 0], rest)));
const target = hex('fe800000000000000000000000000001');
const bpdu = hex('0000 00 00 00 8064 020000000001 00000004 8001 020000000002 8002 0100 1400 0200 0f00');

// biome-ignore format: one packet a paragraph
export const VECTORS: readonly Vector[] = [
  { name: 'gtp-u with a PDU session container', bytes: overUdp(2152, join(hex('34 ff 0024 00000007 0000 00 85 01 10 09 00'), inner)), protocol: 'UDP', info: '5 → 6 Len=0',
    fields: { 'gtp.teid': '0x00000007', 'gtp.message': 'T-PDU (0xff)', 'gtp.ext_hdr.next': 'PDU Session container (0x85)|No more extension headers (0x00)', 'gtp.ext_hdr.pdu_ses_con.pdu_type': 'UL PDU SESSION INFORMATION (1)', 'gtp.ext_hdr.pdu_ses_con.qos_flow_id': '9', 'ip.src': '10.0.0.1|192.168.0.1' } },
  { name: 'gtp-u error indication', bytes: overUdp(2152, hex('32 1a 0010 00000000 0001 00 00 10 00000007 85 0004 0a000001')), protocol: 'GTP', info: 'Error indication TEID=0x00000000',
    fields: { 'gtp.seq_number': '0x0001', 'gtp.teid_data': '0x00000007', 'gtp.gsn_ipv4': '10.0.0.1' } },
  { name: 'pfcp session establishment', bytes: overUdp(8805, pfcpEstablishment), protocol: 'PFCP', info: 'PFCP Session Establishment Request',
    fields: { 'pfcp.seid': '0x0000000000000001|0x00000000000000aa', 'pfcp.seqno': '7', 'pfcp.node_id_ipv4': '10.1.1.1', 'pfcp.f_seid.ipv4': '10.1.1.1', 'pfcp.pdr_id': '1', 'pfcp.f_teid.teid': '0x00001001', 'pfcp.f_teid.ipv4_addr': '10.1.1.2', 'pfcp.network_instance': 'internet', 'pfcp.ue_ip_addr_ipv4': '10.60.0.1', 'pfcp.qfi_value': '0x09', 'pfcp.far_id': '5', 'pfcp.apply_action.forw': 'Set', 'pfcp.outer_hdr_creation.teid': '0x00002002', 'pfcp.outer_hdr_creation.ipv4': '10.1.1.3' } },
  { name: 'vxlan with a group', bytes: overUdp(4789, join(hex('88 00 0005 00002a 00'), ether(0x800, inner))), protocol: 'UDP', info: '5 → 6 Len=0',
    fields: { 'vxlan.vni': '42', 'vxlan.flag_g': 'Set', 'vxlan.flag_i': 'Set', 'vxlan.gbp': '5' } },
  { name: 'geneve with options', bytes: overUdp(6081, join(hex('03 40 0800 00002a 00 0102 80 01 deadbeef 0103 01 00'), inner)), protocol: 'UDP', info: '5 → 6 Len=0',
    fields: { 'geneve.vni': '42', 'geneve.flags.critical': 'Set', 'geneve.option.class': '0x0102|0x0103', 'geneve.option.type': '0x80|0x01', 'geneve.option.unknown.data': 'deadbeef' } },
  { name: 'gre with every field', bytes: ether(0x800, ipv4(47, join(hex('b000 0800 1234 0000 00000042 00000007'), inner))), protocol: 'UDP', info: '5 → 6 Len=0',
    fields: { 'gre.checksum': '0x1234', 'gre.key': '0x00000042', 'gre.sequence_number': '7', 'gre.flags.checksum': 'Set', 'gre.flags.routing': 'Not set' } },
  { name: 'pptp', bytes: ether(0x800, ipv4(47, join(hex('3081 880b 0021 0042 00000007 00000006 21'), inner))), protocol: 'UDP', info: '5 → 6 Len=0',
    fields: { 'gre.key.call_id': '66', 'gre.key.payload_length': '33', 'gre.sequence_number': '7', 'gre.ack_number': '6' } },
  { name: 'erspan type II', bytes: ether(0x800, ipv4(47, join(hex('1000 88be 00000001 1005 2007 00000009'), ether(0x800, inner)))), protocol: 'UDP', info: '5 → 6 Len=0',
    fields: { 'erspan.version': '1', 'erspan.vlan': '5', 'erspan.cos': '1', 'erspan.spanid': '7', 'erspan.index': '9' } },
  { name: 'l2tp data', bytes: overUdp(1701, join(hex('4002 002d 0001 0002 ff03 0021'), inner)), protocol: 'UDP', info: '5 → 6 Len=0',
    fields: { 'l2tp.type': 'Data Message (0)', 'l2tp.length': '45', 'l2tp.tunnel': '1', 'l2tp.session': '2', 'ppp.protocol': 'Internet Protocol version 4 (0x0021)' } },
  { name: 'esp', bytes: ether(0x800, ipv4(50, hex('00000100 00000007 0011223344556677'))), protocol: 'ESP', info: 'ESP (SPI=0x00000100)', fields: { 'esp.spi': '0x00000100', 'esp.sequence': '7', data: '0011223344556677' } },
  { name: 'esp in udp', bytes: overUdp(4500, hex('00000100 00000008 00112233')), protocol: 'ESP', info: 'ESP (SPI=0x00000100)', fields: { 'esp.sequence': '8' } },
  { name: 'ah', bytes: ether(0x800, ipv4(51, join(hex('11 04 0000 00000101 00000003 aabbccddeeff001122334455'), udp(5, 6)))), protocol: 'UDP', info: '5 → 6 Len=0',
    fields: { 'ah.next_header': 'UDP (17)', 'ah.spi': '0x00000101', 'ah.sequence': '3', 'ah.icv': 'aabbccddeeff001122334455' } },
  { name: 'pppoe discovery', bytes: ether(0x8863, hex('1107 0000 0015 0101 0000 0102 0003 626e67 0103 0006 010203040506')), protocol: 'PPPoED', info: "Active Discovery Offer (PADO) AC-Name='bng'",
    fields: { 'pppoe.code': 'Active Discovery Offer (PADO) (0x07)', 'pppoed.tags.ac_name': 'bng', 'pppoed.tags.host_uniq': '010203040506' } },
  { name: 'sctp init', bytes: ether(0x800, ipv4(132, hex('0b59 0b5a 00000000 00000000 01 00 0014 000000aa 0000ffff 000a 0005 00000001'))), protocol: 'SCTP', info: 'INIT',
    fields: { 'sctp.chunk_type': 'INIT (1)', 'sctp.init_initiate_tag': '0x000000aa', 'sctp.init_credit': '65535', 'sctp.init_nr_out_streams': '10' } },
  { name: 'sctp data and sack', bytes: ether(0x800, ipv4(132, hex('0001 0002 00000001 00000000 03 00 0010 00000009 00001000 0000 0000 00 03 0013 0000002a 0001 0002 0000003c 616263 00'))), protocol: 'SCTP', info: 'SACK DATA (TSN=42)',
    fields: { 'sctp.chunk_type': 'SACK (3)|DATA (0)', 'sctp.sack_cumulative_tsn_ack_raw': '9', 'sctp.data_sid': '0x0001', 'sctp.data_payload_proto_id': '60', data: '616263' } },
  { name: 'igmp version 3 report', bytes: ether(0x800, ipv4(2, hex('22 00 0000 0000 0001 04 00 0001 e0000116 c0000201'))), protocol: 'IGMP', info: 'Membership Report group 224.0.1.22',
    fields: { 'igmp.version': '3', 'igmp.record_type': 'Change To Exclude Mode (4)', 'igmp.maddr': '224.0.1.22', 'igmp.saddr': '192.0.2.1' } },
  { name: 'igmp query', bytes: ether(0x800, ipv4(2, hex('11 64 0000 00000000'))), protocol: 'IGMP', info: 'Membership Query, general', fields: { 'igmp.version': '2', 'igmp.max_resp': '100' } },
  { name: 'icmp fragmentation needed', bytes: ether(0x800, ipv4(1, join(hex('0304 0000 0000 05dc'), ipv4(17, udp(9, 10))))), protocol: 'ICMP', info: 'Destination unreachable (code 4)', fields: { 'icmp.mtu': '1500', 'udp.srcport': '9' } },
  { name: 'icmp redirect', bytes: ether(0x800, ipv4(1, join(hex('0501 0000 0a000001'), ipv4(17, udp(9, 10))))), protocol: 'ICMP', info: 'Redirect (code 1)', fields: { 'icmp.redir_gw': '10.0.0.1' } },
  { name: 'router advertisement', bytes: nd(134, join(hex('40 c0 0708 00000000 00000000'), hex('0101 020000000001'), hex('0501 0000 000005dc'), hex('0304 40 c0 00000e10 00000708 00000000 20010db8000000000000000000000000'), hex('1903 0000 00000258'), target)), protocol: 'ICMPv6', info: 'Router Advertisement (code 0)',
    fields: { 'icmpv6.nd.ra.cur_hop_limit': '64', 'icmpv6.nd.ra.flag.m': 'Set', 'icmpv6.nd.ra.router_lifetime': '1800', 'icmpv6.opt.linkaddr': '02:00:00:00:00:01', 'icmpv6.opt.mtu': '1500', 'icmpv6.opt.prefix': '2001:db8::', 'icmpv6.opt.prefix.length': '64', 'icmpv6.opt.rdnss': 'fe80::1' } },
  { name: 'neighbor solicitation', bytes: nd(135, join(hex('00000000'), target, hex('0101 020000000001'))), protocol: 'ICMPv6', info: 'Neighbor Solicitation for fe80::1', fields: { 'icmpv6.nd.ns.target_address': 'fe80::1', 'icmpv6.opt.type': 'Source link-layer address (1)' } },
  { name: 'neighbor advertisement', bytes: nd(136, join(hex('60000000'), target)), protocol: 'ICMPv6', info: 'Neighbor Advertisement fe80::1', fields: { 'icmpv6.nd.na.flag.s': 'Set', 'icmpv6.nd.na.flag.r': 'Not set' } },
  { name: 'packet too big', bytes: nd(2, join(be32(1280), ipv6(17, udp(9, 10)))), protocol: 'ICMPv6', info: 'Packet Too Big (code 0)', fields: { 'icmpv6.mtu': '1280' } },
  { name: 'mld version 2 report', bytes: nd(143, join(hex('0000 0001 04 00 0000'), hex('ff020000000000000000000000000016'))), protocol: 'ICMPv6', info: 'Multicast Listener Report Message v2 (code 0)', fields: { 'icmpv6.mldr.mar.multicast_address': 'ff02::16' } },
  { name: 'lldp', bytes: ether(0x88cc, join(hex('0207 04 020000000001 0404 05 676531 0602 0078 0a03'), ascii('sw1'), hex('0000'))), protocol: 'LLDP', info: '02:00:00:00:00:01 ge1 TTL = 120 System Name = sw1',
    fields: { 'lldp.chassis.id.mac': '02:00:00:00:00:01', 'lldp.port.id': 'ge1', 'lldp.time_to_live': '120', 'lldp.tlv.system.name': 'sw1' } },
  { name: 'stp', bytes: ether(38, join(hex('42 42 03'), bpdu)), protocol: 'STP', info: 'Conf. Root = 32768/100/02:00:00:00:00:01  Cost = 4  Port = 0x8002', fields: { 'stp.bridge.hw': '02:00:00:00:00:02', 'stp.bridge.prio': '32768', 'stp.hello': '2', 'stp.forward': '15' } },
  { name: 'lacp', bytes: ether(0x8809, hex('01 01 01 14 8000 020000000001 0007 00ff 0003 3d 000000 02 14 8000 020000000002 0007 00ff 0004 3f 000000')), protocol: 'LACP', info: 'v1 ACTOR 02:00:00:00:00:01 P: 3 PARTNER 02:00:00:00:00:02 P: 4', fields: { 'lacp.actor.key': '7', 'lacp.partner.state': '0x3f' } },
  { name: 'dns answer', bytes: overUdp(9, dnsAnswer, 53), protocol: 'DNS', info: 'Standard query response 0x1234 A www.example.org CNAME a.example.org A 192.0.2.1 AAAA 2001:db8::1 MX 10 mx.example.org TXT SRV 1 2 443 www.example.org OPT',
    fields: { 'dns.qry.name': 'www.example.org', 'dns.resp.name': `${Array(6).fill('www.example.org').join('|')}|<Root>`, 'dns.resp.ttl': '300|60|60|9|9|9', 'dns.txt': 'v=1|b', 'dns.rr.udp_payload_size': '1232', 'dns.flags.recavail': 'Set' } },
  { name: 'dns over tcp', bytes: overTcp(53, sized16(hex('1234 0100 0001 0000 0000 0000 0161 00 001c 0001'))), protocol: 'DNS', info: 'Standard query 0x1234 AAAA a', fields: { 'dns.length': '19' } },
  { name: 'mdns', bytes: overUdp(5353, hex('0000 0000 0001 0000 0000 0000 045f697070 045f746370 05 6c6f63616c 00 000c 8001'), 5353), protocol: 'MDNS', info: 'Standard query 0x0000 PTR _ipp._tcp.local, "QU" question', fields: { 'dns.qry.class': '0x0001', 'dns.qry.qu': 'Set' } },
  { name: 'llmnr', bytes: overUdp(5355, hex('0001 0000 0001 0000 0000 0000 0161 00 0001 0001')), protocol: 'LLMNR', info: 'Standard query 0x0001 A a', fields: { 'dns.qry.name': 'a' } },
  { name: 'tls client hello', bytes: overTcp(443, tlsRecord(22, clientHello(SPEC_CIPHERS, SPEC_EXTENSIONS))), protocol: 'TLS', info: 'Client Hello (SNI=example.org)',
    fields: { 'tls.handshake.extensions_server_name': 'example.org', 'tls.handshake.extensions_alpn_str': 'h2|http/1.1', 'tls.handshake.extensions_supported_group': '0x4a4a|x25519 (0x001d)|secp256r1 (0x0017)', 'tls.handshake.extensions.supported_version': '0x1a1a|TLS 1.3 (0x0304)|TLS 1.2 (0x0303)' } },
  { name: 'tls server hello and more', bytes: overTcp(443, join(tlsRecord(22, serverHello), tlsRecord(20, [1]), tlsRecord(23, [1, 2, 3]))), protocol: 'TLS', info: 'Server Hello, Change Cipher Spec, Application Data',
    fields: { 'tls.handshake.ciphersuite': 'TLS_AES_128_GCM_SHA256 (0x1301)', 'tls.handshake.extensions.supported_version': 'TLS 1.3 (0x0304)', 'tls.handshake.extensions_key_share_group': 'x25519 (29)' } },
  { name: 'tls alert', bytes: overTcp(443, tlsRecord(21, [2, 40])), protocol: 'TLS', info: 'Alert', fields: { 'tls.alert_message.desc': '40' } },
  { name: 'http request', bytes: overTcp(8000, ascii('POST /x?y=1 HTTP/1.1\r\nhOST:  example.org \r\nUser-Agent: t/1\r\nX-Hosts: no\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nHost: no')), protocol: 'HTTP', info: 'POST /x?y=1 HTTP/1.1',
    fields: { 'http.request.method': 'POST', 'http.request.uri': '/x?y=1', 'http.request.version': 'HTTP/1.1', 'http.host': 'example.org', 'http.user_agent': 't/1', 'http.content_type': 'text/plain', 'http.content_length_header': '2' } },
  { name: 'http response', bytes: overTcp(40001, ascii('HTTP/1.1 404 Not Found\r\nServer: s\nLocation: /l\r\n\r\n')), protocol: 'HTTP', info: 'HTTP/1.1 404 Not Found', fields: { 'http.response.code': '404', 'http.response.phrase': 'Not Found', 'http.server': 's', 'http.location': '/l' } },
  { name: 'quic initial of RFC 9001 A.2', bytes: overUdp(443, quicInitial(RFC9001_FRAMES)), protocol: 'QUIC', info: 'Initial, DCID=8394c8f03e515708, PKN: 2, CRYPTO, PADDING (SNI=example.com)',
    fields: { 'quic.version': '0x00000001', 'quic.long.packet_type': 'Initial (0)', 'quic.length': '1182', 'quic.packet_number': '2', 'quic.crypto.length': '241', 'tls.handshake.extensions_server_name': 'example.com', 'tls.handshake.extensions_alpn_str': 'alpn' } },
  { name: 'quic retry', bytes: overUdp(443, hex('f0 00000001 00 04 aabbccdd 746f6b656e 00112233445566778899aabbccddeeff')), protocol: 'QUIC', info: 'Retry, DCID=, SCID=aabbccdd', fields: { 'quic.retry_token': '746f6b656e', 'quic.retry_integrity_tag': '00112233445566778899aabbccddeeff' } },
  { name: 'quic version negotiation', bytes: overUdp(443, hex('80 00000000 01 aa 01 bb 00000001 6b3343cf')), protocol: 'QUIC', info: 'Version Negotiation, DCID=aa, SCID=bb', fields: { 'quic.supported_version': '0x00000001|0x6b3343cf' } },
  { name: 'dhcp request', bytes: overUdp(67, dhcpRequest, 68), protocol: 'DHCP', info: 'DHCP Request - Transaction ID 0x3903f326',
    fields: { 'dhcp.option.dhcp': 'Request (3)', 'dhcp.option.requested_ip_address': '10.0.0.9', 'dhcp.option.hostname': 'laptop', 'dhcp.option.request_list_item': 'Subnet Mask (1)|Router (3)|Domain Name Server (6)', 'dhcp.ip.your': '10.0.0.9' } },
  { name: 'ntp server', bytes: overUdp(123, ntpServer, 123), protocol: 'NTP', info: 'NTP Version 4, server', fields: { 'ntp.stratum': '1', 'ntp.precision': '-20', 'ntp.rootdispersion': '0.003906', 'ntp.org': 'NULL', 'ntp.xmt': '2001-09-09T01:46:40.500000000Z' } },
];
