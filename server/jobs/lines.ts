/** Packets of an answer as rows of a list. */

import type { PacketLine } from '../../asm/host/index.js';
import type { CoverageAnswer, PacketAnswer } from '../../proto/api.js';
import type { TableColumn } from '../formats/table.js';
import type { PacketHit } from '../store/types.js';
import { coverageAnswer, emptyCoverage } from './coverage.js';
import type { Decoder } from './decoder.js';
import { timeText } from './range.js';
import type { Packets } from './reader.js';

export const PACKET_COLUMNS: readonly TableColumn[] = [
  { name: 'id', type: 'text' },
  { name: 'ts', type: 'time' },
  { name: 'ifindex', type: 'port' },
  { name: 'linktype', type: 'port' },
  { name: 'caplen', type: 'count' },
  { name: 'wirelen', type: 'count' },
  { name: 'source', type: 'text' },
  { name: 'destination', type: 'text' },
  { name: 'protocol', type: 'text' },
  { name: 'info', type: 'text' },
];

/** Column of PACKET_COLUMNS that is there when asked for. */
export const BYTES_COLUMN: TableColumn = { name: 'bytes', type: 'text' };

export type PacketRow = PacketAnswer & Record<string, string | number>;

export function packetRow(
  { id, tsNs, ifindex, linktype, bytes, wirelen }: PacketHit,
  line: PacketLine,
): PacketRow {
  const { source, destination, protocol, info } = line;
  const ts = timeText(tsNs);
  return { id, ts, ifindex, linktype, caplen: bytes.length, wirelen, source, destination, protocol, info };
}

/** Described at a time: a group may be of many packets. */
const ROWS_PER_STEP = 2000;

/** Each group as rows, described by the decoding thread; `withBytes` adds the captured bytes in hexadecimal. */
export async function* packetRows(
  packets: Packets,
  decoder: Decoder,
  withBytes = false,
): AsyncGenerator<PacketRow[], CoverageAnswer, void> {
  const session = await decoder.session().catch(async (error) => {
    await packets.return(emptyCoverage('cancelled'));
    throw error;
  });
  try {
    for (;;) {
      const { done, value } = await packets.next();
      if (done) return coverageAnswer(value);
      for (let at = 0; at < value.length; at += ROWS_PER_STEP) {
        const hits = value.slice(at, at + ROWS_PER_STEP);
        const lines = await session.feed(hits, 'lines');
        yield hits.map((hit, i) => ({
          ...packetRow(hit, lines[i] as PacketLine),
          ...(withBytes && { bytes: Buffer.from(hit.bytes).toString('hex') }),
        }));
      }
    }
  } finally {
    await packets.return(emptyCoverage('cancelled'));
    await session.close();
  }
}
