/** `host`, `net` and link-layer addresses: IPv4 with ARP and RARP, IPv6, DECnet, and each link's own. */
import { FilterError } from '../errors.js';
import type { Direction, Id, IdType, Qualifiers } from './ast.js';
import { carries, ETHERTYPE, encapsulation } from './carries.js';
import type { Base, Link } from './link.js';
import { maskOf } from './parser.js';
import { either } from './ports.js';
import type { Block } from './program.js';
import { and, or, test } from './program.js';
import { wlanAddress, wlanDestination } from './wlan.js';

const BROADCAST = [255, 255, 255, 255, 255, 255];
const ARCNET_BROADCAST = [0];
/** Where destination and source addresses are in the link header. */
const LINK_ADDRESSES: Record<string, readonly [destination: number, source: number]> = {
  ethernet: [0, 6],
  fddi: [1, 7],
  'token-ring': [2, 8],
  'fibre-channel': [2, 10],
  arcnet: [1, 0],
};
/** Directions that every link has; the others are 802.11's. */
const SIDES: ReadonlySet<Direction> = new Set(['src', 'dst', 'and', 'or']);
const DECNET_LONG = 0x06;
const DECNET_SHORT = 0x02;

export function address(link: Link, qualifiers: Qualifiers, id: Id, at: number): Block {
  const { protocol, direction = 'or', type } = qualifiers;
  switch (id.kind) {
    case 'arcnet':
    case 'mac':
      if (protocol !== 'link' || type === 'net')
        throw new FilterError("a link-layer address needs 'ether' before it: ether host", at);
      return linkAddress(link, id.kind === 'mac' ? id.bytes : [id.byte], direction, at);
    case 'ipv6':
      if (id.masked && type !== 'net')
        throw new FilterError('a prefix length is for networks only: use net', at);
      return host6(link, protocol, id, direction, at);
    case 'ipv4':
      if (id.masked && type !== 'net') throw new FilterError('a mask is for networks only: use net', at);
      if (protocol === 'decnet' && !id.masked) return decnet(link, decnetAddress(id.text, at), direction, at);
      return host4(link, protocol, id.address, id.mask, direction, at);
    case 'number':
      return numbered(link, protocol, id.value, type, direction, at);
    case 'name':
      throw new FilterError(`'${id.text}' is a name, and names are not resolved here: write the address`, at);
  }
}

/** `net 10` means 10.0.0.0/8: a short number is moved to the top. */
function numbered(
  link: Link,
  protocol: string | undefined,
  value: number,
  type: IdType | undefined,
  direction: Direction,
  at: number,
): Block {
  if (protocol === 'decnet') return decnet(link, value & 0xffff, direction, at);
  let bits = 32;
  let top = value;
  while (type === 'net' && top && top < 0x1000000) {
    top *= 256;
    bits -= 8;
  }
  return host4(link, protocol, top, maskOf(bits), direction, at);
}

function host4(
  link: Link,
  protocol: string | undefined,
  value: number,
  mask: number,
  direction: Direction,
  at: number,
): Block {
  const word = (type: number, source: number, destination: number): Block => {
    const one = (offset: number): Block =>
      and(carries(link, type, at), link.compare('network', offset, 4, value, mask));
    return either(
      direction,
      () => one(source),
      () => one(destination),
      at,
    );
  };
  const ip = (): Block => word(ETHERTYPE.ipv4, 12, 16);
  const arp = (type: number): Block => word(type, 14, 24);
  switch (protocol) {
    case undefined:
      return link.labels ? ip() : or(ip(), arp(ETHERTYPE.arp), arp(ETHERTYPE.rarp));
    case 'ip':
      return ip();
    case 'arp':
      return arp(ETHERTYPE.arp);
    case 'rarp':
      return arp(ETHERTYPE.rarp);
    case 'link':
      throw new FilterError('ether host takes a link-layer address', at);
    case 'decnet':
      return decnet(link, value & 0xffff, direction, at);
    default:
      throw new FilterError(`'${protocol}' cannot qualify an IPv4 address`, at);
  }
}

function host6(
  link: Link,
  protocol: string | undefined,
  { words, prefix }: Id & { kind: 'ipv6' },
  direction: Direction,
  at: number,
): Block {
  if (protocol !== undefined && protocol !== 'ip6')
    throw new FilterError(`'${protocol}' cannot qualify an IPv6 address`, at);
  const one = (offset: number): Block => {
    const parts = words.map((word, i) => {
      const mask = maskOf(Math.min(32, Math.max(0, prefix - i * 32)));
      return link.compare('network', offset + i * 4, 4, word, mask);
    });
    return and(carries(link, ETHERTYPE.ipv6, at), ...parts);
  };
  return either(
    direction,
    () => one(8),
    () => one(24),
    at,
  );
}

