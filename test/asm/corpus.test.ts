/**
 * Real captures with ground truth from tshark and tcpdump, when they are at hand: $RINGTAP_CAPTURES or
 * ../shared/captures. Rows where the two tools agree are compared strictly; what may differ is bounded
 * in ALLOWED below, each with its reason, and a better result than allowed is fine, a worse one fails.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ProtocolName, StreamError } from '../../asm/host/index.js';
import { PROTOCOLS } from '../../asm/host/index.js';
import { newEngine } from './captures.js';

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
  udpConversations: number;
}
interface Filters {
  file: string;
  linktype: number;
  reliable: boolean;
  counts: Record<string, number>;
}

/** Linktypes whose filters libpcap compiles and this compiler does not yet: it says so in filterProblem. */
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

/** Most files that may differ, and why. Everything not named here must match in every file. */
const ALLOWED: Record<string, [files: number, reason: string]> = {};

const tally = new Map<string, { same: number; of: number; differ: string[] }>();
function compare(figure: string, file: string, ours: unknown, truth: unknown): void {
  const entry = tally.get(figure) ?? { same: 0, of: 0, differ: [] };
  tally.set(figure, entry);
  entry.of++;
  if (JSON.stringify(ours) === JSON.stringify(truth)) entry.same++;
  else entry.differ.push(`${file}: ${JSON.stringify(ours)}, truth ${JSON.stringify(truth)}`);
}

function judge(figures: readonly string[]): void {
  const failed: string[] = [];
  for (const figure of figures) {
    const { same, of, differ } = tally.get(figure)!;
    const allowed = ALLOWED[figure]?.[0] ?? 0;
    console.log(
      `  ${figure}: ${same}/${of}${allowed ? ` (up to ${allowed} may differ: ${ALLOWED[figure]![1]})` : ''}`,
    );
    if (process.env.RINGTAP_VERBOSE) for (const line of differ) console.log(`    ${line}`);
    if (differ.length > allowed)
      failed.push(`${figure}: ${differ.length} differ, ${allowed} allowed\n${differ.slice(0, 5).join('\n')}`);
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
      if (row.packets !== null) compare('error', row.file, error?.kind ?? null, row.readErrorKind);
      if (row.format !== 'other') compare('format', row.file, engine.format, row.format);
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
      compare('udpConversations', row.file, totals.udpConversations, row.udpConversations);
    }
    assert.ok(tally.get('packets')!.of > 100, 'the corpus has comparable rows');
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
    assert.ok(tally.get('filters')!.of > 1000, 'the corpus has filter rows');
    judge([...tally.keys()].filter((figure) => figure.startsWith('filter')));
  });
}

test.run();
