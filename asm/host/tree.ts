/** Builds TreeNode values from the module's flat node records: names, texts and nesting, as Wireshark words them. */
import type { Field } from './field.js';
import { FIELDS } from './fields.js';
import type { Module } from './module.js';
import { asciiText, dnsNameText, etherText, hex, ipv4Text, ipv6Text } from './text.js';
import type { TreeNode } from './types.js';
import { nameOf, tcpFlagNames } from './values.js';

const BYTES_SHOWN = 64;

/** One record of the module's node area. */
export interface NodeRecord {
  field: Field;
  depth: number;
  offset: number;
  length: number;
  /** The field's bits, shifted down. */
  value: number;
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
    };
  });
}

function unmask(raw: number, mask: number | undefined): number {
  if (!mask) return raw;
  const shift = 31 - Math.clz32(mask & -mask);
  return (raw & mask) >>> shift;
}

/** The tree; `frame` are the bytes that were decoded. */
export function buildTree(records: readonly NodeRecord[], frame: Uint8Array): TreeNode[] {
  const top: TreeNode[] = [];
  const open: TreeNode[][] = [top];
  for (const record of records) {
    const node = toNode(record, frame);
    open.length = Math.min(open.length, record.depth + 1);
    open.at(-1)!.push(node);
    open.push(node.children);
  }
  for (const node of top) node.label = summaryLabel(node);
  return top;
}

function toNode(record: NodeRecord, frame: Uint8Array): TreeNode {
  const { field, offset, length } = record;
  const value = valueText(record, frame);
  const text = `${field.label}${value === '' ? '' : `: ${value}`}`;
  const label = field.bits && field.mask ? `${bitPicture(record)} = ${text}` : text;
  return { field: field.name, label, value, offset, length, children: [] };
}

/** The value alone, as text. */
export function valueText({ field, offset, length, value }: NodeRecord, frame: Uint8Array): string {
  const bytes = frame.subarray(offset, offset + length);
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
    case 'dnsname':
      return dnsNameText(bytes);
    case 'bytes':
      return hex(bytes.subarray(0, BYTES_SHOWN)) + (length > BYTES_SHOWN ? `… (${length} bytes)` : '');
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
  const shift = 31 - Math.clz32(mask & -mask);
  let picture = '';
  for (let bit = bits - 1; bit >= 0; bit--) {
    picture += mask & (1 << bit) ? String((value >>> (bit - shift)) & 1) : '.';
    if (bit % 4 === 0 && bit) picture += ' ';
  }
  return picture;
}

/** Children shown in a protocol's own line. */
const SUMMARY: Record<string, readonly (readonly [field: string, label: string])[]> = {
  eth: [['eth.src', 'Src'], ['eth.dst', 'Dst']],
  vlan: [['vlan.priority', 'PRI'], ['vlan.dei', 'DEI'], ['vlan.id', 'ID']],
  mpls: [['mpls.label', 'Label'], ['mpls.exp', 'Exp'], ['mpls.bottom', 'S'], ['mpls.ttl', 'TTL']],
  ip: [['ip.src', 'Src'], ['ip.dst', 'Dst']],
  ipv6: [['ipv6.src', 'Src'], ['ipv6.dst', 'Dst']],
  tcp: [['tcp.srcport', 'Src Port'], ['tcp.dstport', 'Dst Port'], ['tcp.seq_raw', 'Seq'], ['tcp.ack_raw', 'Ack']],
  udp: [['udp.srcport', 'Src Port'], ['udp.dstport', 'Dst Port']],
  sctp: [['sctp.srcport', 'Src Port'], ['sctp.dstport', 'Dst Port']],
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
