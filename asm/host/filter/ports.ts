/** `port` and `portrange` over TCP, UDP and SCTP, in IPv6 and IPv4. */
import { FilterError } from '../errors.js';
import type { Direction, Id, Qualifiers } from './ast.js';
import { carries, ETHERTYPE } from './carries.js';
import type { Compiler } from './compile.js';
import type { Link } from './link.js';
import { PORTS } from './names.js';
import type { Block, Insn } from './program.js';
import { and, not, or, test } from './program.js';

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const PORT_PROTOCOLS: Record<string, number> = { tcp: TCP, udp: UDP, sctp: SCTP };
/** Order in which libpcap asks for the three when none is named. */
const PORT_ORDER = [SCTP, TCP, UDP];
const BOTH = 0;
const PORT_MAX = 65535;
const FRAGMENT_OFFSET_BITS = 0x1fff;

interface Ports {
  low: number;
  high: number;
  /** IP protocol the name is registered for, or BOTH. */
  protocol: number;
}

export function ports(
  compiler: Compiler,
  { protocol, direction = 'or', type }: Qualifiers,
  id: Id,
  at: number,
): Block {
  if (protocol !== undefined && !Object.hasOwn(PORT_PROTOCOLS, protocol))
    throw new FilterError(`'${protocol}' has no ports: use tcp, udp or sctp`, at);
  const { low, high, protocol: registered } = portsOf(id, type === 'portrange', at);
  const asked = protocol === undefined ? BOTH : PORT_PROTOCOLS[protocol]!;
  if (asked !== BOTH && registered !== BOTH && asked !== registered)
    throw new FilterError(`this port is not registered for ${protocol}: write its number`, at);
  const one = asked === BOTH ? registered : asked;
  const protocols = one === BOTH ? PORT_ORDER : [one];
  return or(
    portBlock(compiler, 6, protocols, low, high, direction, at),
    portBlock(compiler, 4, protocols, low, high, direction, at),
  );
}

export function portBlock(
  { link }: Compiler,
  version: 4 | 6,
  protocols: readonly number[],
  low: number,
  high: number,
  direction: Direction,
  at: number,
): Block {
  const base = version === 4 ? 'transport4' : 'transport6';
  const atom = (offset: number): Block => inRange(() => link.load(base, offset, 2), low, high);
  const one = (protocol: number): Block => {
    const isProtocol = link.compare('network', version === 4 ? 9 : 6, 1, protocol);
    const checked = version === 4 ? and(isProtocol, notFragment(link)) : isProtocol;
    return and(
      checked,
      either(
        direction,
        () => atom(0),
        () => atom(2),
        at,
      ),
    );
  };
  const is = carries(link, version === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6, at);
  return and(is, or(...protocols.map(one)));
}

/** True unless the packet is an IPv4 fragment other than the first. */
export function notFragment(link: Link): Block {
  return not(test(link.load('network', 6, 2), 'set', FRAGMENT_OFFSET_BITS));
}

/** Source, destination, both or one of the two. */
export function either(
  direction: Direction,
  source: () => Block,
  destination: () => Block,
  at: number,
): Block {
  switch (direction) {
    case 'src':
      return source();
    case 'dst':
      return destination();
    case 'and':
      return and(source(), destination());
    case 'or':
      return or(source(), destination());
    default:
      throw new FilterError(`'${direction}' is for 802.11 addresses only`, at);
  }
}

function inRange(code: () => Insn[], low: number, high: number): Block {
  if (low === high) return test(code(), 'eq', low);
  return and(test(code(), 'ge', low), not(test(code(), 'gt', high)));
}

function portsOf(id: Id, ranged: boolean, at: number): Ports {
  const found =
    id.kind === 'name' ? namedPorts(id.text, ranged) : id.kind === 'number' ? onePort(id.value) : null;
  if (!found) {
    const problem = ranged ? "expected ports as in '1-1023'" : 'unknown port: write its number';
    throw new FilterError(problem, at);
  }
  if (found.high > PORT_MAX) throw new FilterError(`port ${found.high} is greater than ${PORT_MAX}`, at);
  return found;
}

const onePort = (value: number): Ports => ({ low: value, high: value, protocol: BOTH });

/** `http`, and in a range `http-https`, `1-1023` or `ftp-data-22`. */
function namedPorts(text: string, ranged: boolean): Ports | null {
  const whole = named(text);
  if (whole || !ranged) return whole;
  for (let dash = text.indexOf('-'); dash >= 0; dash = text.indexOf('-', dash + 1)) {
    const [first, second] = [named(text.slice(0, dash)), named(text.slice(dash + 1))];
    if (!first || !second) continue;
    const same = first.protocol === second.protocol ? first.protocol : BOTH;
    return { low: Math.min(first.low, second.low), high: Math.max(first.low, second.low), protocol: same };
  }
  return null;
}

function named(text: string): Ports | null {
  if (/^\d{1,9}$/.test(text)) return onePort(Number(text));
  const entry = Object.hasOwn(PORTS, text) ? PORTS[text] : undefined;
  return entry ? { low: entry[0], high: entry[0], protocol: entry[1] } : null;
}
