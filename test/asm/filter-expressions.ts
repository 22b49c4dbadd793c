/** Random filter expressions and packets to compare verdicts on, made from a seed. */
import { shapeOf } from '../../asm/host/filter/linktypes.js';
import type { Packet } from './captures.js';
import { arpRequest, be16, ether, FRAMES, ipv4, ipv6, join, tcp, udp, vlan } from './captures.js';

export type Next = (below: number) => number;

const syn = ether(0x800, ipv4(6, tcp(40000, 80, [], { flags: 2 })));
const arp = ether(0x806, arpRequest(), 'ffffffffffff');
const six = ether(0x86dd, ipv6(17, udp(53, 5000)));
const tagged = ether(0x8100, vlan(7, 0x800, ipv4(6, tcp(40000, 80))));
const geneve = ether(
  0x800,
  ipv4(17, udp(9, 6081, join([0, 0, 0x65, 0x58, 0, 0, 5, 0], ether(0x800, ipv4(6, tcp(1, 443)))))),
);
const KINDS = [...FRAMES.map(({ bytes }) => bytes), syn, arp, six, tagged, geneve];

function relation(next: Next, pick: (...choices: string[]) => string): string {
  const value = pick(
    'ip[8]', 'ip[6:2] & 0x1fff', 'tcp[13]', 'udp[4:2]', 'len', 'ether[0] & 1', 'icmp[0]', 'ip6[6]', 'tcp[tcpflags]',
    'ip[2:2] - ((ip[0] & 0xf) << 2)', 'link[12:2]', 'ip[9] * 2 % 7 + 1', 'ip[8] ^ 3 & 1', 'icmp6[icmp6type]',
    'ether[ip[0] & 3]', 'tcp[(ip[9] & 7):2]', 'len - 14', 'arp[6:2]', 'udp[ip[9] - 17]', '-ip[8] >> 3', 'ip[8] / 3',
    'tcp[2:2] | udp[2:2]', 'ip6[4:2] + 40', '(ip[8] + 1) << (ip[9] & 3)',
  ); // biome-ignore format: a list
  const right = pick('0', '1', '2', '8', '17', '64', 'ip[8]', '0x800', 'len', 'tcp-syn');
  return next(8) === 0
    ? `${right} ${pick('=', '<', '>')} ${value}`
    : `${value} ${pick('=', '==', '!=', '<', '>', '<=', '>=')} ${right}`;
}

/** Words of all layers over few values, so that many match. */
export function primitive(next: Next): string {
  const pick = (...choices: string[]): string => choices[next(choices.length)]!;
  const direction = pick('', 'src ', 'dst ', 'src or dst ', 'src and dst ');
  switch (next(16)) {
    case 0:
      return `${pick('', 'ip ', 'arp ')}${direction}host 10.0.0.${next(4)}`;
    case 1:
      return `${pick('', 'tcp ', 'udp ')}${direction}port ${pick('53', '80', '443', 'http', 'domain', String(next(12)))}`;
    case 2:
      return `${direction}net ${pick('10.0.0.0/30', '10.0.0.0/24', '10.0.0.2/31', '10', '10.0', '0.0.0.0/0', 'fd00::/8', '::/0')}`;
    case 3:
      return `${pick('', 'udp ')}${direction}portrange ${pick('1-100', '50-60', '1000-50000', 'ftp-https')}`;
    case 4:
      return pick(
        'ip',
        'ip6',
        'arp',
        'tcp',
        'udp',
        'icmp',
        'icmp6',
        'sctp',
        'igmp',
        'rarp',
        'ah',
        'esp',
        'pim',
        'vrrp',
      );
    case 5:
    case 6:
      return relation(next, pick);
    case 7:
      return `${pick('ip', 'ip6', '')} proto ${pick('1', '6', '17', '47', '58', '\\tcp', '\\udp')}`;
    case 8:
      return pick(
        'ether broadcast',
        'ether multicast',
        'ip multicast',
        'ip6 multicast',
        'broadcast',
        'multicast',
      );
    case 9:
      return pick('vlan', 'mpls', 'vlan 7', 'pppoes', 'pppoed', 'mpls 16', 'pppoes 1');
    case 10:
      return `${pick('greater', 'less')} ${pick('40', '54', '60', '100')}`;
    case 11:
      return pick(
        'iso',
        'clnp',
        'isis',
        'esis',
        'stp',
        'ipx',
        'netbeui',
        'atalk',
        'aarp',
        'decnet',
        'lat',
        'l1',
        'iih',
        'csnp',
      );
    case 12:
      return `ether ${direction}host 02:00:00:00:00:0${1 + next(2)}`;
    case 13:
      return pick(
        'llc',
        'llc s',
        'llc u',
        'llc i',
        'llc ui',
        'ether proto 0x800',
        'ether proto \\arp',
        'ether proto 0x42',
      );
    case 14:
      return pick(
        'ip protochain 6',
        'ip6 protochain 17',
        'protochain \\udp',
        'decnet src host 1.5',
        'iso proto 0x83',
        'isis proto 15',
      );
    default:
      return `${direction}host fd00::${next(4)}`;
  }
}

