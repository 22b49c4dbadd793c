/** Builds TreeNode values from the module's flat node records: names, texts and nesting, as Wireshark words them. */
import type { Field } from './field.js';
import { FIELDS } from './fields.js';
import type { Module } from './module.js';
import {
  apnText,
  asciiText,
  dnsNameText,
  etherText,
  hex,
  ipv4Text,
  ipv6Text,
  ntpTimeText,
  untilNul,
} from './text.js';
import type { TreeNode } from './types.js';
import { nameOf, tcpFlagNames } from './values.js';

const BYTES_SHOWN = 64;

/** One record of the module's node area. */
export interface NodeRecord {
  field: Field;
  depth: number;
  /** Range of the frame it came from. */
  offset: number;
  length: number;
  /** The field's bits, shifted down. */
  value: number;
  /** Range its bytes are read from: another one when fragments were put together. */
  at: number;
  size: number;
}

export function readNodes(module: Module, count: number): NodeRecord[] {
  const { view } = module;
  const base = module.constant('NODES_BASE');
  const stride = module.constant('NODE_STRIDE');
  const at = {
    field: module.constant('NODE_FIELD'),
    depth: module.constant('NODE_DEPTH'),
    offset: module.constant('NODE_OFFSET'),
    length: module.constant('NODE_LENGTH'),
    value: module.constant('NODE_VALUE'),
    at: module.constant('NODE_AT'),
    size: module.constant('NODE_SIZE'),
  };
  return Array.from({ length: count }, (_, i) => {
    const node = base + i * stride;
    const field = FIELDS[view.getUint16(node + at.field, true) - 1]!;
    return {
      field,
      depth: view.getUint16(node + at.depth, true),
      offset: view.getUint32(node + at.offset, true),
      length: view.getUint32(node + at.length, true),
      value: unmask(view.getUint32(node + at.value, true), field.mask),
      at: view.getUint32(node + at.at, true),
      size: view.getUint32(node + at.size, true),
    };
  });
}

/**
 * The bytes the nodes speak of, a copy: the frame as decoding left it (a QUIC Initial packet is opened in
 * place), and after it what was put together from fragments.
 */
export function decodedBytes(module: Module, records: readonly NodeRecord[], length: number): Uint8Array {
  const base = module.constant('SCRATCH_BASE');
  const end = records.reduce((most, { at, size }) => Math.max(most, at + size), length);
  return module.bytes.slice(base, base + end);
}

function unmask(raw: number, mask: number | undefined): number {
  return mask ? (raw & mask) >>> maskShift(mask) : raw;
}

