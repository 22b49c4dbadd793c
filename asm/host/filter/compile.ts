/**
 * A parsed filter to a program for one linktype, after libpcap's gencode rules: the same packets match,
 * also cut ones, because loads happen in the same order.
 */
import { FilterError } from '../errors.js';
import type { Direction, Expr, Id, Qualifiers, Relation } from './ast.js';
import { Arithmetic } from './compile-arith.js';
import {
  compare,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_RARP,
  Link,
  LinkError,
} from './link.js';
import { ETHERTYPES, IP_PROTOCOLS, PORTS } from './names.js';
import { promoteNet } from './parser.js';
import type { Block, Insn } from './program.js';
import {
  and,
  assemble,
  loadAbsolute,
  loadHeaderLength,
  loadIndexed,
  NEVER,
  not,
  or,
  test,
} from './program.js';

const FRAGMENT_OFFSET_BITS = 0x1fff;
const IPV6_HEADER = 40;
const NEXT_FRAGMENT = 44;
const PORT_PROTOCOLS: Record<string, number> = { tcp: 6, udp: 17, sctp: 132 };
/** Order in which libpcap asks for the three when none is named. */
const PORT_ORDER = [132, 6, 17];
const LLC_STP = 0x42;
const IP_ONLY = new Set(['icmp', 'igmp', 'igrp', 'vrrp', 'carp']);

export interface CompileOptions {
  linktype: number;
  /** The section is in the other byte order (matters to LINKTYPE_NULL). */
  swapped?: boolean;
  /** Take primitives that this linktype cannot have as never matching: used to check an expression. */
  lenient?: boolean;
}

/** Throws FilterError; LinkError when only this linktype is the problem. */
export function compileFilter(expr: Expr, options: CompileOptions): Insn[] {
  return assemble(new Compiler(options).block(expr));
}

export class Compiler {
  readonly link: Link;
  readonly #lenient: boolean;

  constructor({ linktype, swapped = false, lenient = false }: CompileOptions) {
    this.link = new Link(linktype, swapped);
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

  #primitive(expr: Exclude<Expr, { kind: 'and' | 'or' | 'not' }>): Block {
    try {
      return this.#generate(expr);
    } catch (error) {
      if (this.#lenient && error instanceof LinkError) return NEVER;
      throw error;
    }
  }

  #generate(expr: Exclude<Expr, { kind: 'and' | 'or' | 'not' }>): Block {
    const { at } = expr;
    switch (expr.kind) {
      case 'protocol':
        return this.protocol(expr.name, at);
      case 'relation':
        return this.#relation(expr.operator, expr);
      case 'cast':
        return expr.which === 'broadcast'
          ? this.#broadcast(expr.protocol, at)
          : this.#multicast(expr.protocol, at);
      case 'shift':
        return this.#shift(expr.which, expr.number, at);
      case 'way':
        return this.link.way(expr.inbound, at);
      case 'id':
        return this.#identified(expr.qualifiers, expr.id, at);
    }
  }

