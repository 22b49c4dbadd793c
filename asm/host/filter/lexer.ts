/**
 * Filter text to tokens, each with its position. As in libpcap the longest match wins: `10-20` and
 * `len-14` are one word, `80` is a number, `1.2.3.4` an address. A backslash makes any word a name.
 */
import { FilterError } from '../errors.js';
import { parseIpv4, parseIpv6, parseMac } from './address.js';
import { CONSTANTS, KEYWORDS } from './names.js';

export type Token =
  | { kind: 'word'; at: number; text: string; escaped: boolean }
  | { kind: 'number'; at: number; text: string; value: number }
  | { kind: 'ipv4'; at: number; text: string; address: number; bits: number }
  | { kind: 'ipv6'; at: number; text: string; words: readonly number[] }
  | { kind: 'mac'; at: number; text: string; bytes: readonly number[] }
  | { kind: 'arcnet'; at: number; text: string; byte: number }
  | { kind: 'symbol'; at: number; text: string }
  | { kind: 'end'; at: number; text: string };

export const EXPRESSION_MAX = 16384;

const SPACE = /[ \r\n\t]*/y;
const BYTE = '[0-9a-f]{1,2}';
const MAC = new RegExp(
  `${BYTE}(?:(?::${BYTE}){5}|(?:-${BYTE}){5}|(?:\\.${BYTE}){5})|[0-9a-f]{4}\\.[0-9a-f]{4}\\.[0-9a-f]{4}|[0-9a-f]{12}`,
  'iy',
);
const NUMBER = /0x[0-9a-f]+|\d+/iy;
const IPV4 = /\d+(?:\.\d+){1,3}/y;
const IPV6 = /[0-9a-f]*(?::[0-9a-f]*){2,8}(?:(?:\.\d+){3})?/iy;
const WORD = /[a-z0-9](?:[-\w.]*[a-z0-9.])?/iy;
const ESCAPED = /\\[^ !()\n\t]+/y;
const ARCNET = /\$[0-9a-f]{1,2}/iy;
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
    at += match(SPACE, text, at).length;
    if (at >= text.length) break;
    const token = next(text, at);
    tokens.push(token);
    at += token.text.length;
  }
  tokens.push({ kind: 'end', at: text.length, text: '' });
  return tokens;
}

/** What the pattern matches at `at`, or the empty string. */
function match(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

function next(input: string, at: number): Token {
  const symbol = match(SYMBOL, input, at);
  const word = match(WORD, input, at);
  const v6 = ipv6(input, at);
  if (v6 && v6.text.length > word.length) return longerOf(v6, match(MAC, input, at));
  if (symbol) return { kind: 'symbol', at, text: symbol };
  const special = match(ESCAPED, input, at);
  if (special) return { kind: 'word', at, text: special, escaped: true };
  const arcnet = match(ARCNET, input, at);
  if (arcnet) return { kind: 'arcnet', at, text: arcnet, byte: Number.parseInt(arcnet.slice(1), 16) };
  const mac = match(MAC, input, at);
  if (mac && mac.length >= word.length) return macToken(mac, at);
  if (!word) throw new FilterError(`unexpected character '${input[at]}'`, at);
  return wordToken(word, input, at);
}

/** `1:2:3:4:5:6` is an Ethernet address, `::1` an IPv6 one; MAC wins when both are as long. */
function longerOf(v6: Token, mac: string): Token {
  return mac.length >= v6.text.length ? macToken(mac, v6.at) : v6;
}

function macToken(text: string, at: number): Token {
  return { kind: 'mac', at, text, bytes: parseMac(text)! };
}

function ipv6(input: string, at: number): Token | null {
  const text = match(IPV6, input, at);
  const words = text ? parseIpv6(text) : null;
  return words && { kind: 'ipv6', at, text, words };
}

/** Keywords are case-sensitive, and go before numbers and names of the same length. */
function wordToken(word: string, input: string, at: number): Token {
  const constant = CONSTANTS[word];
  if (Object.hasOwn(CONSTANTS, word)) return { kind: 'number', at, text: word, value: constant! };
  if (KEYWORDS.has(word)) return { kind: 'word', at, text: word, escaped: false };
  if (match(NUMBER, input, at) === word) return { kind: 'number', at, text: word, value: numeric(word, at) };
  if (match(IPV4, input, at) !== word) return { kind: 'word', at, text: word, escaped: false };
  const parsed = parseIpv4(word);
  if (!parsed) throw new FilterError(`'${word}' is not an IPv4 address`, at);
  return { kind: 'ipv4', at, text: word, ...parsed };
}

function numeric(digits: string, at: number): number {
  const octal = /^0\d/.test(digits);
  if (octal && /[89]/.test(digits)) throw new FilterError(`'${digits}' is not an octal number`, at);
  const value = octal ? Number.parseInt(digits, 8) : Number(digits);
  if (value > 0xffffffff) throw new FilterError(`${digits} does not fit 32 bits`, at);
  return value;
}
