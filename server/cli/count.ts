/** `ringtap count`: how many packets a filter passes. */
import { displayName, loadEngine, readCapture, setFilter } from './capture.js';
import { type Command, filesOf, parse } from './command.js';
import { note, printLine } from './output.js';

const help = `Usage: ringtap count [-f EXPR] FILE...

Prints how many packets of each file pass the filter: N, or N FILE for several files.
FILE may be - for standard input; gzip is unpacked. Of a damaged file, what comes before
the damage is counted; the exit code is then 1.

  -f, --filter EXPR   pcap filter, for example 'tcp port 443 and not net 10.0.0.0/8';
                      without it all packets count
  --help              this text
`;

export const count: Command = {
  summary: 'how many packets of capture files pass a filter',
  help,
  async run(args) {
    const { values, positionals } = parse(args, { filter: { type: 'string', short: 'f' } });
    const files = filesOf(positionals);
    const engine = await loadEngine();
    setFilter(engine, values.filter);
    let failed = false;
    for (const file of files) {
      engine.reset();
      const error = await readCapture(engine, file);
      printLine(files.length > 1 ? `${engine.matched} ${file}` : `${engine.matched}`);
      if (error !== null) {
        failed = true;
        note(`ringtap: ${displayName(file)}: ${error}`);
      }
    }
    return failed ? 1 : 0;
  },
};
