/** `ringtap flows`: the flow table of capture files. */
import type { Flow } from '../../asm/host/index.js';
import { displayName, loadEngine, readCapture } from './capture.js';
import { type Command, filesOf, parse, UsageError } from './command.js';
import { epochText } from './format.js';
import { note, printLine } from './output.js';

const help = `Usage: ringtap flows FILE... [--format json|csv]

Prints the flows of all files together, one per line, those with most bytes first. FILE may
be - for standard input; gzip is unpacked. A flow is one bidirectional five-tuple; orig is the
side that sent first.

  --format FORMAT   csv (default, with a header line) or json (one object per line)
  --help            this text
`;

/** CSV columns; the same names in JSON. */
const COLUMNS = [
  'proto',
  'orig_addr',
  'orig_port',
  'resp_addr',
  'resp_port',
  'first_ts',
  'last_ts',
  'orig_packets',
  'resp_packets',
  'orig_bytes',
  'resp_bytes',
] as const;

function record(flow: Flow): Record<(typeof COLUMNS)[number], string | number | null> {
  return {
    proto: flow.proto,
    orig_addr: flow.origAddr,
    orig_port: flow.origPort,
    resp_addr: flow.respAddr,
    resp_port: flow.respPort,
    first_ts: epochText(flow.firstTsNs),
    last_ts: epochText(flow.lastTsNs),
    orig_packets: flow.origPackets,
    resp_packets: flow.respPackets,
    orig_bytes: flow.origBytes,
    resp_bytes: flow.respBytes,
  };
}

function printFlows(flows: Flow[], format: string): void {
  if (format === 'csv') printLine(COLUMNS.join(','));
  for (const flow of flows) {
    const row = record(flow);
    printLine(format === 'csv' ? Object.values(row).join(',') : JSON.stringify(row));
  }
}

export const flows: Command = {
  summary: 'the flow table of capture files as CSV or JSON',
  help,
  async run(args) {
    const { values, positionals } = parse(args, { format: { type: 'string', default: 'csv' } });
    const { format } = values;
    if (format !== 'csv' && format !== 'json')
      throw new UsageError(`--format ${format}: expected csv or json`);
    const files = filesOf(positionals);
    const engine = await loadEngine();
    let failed = false;
    for (const file of files) {
      const error = await readCapture(engine, file);
      if (error === null) continue;
      failed = true;
      note(`ringtap: ${displayName(file)}: ${error}`);
    }
    printFlows(engine.flows({ sort: 'bytes', limit: engine.flowCount }), format);
    if (engine.flowsEvicted > 0) {
      note(`ringtap: ${engine.flowsEvicted} flows did not fit the flow table and are missing above`);
    }
    return failed ? 1 : 0;
  },
};
