/**
 * `protochain`: follows IPv6 extension headers and AH until the protocol is met. The only programs that
 * jump backwards; they run in the interpreter, which bounds the number of turns.
 */
import { FilterError } from '../errors.js';
import { carries, ETHERTYPE } from './carries.js';
import type { Link } from './link.js';
import { IPV6_HEADER } from './link.js';
import type { Block, Insn, Step } from './program.js';
import {
  aluConstant,
  aluX,
  and,
  loadAbsolute,
  loadCell,
  loadHeaderLength,
  loadIndexed,
  loadXImmediate,
  moveToA,
  moveToX,
  or,
  sequence,
  storeCell,
  test,
} from './program.js';

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AH = 51;
const NO_NEXT = 59;
const DESTINATION = 60;

export function protochain(link: Link, protocol: string | undefined, number: number, at: number): Block {
  if (protocol === undefined) return or(chain4(link, number, at), chain6(link, number, at));
  if (protocol === 'ip') return chain4(link, number, at);
  if (protocol === 'ip6') return chain6(link, number, at);
  throw new FilterError(`'${protocol}' cannot qualify 'protochain'`, at);
}

function networkOffset(link: Link, at: number): number {
  if (link.payload.cell) link.fail('no protochain behind headers of variable length', at);
  return link.payload.constant + link.network;
}

function chain4(link: Link, number: number, at: number): Block {
  const network = networkOffset(link, at);
  const start = [loadAbsolute(network + 9, 1), loadHeaderLength(network)];
  const is = carries(link, ETHERTYPE.ipv4, at);
  return and(is, test(chain(link, start, [], network, number, at), 'eq', number));
}

function chain6(link: Link, number: number, at: number): Block {
  const network = networkOffset(link, at);
  const start = [loadAbsolute(network + 6, 1), loadXImmediate(IPV6_HEADER)];
  const cell = link.scratch(0, at);
  const extensions: Step[] = [
    ...[HOP_BY_HOP, DESTINATION, ROUTING].map((k) => ({ jump: 'eq', k, yes: 'advance', no: '' }) as const),
    { jump: 'eq', k: FRAGMENT, yes: 'advance', no: 'ah' },
    { label: 'advance' },
    loadIndexed(network, 1),
    storeCell(cell),
    loadIndexed(network + 1, 1),
    aluConstant('+', 1),
    aluConstant('*', 8),
    aluX('+'),
    moveToX(),
    loadCell(cell),
    { go: 'again' },
  ];
  const is = carries(link, ETHERTYPE.ipv6, at);
  return and(is, test(chain(link, start, extensions, network, number, at), 'eq', number));
}

/** A is the protocol of the header at X from the network header on; ends with the last protocol in A. */
function chain(
  link: Link,
  start: readonly Insn[],
  extensions: readonly Step[],
  network: number,
  number: number,
  at: number,
): Insn[] {
  const cell = link.scratch(0, at);
  return sequence([
    ...start,
    { label: 'again' },
    { jump: 'eq', k: number, yes: 'end', no: '' },
    { jump: 'eq', k: NO_NEXT, yes: 'end', no: '' },
    ...extensions,
    { label: 'ah' },
    { jump: 'eq', k: AH, yes: '', no: 'end' },
    // libpcap's rule for AH: the length alone is the next offset.
    loadIndexed(network, 1),
    storeCell(cell),
    moveToA(),
    aluConstant('+', 1),
    moveToX(),
    loadIndexed(network, 1),
    aluConstant('+', 2),
    aluConstant('*', 4),
    moveToX(),
    loadCell(cell),
    { go: 'again' },
  ]);
}