  #shift(which: 'vlan' | 'mpls' | 'pppoed' | 'pppoes', number: number | undefined, at: number): Block {
    const limits = { vlan: 0xfff, mpls: 0xfffff, pppoes: 0xffff, pppoed: 0 };
    if (number !== undefined && number > limits[which])
      throw new FilterError(`${which} number ${number} is greater than the maximum of ${limits[which]}`, at);
    switch (which) {
      case 'vlan':
        return this.link.vlan(number, at);
      case 'mpls':
        return this.link.mpls(number, at);
      case 'pppoed':
        return this.link.pppoeDiscovery(at);
      default:
        return this.link.pppoeSession(number, at);
    }
  }

  /** A protocol word alone. */
  protocol(name: string, at: number): Block {
    if (name === 'link')
      throw new FilterError('a link-layer word alone is no primitive: add host, proto or broadcast', at);
    if (name === 'stp') return this.link.carries(LLC_STP, at);
    const ethertype = ETHERTYPES[name];
    if (ethertype !== undefined) return this.link.carries(ethertype, at);
    const number = IP_PROTOCOLS[name]!;
    if (name === 'icmp6') return this.#ip6Protocol(number, at);
    if (IP_ONLY.has(name)) return this.#ip4Protocol(number, at);
    return or(this.#ip4Protocol(number, at), this.#ip6Protocol(number, at));
  }

  #ip4Protocol(number: number, at: number): Block {
    return and(this.link.carries(ETHERTYPE_IPV4, at), compare(this.link.network(at) + 9, 1, number));
  }

  /** The protocol follows the IPv6 header, or a fragment header right after it. */
  #ip6Protocol(number: number, at: number): Block {
    const carries = this.link.carries(ETHERTYPE_IPV6, at);
    const network = this.link.network(at);
    const fragment = and(compare(network + 6, 1, NEXT_FRAGMENT), compare(network + IPV6_HEADER, 1, number));
    return and(carries, or(compare(network + 6, 1, number), fragment));
  }

  /** True unless the packet is an IPv4 fragment other than the first. */
  notFragment(at: number): Block {
    return not(test([loadAbsolute(this.link.network(at) + 6, 2)], 'set', FRAGMENT_OFFSET_BITS));
  }

  #relation(operator: Relation, { left, right, at }: Expr & { kind: 'relation' }): Block {
    return new Arithmetic(this).relation(operator, left, right, at);
  }

  #broadcast(protocol: string | undefined, at: number): Block {
    if (protocol === 'ip')
      throw new FilterError(
        "'ip broadcast' needs the network's mask, which a capture does not tell: use net",
        at,
      );
    if (protocol && protocol !== 'link') throw new FilterError('only link-layer broadcast is supported', at);
    if (!this.link.isEthernet) this.link.fail('no broadcast', at);
    return this.#ether([255, 255, 255, 255, 255, 255], 'dst', at);
  }

  #multicast(protocol: string | undefined, at: number): Block {
    if (protocol === 'ip') {
      const carries = this.link.carries(ETHERTYPE_IPV4, at);
      return and(carries, test([loadAbsolute(this.link.network(at) + 16, 1)], 'ge', 224));
    }
    if (protocol === 'ip6')
      return and(this.link.carries(ETHERTYPE_IPV6, at), compare(this.link.network(at) + 24, 1, 255));
    if (protocol && protocol !== 'link') throw new FilterError('only ether, ip and ip6 have multicast', at);
    if (!this.link.isEthernet) this.link.fail('no multicast', at);
    return test([loadAbsolute(this.link.header, 1)], 'set', 1);
  }

  #identified(qualifiers: Qualifiers, id: Id, at: number): Block {
    switch (qualifiers.type) {
      case 'port':
      case 'portrange':
        return this.#ports(qualifiers, id, at);
      case 'proto':
        return this.#numbered(qualifiers, id, at);
      default:
        return this.#address(qualifiers, id, at);
    }
  }

  #address(qualifiers: Qualifiers, id: Id, at: number): Block {
    const { protocol, direction = 'or', type } = qualifiers;
    switch (id.kind) {
      case 'mac':
        if (protocol !== 'link')
          throw new FilterError("an Ethernet address needs 'ether' before it: ether host", at);
        return this.#ether(id.bytes, direction, at);
      case 'ipv6':
        if (id.masked && type !== 'net')
          throw new FilterError('a prefix length is for networks only: use net', at);
        return this.#host6(protocol, id, direction, at);
      case 'ipv4':
        if (id.masked && type !== 'net') throw new FilterError('a mask is for networks only: use net', at);
        return this.#host4(protocol, id.address, id.mask, direction, at);
      case 'number': {
        const address = type === 'net' ? promoteNet(id.value) : id.value;
        const mask = type === 'net' ? netMask(id.value) : 0xffffffff;
        return this.#host4(protocol, address, mask, direction, at);
      }
      default:
        throw new FilterError('names are not resolved: write the address', at);
    }
  }

  #host4(
    protocol: string | undefined,
    address: number,
    mask: number,
    direction: Direction,
    at: number,
  ): Block {
    const ip = (): Block => this.#word(ETHERTYPE_IPV4, 12, 16, address, mask, direction, at);
    const arp = (type: number): Block => this.#word(type, 14, 24, address, mask, direction, at);
    switch (protocol) {
      case undefined:
        return this.link.labelled ? ip() : or(ip(), arp(ETHERTYPE_ARP), arp(ETHERTYPE_RARP));
      case 'ip':
        return ip();
      case 'arp':
        return arp(ETHERTYPE_ARP);
      case 'rarp':
        return arp(ETHERTYPE_RARP);
      case 'link':
        throw new FilterError('ether host takes an Ethernet address', at);
      default:
        throw new FilterError(`'${protocol}' cannot qualify an IPv4 address`, at);
    }
  }

  #word(
    type: number,
    src: number,
    dst: number,
    address: number,
    mask: number,
    direction: Direction,
    at: number,
  ): Block {
    const one = (offset: number): Block =>
      and(this.link.carries(type, at), compare(this.link.network(at) + offset, 4, address, mask));
    return either(
      direction,
      () => one(src),
      () => one(dst),
    );
  }

  #host6(protocol: string | undefined, id: Id & { kind: 'ipv6' }, direction: Direction, at: number): Block {
    if (protocol !== undefined && protocol !== 'ip6')
      throw new FilterError(`'${protocol}' cannot qualify an IPv6 address`, at);
    const one = (offset: number): Block => {
      const start = this.link.network(at) + offset;
      const words = [0, 1, 2, 3].map((i) => {
        const bits = Math.min(32, Math.max(0, id.prefix - i * 32));
        return compare(start + i * 4, 4, id.words[i]!, bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0);
      });
      return and(this.link.carries(ETHERTYPE_IPV6, at), ...words);
    };
    return either(
      direction,
      () => one(8),
      () => one(24),
    );
  }

  #ether(bytes: readonly number[], direction: Direction, at: number): Block {
    if (!this.link.isEthernet) this.link.fail('no Ethernet address', at);
    const value = (from: number, size: number): number =>
      bytes.slice(from, from + size).reduce((sum, byte) => sum * 256 + byte, 0);
    const one = (offset: number): Block => {
      const start = this.link.header + offset;
      return and(compare(start + 2, 4, value(2, 4)), compare(start, 2, value(0, 2)));
    };
    return either(
      direction,
      () => one(6),
      () => one(0),
    );
  }

  /** `proto N`, `ip proto N`, `ip6 proto N`, `ether proto N`. */
  #numbered({ protocol, direction }: Qualifiers, id: Id, at: number): Block {
    if (direction) throw new FilterError("src and dst do not apply to 'proto'", at);
    const table = protocol === 'link' ? ETHERTYPES : IP_PROTOCOLS;
    const number = id.kind === 'number' ? id.value : id.kind === 'name' ? table[id.text] : undefined;
    if (number === undefined) throw new FilterError('unknown protocol: write its number', at);
    switch (protocol) {
      case undefined:
        return or(this.#ip4Protocol(number, at), this.#ip6Protocol(number, at));
      case 'ip':
        return this.#ip4Protocol(number, at);
      case 'ip6':
        return this.#ip6Protocol(number, at);
      case 'link':
        return this.link.carries(number, at);
      default:
        throw new FilterError(`'${protocol}' cannot qualify 'proto'`, at);
    }
  }

  #ports({ protocol, direction = 'or', type }: Qualifiers, id: Id, at: number): Block {
    if (protocol !== undefined && !(protocol in PORT_PROTOCOLS))
      throw new FilterError(`'${protocol}' has no ports: use tcp, udp or sctp`, at);
    const [low, high] = portRange(id, type === 'portrange', at);
    const protocols = protocol === undefined ? PORT_ORDER : [PORT_PROTOCOLS[protocol]!];
    const six = and(
      this.link.carries(ETHERTYPE_IPV6, at),
      or(...protocols.map((number) => this.#port6(number, low, high, direction, at))),
    );
    const four = and(
      this.link.carries(ETHERTYPE_IPV4, at),
      or(...protocols.map((number) => this.#port4(number, low, high, direction, at))),
    );
    return or(six, four);
  }

  #port6(number: number, low: number, high: number, direction: Direction, at: number): Block {
    const network = this.link.network(at);
    const one = (offset: number): Block =>
      inRange([loadAbsolute(network + IPV6_HEADER + offset, 2)], low, high);
    return and(
      compare(network + 6, 1, number),
      either(
        direction,
        () => one(0),
        () => one(2),
      ),
    );
  }

  #port4(number: number, low: number, high: number, direction: Direction, at: number): Block {
    const network = this.link.network(at);
    const one = (offset: number): Block =>
      inRange([loadHeaderLength(network), loadIndexed(network + offset, 2)], low, high);
    return and(
      compare(network + 9, 1, number),
      this.notFragment(at),
      either(
        direction,
        () => one(0),
        () => one(2),
      ),
    );
  }
}

