/** `ringtap query`: packets of a store by time and filter, listed or written to a capture file. */
import type { Engine } from '../../asm/host/engine.js';
import { FilterError } from '../../asm/host/errors.js';
import { explainFilter } from '../../asm/host/filter/explain.js';
import { LINKTYPE_ETHERNET } from '../../proto/gen/constants.js';
import { readTokenFile } from '../options.js';
import { coverageText } from '../store/describe.js';
import type { Coverage, PacketHit, PacketQuery, ScanOptions } from '../store/types.js';
import { nowNs, parseTime, TimeError } from '../store/when.js';
import { type Command, parse, UsageError, wholeNumber } from './command.js';
import { countText, epochText, timeText } from './format.js';
import { asUsage } from './gateway.js';
import { note, printLine } from './output.js';
import { OutputFile } from './output_file.js';
import { Progress } from './progress.js';
import { remoteSource } from './query-remote.js';
import { localSource, type QuerySource } from './query-source.js';
import { threadsOf } from './scan/threads.js';

const help = `Usage: ringtap query --store DIR[,DIR...] [--from T] [--to T] [-f EXPR] [-w OUT.pcapng] [--json]
                     [--limit N] [--after ID] [--explain]

Lists the recorded packets of a time range that pass the filter, those still being written included.
What the answer rests on (segments, losses, what is missing and why) follows on standard error.

  --store DIR         directories of a recorder, as given to it
  --url URL           a gateway that has a store, instead of directories here
  --token-file FILE   file with the gateway's token
  --from T, --to T    T is a time (2026-01-31T12:00:00.5Z, 1769860800.5), relative (-5m, now-2h)
                      or now; from is included, to is not. Without them everything
  -f, --filter EXPR   pcap filter, for example 'host 10.0.0.1 and tcp port 443'
  -w, --write OUT     write the packets to a pcapng file instead (- for standard output)
  --threads N         scan with N threads; as many as the machine has by default
  --limit N           stop after N packets
  --after ID          go on behind the packet of this id, as --json prints them
  --json              one JSON object per packet per line
  --explain           print how the filter would be run, and nothing else
  --help              this text
`;

const OPTIONS = {
  store: { type: 'string' },
  url: { type: 'string' },
  'token-file': { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  filter: { type: 'string', short: 'f', default: '' },
  write: { type: 'string', short: 'w' },
  limit: { type: 'string' },
  threads: { type: 'string' },
  after: { type: 'string' },
  json: { type: 'boolean' },
  explain: { type: 'boolean' },
} as const;
type Values = ReturnType<typeof parse<typeof OPTIONS>>['values'];

function time(text: string | undefined, option: string, now_ns: bigint): bigint | null {
  if (text === undefined) return null;
  try {
    return parseTime(text, now_ns);
  } catch (error) {
    if (error instanceof TimeError) throw new UsageError(`${option} ${error.message}`);
    throw error;
  }
}

function queryOf(values: Values): PacketQuery {
  const now_ns = nowNs();
  const range = { fromNs: time(values.from, '--from', now_ns), toNs: time(values.to, '--to', now_ns) };
  if (range.fromNs !== null && range.toNs !== null && range.fromNs >= range.toNs)
    throw new UsageError('--from is not before --to: nothing can lie between');
  return { range, filter: values.filter };
}

async function sourceOf(values: Values): Promise<QuerySource> {
  if (values.url !== undefined) {
    if (values.store !== undefined) throw new UsageError('--store and --url exclude each other');
    const file = values['token-file'];
    return remoteSource(values.url, file === undefined ? null : asUsage(() => readTokenFile(file)));
  }
  if (values.store === undefined) throw new UsageError('--store DIR is missing');
  return localSource(values.store.split(',').filter(Boolean), threadsOf(values.threads));
}

/** Prints packets as `ringtap packets` does. */
class Printer {
  readonly #engine: Engine;
  readonly #json: boolean;
  printed = 0;

  constructor(engine: Engine, json: boolean) {
    this.#engine = engine;
    this.#json = json;
  }

  print({ id, tsNs, ifindex, linktype, wirelen, bytes }: PacketHit): void {
    const number = ++this.printed;
    const { source, destination, protocol, info } = this.#engine.describe(linktype, bytes, wirelen);
    if (this.#json) {
      const ts = epochText(tsNs);
      const caplen = bytes.length;
      printLine(
        JSON.stringify({ number, id, ts, ifindex, caplen, wirelen, source, destination, protocol, info }),
      );
    } else
      printLine(
        `${String(number).padStart(6)} ${timeText(tsNs)} ${source} → ${destination} ${protocol} ${wirelen} ${info}`,
      );
  }
}

async function list(
  source: QuerySource,
  query: PacketQuery,
  options: ScanOptions,
  json: boolean,
): Promise<Coverage> {
  const { loadEngine } = await import('./capture.js'); // files that are written need no decoding
  const printer = new Printer(await loadEngine(), json);
  const answer = source.packets(query, options);
  for (;;) {
    const { value, done } = await answer.next();
    if (done) return value;
    for (const hit of value) printer.print(hit);
  }
}

async function write(
  source: QuerySource,
  query: PacketQuery,
  options: ScanOptions,
  path: string,
): Promise<Coverage> {
  const answer = source.slice(query, options);
  const first = await answer.next(); // before the file is made: it may be wrong usage
  const out = OutputFile.create(path, []);
  try {
    for (let piece = first; ; piece = await answer.next()) {
      if (!piece.done) {
        out.write(piece.value);
        continue;
      }
      out.commit();
      note(
        `ringtap: ${countText(piece.value.packets)} packets written to ${path === '-' ? '(standard output)' : path}`,
      );
      return piece.value.coverage;
    }
  } finally {
    out.close();
    await answer.return(undefined as never);
  }
}

function explain(filter: string): number {
  try {
    const explanation = explainFilter(filter || 'len >= 0', LINKTYPE_ETHERNET);
    printLine(JSON.stringify(explanation, null, 2));
    return 0;
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new UsageError(`filter: ${error.message}\n  ${filter}\n  ${' '.repeat(error.position)}^`);
  }
}

export const query: Command = {
  summary: 'find recorded packets by time and filter',
  help,
  async run(args) {
    const { values, positionals } = parse(args, OPTIONS);
    if (positionals.length) throw new UsageError(`unexpected argument ${positionals[0]}`);
    if (values.explain) return explain(values.filter);
    const asked = queryOf(values);
    const limit = values.limit === undefined ? undefined : wholeNumber(values.limit, '--limit', 0);
    const source = await sourceOf(values);
    let progress: Progress | null = null;
    const options: ScanOptions = {
      ...(limit === undefined ? {} : { limit }),
      ...(values.after === undefined ? {} : { after: values.after }),
      onProgress: ({ bytesDone, bytesTotal }) => {
        progress ??= new Progress(bytesTotal);
        progress.at(bytesDone);
      },
    };
    try {
      const coverage = await (values.write === undefined
        ? list(source, asked, options, values.json ?? false)
        : write(source, asked, options, values.write));
      (progress as Progress | null)?.clear();
      for (const line of [...coverageText(coverage), ...source.problems()]) note(`ringtap: ${line}`);
    } finally {
      await source.close();
    }
    return 0;
  },
};
