/** A parsed filter in words, fully parenthesized, so that one sees what `and`, `or` and `not` apply to. */
import type { Arith, Direction, Expr, Id, Primitive, Qualifiers } from './ast.js';

const RELATIONS = {
  '=': 'equals',
  '!=': 'differs from',
  '<': 'is less than',
  '<=': 'is at most',
  '>': 'is greater than',
  '>=': 'is at least',
} as const;
const DIRECTIONS: Record<Direction, string> = {
  src: 'source',
  dst: 'destination',
  or: 'source or destination',
  and: 'source and destination',
  addr1: 'first',
  addr2: 'second',
  addr3: 'third',
  addr4: 'fourth',
  ra: 'receiver',
  ta: 'transmitter',
};
const SIZES = { 1: 'byte', 2: 'two bytes', 4: 'four bytes' } as const;
const TYPE_MASK = 0x0c;

export function inWords(expr: Expr): string {
  switch (expr.kind) {
    case 'and':
    case 'or':
      return `(${inWords(expr.left)} ${expr.kind} ${inWords(expr.right)})`;
    case 'not':
      return `not ${inWords(expr.operand)}`;
    default:
      return primitive(expr);
  }
}

function primitive(expr: Primitive): string {
  switch (expr.kind) {
    case 'id':
      return identified(expr.qualifiers, expr.id);
    case 'protocol':
      return `the packet is ${expr.name}`;
    case 'cast':
      return `the ${!expr.protocol || expr.protocol === 'link' ? 'link-layer' : expr.protocol} destination is ${expr.which}`;
    case 'shift': {
      const number = expr.number === undefined ? '' : ` ${expr.number}`;
      const moves = expr.which === 'pppoed' ? '' : ', and what follows is counted from behind it';
      return `there is a ${expr.which}${number} header${moves}`;
    }
    case 'way':
      return `the packet went ${expr.inbound ? 'in' : 'out'}`;
    case 'relation':
      return `${arith(expr.left)} ${RELATIONS[expr.operator]} ${arith(expr.right)}`;
    case 'byte':
      return `byte ${expr.index} of the link layer ${expr.operator} ${expr.value}`;
    case 'ifindex':
      return `the interface index is ${expr.value}`;
    case 'pflog':
      return `the log's ${expr.field} is ${expr.value}`;
    case 'wlan':
      return wlan(expr);
    case 'llc':
      return expr.control
        ? `the LLC control byte under ${hex(expr.control.mask)} is ${hex(expr.control.value)}`
        : 'there is an LLC header';
    case 'atm':
    case 'signal':
      return `the frame is ${expr.name}`;
    case 'field':
      return `${expr.name} ${RELATIONS[expr.operator]} ${expr.value}`;
  }
}

function wlan({ byte, value, mask }: Primitive & { kind: 'wlan' }): string {
  const field = byte === 1 ? 'direction' : mask === TYPE_MASK ? 'type' : 'type and subtype';
  return `the 802.11 ${field} under ${hex(mask)} is ${hex(value)}`;
}

function identified({ protocol, direction = 'or', type = 'host' }: Qualifiers, id: Id): string {
  const name = idInWords(id);
  const of = protocol && protocol !== 'link' ? `${protocol} ` : '';
  switch (type) {
    case 'port':
      return `the ${of}${DIRECTIONS[direction]} port is ${name}`;
    case 'portrange':
      return `the ${of}${DIRECTIONS[direction]} port is within ${name}`;
    case 'net':
      return `the ${of}${DIRECTIONS[direction]} address is within ${name}`;
    case 'proto':
      return protocol === 'link' ? `the ethertype is ${name}` : `the ${protocol ?? 'IP'} protocol is ${name}`;
    case 'protochain':
      return `${name} is in the ${protocol ?? 'IP'} chain of headers`;
    case 'gateway':
      return `${name} was the gateway`;
    default:
      return `the ${protocol === 'link' ? 'link-layer ' : of}${DIRECTIONS[direction]} address is ${name}`;
  }
}

function idInWords(id: Id): string {
  switch (id.kind) {
    case 'number':
      return String(id.value);
    case 'ipv4':
      return id.mask === 0xffffffff ? dotted(id.address) : `${dotted(id.address)} mask ${dotted(id.mask)}`;
    case 'ipv6': {
      const groups = id.words.flatMap((word) => [word >>> 16, word & 0xffff]);
      const text = groups.map((group) => group.toString(16)).join(':');
      return id.prefix === 128 ? text : `${text}/${id.prefix}`;
    }
    case 'mac':
      return id.bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    case 'arcnet':
      return hex(id.byte);
    case 'name':
      return id.text;
  }
}

function arith(node: Arith): string {
  switch (node.kind) {
    case 'constant':
      return String(node.value);
    case 'length':
      return "the packet's length";
    case 'load': {
      const of = node.protocol === 'link' ? 'the link layer' : node.protocol;
      return `the ${SIZES[node.size]} of ${of} at ${arith(node.index)}`;
    }
    case 'negate':
      return `-${arith(node.operand)}`;
    case 'binary':
      return `(${arith(node.left)} ${node.operator} ${arith(node.right)})`;
  }
}

const hex = (value: number): string => `0x${value.toString(16)}`;
const dotted = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