export function expression(next: Next, depth: number, leaf: (next: Next) => string): string {
  const pick = (...choices: string[]): string => choices[next(choices.length)]!;
  if (depth === 0 || next(3) === 0) return leaf(next);
  const left = expression(next, depth - 1, leaf);
  const inner = `${left} ${pick('and', 'or', '&&', '||')} ${expression(next, depth - 1, leaf)}`;
  return pick(inner, inner, `(${inner})`, `not (${inner})`, `! ${inner}`);
}

/** Whole frames of all kinds, padded so that no load of these filters runs past them. */
export const whole = (next: Next, amount: number): Packet[] =>
  Array.from({ length: amount }, () => ({ bytes: join(KINDS[next(KINDS.length)]!, new Uint8Array(64)) }));

/** Frames cut short or with bytes changed: verdicts then depend on the order of loads. */
export const broken = (next: Next, amount: number): Packet[] =>
  whole(next, amount).map(({ bytes }) => {
    const out = next(2) === 0 ? bytes.slice(0, 1 + next(bytes.length)) : bytes.slice();
    for (let i = next(3); i > 0; i--) out[next(out.length)] = next(256);
    return { bytes: out, wirelen: bytes.length };
  });

/** Constant indexes wrap around only once the optimizer has added them to the offset. */
export const WRAPPED = [
  'ip[-1] < 8',
  'udp[-2:2] = 17',
  'ip[0xfffffffe] & 1 = 0',
  'ether[-1] = 0',
  'ip[-1] = ip[-2]',
];

/** A division that often is by zero, which rejects: but not once the optimizer has seen it without effect. */
export const divided = (next: Next): string => (next(20) ? primitive(next) : 'ip[8] / (ip[1]) <= ip[8]');

/** Link types libpcap has rules for. */
export const LINKTYPES = [
  0, 6, 7, 8, 9, 10, 50, 51, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 112, 113, 114, 117, 119, 122, 123,
  127, 129, 130, 132, 133, 135, 136, 137, 138, 140, 163, 164, 165, 166, 178, 192, 197, 226, 228, 229, 238, 240, 241,
  276,
]; // biome-ignore format: a list
export const WLAN = new Set([105, 119, 127, 163, 192]);
export const PFLOG = 117;
const TYPES = [
  0x800, 0x86dd, 0x806, 0x21, 0x57, 0x200, 0x1800, 0x2, 0x26, 4, 0xd400, 0xc400, 0x281, 0x8847, 0x8100,
];

