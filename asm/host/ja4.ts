/**
 * JA4 of TLS ClientHellos, as FoxIO's specification defines it (technical_details/JA4.md, BSD-3-Clause; none
 * of the JA4+ methods, which have another licence). SHA-256 is the module's, so that it works where the
 * platform has none that answers at once.
 */
import type { Module } from './module.js';
import { hex } from './text.js';

/** What a ClientHello offers, in the order of the message, GREASE included. */
export interface ClientHello {
  transport: 'tcp' | 'quic';
  /** The legacy version of the message, which counts when there is no supported_versions. */
  version: number;
  supportedVersions: readonly number[];
  ciphers: readonly number[];
  extensions: readonly number[];
  signatures: readonly number[];
  /** First ALPN value, null without one. */
  alpn: Uint8Array | null;
}

/** SHA-256 of ASCII text, as hex. Overwrites the module's SCRATCH. */
export function sha256(module: Module, text: string): string {
  const base = module.constant('SCRATCH_BASE');
  module.bytes.set(new TextEncoder().encode(text), base);
  module.fn.digest(text.length);
  return hex(module.bytes.subarray(base, base + 32));
}

const SERVER_NAME = 0;
const ALPN = 16;
const VERSIONS: Record<number, string> = {
  772: '13',
  771: '12',
  770: '11',
  769: '10',
  768: 's3',
  2: 's2',
};

/** RFC 8701: 0x0a0a, 0x1a1a, … 0xfafa. */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}

const real = (values: readonly number[]): number[] => values.filter((value) => !isGrease(value));
const hex4 = (value: number): string => value.toString(16).padStart(4, '0');
const count = (values: readonly number[]): string => String(Math.min(99, values.length)).padStart(2, '0');

/** First and last character; of the hex text when one of them is no ASCII letter or digit. */
function alpnText(alpn: Uint8Array | null): string {
  const first = alpn?.[0];
  const last = alpn?.at(-1);
  if (!alpn || first === undefined || last === undefined) return '00';
  const plain = [first, last].map((value) => String.fromCharCode(value));
  if (plain.every((character) => /^[0-9A-Za-z]$/.test(character))) return plain.join('');
  const text = hex(alpn);
  return text.at(0)! + text.at(-1)!;
}

function hash(text: string, digest: (text: string) => string): string {
  return text ? digest(text).slice(0, 12) : '000000000000';
}

/** `digest` is SHA-256 of text, as hex. */
export function ja4(hello: ClientHello, digest: (text: string) => string): string {
  const version = Math.max(...real(hello.supportedVersions), 0) || hello.version;
  const ciphers = real(hello.ciphers);
  const extensions = real(hello.extensions);
  const start = [
    hello.transport === 'quic' ? 'q' : 't',
    VERSIONS[version] ?? '00',
    extensions.includes(SERVER_NAME) ? 'd' : 'i',
    count(ciphers),
    count(extensions),
    alpnText(hello.alpn),
  ].join('');
  const sorted = (values: readonly number[]): string => values.map(hex4).sort().join(',');
  const kept = sorted(extensions.filter((value) => value !== SERVER_NAME && value !== ALPN));
  const signatures = real(hello.signatures).map(hex4).join(',');
  const tail = kept && signatures ? `${kept}_${signatures}` : kept;
  return `${start}_${hash(sorted(ciphers), digest)}_${hash(tail, digest)}`;
}
