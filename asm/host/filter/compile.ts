/**
 * A parsed filter to a program for one linktype, after libpcap's gencode rules: the same packets match,
 * also cut ones, because loads happen in the same order.
 */
import { FilterError } from '../errors.js';
import { address, broadcast, multicast } from './addresses.js';
import type { Expr, Id, Primitive, Qualifiers } from './ast.js';
import { carries, ETHERTYPE, SAP } from './carries.js';
import { Arithmetic, COMPARISONS } from './compile-arith.js';
import { Link, LinkError } from './link.js';
import { LINKTYPE_PPI } from './linktypes.js';
import { ETHERTYPES, IP_PROTOCOLS, ISIS_PDUS, OSI_PROTOCOLS } from './names.js';
import { ports } from './ports.js';
import type { Block, Insn } from './program.js';
import { ALWAYS, aluConstant, and, assemble, loadAbsolute, NEVER, not, or, test } from './program.js';
import { protochain } from './protochain.js';
import { shift } from './shift.js';
import { special } from './special.js';

const NEXT_FRAGMENT = 44;
const IP_ONLY = new Set(['icmp', 'igmp', 'igrp', 'vrrp', 'carp']);
const LINK_PROTOCOLS = new Set([
  'ip', 'arp', 'rarp', 'ip6', 'atalk', 'aarp', 'mopdl', 'moprc', 'decnet', 'lat', 'sca', 'iso', 'stp', 'ipx', 'netbeui',
]); // biome-ignore format: a list of words
/** Room of the module for all programs together. */
const PROGRAM_MAX = 16384;
/** PPI's linktype field, little-endian, for 802.11. */
const PPI_WLAN = 0x69000000;

export interface CompileOptions {
  linktype: number;
  /** The section is in the other byte order (matters to LINKTYPE_NULL). */
  swapped?: boolean;
  /** The capture may say of each packet which way it went (pcapng's epb_flags). */
  directions?: boolean;
  /** Take primitives that this linktype cannot have as never matching: used to check an expression. */
  lenient?: boolean;
}

/** Throws FilterError; LinkError when only this linktype is the problem. */
export function compileFilter(expr: Expr, options: CompileOptions): Insn[] {
  const compiler = new Compiler(options);
  const block = compiler.block(expr);
  const guard =
    compiler.link.shape.family === 'wlan' && options.linktype === LINKTYPE_PPI
      ? test([loadAbsolute(4, 4)], 'eq', PPI_WLAN)
      : ALWAYS;
  const program = assemble(block, compiler.link.preamble(), guard);
  if (program.length > PROGRAM_MAX)
    throw new LinkError(`the filter compiles to ${program.length} instructions, more than ${PROGRAM_MAX}`, 0);
  return program;
}

export class Compiler {
  readonly link: Link;
  readonly directions: boolean;
  readonly #lenient: boolean;

  constructor({ linktype, swapped = false, directions = false, lenient = false }: CompileOptions) {
    this.link = new Link(linktype, swapped);
    this.directions = directions;
    this.#lenient = lenient;
  }

  block(expr: Expr): Block {
    switch (expr.kind) {
      case 'and':
        return and(this.block(expr.left), this.block(expr.right));
      case 'or':
        return or(this.block(expr.left), this.block(expr.right));
      case 'not':
        return not(this.block(expr.operand));
      default:
        return this.#primitive(expr);
    }
  }

  #primitive(expr: Primitive): Block {
    try {
      return this.#generate(expr);
    } catch (error) {
      if (this.#lenient && error instanceof LinkError) return NEVER;
      throw error;
    }
  }