/** `area.node`, six and ten bits. */
function decnetAddress(text: string, at: number): number {
  const [area, node, ...more] = text.split('.').map(Number);
  if (more.length > 0 || area === undefined || node === undefined || area > 63 || node > 1023)
    throw new FilterError('a DECnet address is area.node, up to 63.1023', at);
  return (area << 10) | node;
}

/** The routing header, long or short, each with or without a byte of padding (DECnet phase IV). */
function decnet(link: Link, value: number, direction: Direction, at: number): Block {
  const swapped = ((value & 0xff) << 8) | (value >>> 8);
  const one = (long: number, short: number): Block => {
    const node = (offset: number): Block => link.compare('network', offset, 2, swapped);
    const flags = (kind: number): Block => link.compare('network', 2, 1, kind, 0x07);
    const padded = (kind: number): Block => link.compare('network', 2, 2, 0x8100 | kind, 0xff07);
    return and(
      carries(link, ETHERTYPE.decnet, at),
      or(
        and(flags(DECNET_SHORT), node(2 + short)),
        and(padded(DECNET_SHORT), node(3 + short)),
        and(flags(DECNET_LONG), node(2 + long)),
        and(padded(DECNET_LONG), node(3 + long)),
      ),
    );
  };
  return either(
    direction,
    () => one(15, 3),
    () => one(7, 1),
    at,
  );
}

function linkAddress(link: Link, bytes: readonly number[], direction: Direction, at: number): Block {
  const { family } = link.shape;
  const field = (offset: number): Block => equals(link, 'header', offset, bytes);
  if ((family === 'arcnet') !== (bytes.length === 1)) link.fail('no such address', at);
  if (family === 'wlan') {
    if (direction !== 'and' && direction !== 'or') return wlanAddress(link, field, direction);
    const join = direction === 'and' ? and : or;
    return join(wlanAddress(link, field, 'src'), wlanAddress(link, field, 'dst'));
  }
  const places = LINK_ADDRESSES[family] ?? link.fail('no link-layer address', at);
  if (!SIDES.has(direction)) link.fail(`no '${direction}'`, at);
  const found = either(
    direction,
    () => field(places[1]),
    () => field(places[0]),
    at,
  );
  const present = family === 'ethernet' ? encapsulation(link) : null;
  return present ? and(present, found) : found;
}

/** Compares bytes from the last four to the first, as libpcap does. */
export function equals(link: Link, base: Base, offset: number, bytes: readonly number[]): Block {
  const parts: Block[] = [];
  for (let end = bytes.length; end > 0; ) {
    const size = end >= 4 ? 4 : end >= 2 ? 2 : 1;
    end -= size;
    const value = bytes.slice(end, end + size).reduce((sum, byte) => sum * 256 + byte, 0);
    parts.push(link.compare(base, offset + end, size, value));
  }
  return and(...(parts as [Block, ...Block[]]));
}

export function broadcast(link: Link, protocol: string | undefined, at: number): Block {
  if (protocol === 'ip')
    throw new FilterError(
      "'ip broadcast' needs the network's mask, which a capture does not tell: use net",
      at,
    );
  if (protocol && protocol !== 'link') throw new FilterError('only link-layer broadcast is supported', at);
  const { family } = link.shape;
  if (family !== 'wlan' && !Object.hasOwn(LINK_ADDRESSES, family)) link.fail('no broadcast', at);
  return linkAddress(link, family === 'arcnet' ? ARCNET_BROADCAST : BROADCAST, 'dst', at);
}

export function multicast(link: Link, protocol: string | undefined, at: number): Block {
  if (protocol === 'ip')
    return and(carries(link, ETHERTYPE.ipv4, at), test(link.load('network', 16, 1), 'ge', 224));
  if (protocol === 'ip6') return and(carries(link, ETHERTYPE.ipv6, at), link.compare('network', 24, 1, 255));
  if (protocol && protocol !== 'link') throw new FilterError('only ether, ip and ip6 have multicast', at);
  const { family } = link.shape;
  const groupBit = (offset: number): Block => test(link.load('header', offset, 1), 'set', 1);
  if (family === 'wlan') return wlanDestination(link, groupBit);
  if (family === 'arcnet') return linkAddress(link, ARCNET_BROADCAST, 'dst', at);
  const places = LINK_ADDRESSES[family] ?? link.fail('no multicast', at);
  const present = family === 'ethernet' ? encapsulation(link) : null;
  return present ? and(present, groupBit(places[0])) : groupBit(places[0]);
}
