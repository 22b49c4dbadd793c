/** Primitives that only some link types have: directions, 802.11, LLC, the PF log, ATM and SS7. */
import { FilterError } from '../errors.js';
import { equals } from './addresses.js';
import type { Primitive, Relation } from './ast.js';
import type { Compiler } from './compile.js';
import { COMPARISONS } from './compile-arith.js';
import type { Base, Link } from './link.js';
import { ETHERNET, LINKTYPE_PFLOG, LINKTYPE_PPP_PPPD, LINKTYPE_SLIP, SS7_START } from './linktypes.js';
import type { Block, Size } from './program.js';
import { ALWAYS, aluConstant, and, loadAbsolute, not, or, test } from './program.js';
import { isDataFrame } from './wlan.js';

/** Not in the packet: Linux's ancillary load of the packet type, here from pcapng's epb_flags. */
export const PACKET_TYPE = 0xfffff004;
const PACKET_OUTGOING = 4;
const ETHERMTU = 1500;
const PFLOG_NAME_MAX = 15;
const PFLOG_FIELDS = { action: 2, reason: 3, ifname: 4, ruleset: 20, rulenr: 36, subrulenr: 40 } as const;
const PFLOG_DIRECTION = 60;
const SUNATM_LANE = 1;
const SUNATM_LLC = 2;
/** Q.2931 messages: setup, call proceeding, connect, connect ack, release, release done. */
const CONNECT_MESSAGES = [0x05, 0x02, 0x07, 0x0f, 0x4d, 0x5a];
const META_MESSAGES = [0x05, 0x02, 0x07, 0x4d, 0x5a];
/** VCI of the circuits with VPI 0 (ITU-T I.361). */
const CIRCUITS: Record<string, number> = { metac: 1, bcc: 2, oamf4sc: 3, oamf4ec: 4, sc: 5, ilmic: 16 };

type Special = Exclude<Primitive, { kind: 'protocol' | 'relation' | 'cast' | 'shift' | 'id' | 'byte' }>;

export function special(compiler: Compiler, expr: Special): Block {
  const { link } = compiler;
  switch (expr.kind) {
    case 'way':
      return way(compiler, expr.inbound, expr.at);
    case 'ifindex':
      if (link.shape.family !== 'sll2') link.fail('no ifindex', expr.at);
      return link.compare('header', 4, 4, expr.value);
    case 'wlan':
      if (link.shape.family !== 'wlan') link.fail('no 802.11 frame control', expr.at);
      return link.compare('header', expr.byte, 1, expr.value, expr.mask);
    case 'llc':
      return llc(link, expr.control, expr.at);
    case 'pflog':
      return pflog(link, expr);
    case 'atm':
      return atm(link, expr.name, expr.at);
    case 'signal':
      return signal(link, expr.name, expr.at);
    case 'field':
      return field(link, expr);
  }
}

function way({ link, directions }: Compiler, inbound: boolean, at: number): Block {
  const turned = (outgoing: Block): Block => (inbound ? not(outgoing) : outgoing);
  switch (link.shape.family) {
    case 'sll':
      return turned(link.compare('header', 0, 2, PACKET_OUTGOING));
    case 'sll2':
      return turned(link.compare('header', 10, 1, PACKET_OUTGOING));
    case 'juniper':
      return link.compare('header', 3, 1, inbound ? 1 : 0, 1);
    case 'ipnet':
      return link.compare('header', 2, 2, inbound ? 2 : 1);
    case 'pflog':
      return link.compare('header', PFLOG_DIRECTION, 1, inbound ? 1 : 2);
  }
  if (link.linktype === LINKTYPE_SLIP) {
    const received = link.compare('header', 0, 1, 0);
    return inbound ? received : not(received);
  }
  if (link.linktype === LINKTYPE_PPP_PPPD) return link.compare('header', 0, 1, inbound ? 0 : 1);
  if (!directions) link.fail('no inbound or outbound (only pcapng may tell)', at);
  return turned(test([loadAbsolute(PACKET_TYPE, 2)], 'eq', PACKET_OUTGOING));
}

function llc(link: Link, control: { value: number; mask: number } | undefined, at: number): Block {
  const frame = isLlc(link, at);
  if (!control) return frame;
  const is =
    control.mask === 1
      ? not(test(link.load('llc', 2, 1), 'set', 1))
      : link.compare('llc', 2, 1, control.value, control.mask);
  return and(frame, is);
}

function isLlc(link: Link, at: number): Block {
  switch (link.shape.family) {
    case 'ethernet': {
      // Not NetWare's frames, which come without an LLC header.
      const isLength = not(test(link.load('type', 0, 2), 'gt', ETHERMTU));
      return and(isLength, not(link.compare('llc', 0, 2, 0xffff)));
    }
    case 'sunatm':
      return link.compare('header', 0, 1, SUNATM_LLC, 0x0f);
    case 'token-ring':
    case 'fddi':
    case 'atm':
      return ALWAYS;
    case 'wlan':
      return isDataFrame(link);
    default:
      return link.fail('no llc', at);
  }
}

