/**
 * 802.11, bare or behind a radio header: the code that finds the variable offsets before the first test,
 * and the tests of frame control and addresses (IEEE 802.11-2020, 9.2 and 9.3; radiotap.org).
 */
import { LINKTYPE_IEEE802_11, LINKTYPE_RADIOTAP } from '../../../proto/gen/constants.js';
import type { Direction } from './ast.js';
import type { Cell, Link } from './link.js';
import { LINKTYPE_AVS, LINKTYPE_PPI, LINKTYPE_PRISM } from './linktypes.js';
import type { Block, Insn, Step } from './program.js';
import {
  aluConstant,
  aluX,
  and,
  loadAbsolute,
  loadCell,
  loadImmediate,
  loadIndexed,
  loadXImmediate,
  moveToA,
  moveToX,
  not,
  or,
  sequence,
  storeCell,
  test,
} from './program.js';

const TYPE_CONTROL = 0x04;
const TYPE_MASK = 0x0c;
const SUBTYPE_CTS = 0xc0;
const SUBTYPE_ACK = 0xd0;
const SUBTYPE_MASK = 0xf0;
const TO_DS = 0x01;
const FROM_DS = 0x02;
const NOT_MANAGEMENT = 0x08;
const CONTROL_OR_RESERVED = 0x04;
const MAC_HEADER = 24;
const PRISM_HEADER = 144;

/** Whether the linktype has a header of variable length before the 802.11 one. */
export function hasRadioHeader(linktype: number): boolean {
  return [LINKTYPE_PRISM, LINKTYPE_AVS, LINKTYPE_RADIOTAP, LINKTYPE_PPI].includes(linktype);
}

export function isWlan(linktype: number): boolean {
  return linktype === LINKTYPE_IEEE802_11 || hasRadioHeader(linktype);
}

/** Code that leaves the offsets of 802.11 header and payload in their cells, as far as they are used. */
export function findOffsets(link: Link, header: Cell | null, payload: Cell): Insn[] {
  const code: Insn[] = [];
  const wanted = header !== null && (header.number !== null || payload.number !== null);
  if (wanted) code.push(...radioHeader(link.linktype), storeCell(link.cell(header)), moveToX());
  if (payload.number === null) return code;
  if (!wanted) code.push(loadXImmediate(0));
  return [...code, ...payloadOffset(payload.number, link.linktype === LINKTYPE_RADIOTAP)];
}

/** The radio header's length in A. */
function radioHeader(linktype: number): Insn[] {
  if (linktype === LINKTYPE_AVS) return [loadAbsolute(4, 4)];
  if (linktype === LINKTYPE_PRISM)
    return sequence([
      loadAbsolute(0, 4),
      aluConstant('&', 0xfffff000),
      { jump: 'eq', k: 0x80211000, yes: '', no: 'prism' },
      loadAbsolute(4, 4),
      { go: 'end' },
      { label: 'prism' },
      loadImmediate(PRISM_HEADER),
    ]);
  // Radiotap and PPI: little-endian at 2.
  return [loadAbsolute(3, 1), aluConstant('<<', 8), moveToX(), loadAbsolute(2, 1), aluX('|')];
}

/** X is where the 802.11 header starts; QoS data frames are two bytes longer, and some adapters pad. */
function payloadOffset(cell: number, radiotap: boolean): Insn[] {
  const steps: Step[] = [
    moveToA(),
    aluConstant('+', MAC_HEADER),
    storeCell(cell),
    loadIndexed(0, 1),
    { jump: 'set', k: 0x08, yes: '', no: 'end' },
    { jump: 'set', k: 0x04, yes: 'end', no: '' },
    { jump: 'set', k: 0x80, yes: '', no: radiotap ? 'flags' : 'end' },
    loadCell(cell),
    aluConstant('+', 2),
    storeCell(cell),
  ];
  return sequence(radiotap ? [...steps, { label: 'flags' }, ...padding(cell)] : steps);
}

/** Radiotap's flags may say that the header was padded to four bytes; only the first word of bits is read. */
function padding(cell: number): Step[] {
  return [
    loadAbsolute(4, 4),
    { jump: 'set', k: 0x02000000, yes: '', no: 'end' },
    { jump: 'set', k: 0x00000080, yes: 'end', no: '' },
    { jump: 'set', k: 0x01000000, yes: '', no: 'no time' },
    loadAbsolute(16, 1),
    { jump: 'set', k: 0x20, yes: 'pad', no: 'end' },
    { label: 'no time' },
    loadAbsolute(8, 1),
    { jump: 'set', k: 0x20, yes: 'pad', no: 'end' },
    { label: 'pad' },
    loadCell(cell),
    aluConstant('+', 3),
    aluConstant('&', 0xfffffffc),
    storeCell(cell),
  ];
}

const bit = (link: Link, byte: number, mask: number): Block =>
  test(link.load('header', byte, 1), 'set', mask);

export function isDataFrame(link: Link): Block {
  return and(not(bit(link, 0, CONTROL_OR_RESERVED)), bit(link, 0, NOT_MANAGEMENT));
}

/** A test of the address at an offset of the header: `field(4)` is addr1's. */
type Field = (at: number) => Block;

/** The destination: control frames have none, data frames to a DS have it third. */
export function wlanDestination(link: Link, field: Field): Block {
  const data = or(and(not(bit(link, 1, TO_DS)), field(4)), and(bit(link, 1, TO_DS), field(16)));
  return withAddress(link, data, () => field(4));
}

function wlanSource(link: Link, field: Field): Block {
  const fromDs = or(and(not(bit(link, 1, TO_DS)), field(16)), and(bit(link, 1, TO_DS), field(24)));
  const data = or(and(not(bit(link, 1, FROM_DS)), field(10)), and(bit(link, 1, FROM_DS), fromDs));
  return withAddress(link, data, () => field(10));
}

/** `data` for data frames, `management` for management frames, nothing for others. */
function withAddress(link: Link, data: Block, management: () => Block): Block {
  return and(
    not(bit(link, 0, CONTROL_OR_RESERVED)),
    or(and(not(bit(link, 0, NOT_MANAGEMENT)), management()), and(bit(link, 0, NOT_MANAGEMENT), data)),
  );
}

/** CTS and ACK have one address only. */
function hasSecondAddress(link: Link): Block {
  const isNot = (value: number, mask: number): Block => not(link.compare('header', 0, 1, value, mask));
  return or(
    isNot(TYPE_CONTROL, TYPE_MASK),
    and(isNot(SUBTYPE_CTS, SUBTYPE_MASK), isNot(SUBTYPE_ACK, SUBTYPE_MASK)),
  );
}

export function wlanAddress(link: Link, field: Field, direction: Exclude<Direction, 'and' | 'or'>): Block {
  switch (direction) {
    case 'src':
      return wlanSource(link, field);
    case 'dst':
      return wlanDestination(link, field);
    case 'addr1':
      return field(4);
    case 'addr2':
      return and(hasSecondAddress(link), field(10));
    case 'addr3':
      return and(not(link.compare('header', 0, 1, TYPE_CONTROL, TYPE_MASK)), field(16));
    case 'addr4':
      return and(link.compare('header', 1, 1, TO_DS | FROM_DS, TO_DS | FROM_DS), field(24));
    case 'ra':
      return and(bit(link, 0, NOT_MANAGEMENT), field(4));
    case 'ta':
      return and(bit(link, 0, NOT_MANAGEMENT), hasSecondAddress(link), field(10));
  }
}
