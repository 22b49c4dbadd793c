/**
 * Key fields of a packet's application and tunnel headers as plain data: what flow records and searches want
 * to know. Read from the packet tree, so that both say the same. Unknown is null or absent, never 0.
 */
import { FieldSet, withoutQuoted } from './fieldset.js';
import { ja4 } from './ja4.js';
import { asciiText, ipv4Text } from './text.js';
import type { NodeRecord } from './tree.js';

export interface KeyFields {
  dns?: DnsFields;
  tls?: TlsFields;
  http?: HttpFields;
  quic?: QuicFields;
  dhcp?: DhcpFields;
  ntp?: NtpFields;
  gtp?: GtpFields;
  pfcp?: PfcpFields;
}

export interface DnsFields {
  protocol: 'dns' | 'mdns' | 'llmnr';
  id: number;
  response: boolean;
  opcode: number;
  /** null in queries. */
  rcode: number | null;
  questions: { name: string; type: string }[];
  /** Answer, authority and additional records, as far as they were captured. */
  records: { name: string; type: string; ttlS: number | null; value: string }[];
}

export interface ClientHelloFields {
  /** Highest version offered, for example `TLS 1.3`; null when the message ends before it is known. */
  version: string | null;
  sni: string | null;
  alpn: string[];
  /** Numbers of cipher suites, extensions and groups as offered, GREASE included. */
  ciphers: number[];
  extensions: number[];
  groups: number[];
  /** null when the message goes on beyond this packet. */
  ja4: string | null;
}

export interface TlsFields {
  client?: ClientHelloFields;
  server?: { version: string; cipher: string; alpn: string | null };
}

/** Of a request or of a response; what the segment does not hold is null. */
export interface HttpFields {
  method: string | null;
  uri: string | null;
  status: number | null;
  version: string | null;
  host: string | null;
  userAgent: string | null;
  contentType: string | null;
  contentLength: number | null;
}

export interface QuicFields {
  version: string;
  /** Packet type of the first packet: `Initial`; null for Version Negotiation. */
  type: string | null;
  dcid: string;
  scid: string;
  /** Of a client's Initial packet that could be opened. */
  client?: ClientHelloFields;
}

export interface DhcpFields {
  /** `Discover`; null without the option (BOOTP). */
  messageType: string | null;
  transactionId: number;
  clientMac: string | null;
  requestedAddress: string | null;
  /** The address given; null while it is 0.0.0.0. */
  yourAddress: string | null;
  serverId: string | null;
  hostname: string | null;
  leaseS: number | null;
}

export interface NtpFields {
  version: number;
  mode: string;
  stratum: number | null;
  /** A clock's code for stratum 0 and 1, else the server's address (or a hash of it, over IPv6). */
  refId: string | null;
  /** UTC, ISO 8601; null where the packet says nothing. */
  referenceTime: string | null;
  originTime: string | null;
  receiveTime: string | null;
  transmitTime: string | null;
}

export interface GtpFields {
  messageType: number;
  teid: number;
  /** QoS flow of the PDU session container. */
  qfi: number | null;
}

export interface PfcpFields {
  messageType: number;
  message: string;
  sequence: number;
  /** Of the header, 64 bits as hex. */
  seid: string | null;
  nodeId: string | null;
  tunnels: { teid: number; address: string | null }[];
  ueAddresses: string[];
}

/** `digest` is SHA-256 of text, as hex. */
export function readKeyFields(
  records: readonly NodeRecord[],
  frame: Uint8Array,
  digest: (text: string) => string,
): KeyFields {
  const all = new FieldSet(withoutQuoted(records), frame);
  const fields: KeyFields = {};
  // A tree that ran out of nodes (NODE_MAX) may lack what a header always has: then there is nothing to say.
  const one = (name: string, last: string): FieldSet | undefined =>
    all.parts(name).findLast((part) => part.has(last));
  const dns = ['dns', 'mdns', 'llmnr'].map((name) => one(name, 'dns.count.add_rr')).find(Boolean);
  if (dns) fields.dns = dnsFields(dns);
  const tls = one('tls', 'tls.record.length');
  if (tls) fields.tls = tlsFields(tls, digest);
  if (all.has('http')) fields.http = httpFields(all);
  const quic = one('quic', 'quic.scil');
  if (quic) fields.quic = quicFields(quic, digest);
  const dhcp = one('dhcp', 'dhcp.ip.your');
  if (dhcp) fields.dhcp = dhcpFields(dhcp);
  const ntp = one('ntp', 'ntp.flags.mode');
  if (ntp) fields.ntp = ntpFields(ntp);
  const gtp = one('gtp', 'gtp.teid');
  if (gtp)
    fields.gtp = {
      messageType: gtp.number('gtp.message')!,
      teid: gtp.number('gtp.teid')!,
      qfi: gtp.number('gtp.ext_hdr.pdu_ses_con.qos_flow_id') ?? null,
    };
  const pfcp = one('pfcp', 'pfcp.seqno');
  if (pfcp) fields.pfcp = pfcpFields(pfcp);
  return fields;
}

