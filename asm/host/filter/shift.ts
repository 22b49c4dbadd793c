/**
 * `vlan`, `mpls`, `pppoed`, `pppoes` and `geneve`: each tests for its header and moves what follows
 * behind it, so that they can be stacked (pcap-filter(7)).
 */
import { FilterError } from '../errors.js';
import { carries, ETHERTYPE } from './carries.js';
import type { Compiler } from './compile.js';
import type { Link } from './link.js';
import { Cell, IPV6_HEADER } from './link.js';
import { ETHERNET, PPP } from './linktypes.js';
import { portBlock } from './ports.js';
import type { Block, Insn } from './program.js';
import {
  aluConstant,
  aluX,
  and,
  loadImmediate,
  loadIndexed,
  loadXCell,
  moveToA,
  moveToX,
  or,
  sequence,
  storeCell,
  storeXCell,
  test,
} from './program.js';

const PPP_MPLS = 0x0281;
const UDP = 17;
const GENEVE_PORT = 6081;
const UDP_HEADER = 8;
const GENEVE_HEADER = 8;
const MPLS_FAMILIES = new Set(['hdlc', 'ethernet']);
const LIMITS = { vlan: 0xfff, mpls: 0xfffff, pppoed: 0, pppoes: 0xffff, geneve: 0xffffff };

export function shift(
  compiler: Compiler,
  which: keyof typeof LIMITS,
  number: number | undefined,
  at: number,
): Block {
  const { link } = compiler;
  if (number !== undefined && number > LIMITS[which])
    throw new FilterError(`${which} number ${number} is greater than the maximum of ${LIMITS[which]}`, at);
  switch (which) {
    case 'vlan':
      return vlan(link, number, at);
    case 'mpls':
      return mpls(link, number, at);
    case 'pppoed':
      return carries(link, ETHERTYPE.pppoed, at);
    case 'pppoes':
      return pppoeSession(link, number, at);
    case 'geneve':
      return geneve(compiler, number, at);
  }
}

/** One tag: 802.1Q, 802.1ad or the older 0x9100. */
function vlan(link: Link, id: number | undefined, at: number): Block {
  if (link.labels) throw new FilterError('no vlan after mpls', at);
  if (link.shape.family !== 'ethernet' && link.shape.family !== 'wlan') link.fail('no vlan', at);
  const tags = [ETHERTYPE.vlan, ETHERTYPE.provider, ETHERTYPE.qinq];
  let block = or(...tags.map((tag) => carries(link, tag, at)));
  if (id !== undefined) block = and(block, link.compare('network', 0, 2, id, 0x0fff));
  link.payload = { ...link.payload, constant: link.payload.constant + 4 };
  link.type = { ...link.type, constant: link.type.constant + 4 };
  link.vlans++;
  return block;
}

function mpls(link: Link, label: number | undefined, at: number): Block {
  let block: Block;
  // After a label comes another exactly when the first is not the bottom of the stack.
  if (link.labels) block = link.compare('label', 2, 1, 0, 1);
  else if (MPLS_FAMILIES.has(link.shape.family)) block = carries(link, ETHERTYPE.mpls, at);
  else if (link.shape === PPP) block = carries(link, PPP_MPLS, at);
  else link.fail('no mpls', at);
  if (label !== undefined) block = and(block, link.compare('network', 0, 4, label * 4096, 0xfffff000));
  link.network += 4;
  link.noSnap += 4;
  link.labels++;
  return block;
}

/** From here on the link is PPP, behind the six bytes of PPPoE. */
function pppoeSession(link: Link, session: number | undefined, at: number): Block {
  let block = carries(link, ETHERTYPE.pppoes, at);
  if (session !== undefined) block = and(block, link.compare('network', 0, 4, session, 0xffff));
  const header = { ...link.payload, constant: link.payload.constant + link.network + 6 };
  link.push(PPP, header);
  link.type = header;
  link.payload = { ...header, constant: header.constant + 2 };
  link.network = 0;
  link.noSnap = 0;
  return block;
}

/** UDP to port 6081, version 0 (RFC 8926). What it carries may be Ethernet or come without a link header. */
function geneve(compiler: Compiler, vni: number | undefined, at: number): Block {
  const { link } = compiler;
  const block = or(geneve4(compiler, vni, at), geneve6(compiler, vni, at));
  // The code runs where the tests before it held; they left the IP header's length in A.
  const code = geneveOffsets(link);
  link.encapsulated = 'geneve';
  return and(block, test([...code, loadImmediate(0)], 'eq', 0));
}

function geneveHeader(
  link: Link,
  base: 'transport4' | 'transport6',
  ports: Block,
  vni: number | undefined,
): Block {
  const block = and(ports, link.compare(base, UDP_HEADER, 1, 0, 0xc0));
  return vni === undefined ? block : and(block, link.compare(base, UDP_HEADER + 4, 4, vni * 256, 0xffffff00));
}

function geneve4(compiler: Compiler, vni: number | undefined, at: number): Block {
  const { link } = compiler;
  const ports = portBlock(compiler, 4, [UDP], GENEVE_PORT, GENEVE_PORT, 'dst', at);
  const length = [...link.loadHeaderLength(), moveToA()];
  return and(geneveHeader(link, 'transport4', ports, vni), test(length, 'eq', null));
}

function geneve6(compiler: Compiler, vni: number | undefined, at: number): Block {
  const { link } = compiler;
  const ports = portBlock(compiler, 6, [UDP], GENEVE_PORT, GENEVE_PORT, 'dst', at);
  const { cell } = link.payload;
  const length = cell
    ? [loadXCell(link.cell(cell)), loadImmediate(IPV6_HEADER), aluX('+'), moveToX()]
    : [loadImmediate(IPV6_HEADER), moveToX()];
  return and(geneveHeader(link, 'transport6', ports, vni), test(length, 'eq', null));
}

/** Puts where the carried header, its type field and its payload are into three cells. */
function geneveOffsets(link: Link): Insn[] {
  const start = link.payload.constant + link.network + UDP_HEADER;
  link.type = { constant: 0, cell: new Cell() };
  const type = link.cell(link.type.cell!);
  link.push(ETHERNET, { constant: 0, cell: new Cell() });
  const header = link.cell(link.header.cell!);
  link.payload = { constant: 0, cell: new Cell() };
  const payload = link.cell(link.payload.cell!);
  link.network = 0;
  return sequence([
    aluConstant('+', start),
    moveToX(),
    aluConstant('+', 2),
    storeCell(type),
    // Options are counted in words of four bytes.
    loadIndexed(0, 1),
    aluConstant('&', 0x3f),
    aluConstant('*', 4),
    aluConstant('+', GENEVE_HEADER),
    aluX('+'),
    storeCell(header),
    loadIndexed(2, 2),
    loadXCell(header),
    { jump: 'eq', k: ETHERTYPE.teb, yes: '', no: 'done' },
    moveToA(),
    aluConstant('+', 12),
    storeCell(type),
    aluConstant('+', 2),
    moveToX(),
    { label: 'done' },
    storeXCell(payload),
  ]);
}
