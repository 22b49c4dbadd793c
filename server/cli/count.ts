/** `ringtap count`: how many packets a filter passes. */
import { displayName } from './capture.js';
import { type Command, filesOf, parse } from './command.js';
import { note, printLine } from './output.js';
import { scanFiles } from './scan/run.js';
import { threadsOf } from './scan/threads.js';

const help = `Usage: ringtap count [-f EXPR] FILE...

Prints how many packets of each file pass the filter: N, or N FILE for several files.
FILE may be - for standard input; gzip is unpacked. Of a damaged file, what comes before
the damage is counted; the exit code is then 1.

  -f, --filter EXPR   pcap filter, for example 'tcp port 443 and not net 10.0.0.0/8';
                      without it all packets count
  --threads N         read with N threads; as many as the machine has by default
  --help              this text
`;

export const count: Command = {
  summary: 'how many packets of capture files pass a filter',
  help,
  async run(args) {
    const { values, positionals } = parse(args, {
      filter: { type: 'string', short: 'f' },
      threads: { type: 'string' },
    });
    const files = filesOf(positionals);
    const threads = threadsOf(values.threads);
    let failed = false;
    let index = 0;
    for await (const { matched, error, filterProblem } of scanFiles({
      files,
      filter: values.filter ?? null,
      threads,
      countOnly: true,
    })) {
      const file = files[index++] as string;
      printLine(files.length > 1 ? `${matched} ${file}` : `${matched}`);
      if (filterProblem !== null) note(`ringtap: ${displayName(file)}: ${filterProblem}`);
      if (error === null) continue;
      failed = true;
      note(`ringtap: ${displayName(file)}: ${error}`);
    }
    return failed ? 1 : 0;
  },
};
