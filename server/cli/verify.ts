/** `ringtap verify`: runs the checks of server/cli/verify/ over stores and capture files, and says what is wrong. */
import { existsSync } from 'node:fs';
import { type Command, Failure, parse, UsageError } from './command.js';
import { printLine } from './output.js';
import type { Check, Finding } from './verify/check.js';
import { order } from './verify/order.js';
import { segments } from './verify/segments.js';

const help = `Usage: ringtap verify [--repair] [--json] DIR...
       ringtap verify --order [--order-bound NS] [--json] DIR|FILE...

Looks at every block of every segment in DIR (the directories of --store, or single segments): headers,
checksums, packet counts, order. Prints one line per file and a summary; the exit code is 1 when something
is wrong. A segment that is being written is looked at, never touched.

  --repair   mend what a crash or a power cut left: every block whose write had completed stays, what is no
             block is cut off or made padding, and kept beside the segment as STEM.damaged
  --order    look only whether the stamps of packets step back, in segments or any capture files
  --order-bound NS
             how far a stamp may lie behind the newest before it, in nanoseconds (0)
  --json     one JSON object per line; the last one is the summary
  --help     this text
`;

function print(finding: Finding, json: boolean): void {
  const { check, path, ok, message, details } = finding;
  printLine(
    json ? JSON.stringify({ type: 'file', check, path, ok, message, ...details }) : `${path}: ${message}`,
  );
}

function boundOf(text: string): bigint {
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  throw new UsageError(`--order-bound ${text}: expected nanoseconds, such as 1000000`);
}

function printSummary(files: number, wrong: number, json: boolean): void {
  if (json) printLine(JSON.stringify({ type: 'summary', files, wrong }));
  else printLine(`${files} ${files === 1 ? 'file' : 'files'}, ${wrong ? `${wrong} wrong` : 'nothing wrong'}`);
}

export const verify: Command = {
  summary: 'check stored segments or the order of packets; repair after a crash',
  help,
  async run(args) {
    const { values, positionals } = parse(args, {
      repair: { type: 'boolean' },
      order: { type: 'boolean' },
      'order-bound': { type: 'string' },
      json: { type: 'boolean' },
    });
    if (positionals.length === 0) throw new UsageError('a DIR is missing');
    if (values['order-bound'] !== undefined && !values.order)
      throw new UsageError('--order-bound: needs --order');
    const boundNs = boundOf(values['order-bound'] ?? '0');
    if (values.order && values.repair) throw new UsageError('--order cannot be repaired; drop --repair');
    const checks: Check[] = [values.order ? order(boundNs) : segments];
    const paths = positionals.flatMap((text) => (existsSync(text) ? [text] : text.split(',')));
    for (const path of paths)
      if (!existsSync(path)) throw new Failure(`${path}: no such file or directory; name what --store named`);
    let files = 0;
    let wrong = 0;
    for (const check of checks)
      for await (const finding of check.run(paths, { repair: values.repair ?? false })) {
        files++;
        if (!finding.ok) wrong++;
        print(finding, values.json ?? false);
      }
    printSummary(files, wrong, values.json ?? false);
    return wrong ? 1 : 0;
  },
};
