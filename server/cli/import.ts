/** `ringtap import`: capture files into a store, where queries find their packets. */
import { existsSync, statSync } from 'node:fs';
import { findImport, fingerprint, Importer } from '../store/import.js';
import { openStore } from '../store/open.js';
import { loadEngine, readCapture } from './capture.js';
import { type Command, Failure, filesOf, parse, UsageError } from './command.js';
import { countText } from './format.js';
import { note, printLine } from './output.js';
import { Progress, totalBytes } from './progress.js';

const help = `Usage: ringtap import --store DIR [--again] FILE...

Copies the packets of pcap and pcapng files (gzip is unpacked) into segments of the store and
indexes them: every captured byte, times to the nanosecond, interfaces, comments and flags of
packets. Of a damaged file, what comes before the damage is imported; the exit code is then 1.
Blocks that are no packets (name resolution, decryption secrets) stay behind.

  --store DIR   the directory; it must exist
  --again       import a file that was imported before once more, instead of saying so
  --help        this text
`;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Takes what was not finished away when the command is ended. */
function guarded(importer: Importer): () => void {
  const onSignal = (signal: NodeJS.Signals) => {
    release();
    importer.discard();
    process.kill(process.pid, signal);
  };
  const release = () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return release;
}

/** False when the file was damaged, missing, or there was nothing in it. */
async function importFile(
  directory: string,
  file: string,
  again: boolean,
  progress: (bytes: number) => void,
): Promise<boolean> {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    note(`ringtap: ${file}: ${existsSync(file) ? 'is no file' : 'no such file'}`);
    return false;
  }
  const id = fingerprint(file);
  const before = again ? null : findImport(directory, id);
  if (before !== null) {
    note(`ringtap: ${file}: was imported before, to ${before}; nothing done (--again imports it once more)`);
    return true;
  }
  const engine = await loadEngine();
  const importer = new Importer(directory, file, id);
  const release = guarded(importer);
  try {
    const error = await readCapture(engine, file, importer.take, {
      onChunk: importer.see,
      onRead: progress,
      countOnly: true,
    });
    const segments = importer.commit();
    printLine(`${countText(importer.packets)} packets of ${file} in ${segments.length} segments`);
    if (error !== null) note(`ringtap: ${file}: ${error}; what comes before was imported`);
    return error === null;
  } finally {
    release();
    importer.discard();
  }
}

async function index(directory: string): Promise<void> {
  const store = await openStore([directory], { threads: 1 });
  try {
    await store.indexAll({ nice: 0, onProblem: (problem) => note(`ringtap: ${problem}`) });
  } finally {
    await store.close();
  }
}

export const importFiles: Command = {
  summary: 'copy capture files into a store and index them',
  help,
  async run(args) {
    const { values, positionals } = parse(args, { store: { type: 'string' }, again: { type: 'boolean' } });
    if (values.store === undefined) throw new UsageError('--store DIR is missing');
    const directory = values.store;
    if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory())
      throw new Failure(`${directory}: no such directory; create it first`);
    const files = filesOf(positionals);
    if (files.includes('-')) throw new UsageError('- cannot be imported: write it to a file first');
    const bar = new Progress(totalBytes(files));
    let whole = true;
    let done = 0;
    for (const file of files) {
      let read = 0;
      const progress = (bytes: number) => {
        read = bytes;
        bar.at(done + read);
      };
      if (!(await importFile(directory, file, values.again ?? false, progress))) whole = false;
      done += read;
    }
    bar.clear();
    await index(directory);
    return whole ? 0 : 1;
  },
};
