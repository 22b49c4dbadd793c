/** The stream errors in words. Codes and kinds are the module's exported constants, looked up by name. */
import type { Module } from './module.js';
import type { CaptureFormat, StreamError } from './types.js';

type Sentence = (a: number, b: number) => string;
const hex32 = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;

const SENTENCES: Record<string, Sentence> = {
  E_NOT_A_CAPTURE: () => 'not a pcap or pcapng file: its first bytes are no known magic number',
  E_EMPTY: () => 'the input is empty: not a pcap or pcapng file',
  E_CUT_HEADER: () => 'the file ends inside its header',
  E_CUT_RECORD: () => 'the file was cut short in the middle of a packet or block',
  E_PACKET_TOO_BIG: (a, b) => `a packet claims ${a} captured bytes, more than the maximum of ${b}`,
  E_PCAP_VERSION: (a, b) => `pcap version ${a}.${b} is not supported: 2.x is`,
  E_LINKTYPE_RESERVED: (a) => `the linktype field ${hex32(a)} has reserved bits set`,
  E_BLOCK_TOO_SMALL: (a, b) => `a block is ${a} bytes long, less than its minimum of ${b}`,
  E_BLOCK_TOO_BIG: (a, b) => `a block claims ${a} bytes, more than the maximum of ${b}`,
  E_BLOCK_TRAILER: (a, b) => `a block's two lengths differ (${a} at its start, ${b} at its end)`,
  E_BYTE_ORDER: (a) => `a section's byte-order magic is ${hex32(a)}`,
  E_SECTION_VERSION: (a, b) => `pcapng version ${a}.${b} is not supported: 1.0 is`,
  E_NO_SUCH_INTERFACE: (a, b) => `a packet names interface ${a}, but its section has described ${b}`,
  E_TOO_MANY_INTERFACES: (a) => `a section describes more than ${a} interfaces`,
  E_PACKET_PAST_BLOCK: (a, b) => `a packet claims ${a} captured bytes, but its block has room for ${b}`,
};

const KINDS: Record<string, StreamError['kind']> = {
  KIND_TRUNCATED: 'truncated',
  KIND_DAMAGED: 'damaged',
  KIND_UNSUPPORTED: 'unsupported',
  KIND_NOT_A_CAPTURE: 'not-a-capture',
};

/** The module's error, null when there is none. */
export function streamError(module: Module): StreamError | null {
  const { fn } = module;
  const code = fn.error_code();
  if (!code) return null;
  const sentence = SENTENCES[constantName(module, Object.keys(SENTENCES), code)]!;
  const kind = KINDS[constantName(module, Object.keys(KINDS), fn.error_kind())]!;
  const offset = (fn.error_offset_high() >>> 0) * 2 ** 32 + (fn.error_offset_low() >>> 0);
  return { kind, message: sentence(fn.error_argument(0) >>> 0, fn.error_argument(1) >>> 0), offset };
}

function constantName(module: Module, names: readonly string[], value: number): string {
  return names.find((name) => module.constant(name) === value)!;
}

const PCAP_FORMATS: readonly CaptureFormat[] = [
  'pcap',
  'pcap-swapped',
  'pcap-nanosecond',
  'pcap-nanosecond-swapped',
  'pcap-modified',
  'pcap-modified',
];
const PCAPNG_FORMATS: readonly CaptureFormat[] = [
  'pcapng',
  'pcapng',
  'pcapng-swapped',
  'pcapng-mixed-endian',
];

/** What format() of the module means. */
export function captureFormat(code: number): CaptureFormat {
  if (code === 0) return 'unknown';
  return (code < 16 ? PCAP_FORMATS[code - 1] : PCAPNG_FORMATS[code - 16]) ?? 'unknown';
}