const orNull = (text: string): string | null => text || null;

function dnsFields(set: FieldSet): DnsFields {
  const response = set.number('dns.flags.response') === 1;
  return {
    protocol: set.has('mdns') ? 'mdns' : set.has('llmnr') ? 'llmnr' : 'dns',
    id: set.number('dns.id')!,
    response,
    opcode: set.number('dns.flags.opcode')!,
    rcode: response ? set.number('dns.flags.rcode')! : null,
    questions: set
      .parts('dns.qry')
      .map((part) => ({ name: part.text('dns.qry.name'), type: part.name('dns.qry.type') })),
    records: set.parts('dns.resp').map((part) => ({
      name: part.text('dns.resp.name'),
      type: part.name('dns.resp.type'),
      ttlS: part.number('dns.resp.ttl') ?? null,
      value: recordValue(part),
    })),
  };
}

/** Fields of a record's data, in the order they are written in zone files. */
const RECORD_DATA = [
  'dns.a', 'dns.aaaa', 'dns.cname', 'dns.ns', 'dns.ptr.domain_name', 'dns.mx.preference', 'dns.mx.mail_exchange',
  'dns.srv.priority', 'dns.srv.weight', 'dns.srv.port', 'dns.srv.target', 'dns.svcb.svcpriority', 'dns.svcb.targetname',
  'dns.txt', 'dns.soa.mname', 'dns.soa.rname', 'dns.soa.serial_number', 'dns.data',
] as const; // biome-ignore format: a list of names

export function recordValue(record: FieldSet): string {
  return RECORD_DATA.flatMap((name) => record.texts(name)).join(' ');
}

function tlsFields(set: FieldSet, digest: (text: string) => string): TlsFields {
  const fields: TlsFields = {};
  for (const message of set.parts('tls.handshake')) {
    const type = message.number('tls.handshake.type');
    if (type === 1) fields.client = clientHello('tcp', message, digest);
    if (type === 2 && message.has('tls.handshake.ciphersuite'))
      fields.server = {
        version: versionText(message),
        cipher: message.name('tls.handshake.ciphersuite'),
        alpn: orNull(message.text('tls.handshake.extensions_alpn_str')),
      };
  }
  return fields;
}

const isGreaseVersion = (value: number): boolean => (value & 0x0f0f) === 0x0a0a;

/** The highest of supported_versions, or the message's own. */
function versionText(message: FieldSet): string {
  const versions = message.numbers('tls.handshake.extensions.supported_version');
  const highest = Math.max(0, ...versions.filter((value) => !isGreaseVersion(value)));
  const number = highest || (message.number('tls.handshake.version') ?? 0);
  if (number >= 0x0301 && number <= 0x0304) return `TLS 1.${number - 0x0301}`;
  return number === 0x0300 ? 'SSL 3.0' : `0x${number.toString(16).padStart(4, '0')}`;
}

function clientHello(
  transport: 'tcp' | 'quic',
  message: FieldSet,
  digest: (text: string) => string,
): ClientHelloFields {
  const ciphers = message.numbers('tls.handshake.ciphersuite');
  const extensions = message.numbers('tls.handshake.extension.type');
  const supportedVersions = message.numbers('tls.handshake.extensions.supported_version');
  const signatures = message.numbers('tls.handshake.sig_hash_alg');
  const version = message.number('tls.handshake.version') ?? 0;
  const names = message
    .parts('tls.handshake.extensions_alpn_str')
    .map((part) => part.bytes('tls.handshake.extensions_alpn_str')!);
  const offered = {
    transport,
    version,
    supportedVersions,
    ciphers,
    extensions,
    signatures,
    alpn: names[0] ?? null,
  };
  const whole = isWhole(message);
  return {
    version: whole || supportedVersions.length ? versionText(message) : null,
    sni: orNull(message.text('tls.handshake.extensions_server_name')),
    alpn: names.map(asciiText),
    ciphers,
    extensions,
    groups: message.numbers('tls.handshake.extensions_supported_group'),
    ja4: whole ? ja4(offered, digest) : null,
  };
}

