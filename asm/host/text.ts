/** Bytes as text: addresses, names, hex. Input is hostile, so what is not printable is escaped. */

const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, '0'));

export function hex(bytes: Uint8Array, separator = ''): string {
  return Array.from(bytes, (value) => HEX[value]).join(separator);
}

export function etherText(bytes: Uint8Array): string {
  return hex(bytes, ':');
}

export function ipv4Text(bytes: Uint8Array): string {
  // The capture may have cut it.
  return bytes.length === 4 ? `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` : bytes.join('.');
}

/** RFC 5952: lower case, the longest run of two or more zero groups (the first of equals) as `::`. */
export function ipv6Text(bytes: Uint8Array): string {
  let best = -1;
  let bestLength = 1;
  for (let start = 0, length = 0; start < 8; start += length + 1) {
    length = 0;
    while (start + length < 8 && group(bytes, start + length) === 0) length++;
    if (length > bestLength) [best, bestLength] = [start, length];
  }
  let text = '';
  for (let i = 0; i < 8; i++) {
    if (i === best) {
      text += '::';
      i += bestLength - 1;
    } else text += `${text === '' || text.endsWith(':') ? '' : ':'}${group(bytes, i).toString(16)}`;
  }
  return text;
}

const group = (bytes: Uint8Array, i: number): number => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!;

/** Printable ASCII as it is, anything else as \\xNN. */
export function asciiText(bytes: Uint8Array): string {
  let text = '';
  for (const value of bytes)
    text += value >= 32 && value < 127 ? String.fromCharCode(value) : `\\x${HEX[value]}`;
  return text;
}

/** Up to the first NUL. */
export function untilNul(bytes: Uint8Array): Uint8Array {
  const nul = bytes.indexOf(0);
  return nul < 0 ? bytes : bytes.subarray(0, nul);
}

const NAME_MAX = 255;

/**
 * A DNS name at `at`, of the message that starts at `start`. Compression pointers (RFC 1035 section 4.1.4)
 * must lead back, each further than the one before, so that every name ends; where one does not, or leaves
 * the bytes, the text ends in `<malformed>`.
 */
export function dnsNameText(bytes: Uint8Array, at: number, start: number): string {
  const labels: string[] = [];
  let size = 0;
  for (let limit = at; ; ) {
    const length = bytes[at];
    if (length === 0) break;
    if (length !== undefined && length >= 0xc0) {
      const target = start + (((length & 0x3f) << 8) | (bytes[at + 1] ?? 0));
      if (target >= limit || target < start) return [...labels, '<malformed>'].join('.');
      at = limit = target;
      continue;
    }
    size += 1 + (length ?? NAME_MAX);
    if (length === undefined || length > 63 || size > NAME_MAX || at + 1 + length > bytes.length)
      return [...labels, '<malformed>'].join('.');
    labels.push(asciiText(bytes.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return labels.length ? labels.join('.') : '<Root>';
}

/** An access point name: DNS labels without the last, empty one (3GPP TS 23.003), or plain text. */
export function apnText(bytes: Uint8Array): string {
  const labels: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at]!;
    if (length === 0 || length > 63 || at + 1 + length > bytes.length) return asciiText(bytes);
    labels.push(asciiText(bytes.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return labels.join('.');
}

/** Seconds between 1900 and 1970. */
const NTP_EPOCH = 2208988800n;

/**
 * 32 bits of seconds since 1900, and 32 of a fraction if there are 8 bytes; RFC 5905's era 1 starts in 2036,
 * so that small figures belong there (RFC 4330 section 3). 0 means unknown.
 */
export function ntpTimeText(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const seconds = view.getUint32(0);
  const fraction = bytes.length >= 8 ? view.getUint32(4) : 0;
  if (seconds === 0 && fraction === 0) return 'NULL';
  const era = seconds >= 2 ** 31 ? 0n : 1n << 32n;
  const ns =
    (BigInt(seconds) + era - NTP_EPOCH) * 1_000_000_000n + ((BigInt(fraction) * 1_000_000_000n) >> 32n);
  const whole = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19);
  return `${whole}.${String(((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n).padStart(9, '0')}Z`;
}