function pflog(link: Link, { field, value, at }: Primitive & { kind: 'pflog' }): Block {
  if (link.linktype !== LINKTYPE_PFLOG || link.shape.family !== 'pflog') link.fail(`no ${field}`, at);
  const offset = PFLOG_FIELDS[field];
  if (typeof value === 'number') return link.compare('header', offset, field.endsWith('nr') ? 4 : 1, value);
  if (value.length > PFLOG_NAME_MAX)
    throw new FilterError(`names in the log have up to ${PFLOG_NAME_MAX} characters`, at);
  return equals(link, 'header', offset, [...new TextEncoder().encode(value)]);
}

function atm(link: Link, name: string, at: number): Block {
  if (link.shape.family !== 'sunatm') link.fail(`no ${name}`, at);
  const vpi0 = link.compare('header', 1, 1, 0);
  const vci = (value: number): Block => link.compare('header', 2, 2, value);
  const circuit = CIRCUITS[name];
  if (circuit !== undefined) return and(vpi0, vci(circuit));
  const message = (value: number): Block => link.compare('header', 9, 1, value);
  switch (name) {
    case 'lane':
      return lane(link);
    case 'connectmsg':
      return and(vpi0, vci(CIRCUITS.sc!), or(...CONNECT_MESSAGES.map(message)));
    case 'metaconnect':
      return and(vpi0, vci(CIRCUITS.metac!), or(...META_MESSAGES.map(message)));
    default:
      return and(vpi0, or(vci(CIRCUITS.oamf4sc!), vci(CIRCUITS.oamf4ec!)));
  }
}

/** LAN emulation: from here on the link is Ethernet, behind the pseudo-header and a LANE marker. */
function lane(link: Link): Block {
  const block = link.compare('header', 0, 1, SUNATM_LANE, 0x0f);
  const header = link.payload.constant + 2;
  link.push(ETHERNET, { constant: header, cell: null });
  link.type = { constant: header + 12, cell: null };
  link.payload = { constant: header + 14, cell: null };
  link.network = ETHERNET.network;
  link.noSnap = ETHERNET.noSnap;
  link.encapsulated = 'lane';
  return block;
}

/** MTP2's signal units by their length indicator (ITU-T Q.703), of six bits, or nine at high speed. */
function signal(link: Link, name: string, at: number): Block {
  const start = SS7_START[link.linktype];
  if (start === undefined) return link.fail(`no ${name}`, at);
  const fast = name.startsWith('h');
  const [offset, size, mask, limit]: [number, Size, number, number] = fast
    ? [start + 4, 2, 0xff80, 0x100]
    : [start + 2, 1, 0x3f, 2];
  const above = (value: number): Block =>
    test([...link.load('packet', offset, size), aluConstant('&', mask)], 'gt', value);
  if (name.endsWith('fisu')) return link.compare('packet', offset, size, 0, mask);
  return name.endsWith('lssu') ? and(above(0), not(above(limit))) : above(limit);
}

interface FieldShape {
  base: Base;
  offset: number;
  size: Size;
  mask: number;
  max: number;
  encode: (value: number) => number;
}

/** Point codes are little-endian bit fields across bytes (ITU-T Q.704): values are moved to where they lie. */
const FIELDS: Record<string, FieldShape> = {
  vpi: { base: 'header', offset: 1, size: 1, mask: 0xffffffff, max: 0xffffffff, encode: (value) => value },
  vci: { base: 'header', offset: 2, size: 2, mask: 0xffffffff, max: 0xffffffff, encode: (value) => value },
  sio: { base: 'packet', offset: 3, size: 1, mask: 0xffffffff, max: 255, encode: (value) => value },
  opc: {
    base: 'packet', offset: 4, size: 4, mask: 0x00c0ff0f, max: 16383,
    encode: (value) => ((value & 0x3c00) >>> 10) + ((value & 0x3fc) << 6) + ((value & 3) << 22),
  },
  dpc: {
    base: 'packet', offset: 4, size: 4, mask: 0xff3f0000, max: 16383,
    encode: (value) => (((value & 0xff) << 24) + ((value & 0x3f00) << 8)) >>> 0,
  },
  sls: { base: 'packet', offset: 7, size: 1, mask: 0xf0, max: 15, encode: (value) => value << 4 },
}; // biome-ignore format: one field each
const HIGH_SPEED_SHIFT = 3;

function field(link: Link, { name, operator, value, at }: Primitive & { kind: 'field' }): Block {
  const isAtm = name === 'vpi' || name === 'vci';
  const fast = !isAtm && name.startsWith('h');
  const shape = FIELDS[fast ? name.slice(1) : name]!;
  if (value > shape.max) throw new FilterError(`${name} ${value} is greater than ${shape.max}`, at);
  const start = isAtm ? 0 : SS7_START[link.linktype];
  if (start === undefined || (isAtm && link.shape.family !== 'sunatm')) return link.fail(`no ${name}`, at);
  const code = link.load(shape.base, start + shape.offset + (fast ? HIGH_SPEED_SHIFT : 0), shape.size);
  if (shape.mask !== 0xffffffff) code.push(aluConstant('&', shape.mask));
  const [comparison, turned] = COMPARISONS[operator as Relation];
  const block = test(code, comparison, shape.encode(value));
  return turned ? not(block) : block;
}
