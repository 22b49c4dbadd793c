/**
 * The pcap-filter(7) grammar. `and` and `or` have equal precedence and group to the left; `not` binds
 * tighter; an identifier without qualifiers takes those of the primitive before it.
 */
import { FilterError } from '../errors.js';
import { parseArith } from './arith-parser.js';
import type { Direction, Expr, Id, IdType, Qualifiers, Relation } from './ast.js';
import type { Token } from './lexer.js';
import { tokenize } from './lexer.js';
import { CONSTANTS, PROTOCOLS, REFUSED } from './names.js';

const NEST_MAX = 200;
const TYPES = new Set<string>(['host', 'net', 'port', 'portrange', 'proto']);
const RELATIONS: Record<string, Relation> = {
  '=': '=',
  '==': '=',
  '!=': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};
const RESERVED = new Set([
  'and', 'or', 'not', 'src', 'dst', 'len', 'less', 'greater', 'broadcast', 'multicast', 'vlan', 'mpls', 'pppoed',
  'pppoes', 'inbound', 'outbound', 'mask', ...TYPES, ...Object.keys(PROTOCOLS), ...Object.keys(REFUSED),
]); // biome-ignore format: a list of words

/** Throws FilterError. A blank expression is not an expression: callers leave it out. */
export function parseFilter(text: string): Expr {
  const parser = new Parser(tokenize(text));
  try {
    const expr = parser.expression();
    parser.expectEnd();
    return expr;
  } catch (error) {
    // What was tried as arithmetic may have failed further on: that is the better message.
    const { furthest } = parser;
    throw error instanceof FilterError && furthest && furthest.position > error.position ? furthest : error;
  }
}

/** A cursor over tokens with the grammar's rules; arithmetic is in arith-parser.ts. */
export class Parser {
  #at = 0;
  #nest = 0;
  #last: Qualifiers | undefined;
  /** The mistake that stopped the longest try at arithmetic. */
  furthest: FilterError | undefined;

  constructor(readonly tokens: readonly Token[]) {}

