/**
 * Builds the blocks of a little-endian pcapng file (draft-ietf-opsawg-pcapng): section, interfaces,
 * packets. Writes to memory only. Packet bytes are copied once, unchanged.
 */
import {
  BT_EPB,
  BT_IDB,
  BT_ISB,
  BT_SHB,
  OPT_COMMENT,
  OPT_END,
  OPT_IF_TSRESOL,
  PCAPNG_MAGIC,
} from '../../proto/gen/constants.js';

const OPT_SHB_USERAPPL = 4;
const NANOSECONDS = 9;
const OPTION_BYTES_MAX = 0xffff;
const SECTION_LENGTH_UNKNOWN = 0xffff_ffff_ffff_ffffn;
/** Block framing: type, length before and after the body. */
const FRAME_BYTES = 12;
/** Of an Enhanced Packet Block, before its packet. */
const EPB_HEADER_BYTES = 28;
const TRAILER_BYTES = 4;

export interface Option {
  code: number;
  value: Uint8Array;
}

const padded = (length: number) => (length + 3) & ~3;

/** Text of an option, cut to what its length field can say without splitting a character. */
export function textOption(code: number, text: string): Option {
  const whole = Buffer.from(text);
  if (whole.length <= OPTION_BYTES_MAX) return { code, value: whole };
  let end = OPTION_BYTES_MAX;
  while (((whole[end] as number) & 0xc0) === 0x80) end--;
  return { code, value: whole.subarray(0, end) };
}

export function comment(text: string): Option {
  return textOption(OPT_COMMENT, text);
}

function optionBytes(options: Option[]): number {
  if (options.length === 0) return 0;
  return options.reduce((sum, { value }) => sum + 4 + padded(value.length), 4);
}

function writeOptions(block: Buffer, at: number, options: Option[]): void {
  let to = at;
  for (const { code, value } of options) {
    block.writeUInt16LE(code, to);
    block.writeUInt16LE(value.length, to + 2);
    block.set(value, to + 4);
    to += 4 + padded(value.length);
  }
  if (options.length) block.writeUInt32LE(OPT_END, to);
}

/** A zeroed block with its frame and options in place; the body's fixed part starts at byte 8. */
function frame(type: number, fixed_bytes: number, options: Option[]): Buffer {
  const total = FRAME_BYTES + padded(fixed_bytes) + optionBytes(options);
  const block = Buffer.alloc(total);
  block.writeUInt32LE(type, 0);
  block.writeUInt32LE(total, 4);
  writeOptions(block, 8 + padded(fixed_bytes), options);
  block.writeUInt32LE(total, total - 4);
  return block;
}

/** Section Header Block. */
export function sectionBlock(application: string, comments: string[], more: Option[] = []): Buffer {
  const options = [...comments.map(comment), textOption(OPT_SHB_USERAPPL, application), ...more];
  const block = frame(BT_SHB, 16, options);
  block.writeUInt32LE(PCAPNG_MAGIC, 8);
  block.writeUInt16LE(1, 12);
  block.writeBigUInt64LE(SECTION_LENGTH_UNKNOWN, 16);
  return block;
}

/** Interface Description Block with nanosecond times. `options` must not hold if_tsresol. */
export function interfaceBlock(linktype: number, snaplen: number, options: Option[]): Buffer {
  const resolution = { code: OPT_IF_TSRESOL, value: Uint8Array.of(NANOSECONDS) };
  const block = frame(BT_IDB, 8, [...options, resolution]);
  block.writeUInt16LE(linktype, 8);
  block.writeUInt32LE(snaplen, 12);
  return block;
}

/** Interface Statistics Block: what is known of an interface at a time, here as comments and other options. */
export function statisticsBlock(
  ifindex: number,
  ts_ns: bigint,
  comments: string[],
  more: Option[] = [],
): Buffer {
  const block = frame(BT_ISB, 12, [...comments.map(comment), ...more]);
  block.writeUInt32LE(ifindex, 8);
  block.writeUInt32LE(Number((ts_ns >> 32n) & 0xffff_ffffn), 12);
  block.writeUInt32LE(Number(ts_ns & 0xffff_ffffn), 16);
  return block;
}

/** For taking a time apart: big integer arithmetic would allocate for every packet. */
const split64 = new DataView(new ArrayBuffer(8));

/** Bytes of the block putPacket() writes. */
export function packetBytes(caplen: number, options: Option[] = []): number {
  return EPB_HEADER_BYTES + padded(caplen) + optionBytes(options) + TRAILER_BYTES;
}

/**
 * Writes an Enhanced Packet Block at `at`, for which packetBytes() must be free; returns where it ends.
 * A time before 1970 is written as two's complement, as the engine reads it.
 */
export function putPacket(
  to: Buffer,
  at: number,
  ifindex: number,
  ts_ns: bigint,
  wirelen: number,
  packet: Uint8Array,
  options: Option[] = [],
): number {
  const total = packetBytes(packet.length, options);
  const end = at + EPB_HEADER_BYTES + packet.length;
  to.writeUInt32LE(BT_EPB, at);
  to.writeUInt32LE(total, at + 4);
  to.writeUInt32LE(ifindex, at + 8);
  split64.setBigInt64(0, ts_ns);
  to.writeUInt32LE(split64.getUint32(0), at + 12);
  to.writeUInt32LE(split64.getUint32(4), at + 16);
  to.writeUInt32LE(packet.length, at + 20);
  to.writeUInt32LE(wirelen, at + 24);
  to.set(packet, at + EPB_HEADER_BYTES);
  to.fill(0, end, at + total - TRAILER_BYTES);
  writeOptions(to, at + EPB_HEADER_BYTES + padded(packet.length), options);
  to.writeUInt32LE(total, at + total - TRAILER_BYTES);
  return at + total;
}
