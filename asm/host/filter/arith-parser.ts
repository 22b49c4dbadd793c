/** Arithmetic inside filters: `proto[index:size]`, `len`, numbers, named constants and C's operators. */
import { FilterError } from '../errors.js';
import type { Arith, BinaryOperator } from './ast.js';
import { CONSTANTS, PROTOCOLS } from './names.js';
import type { Parser } from './parser.js';

/** Loosest first, as in pcap-filter's grammar. */
const LEVELS: readonly (readonly BinaryOperator[])[] = [
  ['|', '^'],
  ['&'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];

export function parseArith(parser: Parser, level = 0): Arith {
  const operators = LEVELS[level];
  if (!operators) return unary(parser);
  let left = parseArith(parser, level + 1);
  for (;;) {
    const { at } = parser.token;
    const operator = operators.find((text) => parser.is(text));
    if (!operator) return left;
    parser.advance();
    const right = parseArith(parser, level + 1);
    if ((operator === '/' || operator === '%') && right.kind === 'constant' && right.value === 0)
      throw new FilterError(operator === '/' ? 'division by zero' : 'modulus by zero', right.at);
    left = fold({ kind: 'binary', at, operator, left, right });
  }
}

function unary(parser: Parser): Arith {
  const { at } = parser.token;
  if (parser.accept('-')) {
    const operand = parser.nested(() => unary(parser));
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
  if (token.kind === 'word' && !token.escaped) {
    if (parser.accept('len')) return { kind: 'length', at: token.at };
    const value = CONSTANTS[token.text];
    if (value !== undefined) {
      parser.advance();
      return { kind: 'constant', at: token.at, value };
    }
    if (token.text in PROTOCOLS && parser.peek().text === '[') return load(parser);
  }
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
      return b < 32 ? (a << b) >>> 0 : 0;
    default:
      return b < 32 ? a >>> b : 0;
  }
}
