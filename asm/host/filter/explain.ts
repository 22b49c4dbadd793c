/**
 * What becomes of a filter expression, as data: the expression in words, the program, and how much of it
 * each stage can take: the kernel at capture, an index of stored blocks, and the scan, which does it all.
 */
import type { Direction, Expr, Id, Primitive, Qualifiers } from './ast.js';
import { mentions } from './ast.js';
import { compileFilter } from './compile.js';
import { emitFilter } from './emit.js';
import { LinkError } from './link.js';
import { listProgram } from './listing.js';
import { ETHERTYPES, IP_PROTOCOLS } from './names.js';
import { parseFilter } from './parser.js';
import type { Insn } from './program.js';
import { assemble, NEVER } from './program.js';
import { inWords } from './words.js';

/**
 * What a packet must have in a block for the filter to match: a necessary condition, which an index may
 * answer. `any` asks nothing. Addresses are those of any header, ARP's included; prefix in bits.
 */
export type IndexCondition =
  | { kind: 'any' }
  | { kind: 'all' | 'one'; of: readonly IndexCondition[] }
  | { kind: 'ipv4'; address: number; mask: number; direction: 'src' | 'dst' | 'both' | 'either' }
  | { kind: 'ipv6'; words: readonly number[]; prefix: number; direction: 'src' | 'dst' | 'both' | 'either' }
  | { kind: 'port'; port: number; protocol: string | null; direction: 'src' | 'dst' | 'both' | 'either' }
  | { kind: 'ip-protocol'; number: number }
  | { kind: 'ethertype'; number: number };

export interface Explanation {
  expression: string;
  linktype: number;
  words: string;
  /** Why no packet of this linktype can match; null when some can. */
  problem: string | null;
  /** The program in the format of `tcpdump -d`. */
  listing: string[];
  /** Size of the WebAssembly function, null when it must be interpreted (it jumps backward). */
  emittedBytes: number | null;
  pushed: {
    /** Whether Linux takes the program as a socket filter, and if not, why. */
    kernel: { whole: boolean; reason: string | null };
    index: IndexCondition;
    /** What the scan still tests: always the whole expression. */
    scan: string;
  };
}

const KERNEL_INSNS_MAX = 4096;
const KERNEL_JUMP_MAX = 255;
const ANY: IndexCondition = { kind: 'any' };
const CAPLEN_MAX = 262144;

/** Throws FilterError with the position of a mistake. */
export function explainFilter(expression: string, linktype: number): Explanation {
  const expr = parseFilter(expression);
  let problem: string | null = null;
  let program: Insn[];
  try {
    program = compileFilter(expr, { linktype, directions: true });
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    problem = error.message;
    program = assemble(NEVER);
  }
  const code = emitFilter(program, { caplenMax: CAPLEN_MAX, wayBase: 0 });
  const reason = problem ?? kernelRefusal(expr, program);
  return {
    expression,
    linktype,
    words: inWords(expr),
    problem,
    listing: listProgram(program),
    emittedBytes: code?.length ?? null,
    pushed: {
      kernel: { whole: reason === null, reason },
      index: indexCondition(expr, false),
      scan: inWords(expr),
    },
  };
}

/**
 * The condition alone, and which shifts (vlan, mpls, pppoes, geneve…) the expression has: behind one, primitives
 * speak of inner headers. Throws FilterError.
 */
export function indexConditionOf(expression: string): { condition: IndexCondition; shifts: string[] } {
  const expr = parseFilter(expression);
  const shifts: string[] = [];
  mentions(expr, (one) => {
    if (one.kind === 'shift') shifts.push(one.which);
    return false;
  });
  return { condition: indexCondition(expr, false), shifts };
}

function kernelRefusal(expr: Expr, program: readonly Insn[]): string | null {
  if (mentions(expr, (one) => one.kind === 'shift' && one.which === 'vlan'))
    return 'the kernel keeps VLAN tags beside the packet, this program looks for them inside';
  if (program.length > KERNEL_INSNS_MAX)
    return `it has ${program.length} instructions, the kernel takes ${KERNEL_INSNS_MAX}`;
  if (program.some(({ code, k }) => code === 0x05 && (k | 0) < 0)) return 'it loops (protochain)';
  if (program.some(({ jt, jf }) => jt > KERNEL_JUMP_MAX || jf > KERNEL_JUMP_MAX))
    return `a jump is longer than ${KERNEL_JUMP_MAX} instructions`;
  return null;
}

/** Under `negated` nothing positive follows from a primitive. */
function indexCondition(expr: Expr, negated: boolean): IndexCondition {
  switch (expr.kind) {
    case 'not':
      return indexCondition(expr.operand, !negated);
    case 'and':
    case 'or': {
      const left = indexCondition(expr.left, negated);
      const right = indexCondition(expr.right, negated);
      return (expr.kind === 'and') !== negated ? all(left, right) : one(left, right);
    }
    default:
      return negated ? ANY : primitive(expr);
  }
}

function all(left: IndexCondition, right: IndexCondition): IndexCondition {
  if (left.kind === 'any') return right;
  if (right.kind === 'any') return left;
  return { kind: 'all', of: [...parts(left, 'all'), ...parts(right, 'all')] };
}

function one(left: IndexCondition, right: IndexCondition): IndexCondition {
  if (left.kind === 'any' || right.kind === 'any') return ANY;
  return { kind: 'one', of: [...parts(left, 'one'), ...parts(right, 'one')] };
}

function parts(condition: IndexCondition, kind: 'all' | 'one'): readonly IndexCondition[] {
  return condition.kind === kind ? (condition as { of: readonly IndexCondition[] }).of : [condition];
}

function primitive(expr: Primitive): IndexCondition {
  switch (expr.kind) {
    case 'id':
      return identified(expr.qualifiers, expr.id);
    case 'protocol': {
      const number =
        Object.hasOwn(IP_PROTOCOLS, expr.name) && expr.name !== 'ip' ? IP_PROTOCOLS[expr.name] : undefined;
      if (Object.hasOwn(ETHERTYPES, expr.name)) return { kind: 'ethertype', number: ETHERTYPES[expr.name]! };
      return number === undefined || expr.name === 'isis' ? ANY : { kind: 'ip-protocol', number };
    }
    default:
      return ANY;
  }
}

function way(direction: Direction | undefined): 'src' | 'dst' | 'both' | 'either' {
  if (direction === 'src' || direction === 'dst') return direction;
  return direction === 'and' ? 'both' : 'either';
}

function identified({ protocol, direction, type }: Qualifiers, id: Id): IndexCondition {
  if (type === 'port' && id.kind === 'number')
    return { kind: 'port', port: id.value, protocol: protocol ?? null, direction: way(direction) };
  if (type === 'proto' && id.kind === 'number' && protocol !== 'iso' && protocol !== 'isis')
    return protocol === 'link'
      ? { kind: 'ethertype', number: id.value }
      : { kind: 'ip-protocol', number: id.value };
  if ((type !== undefined && type !== 'host' && type !== 'net') || protocol === 'decnet') return ANY;
  if (id.kind === 'ipv4')
    return { kind: 'ipv4', address: id.address, mask: id.mask, direction: way(direction) };
  if (id.kind === 'ipv6')
    return { kind: 'ipv6', words: id.words, prefix: id.prefix, direction: way(direction) };
  return ANY;
}