  #generate(expr: Primitive): Block {
    const { at } = expr;
    switch (expr.kind) {
      case 'protocol':
        return this.protocol(expr.name, at);
      case 'relation':
        return new Arithmetic(this).relation(expr.operator, expr.left, expr.right, at);
      case 'cast':
        return expr.which === 'broadcast'
          ? broadcast(this.link, expr.protocol, at)
          : multicast(this.link, expr.protocol, at);
      case 'shift':
        return shift(this, expr.which, expr.number, at);
      case 'id':
        return this.#identified(expr.qualifiers, expr.id, at);
      case 'byte':
        return this.#byte(expr);
      default:
        return special(this, expr);
    }
  }

  /** A protocol word alone. */
  protocol(name: string, at: number): Block {
    if (name === 'link')
      throw new FilterError('a link-layer word alone is no primitive: add host, proto or broadcast', at);
    if (LINK_PROTOCOLS.has(name)) return carries(this.link, ETHERTYPES[name]!, at);
    const osi = Object.hasOwn(OSI_PROTOCOLS, name) ? OSI_PROTOCOLS[name] : undefined;
    if (osi !== undefined) return this.#osi(osi, at);
    const pdus = Object.hasOwn(ISIS_PDUS, name) ? ISIS_PDUS[name] : undefined;
    if (pdus) return or(...pdus.map((pdu) => this.#isis(pdu, at)));
    const number = IP_PROTOCOLS[name];
    if (number === undefined) throw new FilterError(`'${name}' alone is no primitive`, at);
    if (name === 'icmp6') return this.#ip6Protocol(number, at);
    if (IP_ONLY.has(name)) return this.#ip4Protocol(number, at);
    return or(this.#ip4Protocol(number, at), this.#ip6Protocol(number, at));
  }

  #ip4Protocol(number: number, at: number): Block {
    return and(carries(this.link, ETHERTYPE.ipv4, at), this.link.compare('network', 9, 1, number));
  }

  /** The protocol follows the IPv6 header, or a fragment header right after it. */
  #ip6Protocol(number: number, at: number): Block {
    const is = carries(this.link, ETHERTYPE.ipv6, at);
    const next = (value: number): Block => this.link.compare('network', 6, 1, value);
    return and(is, or(next(number), and(next(NEXT_FRAGMENT), this.link.compare('transport6', 0, 1, number))));
  }

  #osi(number: number, at: number): Block {
    switch (this.link.shape.family) {
      case 'frame-relay':
        return this.link.compare('header', 2, 2, 0x0300 | number);
      case 'hdlc':
        // A byte of stuffing comes between (ISO 9577 in Cisco's HDLC).
        return and(carries(this.link, SAP.iso, at), this.link.compare('no-snap', 1, 1, number));
      default:
        return and(carries(this.link, SAP.iso, at), this.link.compare('no-snap', 0, 1, number));
    }
  }

  #isis(pdu: number, at: number): Block {
    return and(this.#osi(OSI_PROTOCOLS.isis!, at), this.link.compare('no-snap', 4, 1, pdu));
  }

  #identified(qualifiers: Qualifiers, id: Id, at: number): Block {
    switch (qualifiers.type) {
      case 'gateway':
        throw new FilterError(
          "'gateway' needs a name resolver, which is not here: use ether host MAC and not host ADDRESS",
          at,
        );
      case 'port':
      case 'portrange':
        return ports(this, qualifiers, id, at);
      case 'proto':
      case 'protochain':
        return this.#numbered(qualifiers, id, at);
      default:
        return address(this.link, qualifiers, id, at);
    }
  }

  /** `proto N`, `ip proto N`, `ip6 proto N`, `ether proto N`, `iso proto N`, `isis proto N`, protochain. */
  #numbered({ protocol, type }: Qualifiers, id: Id, at: number): Block {
    const table = protocol === 'link' ? ETHERTYPES : protocol === 'iso' ? OSI_PROTOCOLS : IP_PROTOCOLS;
    const named = id.kind === 'name' && Object.hasOwn(table, id.text) ? table[id.text] : undefined;
    const number = id.kind === 'number' ? id.value : named;
    if (number === undefined) throw new FilterError('unknown protocol: write its number', at);
    if (type === 'protochain') return protochain(this.link, protocol, number, at);
    switch (protocol) {
      case undefined:
        return or(this.#ip4Protocol(number, at), this.#ip6Protocol(number, at));
      case 'ip':
        return this.#ip4Protocol(number, at);
      case 'ip6':
        return this.#ip6Protocol(number, at);
      case 'link':
        return carries(this.link, number, at);
      case 'iso':
        return this.#osi(number, at);
      case 'isis':
        return this.#isis(number, at);
      default:
        throw new FilterError(`'${protocol}' cannot qualify 'proto'`, at);
    }
  }

  /** `byte 5 & 1`: true when the result is not 0. */
  #byte({ index, operator, value }: Primitive & { kind: 'byte' }): Block {
    const code = this.link.load('header', index, 1);
    if (operator === '&' || operator === '|')
      return not(test([...code, aluConstant(operator, value)], 'eq', 0));
    const [comparison, turned] = COMPARISONS[operator];
    const block = test(code, comparison, value);
    return turned ? not(block) : block;
  }
}
