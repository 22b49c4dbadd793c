/** Bytes as text: addresses, names, hex. Input is hostile, so what is not printable is escaped. */

const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, '0'));

export function hex(bytes: Uint8Array, separator = ''): string {
  return Array.from(bytes, (value) => HEX[value]).join(separator);
}

export function etherText(bytes: Uint8Array): string {
  return hex(bytes, ':');
}

export function ipv4Text(bytes: Uint8Array): string {
  return bytes.join('.');
}

/** RFC 5952: lower case, the longest run of two or more zero groups (the first of equals) as `::`. */
export function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16));
  let best = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === '0') length++;
    if (length > bestLength) [best, bestLength] = [start, length];
  }
  if (best < 0) return groups.join(':');
  return `${groups.slice(0, best).join(':')}::${groups.slice(best + bestLength).join(':')}`;
}

/** Printable ASCII as it is, anything else as \\xNN. */
export function asciiText(bytes: Uint8Array): string {
  let text = '';
  for (const value of bytes)
    text += value >= 32 && value < 127 ? String.fromCharCode(value) : `\\x${HEX[value]}`;
  return text;
}

/** An uncompressed DNS name: length-prefixed labels up to the empty one. */
export function dnsNameText(bytes: Uint8Array): string {
  const labels: string[] = [];
  for (let at = 0; at < bytes.length && bytes[at] !== 0; at += bytes[at]! + 1)
    labels.push(asciiText(bytes.subarray(at + 1, at + 1 + bytes[at]!)));
  return labels.length ? labels.join('.') : '<Root>';
}
