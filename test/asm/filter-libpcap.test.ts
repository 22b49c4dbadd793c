// Filters against libpcap: random expressions over random packets, the verdict on every packet, for the
// interpreter and the emitted function. Known differences are in BEYOND, each with its reason.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { shapeOf, UNSET } from '../../asm/host/filter/linktypes.js';
import { FilterError } from '../../asm/host/index.js';
import type { Packet } from './captures.js';
import { newEngine, pcap, random, runSeed } from './captures.js';
import type { Next } from './filter-expressions.js';
import {
  broken,
  divided,
  expression,
  LINKTYPES,
  linkPacket,
  linkPrimitive,
  onVariable,
  PFLOG,
  primitive,
  WLAN,
  WRAPPED,
  whole,
} from './filter-expressions.js';

/** What libpcap 1.10 refuses or gets wrong and this compiler takes, by what the expression holds. */
const BEYOND: readonly [RegExp, string][] = [
  [/type\b|\bdir\b/, "802.11 types behind PPI, which libpcap's own check of linktypes leaves out"],
  [
    /\bllc\b/,
    'LLC over Classical IP over ATM and netANALYZER, whose layout is the same as of those it takes',
  ],
  [/\$/, "libpcap parses ARCnet's addresses together with their dollar sign"],
  [/\bsls\b|\bopc\b|\bdpc\b|\bsio\b/, 'a relation with = turned into != is ignored by libpcap'],
];

const seed = runSeed('filter-libpcap');
const engine = await newEngine();
const hasTcpdump = spawnSync('tcpdump', ['--version']).status === 0;
if (!hasTcpdump) console.log('SKIP filters against tcpdump: it is not installed');

/** Which packets pass tcpdump, by their times, which are their numbers; or why it does not compile. */
function reference(name: string, flags: readonly string[], text: string): Set<number> | string {
  const args = [...flags, '-n', '-r', name, '-w', '-', '--', text];
  const { stdout, stderr } = spawnSync('tcpdump', args, { maxBuffer: 1 << 26 });
  if (stdout.length < 24) return /rejects all packets/.test(String(stderr)) ? new Set() : String(stderr);
  const passed = new Set<number>();
  for (let at = 24; at + 16 <= stdout.length; at += 16 + stdout.readUInt32LE(at + 8))
    passed.add(stdout.readUInt32LE(at));
  return passed;
}

function verdicts(file: Uint8Array): Set<number> {
  const passed = new Set<number>();
  engine.reset();
  let number = 0;
  engine.push(file, (rows) => {
    for (let i = 0; i < rows.length; i++, number++) if (rows.matched(i)) passed.add(number);
  });
  return passed;
}

function same(ours: Set<number>, theirs: Set<number>, text: string): void {
  const differing = [...ours, ...theirs].filter((number) => ours.has(number) !== theirs.has(number));
  assert.is(differing.length, 0, `${text}: packets ${differing.slice(0, 5)} differ`);
}

/** libpcap does not compile it: neither must we, or say that nothing can match. */
function refused(text: string, file: Uint8Array, reason: string): void {
  try {
    engine.setFilter(text);
    const passed = verdicts(file);
    if (BEYOND.some(([pattern]) => pattern.test(text))) return;
    // A word that this linktype lacks beside one that it has: the other may still match.
    assert.ok(engine.filterProblem || passed.size === 0, `${text}: ${reason}`);
  } catch (error) {
    assert.instance(error, FilterError, `${text}: ${reason}`);
  }
}

interface Run {
  packets: readonly Packet[];
  flags: readonly string[];
  linktype?: number;
  expressions: number;
  depth: number;
  leaf: (next: Next) => string;
}

/** Number of (expression, packet) pairs on which both gave a verdict; any disagreement fails. */
function differential({ packets, flags, linktype = 1, expressions, depth, leaf }: Run, next: Next): number {
  const directory = mkdtempSync(path(tmpdir(), 'ringtap-filter-'));
  const name = path(directory, 'a.pcap');
  const timed = packets.map((packet, i) => ({ ...packet, ts: BigInt(i) * 1_000_000_000n }));
  const file = pcap(timed, { linktype });
  writeFileSync(name, file);
  let pairs = 0;
  engine.emitFiltersAfter(0);
  try {
    for (let i = 0; i < expressions; i++) {
      // Geneve first, where it guards the rest: elsewhere libpcap reads cells that geneve never set.
      const tunnel = linktype === 1 && next(8) === 0 ? ['geneve and ', 'geneve 5 && '][next(2)]! : '';
      const inner = expression(next, depth, leaf);
      const text = tunnel ? `${tunnel}(${inner})` : inner;
      const theirs = reference(name, flags, text);
      if (typeof theirs === 'string') {
        refused(text, file, theirs);
        continue;
      }
      engine.setFilter(text);
      same(verdicts(file), theirs, `linktype ${linktype}, interpreted: ${text}`);
      if (!text.includes('protochain')) assert.is(engine.filtersEmitted, 1, text);
      same(verdicts(file), theirs, `linktype ${linktype}, emitted: ${text}`);
      pairs += packets.length;
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  return pairs;
}

if (hasTcpdump) {
  test('random expressions over whole packets: the same verdicts as tcpdump', () => {
    const next = random(seed);
    const run = { packets: whole(next, 500), flags: [], expressions: 250, depth: 3, leaf: primitive };
    const pairs = differential(run, next);
    console.log(`filters against tcpdump: ${pairs} verdicts on whole packets`);
    assert.ok(pairs > 60_000);
  });

  test('indexes before the header: the same verdicts as tcpdump', () => {
    const next = random(seed);
    const packets = whole(next, 100);
    for (const text of WRAPPED)
      assert.ok(differential({ packets, flags: [], expressions: 1, depth: 0, leaf: () => text }, () => 1));
  });

  // Unoptimized, because libpcap's optimizer may drop a load that would have rejected a cut packet.
  test('random expressions over broken packets: the same verdicts as tcpdump -O', () => {
    const next = random(seed + 1);
    const run = { packets: broken(next, 500), flags: ['-O'], expressions: 250, depth: 3, leaf: divided };
    const pairs = differential(run, next);
    console.log(`filters against tcpdump -O: ${pairs} verdicts on broken packets`);
    assert.ok(pairs > 60_000);
  });

  test('every linktype, cut packets: the same verdicts as tcpdump -O', () => {
    const next = random(seed + 2);
    let pairs = 0;
    for (const linktype of LINKTYPES) {
      const packets = Array.from({ length: 200 }, () => linkPacket(next, linktype));
      const leaf =
        WLAN.has(linktype) || linktype === PFLOG || shapeOf(linktype).payload === UNSET
          ? onVariable
          : linkPrimitive;
      pairs += differential({ packets, flags: ['-O'], linktype, expressions: 14, depth: 1, leaf }, next);
    }
    console.log(`filters against tcpdump -O: ${pairs} verdicts on ${LINKTYPES.length} other linktypes`);
    assert.ok(pairs > 10_000);
  });
}

test.run();
