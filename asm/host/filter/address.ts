/** Addresses in filter expressions: text to numbers. Null when the text is no such address. */

/** IPv4, whole or its first octets: the address shifted to the top and how many bits were given. */
export function parseIpv4(text: string): { address: number; bits: number } | null {
  const parts = text.split('.');
  if (parts.length > 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) return null;
  const octets = [...parts.map(Number), 0, 0, 0].slice(0, 4);
  const address = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  return { address, bits: parts.length * 8 };
}

/** IPv6 in any form of RFC 4291: four words. */
export function parseIpv6(text: string): readonly number[] | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [head, tail] = halves.map(groups);
  if (!head || tail === null) return null;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail ? missing < 1 : missing !== 0) return null;
  const all = tail ? [...head, ...Array<number>(missing).fill(0), ...tail] : head;
  return [0, 2, 4, 6].map((i) => all[i]! * 65536 + all[i + 1]!);
}

/** 16-bit groups; the last may be a dotted IPv4 address. */
function groups(text: string): number[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  const dotted = parts.at(-1)!.includes('.') ? parseIpv4(parts.pop()!) : undefined;
  if (dotted === null || (dotted && dotted.bits !== 32)) return null;
  if (parts.some((part) => !/^[0-9a-f]{1,4}$/i.test(part))) return null;
  const values = parts.map((part) => Number.parseInt(part, 16));
  return dotted ? [...values, Math.floor(dotted.address / 65536), dotted.address % 65536] : values;
}

/** Ethernet address with colons, dashes or dots between the octets: 6 bytes. */
export function parseMac(text: string): readonly number[] | null {
  const parts = text.split(/[:.-]/);
  if (parts.length === 3 && parts.every((part) => /^[0-9a-f]{4}$/i.test(part)))
    return parts
      .flatMap((part) => [part.slice(0, 2), part.slice(2)])
      .map((part) => Number.parseInt(part, 16));
  if (parts.length !== 6 || parts.some((part) => !/^[0-9a-f]{1,2}$/i.test(part))) return null;
  return parts.map((part) => Number.parseInt(part, 16));
}