/** Words of single link types; `type` and the like are BEYOND on some. */
export function linkPrimitive(next: Next): string {
  const pick = (...choices: string[]): string => choices[next(choices.length)]!;
  switch (next(7)) {
    case 0:
      return pick(
        'inbound',
        'outbound',
        'ifindex 2',
        'link[0] & 1 = 1',
        'link[2:2] > 8',
        'byte 3 = 1',
        'byte 1 > 7',
      );
    case 1:
      return pick(
        'type mgt',
        'type data',
        'type ctl subtype ack',
        'subtype beacon',
        'dir tods',
        'type data subtype qos-data',
      );
    case 2:
      return `wlan ${pick('src', 'dst', 'addr1', 'addr2', 'addr3', 'addr4', 'ra', 'ta')} 02:00:00:00:00:01`;
    case 3:
      return pick(
        'vpi 1',
        'vci 5',
        'lane',
        'llc',
        'metac',
        'oam',
        'connectmsg',
        'vci > 3',
        'sio 1',
        'opc 3',
        'fisu',
        'lssu',
        'msu',
        'hmsu',
        'sls 1',
      );
    case 4:
      return pick('on eth0', 'rnr 3', 'reason match', 'action pass', 'radio[0] = 0');
    default:
      return primitive(next);
  }
}
/**
 * For headers of variable length: libpcap keeps their offsets in cells that arithmetic before their first
 * use has overwritten, and with two such headers reads cells it never set. Here they are kept apart.
 * And where a link has no offset at all, constant indexes wrap, see WRAPPED.
 */
export const onVariable = (next: Next): string => {
  for (;;) {
    const text = linkPrimitive(next);
    if (!/geneve|pppoes|\[|len/.test(text)) return text;
  }
};

/** Bytes with the link's type field and a network header where they belong, often; and often cut. */
export function linkPacket(next: Next, linktype: number): Packet {
  const shape = shapeOf(linktype);
  const bytes = Uint8Array.from({ length: 160 }, () => (next(3) ? next(4) : next(256)));
  const put = (at: number, part: ArrayLike<number>): void => {
    if (at + part.length <= bytes.length) bytes.set(part, at);
  };
  const ip = [ipv4(6, tcp(40000, 80)), ipv4(17, udp(53, 9)), ipv6(17, udp(53, 9)), ipv6(6, tcp(1, 443))][
    next(4)
  ]!;
  let payload = (shape.payload + shape.network) >>> 0;
  if (WLAN.has(linktype)) {
    const radio = linktype === 105 ? 0 : linktype === 119 ? 144 : 8 + next(24);
    put(0, linktype === 163 ? [0, 0, 0, 1, 0, 0, 0, radio] : [0, 0, radio, 0, next(4) ? 0 : 2, 0, 0, 0]);
    if (linktype === 192 && next(4)) put(4, [105, 0, 0, 0]);
    const control = [0x08, 0x88, 0x80, 0xb4, 0xd4, 0x48][next(6)]!;
    put(radio, [control, next(4), 0, 0, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, next(3), 2, 0, 0, 0, 0, 1]);
    const body = radio + 24 + (control === 0x88 ? 2 : 0);
    put(body, [0xaa, 0xaa, 3, 0, 0, 0, ...be16(TYPES[next(3)]!)]);
    payload = body + 8;
  } else if (shape.family === 'juniper') put(0, [0x4d, 0x47, 0x43, next(4)]);
  else if (shape.network === 8) put(shape.payload, [0xaa, 0xaa, 3, 0, 0, 0, ...be16(TYPES[next(3)]!)]);
  else put(shape.type, be16(TYPES[next(TYPES.length)]!));
  if (linktype === 0 || linktype === 109)
    put(
      0,
      [
        [2, 0, 0, 0],
        [24, 0, 0, 0],
        [30, 0, 0, 0],
      ][next(3)]!,
    );
  put(payload, ip);
  const length = next(3) ? bytes.length : 1 + next(bytes.length);
  return { bytes: bytes.slice(0, length), wirelen: bytes.length };
}
