/** `ringtap verify`: runs the checks of server/cli/verify/ over stores and captures and says what is wrong. */
import { existsSync } from 'node:fs';
import { type Command, Failure, parse, UsageError } from './command.js';
import { printLine } from './output.js';
import type { Finding } from './verify/check.js';
import { order } from './verify/order.js';
import { segments } from './verify/segments.js';

const help = `Usage: ringtap verify [--repair] [--json] DIR...
       ringtap verify --order [--order-bound NS] [--json] DIR|FILE...

Looks at every block of every segment in DIR (the directories of --store, or single segments): headers,
checksums, packet counts, order. Prints one line per file and a summary; the exit code is 1 when something
is wrong. A segment that is being written is looked at, never touched.

With --order, looks instead whether the stamps of packets step back, file by file, in any capture file; DIR
stands for its segments, - for standard input. The exit code is 1 when a step is larger than the bound.

  --repair           mend what a crash or a power cut left: every block whose write had completed stays, what is
                     no block is cut off or made padding, and kept beside the segment as STEM.damaged
  --order            check the order of stamps
  --order-bound NS   how far a stamp may lie behind the newest before it, in nanoseconds (0)
  --json             one JSON object per line; without --order the last one is the summary
  --help             this text
`;

function print({ check, path, ok, message, details }: Finding, json: boolean): void {
  printLine(
    json ? JSON.stringify({ type: 'file', check, path, ok, message, ...details }) : `${path}: ${message}`,
  );
}

function printSummary(files: number, wrong: number, json: boolean): void {
  if (json) printLine(JSON.stringify({ type: 'summary', files, wrong }));
  else printLine(`${files} ${files === 1 ? 'file' : 'files'}, ${wrong ? `${wrong} wrong` : 'nothing wrong'}`);
}

function boundOf(text: string | undefined): bigint {
  if (text === undefined) return 0n;
  if (!/^\d{1,18}$/.test(text))
    throw new UsageError(`--order-bound ${text}: expected nanoseconds, such as 1000000`);
  return BigInt(text);
}

/** `--store` names directories with commas between them; so may we. */
function pathsOf(positionals: string[], stdin: boolean): string[] {
  if (positionals.length === 0) throw new UsageError('a DIR is missing');
  const paths = positionals.flatMap((text) => (text === '-' || existsSync(text) ? [text] : text.split(',')));
  for (const path of paths)
    if (!(stdin && path === '-') && !existsSync(path))
      throw new Failure(`${path}: no such file or directory; name what --store named`);
  return paths;
}

export const verify: Command = {
  summary: 'check stored segments and the order of packets; repair after a crash',
  help,
  async run(args) {
    const { values, positionals } = parse(args, {
      repair: { type: 'boolean' },
      order: { type: 'boolean' },
      'order-bound': { type: 'string' },
      json: { type: 'boolean' },
    });
    const { json = false, repair = false } = values;
    if (values.order && repair) throw new UsageError('--order and --repair: use one of them');
    if (values['order-bound'] !== undefined && !values.order)
      throw new UsageError('--order-bound needs --order');
    const paths = pathsOf(positionals, values.order ?? false);
    const findings = values.order
      ? order(paths, boundOf(values['order-bound']))
      : segments.run(paths, { repair });
    let files = 0;
    let wrong = 0;
    for await (const finding of findings) {
      files++;
      if (!finding.ok) wrong++;
      print(finding, json);
    }
    if (!values.order) printSummary(files, wrong, json);
    return wrong ? 1 : 0;
  },
};
