/** `ringtap decode`: one packet as a tree of fields, with its bytes. */
import type { TreeNode } from '../../asm/host/index.js';
import { displayName, loadEngine, readCapture } from './capture.js';
import { type Command, Failure, filesOf, parse, UsageError, wholeNumber } from './command.js';
import { note, printLine } from './output.js';

const help = `Usage: ringtap decode FILE --frame N [--json]

Shows packet N (from 1) of a capture file as a tree of fields and as hex. FILE may be - for
standard input; gzip is unpacked.

  --frame N   number of the packet, as ringtap packets prints it
  --json      one JSON object: number, tree (field, label, value, offset, length,
              children), bytes in hex and the comments of its pcapng block
  --help      this text
`;

interface Decoded {
  number: number;
  tree: TreeNode[];
  bytes: Buffer;
  /** Of the packet's pcapng block. */
  comments: string[];
}

function printTree(nodes: TreeNode[], depth: number): void {
  for (const node of nodes) {
    printLine(`${'  '.repeat(depth)}${node.label}`);
    printTree(node.children, depth + 1);
  }
}

const HEX_COLUMNS = 16;

function printHex(bytes: Buffer): void {
  for (let offset = 0; offset < bytes.length; offset += HEX_COLUMNS) {
    const row = bytes.subarray(offset, offset + HEX_COLUMNS);
    const hex = [...row].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = row.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
    printLine(`${offset.toString(16).padStart(4, '0')}  ${hex.padEnd(HEX_COLUMNS * 3)} ${text}`);
  }
}

export const decode: Command = {
  summary: 'show one packet as a tree of fields and as hex',
  help,
  async run(args) {
    const { values, positionals } = parse(args, { frame: { type: 'string' }, json: { type: 'boolean' } });
    const [file] = filesOf(positionals, 1) as [string];
    if (values.frame === undefined) throw new UsageError('--frame N is missing');
    const number = wholeNumber(values.frame, '--frame', 1);
    const engine = await loadEngine();
    let decoded: Decoded | null = null;
    let before = 0;
    const error = await readCapture(engine, file, (rows) => {
      const i = number - before - 1;
      before += rows.length;
      if (i >= rows.length) return true;
      const bytes = Buffer.from(rows.bytes(i)); // a copy: decode() may use the memory the row lies in
      decoded = {
        number,
        tree: engine.decode(rows.linktype(i), bytes, rows.wirelen(i)),
        bytes,
        comments: rows.comments(i),
      };
      return false;
    });
    if (!decoded)
      throw new Failure(`${displayName(file)}: ${error ?? `has ${before} packets, no ${number}`}`);
    const { tree, bytes, comments } = decoded as Decoded;
    if (values.json) printLine(JSON.stringify({ number, tree, bytes: bytes.toString('hex'), comments }));
    else {
      for (const text of comments) printLine(`Comment: ${JSON.stringify(text)}`);
      printTree(tree, 0);
      printLine('');
      printHex(bytes);
    }
    if (error !== null) note(`ringtap: ${displayName(file)}: ${error}`);
    return 0;
  },
};