  get token(): Token {
    return this.tokens[this.#at]!;
  }

  peek(ahead = 1): Token {
    return this.tokens[Math.min(this.#at + ahead, this.tokens.length - 1)]!;
  }

  advance(): Token {
    const { token } = this;
    if (token.kind !== 'end') this.#at++;
    return token;
  }

  /** Whether the token is this keyword or symbol. An escaped word is a name, never a keyword. */
  is(text: string): boolean {
    const { token } = this;
    return (token.kind === 'word' || token.kind === 'symbol') && token.text === text;
  }

  accept(...texts: string[]): boolean {
    const found = texts.some((text) => this.is(text));
    if (found) this.advance();
    return found;
  }

  expect(text: string): void {
    if (!this.accept(text)) this.fail(`expected '${text}'`);
  }

  expectEnd(): void {
    if (this.token.kind !== 'end') this.fail('expected and, or, or the end');
  }

  fail(problem: string): never {
    const { token } = this;
    throw new FilterError(
      `${problem}, found ${token.kind === 'end' ? 'the end' : `'${token.text}'`}`,
      token.at,
    );
  }

  /** Guards recursion: parentheses and nots nested deeper than NEST_MAX are refused. */
  nested<T>(rule: () => T): T {
    if (++this.#nest > NEST_MAX) throw new FilterError(`nested deeper than ${NEST_MAX}`, this.token.at);
    const value = rule();
    this.#nest--;
    return value;
  }

  expression(): Expr {
    let left = this.#term();
    for (;;) {
      const and = this.accept('and', '&&');
      if (!and && !this.accept('or', '||')) return left;
      left = { kind: and ? 'and' : 'or', left, right: this.#term() };
    }
  }

  #term(): Expr {
    if (this.accept('not', '!')) return { kind: 'not', operand: this.nested(() => this.#term()) };
    const relation = this.#relation();
    if (relation) return relation;
    if (this.accept('(')) {
      const expr = this.nested(() => this.expression());
      this.expect(')');
      return expr;
    }
    return this.#primitive();
  }

  /** An arithmetic comparison, if one starts here; else nothing is consumed. */
  #relation(): Expr | undefined {
    if (!this.#mayBeArithmetic()) return undefined;
    const start = this.#at;
    const nest = this.#nest;
    const at = this.token.at;
    try {
      const left = parseArith(this);
      const operator = this.token.kind === 'symbol' ? RELATIONS[this.token.text] : undefined;
      if (operator) {
        this.advance();
        return { kind: 'relation', at, operator, left, right: parseArith(this) };
      }
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      if (error.position > (this.furthest?.position ?? -1)) this.furthest = error;
    }
    this.#at = start;
    this.#nest = nest;
    return undefined;
  }

  #mayBeArithmetic(): boolean {
    const { token } = this;
    if (token.kind === 'number') return this.peek().kind === 'symbol' && this.peek().text !== ')';
    if (token.kind === 'symbol') return token.text === '(' || token.text === '-';
    if (token.kind !== 'word' || token.escaped) return false;
    return (
      token.text === 'len' || token.text in CONSTANTS || (token.text in PROTOCOLS && this.peek().text === '[')
    );
  }

  #primitive(): Expr {
    const { token } = this;
    if (token.kind === 'word' && !token.escaped && token.text in REFUSED)
      throw new FilterError(`'${token.text}' ${REFUSED[token.text]}`, token.at);
    return this.#sized() ?? this.#shift() ?? this.#qualified();
  }

  /** `less N`, `greater N`, `inbound`, `outbound`. */
  #sized(): Expr | undefined {
    const { at } = this.token;
    const less = this.is('less');
    if (less || this.is('greater')) {
      this.advance();
      const right = { kind: 'constant' as const, at: this.token.at, value: this.#number() };
      return { kind: 'relation', at, operator: less ? '<=' : '>=', left: { kind: 'length', at }, right };
    }
    const inbound = this.is('inbound');
    if (!inbound && !this.is('outbound')) return undefined;
    this.advance();
    return { kind: 'way', at, inbound };
  }

  #shift(): Expr | undefined {
    const { at } = this.token;
    const which = (['vlan', 'mpls', 'pppoed', 'pppoes'] as const).find((word) => this.is(word));
    if (!which) return undefined;
    this.advance();
    const takesNumber = which !== 'pppoed' && this.token.kind === 'number';
    return { kind: 'shift', at, which, number: takesNumber ? this.#number() : undefined };
  }

  #number(): number {
    const { token } = this;
    if (token.kind !== 'number') this.fail('expected a number');
    this.advance();
    return token.value;
  }

  /** [protocol] [direction] [type] id, or a protocol alone, or an id that borrows its qualifiers. */
  #qualified(): Expr {
    const { at } = this.token;
    const protocol = this.#protocol();
    const which = (['broadcast', 'multicast'] as const).find((word) => this.accept(word));
    if (which) return { kind: 'cast', at, protocol, which };
    const direction = this.#direction();
    const type = this.#type();
    if (!direction && !type) {
      if (protocol) {
        this.#last = { protocol };
        return { kind: 'protocol', at, name: protocol };
      }
      if (!this.#last || !this.#startsId())
        this.fail('expected a primitive such as host, net, port, tcp or vlan');
      return this.#ids(this.#last);
    }
    const qualifiers: Qualifiers = {
      ...(protocol && { protocol }),
      ...(direction && { direction }),
      ...(type && { type }),
    };
    this.#last = qualifiers;
    return this.#ids(qualifiers);
  }

  #startsId(): boolean {
    const { token } = this;
    if (token.kind === 'word') return token.escaped || !RESERVED.has(token.text);
    return token.kind !== 'symbol' && token.kind !== 'end';
  }

  #protocol(): string | undefined {
    const { token } = this;
    if (token.kind !== 'word' || token.escaped || !(token.text in PROTOCOLS)) return undefined;
    this.advance();
    return PROTOCOLS[token.text];
  }

  #direction(): Direction | undefined {
    const first = (['src', 'dst'] as const).find((word) => this.is(word));
    if (!first) return undefined;
    this.advance();
    const other = first === 'src' ? 'dst' : 'src';
    const joined =
      this.is('or') || this.is('||') ? 'or' : this.is('and') || this.is('&&') ? 'and' : undefined;
    // `src or dst` joins directions; `src 1.2.3.4 or dst ...` does not come here with `or` next.
    if (!joined || this.peek().text !== other) return first;
    this.advance();
    this.advance();
    return joined;
  }

