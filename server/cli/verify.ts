/** `ringtap verify`: runs the checks of server/cli/verify/ over stores and capture files, and says what is wrong. */
import { existsSync } from 'node:fs';
import { type Command, Failure, parse, UsageError } from './command.js';
import { printLine } from './output.js';
import type { Finding } from './verify/check.js';
import { order } from './verify/order.js';

const help = `Usage: ringtap verify --order [--order-bound NS] [--json] DIR|FILE...

Looks whether the stamps of packets step back, file by file; DIR stands for its segments. Prints one
line per file; the exit code is 1 when a step is larger than the bound, or a file is damaged.

  --order            check the order of stamps
  --order-bound NS   how far a stamp may lie behind the newest before it, in nanoseconds (0)
  --json             one JSON object per line
  --help             this text
`;

function print({ check, path, ok, message, details }: Finding, json: boolean): void {
  printLine(
    json ? JSON.stringify({ type: 'file', check, path, ok, message, ...details }) : `${path}: ${message}`,
  );
}

function boundOf(text: string | undefined): bigint {
  if (text === undefined) return 0n;
  if (!/^\d{1,18}$/.test(text))
    throw new UsageError(`--order-bound ${text}: expected nanoseconds, such as 1000000`);
  return BigInt(text);
}

export const verify: Command = {
  summary: 'check the order of packets in captures',
  help,
  async run(args) {
    const { values, positionals } = parse(args, {
      order: { type: 'boolean' },
      'order-bound': { type: 'string' },
      json: { type: 'boolean' },
    });
    if (!values.order) throw new UsageError('say what to verify: --order');
    if (positionals.length === 0) throw new UsageError('a DIR or FILE is missing (- for standard input)');
    const boundNs = boundOf(values['order-bound']);
    for (const path of positionals)
      if (path !== '-' && !existsSync(path)) throw new Failure(`${path}: no such file or directory`);
    let failed = false;
    for await (const finding of order(positionals, boundNs)) {
      print(finding, values.json ?? false);
      failed ||= !finding.ok;
    }
    return failed ? 1 : 0;
  },
};
