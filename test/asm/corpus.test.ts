/**
 * Real captures with ground truth from tshark and tcpdump, when they are at hand: $RINGTAP_CAPTURES or
 * ../shared/captures. Every figure of a file where the two tools agree is compared; at least 99 % of the
 * comparable files must match, and each difference is printed with its reason (corpus-differences.ts).
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ProtocolName, StreamError } from '../../asm/host/index.js';
import { PROTOCOLS } from '../../asm/host/index.js';
import { newEngine } from './captures.js';
import { differenceOf } from './corpus-differences.js';

const root = process.env.RINGTAP_CAPTURES ?? '../shared/captures';
const present = existsSync(join(root, 'truth.jsonl'));

interface Truth {
  file: string;
  compression: string | null;
  format: string;
  linktypes: number[];
  packets: number | null;
  capturedBytes: number;
  originalBytes: number;
  firstTs: string | null;
  lastTs: string | null;
  agree: boolean | null;
  readErrorKind: StreamError['kind'] | null;
  protocolCounts: Record<ProtocolName, number>;
  tcpConversations: number;
  /** Distinct pairs of address and port among tshark's rows of UDP conversations. */
  udpTuples: number;
}
interface Filters {
  file: string;
  linktype: number;
  reliable: boolean;
  counts: Record<string, number>;
}

/** Linktypes that are decoded; the others are told apart in the report. */
const FILTER_LINKTYPES = new Set([0, 1, 9, 50, 101, 104, 108, 113, 228, 229, 276]);

const lines = <T>(name: string): T[] =>
  readFileSync(join(root, name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
const load = (row: Truth): Uint8Array => {
  const bytes = readFileSync(join(root, row.file));
  return row.compression === 'gzip' ? gunzipSync(bytes) : bytes;
};

/** `seconds.nanoseconds`, floored, as in the truth. */
function timeText(ns: bigint | null): string | null {
  if (ns === null) return null;
  const fraction = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return `${(ns - fraction) / 1_000_000_000n}.${String(fraction).padStart(9, '0')}`;
}

/** What must match in this share of the comparable files, figure by figure, … */
const SHARE = 0.99;
/** … and what must match in all. */
const EXACT = new Set([
  'refusal',
  'format',
  'packets',
  'capturedBytes',
  'originalBytes',
  'firstTs',
  'lastTs',
  'linkTypes',
  'filters',
]);

interface Tally {
  same: number;
  /** Each with its reason, or that none is known. */
  differ: string[];
  /** Files whose truth cannot be compared in this figure, and why. */
  excused: string[];
}
const tally = new Map<string, Tally>();

function compare(figure: string, file: string, ours: unknown, truth: unknown): void {
  const entry = tally.get(figure) ?? { same: 0, differ: [], excused: [] };
  tally.set(figure, entry);
  if (JSON.stringify(ours) === JSON.stringify(truth)) {
    entry.same++;
    return;
  }
  const known = differenceOf(figure, file);
  const line = `${file}: ${JSON.stringify(ours)}, truth ${JSON.stringify(truth)}: ${known?.reason ?? 'no reason known'}`;
  if (known?.comparable === false) entry.excused.push(line);
  else entry.differ.push(line);
}

/** Reports every figure and every difference; fails when too few of the comparable files match. */
function judge(figures: readonly string[]): void {
  const failed: string[] = [];
  for (const figure of figures) {
    const { same, differ, excused } = tally.get(figure)!;
    const of = same + differ.length;
    const percent = ((100 * same) / of).toFixed(2);
    console.log(
      `  ${figure}: ${same} of ${of} comparable files (${percent} %)${excused.length ? `, ${excused.length} not comparable` : ''}`,
    );
    for (const line of differ) console.log(`    differs: ${line}`);
    for (const line of excused) console.log(`    not comparable: ${line}`);
    if (same < (EXACT.has(figure) ? 1 : SHARE) * of)
      failed.push(`${figure}: ${percent} % match\n${differ.slice(0, 5).join('\n')}`);
  }
  assert.is(failed.length, 0, failed.join('\n'));
}

if (!present) {
  console.log(`SKIP corpus: no truth.jsonl in ${root} (set RINGTAP_CAPTURES)`);
  test('the corpus is absent', () => {});
} else {
  const truth = lines<Truth>('truth.jsonl');
  const engine = await newEngine();
  const read = (bytes: Uint8Array): StreamError | null => {
    engine.reset();
    engine.push(bytes);
    return engine.end();
  };

  test('summaries', () => {
    for (const row of truth) {
      const error = read(load(row));
      if (row.format === 'other') {
        // Network Monitor, Sniffer, snoop, an image: each refused, none read.
        compare('refusal', row.file, error?.kind, 'not-a-capture');
        continue;
      }
      if (row.packets !== null) compare('error', row.file, error?.kind ?? null, row.readErrorKind);
      if (row.packets !== null) compare('format', row.file, engine.format, row.format);
      if (!row.agree) continue;
      const totals = engine.totals();
      compare('packets', row.file, totals.packets, row.packets);
      compare('capturedBytes', row.file, totals.capturedBytes, row.capturedBytes);
      compare('originalBytes', row.file, totals.originalBytes, row.originalBytes);
      compare('firstTs', row.file, timeText(totals.firstTsNs), row.firstTs);
      compare('lastTs', row.file, timeText(totals.lastTsNs), row.lastTs);
      compare(
        'linkTypes',
        row.file,
        [...totals.linkTypes].sort((a, b) => a - b),
        row.linktypes,
      );
      for (const name of PROTOCOLS)
        compare(name, row.file, totals.protocolCounts[name], row.protocolCounts[name]);
      compare('tcpConversations', row.file, totals.tcpConversations, row.tcpConversations);
      // tshark has several rows for a pair of addresses and ports where a dissector (SNMP, RTP) asked for them.
      compare('udpConversations', row.file, totals.udpConversations, row.udpTuples);
    }
    assert.ok(tally.get('packets')!.same > 100, 'the corpus has comparable rows');
    judge([...tally.keys()].filter((figure) => !figure.startsWith('filter')));
  });

  test('filters', () => {
    const rows = new Map(lines<Filters>('filters.jsonl').map((row) => [row.file, row]));
    for (const row of truth) {
      const filters = rows.get(row.file);
      if (!filters?.reliable || !filters.counts) continue;
      const bytes = load(row);
      const figure = FILTER_LINKTYPES.has(filters.linktype) ? 'filters' : 'filters on other linktypes';
      for (const [expression, matched] of Object.entries(filters.counts)) {
        engine.setFilter(expression);
        read(bytes);
        compare(figure, `${row.file} '${expression}'`, engine.matched, matched);
      }
    }
    assert.ok(tally.get('filters')!.same > 1000, 'the corpus has filter rows');
    judge([...tally.keys()].filter((figure) => figure.startsWith('filter')));
  });
}

test.run();
