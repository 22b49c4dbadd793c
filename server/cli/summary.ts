/** `ringtap summary`: what is in capture files. */
import type { Engine, Totals } from '../../asm/host/index.js';
import { displayName, loadEngine, readCapture } from './capture.js';
import { type Command, filesOf, parse } from './command.js';
import { countText, epochText, pairs, sizeText, timeText } from './format.js';
import { note, printLine } from './output.js';

const help = `Usage: ringtap summary FILE... [--json]

Counts packets, bytes, protocols and conversations of pcap and pcapng files, also gzipped.
FILE may be - for standard input. Of a damaged file, what comes before the damage is
counted; the exit code is then 1.

  --json   one JSON object per file per line
  --help   this text
`;

function jsonSummary(file: string, engine: Engine, error: string | null): string {
  const totals = engine.totals();
  return JSON.stringify({
    file,
    format: engine.format,
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

function tableSummary(file: string, engine: Engine, error: string | null): string {
  const totals = engine.totals();
  const protocols = Object.entries(totals.protocolCounts).filter(([, packets]) => packets > 0);
  const rows: [string, string][] = [
    ['file', displayName(file)],
    ['format', engine.format],
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
    const { values, positionals } = parse(args, { json: { type: 'boolean' } });
    const files = filesOf(positionals);
    const engine = await loadEngine();
    let failed = false;
    for (const [index, file] of files.entries()) {
      engine.reset();
      const error = await readCapture(engine, file);
      if (!values.json && index > 0) printLine('');
      printLine((values.json ? jsonSummary : tableSummary)(file, engine, error));
      if (error !== null) {
        failed = true;
        note(`ringtap: ${displayName(file)}: ${error}`);
      }
    }
    return failed ? 1 : 0;
  },
};