/** Bits below the mask's lowest. */
function maskShift(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

/** The tree; `frame` are the bytes of decodedBytes(). */
export function buildTree(records: readonly NodeRecord[], frame: Uint8Array): TreeNode[] {
  const top: TreeNode[] = [];
  const open: TreeNode[][] = [top];
  for (const record of records) {
    const node = toNode(record, frame);
    open.length = Math.min(open.length, record.depth + 1);
    open.at(-1)!.push(node);
    open.push(node.children);
  }
  summarize(top);
  return top;
}

function summarize(nodes: readonly TreeNode[]): void {
  for (const node of nodes) {
    if (!node.children.length) continue;
    summarize(node.children);
    if (node.value === '') node.label = summaryLabel(node);
  }
}

function toNode(record: NodeRecord, frame: Uint8Array): TreeNode {
  const { field, offset, length } = record;
  const value = valueText(record, frame);
  const text = `${field.label}${value === '' ? '' : `: ${value}`}`;
  const label = field.bits && field.mask ? `${bitPicture(record)} = ${text}` : text;
  return { field: field.name, label, value, offset, length, children: [] };
}

/** The value alone, as text. */
export function valueText({ field, at, size, value }: NodeRecord, frame: Uint8Array): string {
  const bytes = frame.subarray(at, at + size);
  switch (field.type) {
    case 'proto':
    case 'none':
      return '';
    case 'ether':
      return etherText(bytes);
    case 'ipv4':
      return ipv4Text(bytes);
    case 'ipv6':
      return ipv6Text(bytes);
    case 'text':
      return asciiText(bytes);
    case 'textz':
      return asciiText(untilNul(bytes));
    case 'apn':
      return apnText(bytes);
    case 'dnsname':
      return dnsNameText(frame, at, value);
    case 'hexbytes':
      return `0x${hex(bytes)}`;
    case 'ntptime':
      return ntpTimeText(bytes);
    case 'bytes':
      return hex(bytes.subarray(0, BYTES_SHOWN)) + (size > BYTES_SHOWN ? `… (${size} bytes)` : '');
    case 'fixed16':
      return (value / 65536).toFixed(6);
    case 'seconds256':
      return String(value / 256);
    case 'int8':
      return String((value << 24) >> 24);
    case 'plusone':
      return String(value + 1);
    case 'high':
      return String(value << maskShift(field.mask!));
    case 'flag':
      return value ? 'Set' : 'Not set';
    case 'words':
      return `${value * 4} bytes (${value})`;
    case 'octets8':
      return String(value * 8);
    case 'uint':
      return named(field, value, String(value), (text, name) => `${name} (${text})`);
    default: {
      const text = `0x${value.toString(16).padStart(Number(field.type.slice(3)), '0')}`;
      return named(field, value, text, (shown, name) => `${name} (${shown})`);
    }
  }
}

function named(
  field: Field,
  value: number,
  text: string,
  join: (text: string, name: string) => string,
): string {
  if (!field.names) return text;
  if (field.names === 'tcpflags') return `${text} (${tcpFlagNames(value)})`;
  const name = nameOf(field.names, value);
  return name ? join(text, name) : text;
}

/** `.... ..1.` : the field's bits in place, dots for the others. */
function bitPicture({ field, value }: NodeRecord): string {
  const bits = field.bits!;
  const mask = field.mask!;
  const shift = maskShift(mask);
  let picture = '';
  for (let bit = bits - 1; bit >= 0; bit--) {
    picture += mask & (1 << bit) ? String((value >>> (bit - shift)) & 1) : '.';
    if (bit % 4 === 0 && bit) picture += ' ';
  }
  return picture;
}

/** Children shown in the line of the node they belong to. */
const SUMMARY: Record<string, readonly (readonly [field: string, label: string])[]> = {
  eth: [['eth.src', 'Src'], ['eth.dst', 'Dst']],
  vlan: [['vlan.priority', 'PRI'], ['vlan.dei', 'DEI'], ['vlan.id', 'ID']],
  mpls: [['mpls.label', 'Label'], ['mpls.exp', 'Exp'], ['mpls.bottom', 'S'], ['mpls.ttl', 'TTL']],
  ip: [['ip.src', 'Src'], ['ip.dst', 'Dst']],
  ipv6: [['ipv6.src', 'Src'], ['ipv6.dst', 'Dst']],
  tcp: [['tcp.srcport', 'Src Port'], ['tcp.dstport', 'Dst Port'], ['tcp.seq_raw', 'Seq'], ['tcp.ack_raw', 'Ack']],
  udp: [['udp.srcport', 'Src Port'], ['udp.dstport', 'Dst Port']],
  sctp: [['sctp.srcport', 'Src Port'], ['sctp.dstport', 'Dst Port']],
  'dns.qry': [['dns.qry.name', 'Name'], ['dns.qry.type', 'Type']],
  'dns.resp': [['dns.resp.name', 'Name'], ['dns.resp.type', 'Type']],
  'tls.handshake': [['tls.handshake.type', 'Type']],
  'tls.handshake.extension': [['tls.handshake.extension.type', 'Type']],
  'tls.record': [['tls.record.content_type', 'Type']],
  'quic.packet': [['quic.long.packet_type', 'Type'], ['quic.long.packet_type_v2', 'Type']],
  'quic.frame': [['quic.frame_type', 'Type']],
  'dhcp.option': [['dhcp.option.type', 'Type']],
  'pfcp.ie': [['pfcp.ie_type', 'Type']],
  'lldp.tlv': [['lldp.tlv.type', 'Type']],
  'icmpv6.opt': [['icmpv6.opt.type', 'Type']],
  'sctp.chunk': [['sctp.chunk_type', 'Type']],
  'geneve.option': [['geneve.option.class', 'Class'], ['geneve.option.type', 'Type']],
}; // biome-ignore format: one protocol a line

function summaryLabel(node: TreeNode): string {
  const parts = (SUMMARY[node.field] ?? []).flatMap(([field, label]) => {
    const child = node.children.find((candidate) => candidate.field === field);
    return child ? [`${label}: ${child.value}`] : [];
  });
  const [opcode] = node.field === 'arp' ? node.children.filter((child) => child.field === 'arp.opcode') : [];
  if (opcode) return `${node.label} (${opcode.value.replace(/ \(\d+\)$/, '')})`;
  return [node.label, ...parts].join(', ');
}