function either(direction: Direction, source: () => Block, destination: () => Block): Block {
  switch (direction) {
    case 'src':
      return source();
    case 'dst':
      return destination();
    case 'and':
      return and(source(), destination());
    default:
      return or(source(), destination());
  }
}

function inRange(code: readonly Insn[], low: number, high: number): Block {
  if (low === high) return test(code, 'eq', low);
  return and(test(code, 'ge', low), not(test(code, 'gt', high)));
}

function portRange(id: Id, ranged: boolean, at: number): [number, number] {
  const one = id.kind === 'number' ? id.value : id.kind === 'name' ? PORTS[id.text] : undefined;
  let range: [number, number] | undefined;
  if (one !== undefined) range = [one, one];
  else if (id.kind === 'range' && ranged) range = [Math.min(id.low, id.high), Math.max(id.low, id.high)];
  if (!range)
    throw new FilterError(ranged ? "expected ports as in '1-1023'" : 'unknown port: write its number', at);
  if (range[1] > 65535) throw new FilterError(`port ${range[1]} is greater than 65535`, at);
  return range;
}

/** Mask of a short network number: `net 10` covers 10.0.0.0/8. */
function netMask(value: number): number {
  let mask = 0xffffffff;
  for (let address = value >>> 0; address && address < 0x1000000; address *= 256) mask = (mask << 8) >>> 0;
  return mask;
}
