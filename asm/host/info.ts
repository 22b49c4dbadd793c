/** The packet list's Info text of the protocols above and between IP, in Wireshark's words where it has some. */
import type { FieldSet } from './fieldset.js';

type Info = (fields: FieldSet) => string;

/** One per protocol node; a protocol without one gets the frame's length. */
export const INFO: Record<string, Info> = {
  dns: dnsInfo,
  mdns: dnsInfo,
  llmnr: dnsInfo,
  http: (fields) => fields.text('http.request') || fields.text('http.response'),
  tls: tlsInfo,
  quic: quicInfo,
  dhcp: (fields) => {
    const type = fields.name('dhcp.option.dhcp');
    const name = type ? `DHCP ${type}` : fields.name('dhcp.type');
    return `${name} - Transaction ID ${fields.text('dhcp.id')}`;
  },
  ntp: (fields) => `NTP Version ${fields.text('ntp.flags.vn')}, ${fields.name('ntp.flags.mode')}`,
  gtp: (fields) => `${fields.name('gtp.message')} TEID=${fields.text('gtp.teid')}`,
  pfcp: (fields) => fields.name('pfcp.msg_type'),
  esp: (fields) => `ESP (SPI=${fields.text('esp.spi')})`,
  l2tp: (fields) =>
    `${fields.name('l2tp.type')} - (tunnel id=${fields.text('l2tp.tunnel')}, session id=${fields.text('l2tp.session')})`,
  sctp: (fields) =>
    fields.parts('sctp.chunk').map(chunkInfo).join(' ') ||
    `${fields.number('sctp.srcport')} → ${fields.number('sctp.dstport')}`,
  igmp: igmpInfo,
  lldp: (fields) => {
    const chassis =
      fields.text('lldp.chassis.id.mac') ||
      fields.text('lldp.chassis.id.ip4') ||
      fields.text('lldp.chassis.id');
    const port = fields.text('lldp.port.id') || fields.text('lldp.port.id.mac');
    const system = fields.text('lldp.tlv.system.name');
    return `${chassis} ${port} TTL = ${fields.text('lldp.time_to_live')}${system && ` System Name = ${system}`}`;
  },
  stp: stpInfo,
  lacp: (fields) =>
    `v${fields.number('lacp.version')} ACTOR ${fields.text('lacp.actor.sysid')} P: ${fields.text('lacp.actor.port')}` +
    ` PARTNER ${fields.text('lacp.partner.sysid')} P: ${fields.text('lacp.partner.port')}`,
  pppoed: (fields) => {
    const concentrator = fields.text('pppoed.tags.ac_name');
    return fields.name('pppoe.code') + (concentrator && ` AC-Name='${concentrator}'`);
  },
};

const QUESTIONS_SHOWN = 4;
const RECORDS_SHOWN = 16;

function dnsInfo(fields: FieldSet): string {
  const response = fields.number('dns.flags.response');
  const operation = fields.name('dns.flags.opcode') + (response ? ' response' : '');
  const failed = response && fields.number('dns.flags.rcode');
  const parts = [operation, fields.text('dns.id'), ...(failed ? [fields.name('dns.flags.rcode')] : [])];
  for (const part of fields.parts('dns.qry').slice(0, QUESTIONS_SHOWN)) {
    const unicast = part.number('dns.qry.qu');
    const kind = unicast === undefined ? '' : `, "${unicast ? 'QU' : 'QM'}" question`;
    parts.push(`${part.name('dns.qry.type')} ${part.text('dns.qry.name')}${kind}`);
  }
  for (const part of fields.parts('dns.resp').slice(0, RECORDS_SHOWN)) parts.push(recordInfo(part));
  return parts.join(' ');
}

/** Of a record's data what fits a line: addresses and names. */
const RECORD_TEXT = [
  'dns.a', 'dns.aaaa', 'dns.cname', 'dns.ns', 'dns.ptr.domain_name', 'dns.mx.preference', 'dns.mx.mail_exchange',
  'dns.soa.mname', 'dns.srv.priority', 'dns.srv.weight', 'dns.srv.port', 'dns.srv.target',
] as const; // biome-ignore format: a list of names

function recordInfo(record: FieldSet): string {
  const data = RECORD_TEXT.filter((name) => record.has(name)).map((name) => record.text(name));
  return [record.name('dns.resp.type'), ...data].join(' ');
}

function helloInfo(message: FieldSet): string {
  const name = message.name('tls.handshake.type');
  const sni = message.text('tls.handshake.extensions_server_name');
  return sni ? `${name} (SNI=${sni})` : name;
}

function tlsInfo(fields: FieldSet): string {
  const records = fields.parts('tls.record').flatMap((record) => {
    const messages = record.parts('tls.handshake').map(helloInfo);
    if (messages.length) return messages;
    const content = record.name('tls.record.content_type');
    return [content === 'Handshake' ? 'Encrypted Handshake Message' : content];
  });
  return records.join(', ') || 'Record';
}

function quicInfo(fields: FieldSet): string {
  const packets = fields.parts('quic.packet').map((packet) => {
    const type = packet.name('quic.long.packet_type') || packet.name('quic.long.packet_type_v2');
    const scid = packet.text('quic.scid');
    const number = packet.text('quic.packet_number');
    const frames = packet.parts('quic.frame').map((frame) => frame.name('quic.frame_type'));
    return [
      type || 'Version Negotiation',
      `DCID=${packet.text('quic.dcid')}`,
      ...(scid ? [`SCID=${scid}`] : []),
      ...(number ? [`PKN: ${number}`] : []),
      ...frames,
    ].join(', ');
  });
  const sni = fields.text('tls.handshake.extensions_server_name');
  return packets.join(' ') + (sni && ` (SNI=${sni})`);
}

function chunkInfo(chunk: FieldSet): string {
  const tsn = chunk.text('sctp.data_tsn_raw');
  return chunk.name('sctp.chunk_type') + (tsn && ` (TSN=${tsn})`);
}

function igmpInfo(fields: FieldSet): string {
  const groups = fields.texts('igmp.maddr').filter((group) => group !== '0.0.0.0');
  const name = fields.name('igmp.type');
  if (!groups.length) return fields.number('igmp.type') === 0x11 ? `${name}, general` : name;
  return `${name} group ${groups.join(', ')}`;
}

function stpInfo(fields: FieldSet): string {
  if (!fields.has('stp.root.hw')) return fields.name('stp.type');
  const root = ['prio', 'ext', 'hw'].map((part) => fields.text(`stp.root.${part}`)).join('/');
  const kind = fields.number('stp.type') === 2 ? 'RST' : 'Conf';
  return `${kind}. Root = ${root}  Cost = ${fields.text('stp.root.cost')}  Port = ${fields.text('stp.port')}`;
}
