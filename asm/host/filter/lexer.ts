/** Filter text to tokens, each with its position. */
import { FilterError } from '../errors.js';
import { parseIpv4, parseIpv6, parseMac } from './address.js';

export type Token =
  | { kind: 'word'; at: number; text: string; escaped: boolean }
  | { kind: 'number'; at: number; text: string; value: number }
  | { kind: 'range'; at: number; text: string; low: number; high: number }
  | { kind: 'ipv4'; at: number; text: string; address: number; bits: number }
  | { kind: 'ipv6'; at: number; text: string; words: readonly number[] }
  | { kind: 'mac'; at: number; text: string; bytes: readonly number[] }
  | { kind: 'symbol'; at: number; text: string }
  | { kind: 'end'; at: number; text: string };

export const EXPRESSION_MAX = 16384;

const SPACE = /\s*/y;
const MAC =
  /(?:[0-9a-f]{1,2}([:-]))(?:[0-9a-f]{1,2}\1){4}[0-9a-f]{1,2}(?![-:\w.])|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}(?![\w.])/iy;
const IPV6 = /[0-9a-f]*(?::[0-9a-f]*){2,8}(?:(?:\d+\.){3}\d+)?(?![:\w.])/iy;
const IPV4 = /\d+(?:\.\d+){1,3}(?![-\w.])/y;
const RANGE = /(\d+)-(\d+)(?![-\w.])/y;
const NUMBER = /(?:0x[0-9a-f]+|\d+)(?![-\w.])/iy;
const WORD = /\\?[a-z0-9](?:[-\w.]*[\w.])?/iy;
const SYMBOL = /&&|\|\||<<|>>|<=|>=|==|!=|[()[\]:/+\-*%&|^!<>=]/y;

/** Throws FilterError at the first character that starts no token. */
export function tokenize(text: string): Token[] {
  if (text.length > EXPRESSION_MAX)
    throw new FilterError(
      `the expression has ${text.length} characters, more than ${EXPRESSION_MAX}`,
      EXPRESSION_MAX,
    );
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at += match(SPACE, text, at)![0].length;
    if (at >= text.length) break;
    const token = next(text, at);
    if (!token) throw new FilterError(`unexpected character '${text[at]}'`, at);
    tokens.push(token);
    at += token.text.length;
  }
  tokens.push({ kind: 'end', at: text.length, text: '' });
  return tokens;
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function next(text: string, at: number): Token | null {
  return address(text, at) ?? number(text, at) ?? wordOrSymbol(text, at);
}

function address(text: string, at: number): Token | null {
  const mac = match(MAC, text, at)?.[0];
  const bytes = mac && parseMac(mac);
  if (bytes) return { kind: 'mac', at, text: mac, bytes };
  const v6 = match(IPV6, text, at)?.[0];
  const words = v6 && parseIpv6(v6);
  if (words) return { kind: 'ipv6', at, text: v6, words };
  const v4 = match(IPV4, text, at)?.[0];
  if (!v4) return null;
  const parsed = parseIpv4(v4);
  if (!parsed) throw new FilterError(`'${v4}' is not an IPv4 address`, at);
  return { kind: 'ipv4', at, text: v4, ...parsed };
}

function number(text: string, at: number): Token | null {
  const range = match(RANGE, text, at);
  if (range) return { kind: 'range', at, text: range[0], low: Number(range[1]), high: Number(range[2]) };
  const digits = match(NUMBER, text, at)?.[0];
  if (!digits) return null;
  const octal = /^0\d/.test(digits);
  if (octal && /[89]/.test(digits)) throw new FilterError(`'${digits}' is not an octal number`, at);
  const value = octal ? Number.parseInt(digits, 8) : Number(digits);
  if (value > 0xffffffff) throw new FilterError(`${digits} does not fit 32 bits`, at);
  return { kind: 'number', at, text: digits, value };
}

function wordOrSymbol(text: string, at: number): Token | null {
  const word = match(WORD, text, at)?.[0];
  if (word) return { kind: 'word', at, text: word, escaped: word.startsWith('\\') };
  const symbol = match(SYMBOL, text, at)?.[0];
  return symbol ? { kind: 'symbol', at, text: symbol } : null;
}
