/** Primitives of one link type: 802.11, LLC, the packet filter's log, ATM and SS7, and `byte`, `ifindex`. */
import type { Expr, Primitive } from './ast.js';
import {
  ATM_WORDS,
  FIELD_WORDS,
  LLC_CONTROLS,
  PFLOG_ACTIONS,
  PFLOG_REASONS,
  PFLOG_WORDS,
  SIGNAL_WORDS,
  WLAN_DIRECTIONS,
  WLAN_SUBTYPES,
  WLAN_TYPES,
} from './names.js';
import type { Parser } from './parser.js';

const WLAN_TYPE_MASK = 0x0c;
const WLAN_SUBTYPE_MASK = 0xf0;
const WLAN_DIRECTION_MASK = 0x03;
const BYTE_OPERATORS = ['=', '==', '<', '>', '&', '|'] as const;

/** Undefined when none of them starts here; then nothing is consumed. */
export function parseSpecial(parser: Parser): Expr | undefined {
  const { token } = parser;
  if (token.kind !== 'word' || token.escaped) return undefined;
  const { at, text } = token;
  if (ATM_WORDS.has(text)) return { kind: 'atm', at, name: parser.advance().text };
  if (SIGNAL_WORDS.has(text))
    return { kind: 'signal', at, name: parser.advance().text.replace('lsu', 'lssu') };
  if (FIELD_WORDS.has(text)) return field(parser);
  if (Object.hasOwn(PFLOG_WORDS, text)) return pflog(parser);
  if (parser.accept('llc')) return llc(parser, at);
  if (parser.accept('ifindex')) return { kind: 'ifindex', at, value: plainNumber(parser) };
  return parser.accept('byte') ? byte(parser, at) : undefined;
}

/** `type`, `subtype` and `dir` of 802.11, after an optional protocol word. */
export function parseWlan(parser: Parser, at: number): Expr | undefined {
  if (parser.accept('dir', 'direction')) {
    const value = numberOrName(parser, WLAN_DIRECTIONS, '802.11 direction', WLAN_DIRECTION_MASK);
    return { kind: 'wlan', at, byte: 1, value, mask: WLAN_DIRECTION_MASK };
  }
  if (parser.accept('subtype')) {
    const [type, subtypes] =
      Object.entries(WLAN_SUBTYPES).find(([, names]) => nameIn(parser, names)) ??
      parser.fail('expected the name of an 802.11 subtype');
    const value = Number(type) | subtypes[nameIn(parser, subtypes)!]!;
    parser.advance();
    return { kind: 'wlan', at, byte: 0, value, mask: WLAN_TYPE_MASK | WLAN_SUBTYPE_MASK };
  }
  if (!parser.accept('type')) return undefined;
  const type = numberOrName(parser, WLAN_TYPES, '802.11 type', WLAN_TYPE_MASK);
  if (!parser.accept('subtype')) return { kind: 'wlan', at, byte: 0, value: type, mask: WLAN_TYPE_MASK };
  const subtype = numberOrName(parser, WLAN_SUBTYPES[type] ?? {}, '802.11 subtype', WLAN_SUBTYPE_MASK);
  return { kind: 'wlan', at, byte: 0, value: type | subtype, mask: WLAN_TYPE_MASK | WLAN_SUBTYPE_MASK };
}

/** The token as a name of the table, whatever its case; undefined when it is none. */
function nameIn(parser: Parser, names: Record<string, unknown>): string | undefined {
  const { token } = parser;
  if (token.kind !== 'word') return undefined;
  const name = token.text.replace(/^\\/, '').toLowerCase();
  return Object.hasOwn(names, name) ? name : undefined;
}

function numberOrName(parser: Parser, names: Record<string, number>, what: string, mask: number): number {
  const { token } = parser;
  const name = nameIn(parser, names);
  if (name === undefined && token.kind !== 'number') return parser.fail(`expected an ${what}`);
  const value = name === undefined ? (token as { value: number }).value : names[name]!;
  if (value > 0xff || (value & ~mask) !== 0)
    return parser.fail(`expected an ${what} within 0x${mask.toString(16)}`);
  parser.advance();
  return value;
}

function plainNumber(parser: Parser): number {
  const { token } = parser;
  if (token.kind !== 'number') return parser.fail('expected a number');
  parser.advance();
  return token.value;
}

function llc(parser: Parser, at: number): Primitive {
  const name = nameIn(parser, LLC_CONTROLS);
  if (name) {
    parser.advance();
    return { kind: 'llc', at, control: LLC_CONTROLS[name] };
  }
  const { token } = parser;
  const joins = token.kind === 'word' && !token.escaped && (token.text === 'and' || token.text === 'or');
  if (token.kind === 'word' && !joins) return parser.fail('expected i, s, u or an LLC command');
  return { kind: 'llc', at, control: undefined };
}

function pflog(parser: Parser): Primitive {
  const { at, text } = parser.advance();
  const name = PFLOG_WORDS[text as keyof typeof PFLOG_WORDS];
  if (name === 'reason') {
    const value = numberOrName(parser, PFLOG_REASONS, 'reason of the log', 0xff);
    return { kind: 'pflog', at, field: name, value };
  }
  if (name === 'action') {
    const action = nameIn(parser, PFLOG_ACTIONS) ?? parser.fail('expected an action such as pass or block');
    parser.advance();
    return { kind: 'pflog', at, field: name, value: PFLOG_ACTIONS[action]! };
  }
  if (name === 'rulenr' || name === 'subrulenr')
    return { kind: 'pflog', at, field: name, value: plainNumber(parser) };
  const { token } = parser;
  if (token.kind !== 'word') return parser.fail('expected a name');
  parser.advance();
  return { kind: 'pflog', at, field: name, value: token.text.replace(/^\\/, '') };
}

function byte(parser: Parser, at: number): Primitive {
  const index = plainNumber(parser);
  const operator =
    BYTE_OPERATORS.find((text) => parser.accept(text)) ?? parser.fail('expected =, <, >, & or |');
  return {
    kind: 'byte',
    at,
    index,
    operator: operator === '==' ? '=' : operator,
    value: plainNumber(parser),
  };
}

/** `vpi 3`, `opc > 100`, `dpc (1 or 2)`. */
function field(parser: Parser): Expr {
  const { at, text: name } = parser.advance();
  const one = (): Primitive => {
    const operator = parser.acceptRelation() ?? '=';
    return { kind: 'field', at, name, operator, value: plainNumber(parser) };
  };
  if (!parser.accept('(')) return one();
  let left: Expr = one();
  while (parser.accept('or', '||')) left = { kind: 'or', left, right: one() };
  parser.expect(')');
  return left;
}