/** The message is all here: its node is as long as it says, and so are the lists its tree could show. */
function isWhole(message: FieldSet): boolean {
  const [node] = message.records;
  const listed = message.numbers('tls.handshake.extension.len').reduce((sum, size) => sum + 4 + size, 0);
  return (
    node!.size === 4 + (message.number('tls.handshake.length') ?? 0) &&
    message.numbers('tls.handshake.ciphersuite').length * 2 ===
      message.number('tls.handshake.cipher_suites_length') &&
    listed === (message.number('tls.handshake.extensions_length') ?? 0)
  );
}

function httpFields(set: FieldSet): HttpFields {
  const status = Number(set.text('http.response.code'));
  const length = set.text('http.content_length_header');
  return {
    method: orNull(set.text('http.request.method')),
    uri: orNull(set.text('http.request.uri')),
    status: Number.isInteger(status) && status > 0 ? status : null,
    version: orNull(set.text('http.request.version') || set.text('http.response.version')),
    host: orNull(set.text('http.host')),
    userAgent: orNull(set.text('http.user_agent')),
    contentType: orNull(set.text('http.content_type')),
    contentLength: /^\d{1,15}$/.test(length) ? Number(length) : null,
  };
}

function quicFields(set: FieldSet, digest: (text: string) => string): QuicFields {
  const first = set.parts('quic.packet')[0]!;
  const hello = set.parts('tls.handshake').find((message) => message.number('tls.handshake.type') === 1);
  return {
    version: first.text('quic.version'),
    type: orNull(first.name('quic.long.packet_type') || first.name('quic.long.packet_type_v2')),
    dcid: first.text('quic.dcid'),
    scid: first.text('quic.scid'),
    ...(hello && { client: clientHello('quic', hello, digest) }),
  };
}

function dhcpFields(set: FieldSet): DhcpFields {
  const your = set.text('dhcp.ip.your');
  return {
    messageType: orNull(set.name('dhcp.option.dhcp')),
    transactionId: set.number('dhcp.id')!,
    clientMac: orNull(set.text('dhcp.hw.mac_addr')),
    requestedAddress: orNull(set.text('dhcp.option.requested_ip_address')),
    yourAddress: your === '0.0.0.0' ? null : your,
    serverId: orNull(set.text('dhcp.option.dhcp_server_id')),
    hostname: orNull(set.text('dhcp.option.hostname')),
    leaseS: set.number('dhcp.option.ip_address_lease_time') ?? null,
  };
}

function ntpFields(set: FieldSet): NtpFields {
  const stratum = set.number('ntp.stratum') ?? null;
  const refId = set.bytes('ntp.refid');
  const time = (name: string): string | null => {
    const text = set.text(name);
    return text === '' || text === 'NULL' ? null : text;
  };
  return {
    version: set.number('ntp.flags.vn')!,
    mode: set.name('ntp.flags.mode'),
    stratum,
    refId: refId && (stratum! < 2 ? orNull(asciiText(refId).replace(/(\\x00)+$/, '')) : ipv4Text(refId)),
    referenceTime: time('ntp.reftime'),
    originTime: time('ntp.org'),
    receiveTime: time('ntp.rec'),
    transmitTime: time('ntp.xmt'),
  };
}

function pfcpFields(set: FieldSet): PfcpFields {
  const nodeId = ['ipv4', 'ipv6', 'fqdn'].map((kind) => set.text(`pfcp.node_id_${kind}`)).find(Boolean);
  const header = set.records.find(({ depth, field }) => depth === 1 && field.name === 'pfcp.seid');
  return {
    messageType: set.number('pfcp.msg_type')!,
    message: set.name('pfcp.msg_type'),
    sequence: set.number('pfcp.seqno')!,
    seid: header ? new FieldSet([header], set.frame).text('pfcp.seid') : null,
    nodeId: nodeId ?? null,
    tunnels: set.parts('pfcp.ie').flatMap((ie) => tunnel(ie)),
    ueAddresses: [...set.texts('pfcp.ue_ip_addr_ipv4'), ...set.texts('pfcp.ue_ip_addr_ipv6')],
  };
}

const IE_F_TEID = 21;

function tunnel(ie: FieldSet): PfcpFields['tunnels'] {
  const [type] = ie.numbers('pfcp.ie_type');
  const teid = ie.number('pfcp.f_teid.teid');
  if (type !== IE_F_TEID || teid === undefined) return [];
  const address = ie.text('pfcp.f_teid.ipv4_addr') || ie.text('pfcp.f_teid.ipv6_addr');
  return [{ teid, address: orNull(address) }];
}
