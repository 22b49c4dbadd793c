/** `ringtap packets`: one line per packet. */
import type { PacketRows } from '../../asm/host/index.js';
import { displayName, loadEngine, readCapture, setFilter } from './capture.js';
import { type Command, filesOf, parse, wholeNumber } from './command.js';
import { epochText, timeText } from './format.js';
import { note, printLine } from './output.js';

const help = `Usage: ringtap packets FILE [-f EXPR] [--limit N] [--json]

Lists the packets of a capture file that pass the filter, in file order. FILE may be - for
standard input; gzip is unpacked. Numbers are those of all packets in the file.

  -f, --filter EXPR   pcap filter, for example 'udp port 53'
  --limit N           stop after N packets
  --json              one JSON object per packet per line, with pcapng comments where there are any
  --help              this text
`;

function jsonLine(number: number, rows: PacketRows, i: number): string {
  const { tsNs, ifindex, caplen, wirelen, source, destination, protocol, info } = rows.line(i);
  const ts = epochText(tsNs);
  const comments = rows.comments(i);
  const line = { number, ts, ifindex, caplen, wirelen, source, destination, protocol, info };
  return JSON.stringify(comments.length ? { ...line, comments } : line);
}

function textLine(number: number, rows: PacketRows, i: number): string {
  const { tsNs, wirelen, source, destination, protocol, info } = rows.line(i);
  return `${String(number).padStart(6)} ${timeText(tsNs)} ${source} → ${destination} ${protocol} ${wirelen} ${info}`;
}

export const packets: Command = {
  summary: 'list packets of a capture file, one per line',
  help,
  async run(args) {
    const { values, positionals } = parse(args, {
      filter: { type: 'string', short: 'f' },
      limit: { type: 'string' },
      json: { type: 'boolean' },
    });
    const [file] = filesOf(positionals, 1) as [string];
    const limit = values.limit === undefined ? Infinity : wholeNumber(values.limit, '--limit', 0);
    const engine = await loadEngine();
    setFilter(engine, values.filter);
    const format = values.json ? jsonLine : textLine;
    let before = 0;
    let printed = 0;
    const error = await readCapture(engine, file, (rows) => {
      for (let i = 0; i < rows.length && printed < limit; i++) {
        if (!rows.matched(i)) continue;
        printLine(format(before + i + 1, rows, i));
        printed++;
      }
      before += rows.length;
      return printed < limit;
    });
    if (error === null) return 0;
    note(`ringtap: ${displayName(file)}: ${error}`);
    return 1;
  },
};
