/** `ringtap slice`: the packets that pass a filter, unchanged, as a capture file of their own. */

import type { PacketRows } from '../../asm/host/index.js';
import { LINKTYPE_ETHERNET } from '../../proto/gen/constants.js';
import { type InterfaceDescription, InterfaceTracker } from '../formats/pcapng-interfaces.js';
import { comment, packetBytes, putPacket, sectionBlock } from '../formats/pcapng-writer.js';
import { SliceInterfaces } from '../formats/slice-interfaces.js';
import { VERSION } from '../paths.js';
import { displayName, loadEngine, readCapture, setFilter } from './capture.js';
import { type Command, filesOf, parse, UsageError } from './command.js';
import { countText } from './format.js';
import { note } from './output.js';
import { OutputFile } from './output_file.js';
import { Progress, totalBytes } from './progress.js';

const help = `Usage: ringtap slice [-f EXPR] FILE... -w OUT.pcapng

Writes the packets of the files that pass the filter to OUT.pcapng: every captured byte, the time to
the nanosecond, linktype and interface as they were, files one after another. Comments in the new
file's header tell where its packets come from. FILE and OUT may be - for standard input and output;
gzip is unpacked. Of a damaged file, what comes before the damage is used; the exit code is then 1.

  -f, --filter EXPR   pcap filter, for example 'host 10.0.0.1 and tcp port 443';
                      without it all packets
  -w, --write OUT     the pcapng file to write; never one of the files read. It appears
                      under its name when it is complete
  --help              this text
`;

const FILES_NAMED_MAX = 1000;

/** The comments of the section: read together they say how to make this file again. */
export function provenance(files: string[], filter: string | undefined, now: Date): string[] {
  const named = files.slice(0, FILES_NAMED_MAX).map((file) => `source: ${displayName(file)}`);
  if (files.length > named.length) named.push(`source: ${files.length - named.length} more files`);
  return [
    `ringtap slice ${VERSION}: packets of the sources that pass the filter, unchanged`,
    `filter: ${filter?.trim() || '(none: all packets)'}`,
    `sliced: ${now.toISOString()}`,
    ...named,
  ];
}

/** Copies the matching packets of one file. */
class Slicer {
  readonly #out: OutputFile;
  readonly #interfaces: SliceInterfaces;
  /** Interfaces by description (pcapng) and linktype, so that the common case makes no key. */
  #last: { description: InterfaceDescription | null; linktype: number; number: number } | null = null;
  #tracker = new InterfaceTracker();
  #before = 0;
  packets = 0;

  constructor(out: OutputFile) {
    this.#out = out;
    this.#interfaces = new SliceInterfaces((block) => out.write(block));
  }

  begin(): void {
    this.#tracker = new InterfaceTracker();
    this.#before = 0;
  }

  /** Bytes the engine is about to read. */
  readonly see = (chunk: Uint8Array): void => {
    this.#tracker.forget(this.#before);
    this.#tracker.push(chunk);
  };

  readonly take = (rows: PacketRows): boolean => {
    for (let i = 0; i < rows.length; i++) if (rows.matched(i)) this.#copy(rows, i);
    this.#before += rows.length;
    return true;
  };

  /** A file without any interface is refused by libpcap: an empty slice keeps one of its sources'. */
  end(linktype: number): void {
    if (this.packets === 0) this.#interfaces.number(linktype, null);
  }

  #copy(rows: PacketRows, i: number): void {
    const number = this.#number(rows.linktype(i), this.#tracker.find(this.#before + i, rows.ifindex(i)));
    const ts_ns = rows.tsNs(i);
    const options = ts_ns === null ? [comment('time unknown: the source has none')] : [];
    const bytes = rows.bytes(i);
    const length = packetBytes(bytes.length, options);
    const { buffer, at } = this.#out.reserve(length);
    putPacket(buffer, at, number, ts_ns ?? 0n, rows.wirelen(i), bytes, options);
    this.packets++;
  }

  #number(linktype: number, description: InterfaceDescription | null): number {
    const last = this.#last;
    if (last && last.description === description && last.linktype === linktype) return last.number;
    const number = this.#interfaces.number(linktype, description);
    this.#last = { description, linktype, number };
    return number;
  }
}

export const slice: Command = {
  summary: 'copy the packets that pass a filter to a new pcapng file',
  help,
  async run(args) {
    const { values, positionals } = parse(args, {
      filter: { type: 'string', short: 'f' },
      write: { type: 'string', short: 'w' },
    });
    const files = filesOf(positionals);
    if (!values.write) throw new UsageError('-w OUT.pcapng is missing (- for standard output)');
    const engine = await loadEngine();
    setFilter(engine, values.filter);
    const out = OutputFile.create(values.write, files);
    const slicer = new Slicer(out);
    const progress = new Progress(totalBytes(files));
    let failed = false;
    let done = 0;
    try {
      out.write(sectionBlock(`ringtap ${VERSION}`, provenance(files, values.filter, new Date())));
      for (const file of files) {
        slicer.begin();
        let read = 0;
        const error = await readCapture(engine, file, slicer.take, {
          onChunk: slicer.see,
          onRead: (bytes) => {
            read = bytes;
            progress.at(done + read);
          },
        });
        done += read;
        if (error === null) continue;
        failed = true;
        note(`ringtap: ${displayName(file)}: ${error}`);
      }
      slicer.end(engine.totals().linkTypes[0] ?? LINKTYPE_ETHERNET);
      out.commit();
    } finally {
      progress.clear();
      out.close();
    }
    if (engine.filterProblem) note(`ringtap: ${engine.filterProblem}`);
    note(
      `ringtap: ${countText(slicer.packets)} packets written to ${values.write === '-' ? '(standard output)' : values.write}`,
    );
    return failed ? 1 : 0;
  },
};
