/**
 * Arithmetic inside filters: `proto[index:size]`, `len`, numbers, named constants and C's operators, with
 * libpcap's precedence: C's, but `%` and `^` have none in its grammar, so what follows them belongs to
 * them: `a % b + c` is `a % (b + c)`, and `a * b % c` is `a * (b % c)`.
 */
import { FilterError } from '../errors.js';
import type { Arith, BinaryOperator } from './ast.js';
import { PROTOCOLS } from './names.js';
import type { Parser } from './parser.js';

/** Higher binds tighter; an operator of NONE is always taken, and takes all that follows. */
const NONE = 0;
const PRECEDENCE: Record<BinaryOperator, number> = {
  '%': NONE,
  '^': NONE,
  '|': 1,
  '&': 2,
  '<<': 3,
  '>>': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
};
const MINUS = 6;

/** Reads operators that bind tighter than `above`. */
export function parseArith(parser: Parser, above = NONE): Arith {
  let left = unary(parser);
  for (;;) {
    const { at, kind, text } = parser.token;
    if (kind !== 'symbol' || !Object.hasOwn(PRECEDENCE, text)) return left;
    const operator = text as BinaryOperator;
    const precedence = PRECEDENCE[operator];
    if (precedence !== NONE && precedence <= above) return left;
    parser.advance();
    const right = parser.nested(() => parseArith(parser, precedence));
    checkOperands(operator, right);
    left = fold({ kind: 'binary', at, operator, left, right });
  }
}

function checkOperands(operator: BinaryOperator, right: Arith): void {
  if (right.kind !== 'constant') return;
  if (operator === '/' && right.value === 0) throw new FilterError('division by zero', right.at);
  if (operator === '%' && right.value === 0) throw new FilterError('modulus by zero', right.at);
  if ((operator === '<<' || operator === '>>') && right.value > 31)
    throw new FilterError('shift by more than 31 bits', right.at);
}

function unary(parser: Parser): Arith {
  const { at } = parser.token;
  if (parser.accept('-')) {
    const operand = parser.nested(() => parseArith(parser, MINUS));
    return operand.kind === 'constant'
      ? { kind: 'constant', at, value: -operand.value >>> 0 }
      : { kind: 'negate', at, operand };
  }
  if (parser.accept('(')) {
    const inner = parser.nested(() => parseArith(parser));
    parser.expect(')');
    return inner;
  }
  return atom(parser);
}

function atom(parser: Parser): Arith {
  const { token } = parser;
  if (token.kind === 'number') {
    parser.advance();
    return { kind: 'constant', at: token.at, value: token.value };
  }
  if (parser.accept('len', 'length')) return { kind: 'length', at: token.at };
  if (parser.startsProtocol() && parser.peek().text === '[') return load(parser);
  return parser.fail('expected a number, len or protocol[index]');
}

function load(parser: Parser): Arith {
  const { at, text } = parser.advance();
  parser.expect('[');
  const index = parser.nested(() => parseArith(parser));
  let size: 1 | 2 | 4 = 1;
  if (parser.accept(':')) {
    const { token } = parser;
    if (token.kind !== 'number' || (token.value !== 1 && token.value !== 2 && token.value !== 4))
      return parser.fail('expected a size of 1, 2 or 4');
    size = token.value;
    parser.advance();
  }
  parser.expect(']');
  return { kind: 'load', at, protocol: PROTOCOLS[text]!, index, size };
}

/** Constants are computed here, in 32 bits. */
function fold(node: Arith & { kind: 'binary' }): Arith {
  const { left, right } = node;
  if (left.kind !== 'constant' || right.kind !== 'constant') return node;
  return { kind: 'constant', at: node.at, value: compute(node.operator, left.value, right.value) };
}

function compute(operator: BinaryOperator, a: number, b: number): number {
  switch (operator) {
    case '+':
      return (a + b) >>> 0;
    case '-':
      return (a - b) >>> 0;
    case '*':
      return Math.imul(a, b) >>> 0;
    case '/':
      return Math.floor(a / b);
    case '%':
      return a % b;
    case '&':
      return (a & b) >>> 0;
    case '|':
      return (a | b) >>> 0;
    case '^':
      return (a ^ b) >>> 0;
    case '<<':
      return (a << b) >>> 0;
    default:
      return a >>> b;
  }
}