  #type(): IdType | undefined {
    const { token } = this;
    if (token.kind !== 'word' || token.escaped || !TYPES.has(token.text)) {
      if (token.kind === 'word' && !token.escaped && token.text in REFUSED)
        throw new FilterError(`'${token.text}' ${REFUSED[token.text]}`, token.at);
      return undefined;
    }
    this.advance();
    return token.text as IdType;
  }

  /** One identifier, or a parenthesized list: `port (80 or 443)`. */
  #ids(qualifiers: Qualifiers): Expr {
    if (this.accept('not', '!')) return { kind: 'not', operand: this.nested(() => this.#ids(qualifiers)) };
    if (!this.accept('(')) return { kind: 'id', at: this.token.at, qualifiers, id: this.#id() };
    let left = this.nested(() => this.#ids(qualifiers));
    while (!this.is(')')) {
      const and = this.accept('and', '&&');
      if (!and && !this.accept('or', '||')) this.fail("expected and, or, or ')'");
      left = { kind: and ? 'and' : 'or', left, right: this.nested(() => this.#ids(qualifiers)) };
    }
    this.expect(')');
    return left;
  }

  #id(): Id {
    const { token } = this;
    switch (token.kind) {
      case 'number':
        this.advance();
        return this.is('/')
          ? this.#mask(promoteNet(token.value), 32)
          : { kind: 'number', value: token.value };
      case 'range':
        this.advance();
        return { kind: 'range', low: token.low, high: token.high };
      case 'ipv4':
        this.advance();
        return this.#mask(token.address, token.bits);
      case 'ipv6':
        this.advance();
        return this.#prefix(token.words);
      case 'mac':
        this.advance();
        return { kind: 'mac', bytes: token.bytes };
      case 'word':
        if (!token.escaped && RESERVED.has(token.text))
          return this.fail('expected an address, number or name');
        this.advance();
        return { kind: 'name', text: token.text.replace(/^\\/, '') };
      default:
        return this.fail('expected an address, number or name');
    }
  }

  /** `/LENGTH` or `mask ADDRESS` after an IPv4 address; `bits` of it were written out. */
  #mask(address: number, bits: number): Id {
    const { at } = this.token;
    if (this.accept('/')) {
      const length = this.#number();
      if (length > 32) throw new FilterError('mask length must be <= 32', at);
      return ipv4Net(address, maskOf(length), at);
    }
    if (this.accept('mask')) {
      const { token } = this;
      if (token.kind !== 'ipv4') this.fail('expected a netmask');
      this.advance();
      return ipv4Net(address, token.address, at);
    }
    return { kind: 'ipv4', address, mask: maskOf(bits), masked: false };
  }

  #prefix(words: readonly number[]): Id {
    const { at } = this.token;
    if (!this.accept('/')) return { kind: 'ipv6', words, prefix: 128, masked: false };
    const prefix = this.#number();
    if (prefix > 128) throw new FilterError('prefix length must be <= 128', at);
    const host = words.some((word, i) => (word & ~maskOf(Math.min(32, Math.max(0, prefix - i * 32)))) !== 0);
    if (host) throw new FilterError(`non-network bits set before '/${prefix}'`, at);
    return { kind: 'ipv6', words, prefix, masked: true };
  }
}

/** The top `bits` bits of 32. */
export function maskOf(bits: number): number {
  return bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
}

/** `net 10` means 10.0.0.0: a short number is moved to the top. */
export function promoteNet(value: number): number {
  let address = value >>> 0;
  while (address && address < 0x1000000) address *= 256;
  return address;
}

function ipv4Net(address: number, mask: number, at: number): Id {
  if ((address & ~mask) !== 0) throw new FilterError('non-network bits set in the address', at);
  return { kind: 'ipv4', address, mask, masked: true };
}
