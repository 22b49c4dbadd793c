/** `ringtap flows`: the flow table of capture files. */
import type { Flow } from '../../asm/host/index.js';
import { csvHeader, csvLine, jsonLine } from '../formats/flow-text.js';
import { zeekFooter, zeekHeader, zeekLine } from '../formats/zeek.js';
import { displayName, loadEngine, readCapture } from './capture.js';
import { type Command, filesOf, parse, UsageError } from './command.js';
import { note, printBytes, printLine } from './output.js';
import { Progress, totalBytes } from './progress.js';

const help = `Usage: ringtap flows FILE... [--format csv|json|zeek|parquet]

Prints the flows of all files together, one per line, those with most bytes first. FILE may
be - for standard input; gzip is unpacked. A flow is one bidirectional five-tuple; orig is the
side that sent first. orig_bytes and resp_bytes are whole frames. Unknown is empty (CSV), null
(JSON, Parquet) or - (Zeek).

  --format FORMAT   csv (default, with a header line), json (one object per line), zeek
                    (conn.log as zeek-cut reads it) or parquet (redirect it to a file)
  --help            this text
`;

function printLines(
  flows: Flow[],
  header: string[],
  line: (flow: Flow) => string,
  footer: string[] = [],
): void {
  for (const text of header) printLine(text);
  for (const flow of flows) printLine(line(flow));
  for (const text of footer) printLine(text);
}

const FORMATS: Record<string, (flows: Flow[]) => void | Promise<void>> = {
  csv: (flows) => printLines(flows, [csvHeader()], csvLine),
  json: (flows) => printLines(flows, [], jsonLine),
  zeek: (flows) => printLines(flows, zeekHeader(new Date()), zeekLine, [zeekFooter(new Date())]),
  // Its library is loaded only when asked for.
  parquet: async (flows) => printBytes((await import('../formats/flow-parquet.js')).parquetFile(flows)),
};

export const flows: Command = {
  summary: 'the flow table of capture files as CSV, JSON, Zeek log or Parquet',
  help,
  async run(args) {
    const { values, positionals } = parse(args, { format: { type: 'string', default: 'csv' } });
    const { format } = values;
    if (!Object.hasOwn(FORMATS, format))
      throw new UsageError(`--format ${format}: expected csv, json, zeek or parquet`);
    if (format === 'parquet' && process.stdout.isTTY)
      throw new UsageError('--format parquet is binary: redirect it, for example > flows.parquet');
    const files = filesOf(positionals);
    const engine = await loadEngine();
    const progress = new Progress(totalBytes(files));
    let failed = false;
    let done = 0;
    for (const file of files) {
      let read = 0;
      const onRead = (bytes: number) => {
        read = bytes;
        progress.at(done + bytes);
      };
      const error = await readCapture(engine, file, undefined, { onRead });
      done += read;
      if (error === null) continue;
      failed = true;
      note(`ringtap: ${displayName(file)}: ${error}`);
    }
    progress.clear();
    await FORMATS[format]?.(engine.flows({ sort: 'bytes', limit: engine.flowCount }));
    if (engine.flowsEvicted > 0) {
      note(`ringtap: ${engine.flowsEvicted} flows did not fit the flow table and are missing above`);
    }
    return failed ? 1 : 0;
  },
};
