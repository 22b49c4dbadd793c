/** `ringtap flows`: the flow table of capture files. */
import type { Flow } from '../../asm/host/index.js';
import { csvHeader, csvLine, jsonLine } from '../formats/flow-text.js';
import { zeekFooter, zeekHeader, zeekLine } from '../formats/zeek.js';
import { displayName, loadEngine, readCapture } from './capture.js';
import { type Command, filesOf, parse, UsageError } from './command.js';
import { note, printBytes, printLine } from './output.js';
import { Progress, totalBytes } from './progress.js';

const SORTED_MAX = 10_000;

const help = `Usage: ringtap flows FILE... [--format csv|json|zeek|parquet]

Prints the flows of all files together, one per line. FILE may be - for standard input; gzip is
unpacked. A flow is one bidirectional five-tuple; orig is the side that sent first. orig_bytes
and resp_bytes are whole frames. Unknown is empty (CSV), null (JSON, Parquet) or - (Zeek).

Up to 10000 flows are printed with most bytes first, more in the order in which they end, so that
memory stays bounded whatever the size of the files.

  --format FORMAT   csv (default, with a header line), json (one object per line), zeek
                    (conn.log as zeek-cut reads it) or parquet (redirect it to a file)
  --help            this text
`;

/** Takes flows in any order and number. */
interface Sink {
  add(flows: readonly Flow[]): void;
  end(): void;
}

function lines(header: string[], line: (flow: Flow) => string, footer?: () => string): Sink {
  for (const text of header) printLine(text);
  return {
    add: (flows) => {
      for (const flow of flows) printLine(line(flow));
    },
    end: () => {
      if (footer) printLine(footer());
    },
  };
}

const FORMATS: Record<string, () => Sink | Promise<Sink>> = {
  csv: () => lines([csvHeader()], csvLine),
  json: () => lines([], jsonLine),
  zeek: () => lines(zeekHeader(new Date()), zeekLine, () => zeekFooter(new Date())),
  // Its library is loaded only when asked for.
  parquet: async () => new (await import('../formats/flow-parquet.js')).ParquetFlows(printBytes),
};

/** Few flows are sorted; more go out as they end, so that memory stays bounded. */
class Output implements Sink {
  readonly #sink: Sink;
  #held: Flow[] | null = [];

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  add(flows: readonly Flow[]): void {
    if (this.#held) for (const flow of flows) this.#held.push(flow);
    else this.#sink.add(flows);
    if (this.#held && this.#held.length > SORTED_MAX) this.#release(this.#held);
  }

  end(): void {
    const bytes = ({ origBytes, respBytes }: Flow) => origBytes + respBytes;
    if (this.#held) this.#release(this.#held.sort((a, b) => bytes(b) - bytes(a)));
    this.#sink.end();
  }

  #release(held: Flow[]): void {
    this.#held = null;
    this.#sink.add(held);
  }
}

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
    const engine = await loadEngine({ exportFlows: true });
    const output = new Output(await (FORMATS[format] as () => Sink | Promise<Sink>)());
    const progress = new Progress(totalBytes(files));
    let failed = false;
    let done = 0;
    for (const file of files) {
      let read = 0;
      const onRead = (bytes: number) => {
        read = bytes;
        progress.at(done + bytes);
      };
      const error = await readCapture(engine, file, undefined, {
        onChunk: () => output.add(engine.drainFlows()),
        onRead,
      });
      done += read;
      if (error === null) continue;
      failed = true;
      note(`ringtap: ${displayName(file)}: ${error}`);
    }
    progress.clear();
    for (const flows of engine.endFlows()) output.add(flows);
    output.end();
    if (engine.flowsEvicted > 0)
      note(
        `ringtap: ${engine.flowsEvicted} flows were ended early, as more were open at once than the flow table holds: ` +
          'what they sent later is a flow of its own above',
      );
    return failed ? 1 : 0;
  },
};
