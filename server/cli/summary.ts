/** `ringtap summary`: what is in capture files. */
import type { Totals } from '../../asm/host/index.js';
import { displayName } from './capture.js';
import { type Command, filesOf, parse } from './command.js';
import { countText, epochText, pairs, sizeText, timeText } from './format.js';
import { note, printLine } from './output.js';
import type { ScanResult } from './scan/messages.js';
import { scanFiles } from './scan/run.js';
import { threadsOf } from './scan/threads.js';

const help = `Usage: ringtap summary FILE... [--json]

Counts packets, bytes, protocols and conversations of pcap and pcapng files, also gzipped.
FILE may be - for standard input. Of a damaged file, what comes before the damage is
counted; the exit code is then 1.

  --json        one JSON object per file per line
  --threads N   read N files at a time; as many as the machine has processors by default
  --help        this text
`;

function jsonSummary(file: string, { format, totals, error }: ScanResult): string {
  return JSON.stringify({
    file,
    format,
    linkTypes: totals.linkTypes,
    packets: totals.packets,
    capturedBytes: totals.capturedBytes,
    originalBytes: totals.originalBytes,
    firstTs: epochText(totals.firstTsNs),
    lastTs: epochText(totals.lastTsNs),
    protocolCounts: totals.protocolCounts,
    tcpConversations: totals.tcpConversations,
    udpConversations: totals.udpConversations,
    truncated: totals.truncated,
    malformed: totals.malformed,
    error,
  });
}

function duration({ firstTsNs, lastTsNs }: Totals): string {
  if (firstTsNs === null || lastTsNs === null) return '-';
  return `${(Number(lastTsNs - firstTsNs) / 1e9).toFixed(3)} s`;
}

function tableSummary(file: string, { format, totals, error }: ScanResult): string {
  const protocols = Object.entries(totals.protocolCounts).filter(([, packets]) => packets > 0);
  const rows: [string, string][] = [
    ['file', displayName(file)],
    ['format', format],
    ['link types', totals.linkTypes.join(', ') || '-'],
    ['packets', countText(totals.packets)],
    ['captured', `${countText(totals.capturedBytes)} bytes (${sizeText(totals.capturedBytes)})`],
    ['on the wire', `${countText(totals.originalBytes)} bytes (${sizeText(totals.originalBytes)})`],
    ['first packet', timeText(totals.firstTsNs)],
    ['last packet', timeText(totals.lastTsNs)],
    ['duration', duration(totals)],
    ['protocols', protocols.map(([name, packets]) => `${name} ${countText(packets)}`).join(', ') || '-'],
    ['conversations', `tcp ${countText(totals.tcpConversations)}, udp ${countText(totals.udpConversations)}`],
    ['cut by snaplen', countText(totals.truncated)],
    ['malformed', countText(totals.malformed)],
  ];
  if (error !== null) rows.push(['error', error]);
  return pairs(rows);
}

export const summary: Command = {
  summary: 'packets, bytes, protocols and conversations of capture files',
  help,
  async run(args) {
    const { values, positionals } = parse(args, { json: { type: 'boolean' }, threads: { type: 'string' } });
    const files = filesOf(positionals);
    const threads = threadsOf(values.threads);
    let failed = false;
    let index = 0;
    for await (const result of scanFiles({ files, filter: null, threads, countOnly: false })) {
      if (!values.json && index > 0) printLine('');
      const file = files[index++] as string;
      printLine((values.json ? jsonSummary : tableSummary)(file, result));
      if (result.error === null) continue;
      failed = true;
      note(`ringtap: ${displayName(file)}: ${result.error}`);
    }
    return failed ? 1 : 0;
  },
};
