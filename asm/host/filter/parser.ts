/**
 * The pcap-filter(7) grammar. `and` and `or` have equal precedence and group to the left; `not` binds
 * tighter; an identifier without qualifiers takes those of the primitive before it. Words of one link
 * type (802.11, LLC, ATM, SS7, the packet filter's log) are in special-parser.ts.
 */
import { FilterError } from '../errors.js';
import { parseArith } from './arith-parser.js';
import type { Arith, Direction, Expr, Id, IdType, Qualifiers, Relation, Shift } from './ast.js';
import type { Token } from './lexer.js';
import { tokenize } from './lexer.js';
import { KEYWORDS, PROTOCOLS, WLAN_ADDRESSES } from './names.js';
import { parseSpecial, parseWlan } from './special-parser.js';

const NEST_MAX = 200;
const TYPES = ['host', 'net', 'port', 'portrange', 'proto', 'protochain', 'gateway'] as const;
/** These stand after a protocol only, not after a direction. */
const UNDIRECTED: ReadonlySet<IdType> = new Set(['proto', 'protochain', 'gateway']);
const SHIFTS = ['vlan', 'mpls', 'pppoed', 'pppoes', 'geneve'] as const satisfies readonly Shift[];
const ARITHMETIC = /^(?:[-+*/%&|^=<>]|<<|>>|[=!<>]=)$/;
const RELATIONS: Record<string, Relation> = {
  '=': '=',
  '==': '=',
  '!=': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};

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
  /** Qualifiers of the operand before `and` or `or`; undefined when it had none to pass on. */
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
    if (token.kind === 'symbol') return token.text === text;
    return token.kind === 'word' && !token.escaped && token.text === text;
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

  startsProtocol(): boolean {
    const { token } = this;
    return token.kind === 'word' && !token.escaped && Object.hasOwn(PROTOCOLS, token.text);
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
    if (!this.is('(')) return this.#primitive();
    if (this.#last && this.#listStarts()) return this.#ids(this.#last);
    const before = this.#last;
    this.advance();
    const expr = this.nested(() => this.expression());
    this.expect(')');
    this.#last = before;
    return expr;
  }

  /** Whether what the parenthesis opens is a list of identifiers, as in `port 80 or (443 or 8080)`. */
  #listStarts(): boolean {
    let ahead = 0;
    while (['(', '!', 'not'].includes(this.peek(ahead).text) && !isEscaped(this.peek(ahead))) ahead++;
    const token = this.peek(ahead);
    if (!startsId(token)) return false;
    if (token.kind !== 'number') return true;
    do ahead++;
    while (this.peek(ahead).text === ')');
    return !ARITHMETIC.test(this.peek(ahead).text);
  }

  /** An arithmetic comparison, if one starts here; else nothing is consumed. */
  #relation(): Expr | undefined {
    if (!this.#mayBeArithmetic()) return undefined;
    const start = this.#at;
    const nest = this.#nest;
    const at = this.token.at;
    try {
      const left = parseArith(this);
      const operator = this.acceptRelation();
      if (operator) {
        const right: Arith = parseArith(this);
        this.#last = undefined;
        return { kind: 'relation', at, operator, left, right };
      }
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      if (error.position > (this.furthest?.position ?? -1)) this.furthest = error;
    }
    this.#at = start;
    this.#nest = nest;
    return undefined;
  }

  acceptRelation(): Relation | undefined {
    const operator = this.token.kind === 'symbol' ? RELATIONS[this.token.text] : undefined;
    if (operator) this.advance();
    return operator;
  }

  #mayBeArithmetic(): boolean {
    const { token } = this;
    if (token.kind === 'number') return ARITHMETIC.test(this.peek().text);
    if (token.kind === 'symbol') return token.text === '(' || token.text === '-';
    return this.is('len') || this.is('length') || (this.startsProtocol() && this.peek().text === '[');
  }

  #primitive(): Expr {
    const other = this.#sized() ?? this.#shift() ?? parseSpecial(this);
    if (!other) return this.#qualified();
    this.#last = undefined;
    return other;
  }

  /** `less N`, `greater N`, `inbound`, `outbound`. */
  #sized(): Expr | undefined {
    const { at } = this.token;
    const less = this.is('less');
    if (less || this.is('greater')) {
      this.advance();
      const right = { kind: 'constant' as const, at: this.token.at, value: this.number() };
      return { kind: 'relation', at, operator: less ? '<=' : '>=', left: { kind: 'length', at }, right };
    }
    const inbound = this.is('inbound');
    if (!inbound && !this.is('outbound')) return undefined;
    this.advance();
    return { kind: 'way', at, inbound };
  }

  #shift(): Expr | undefined {
    const { at } = this.token;
    const which = SHIFTS.find((word) => this.is(word));
    if (!which) return undefined;
    this.advance();
    const number = which === 'pppoed' ? undefined : this.#optionalNumber();
    return { kind: 'shift', at, which, number };
  }

  #optionalNumber(): number | undefined {
    let ahead = 0;
    while (this.peek(ahead).text === '(') ahead++;
    return this.peek(ahead).kind === 'number' ? this.number() : undefined;
  }

  /** A number, also in parentheses. */
  number(): number {
    if (this.accept('(')) {
      const value = this.nested(() => this.number());
      this.expect(')');
      return value;
    }
    const { token } = this;
    if (token.kind !== 'number') this.fail('expected a number');
    this.advance();
    return token.value;
  }

  /** [protocol] [direction] [type] id, or a protocol alone, or an id that borrows its qualifiers. */
  #qualified(): Expr {
    const { at } = this.token;
    const protocol = this.startsProtocol() ? PROTOCOLS[this.advance().text] : undefined;
    const which = (['broadcast', 'multicast'] as const).find((word) => this.accept(word));
    const wlan = which ? undefined : parseWlan(this, at);
    if (which || wlan) this.#last = undefined;
    if (which) return { kind: 'cast', at, protocol, which };
    if (wlan) return wlan;
    const direction = this.#direction();
    const type = this.#type(direction);
    if (direction || type) {
      this.#last = {
        ...(protocol && { protocol }),
        ...(direction && { direction }),
        ...(type && { type }),
      };
      return this.#ids(this.#last);
    }
    if (protocol) {
      this.#last = undefined;
      return { kind: 'protocol', at, name: protocol };
    }
    if (!this.#last || !startsId(this.token))
      this.fail('expected a primitive such as host, net, port, tcp or vlan');
    return this.#ids(this.#last);
  }

  #direction(): Direction | undefined {
    const { token } = this;
    if (token.kind !== 'word' || token.escaped) return undefined;
    const address = Object.hasOwn(WLAN_ADDRESSES, token.text) ? WLAN_ADDRESSES[token.text] : undefined;
    const first = address ?? (['src', 'dst'] as const).find((word) => this.is(word));
    if (!first) return undefined;
    this.advance();
    if (address) return address;
    const other = first === 'src' ? 'dst' : 'src';
    const joined =
      this.is('or') || this.is('||') ? 'or' : this.is('and') || this.is('&&') ? 'and' : undefined;
    // `src or dst` joins directions; `src 1.2.3.4 or dst ...` does not come here with `or` next.
    if (!joined || this.peek().text !== other) return first;
    this.advance();
    this.advance();
    return joined;
  }

  #type(direction: Direction | undefined): IdType | undefined {
    const type = TYPES.find((word) => this.is(word));
    if (!type) return undefined;
    if (direction && UNDIRECTED.has(type)) this.fail(`'${direction}' does not apply to '${type}'`);
    this.advance();
    return type;
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
    if (!startsId(token)) return this.fail('expected an address, number or name');
    this.advance();
    switch (token.kind) {
      case 'number':
        return { kind: 'number', value: token.value };
      case 'ipv4':
        return this.#mask(token.text, token.address, token.bits);
      case 'ipv6':
        return this.#prefix(token.words);
      case 'mac':
        return { kind: 'mac', bytes: token.bytes };
      case 'arcnet':
        return { kind: 'arcnet', byte: token.byte };
      default:
        return { kind: 'name', text: token.text.replace(/^\\/, '') };
    }
  }

  /** `/LENGTH` or `mask ADDRESS` after an IPv4 address; `bits` of it were written out. */
  #mask(text: string, address: number, bits: number): Id {
    const { at } = this.token;
    if (this.accept('/')) {
      const { token } = this;
      if (token.kind !== 'number') this.fail('expected a mask length');
      this.advance();
      if (token.value > 32) throw new FilterError('mask length must be <= 32', at);
      return ipv4Net(text, address, maskOf(token.value), at);
    }
    if (this.accept('mask')) {
      const { token } = this;
      if (token.kind !== 'ipv4') this.fail('expected a netmask');
      this.advance();
      return ipv4Net(text, address, token.address, at);
    }
    return { kind: 'ipv4', text, address, mask: maskOf(bits), masked: false };
  }

  #prefix(words: readonly number[]): Id {
    const { at } = this.token;
    if (!this.accept('/')) return { kind: 'ipv6', words, prefix: 128, masked: false };
    const { token } = this;
    if (token.kind !== 'number') this.fail('expected a prefix length');
    this.advance();
    const prefix = token.value;
    if (prefix > 128) throw new FilterError('prefix length must be <= 128', at);
    const host = words.some((word, i) => (word & ~maskOf(Math.min(32, Math.max(0, prefix - i * 32)))) !== 0);
    if (host) throw new FilterError(`non-network bits set before '/${prefix}'`, at);
    return { kind: 'ipv6', words, prefix, masked: prefix !== 128 };
  }
}

function isEscaped(token: Token): boolean {
  return token.kind === 'word' && token.escaped;
}

function startsId(token: Token): boolean {
  if (token.kind === 'word') return token.escaped || !KEYWORDS.has(token.text);
  return token.kind !== 'symbol' && token.kind !== 'end';
}

/** The top `bits` bits of 32. */
export function maskOf(bits: number): number {
  return bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
}

function ipv4Net(text: string, address: number, mask: number, at: number): Id {
  if ((address & ~mask) !== 0) throw new FilterError('non-network bits set in the address', at);
  return { kind: 'ipv4', text, address, mask, masked: true };
}
