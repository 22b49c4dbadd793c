/**
 * Options of a pcapng packet block (comments, flags, drop count, …), read where the block lies: in the module's
 * memory before and after the packet of a row. Nothing is kept, nothing is trusted: whatever does not look like
 * such a block has no options.
 */
export interface PacketOption {
  /** As the pcapng draft numbers them: 1 comment, 2 epb_flags, 4 epb_dropcount, … */
  code: number;
  /** A copy. Numbers in it are in the section's byte order. */
  value: Uint8Array;
}

const COMMENT = 1;
const PACKET_BLOCK = 2;
const ENHANCED_PACKET_BLOCK = 6;
/** Of both kinds of block, with type and length. */
const HEADER_BYTES = 28;
const TRAILER_BYTES = 4;
const OPTIONS_MAX = 256;

/** Where the block around the packet at `start` has its type and length, in either byte order. */
function blockAround(view: DataView, start: number, caplen: number): { end: number; little: boolean } | null {
  const base = start - HEADER_BYTES;
  if (base < 0) return null;
  for (const little of [true, false]) {
    const type = view.getUint32(base, little);
    const total = view.getUint32(base + 4, little);
    const captured = view.getUint32(start - 8, little);
    const whole = total >= HEADER_BYTES + caplen + TRAILER_BYTES && base + total <= view.byteLength;
    if ((type === ENHANCED_PACKET_BLOCK || type === PACKET_BLOCK) && captured === caplen && whole)
      return { end: base + total - TRAILER_BYTES, little };
  }
  return null;
}

/** `bytes` is the whole memory; `limit` where what was read into it ends. */
export function packetOptions(
  bytes: Uint8Array,
  start: number,
  caplen: number,
  limit: number,
): PacketOption[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const block = blockAround(view, start, caplen);
  if (!block || block.end > limit) return [];
  const options: PacketOption[] = [];
  for (let at = start + ((caplen + 3) & ~3); at + 4 <= block.end && options.length < OPTIONS_MAX; ) {
    const code = view.getUint16(at, block.little);
    const size = view.getUint16(at + 2, block.little);
    if (code === 0 || at + 4 + size > block.end) break;
    options.push({ code, value: bytes.slice(at + 4, at + 4 + size) });
    at += 4 + ((size + 3) & ~3);
  }
  return options;
}

/** Texts of the comments among them; bytes that are no UTF-8 are replaced. */
export function commentsOf(options: readonly PacketOption[]): string[] {
  const decoder = new TextDecoder();
  return options.filter(({ code }) => code === COMMENT).map(({ value }) => decoder.decode(value));
}
