// Community ID v1: vectors of the specification, and every conformant row of the capture corpus, from
// tuples and from the packets themselves.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Engine } from '../../asm/host/index.js';
import { communityId } from '../../asm/host/index.js';
import { newEngine } from './captures.js';

const root = process.env.RINGTAP_CAPTURES ?? '../shared/captures';
const present = existsSync(join(root, 'communityid.jsonl'));

interface Row {
  file: string | null;
  source: string;
  seed: number;
  encoding: 'base64' | 'hex';
  proto: number | null;
  saddr: string;
  daddr: string;
  sport: number | null;
  dport: number | null;
  id: string;
  specConformant: boolean | null;
}

/** RFC 5952 text back to bytes; also ::ffff:1.2.3.4. */
function address(text: string): Uint8Array {
  if (!text.includes(':')) return Uint8Array.from(text.split('.').map(Number));
  const [head = '', tail] = text.split('::');
  const words = (part: string): number[] =>
    part
      ? part.split(':').flatMap((word) => {
          if (!word.includes('.')) return [Number.parseInt(word, 16)];
          const [a, b, c, d] = word.split('.').map(Number) as [number, number, number, number];
          return [a * 256 + b, c * 256 + d];
        })
      : [];
  const [first, last] = [words(head), words(tail ?? '')];
  const all =
    tail === undefined
      ? first
      : [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Uint8Array.from(all.flatMap((word) => [word >> 8, word & 255]));
}

/** The specification's table of types that answer each other. */
const ANSWERS: Record<number, [number, number][]> = {
  1: [[8, 0], [9, 10], [13, 14], [15, 16], [17, 18]],
  58: [[128, 129], [130, 131], [133, 134], [135, 136], [139, 140], [144, 145]],
}; // biome-ignore format: a table
function answer(proto: number, type: number): number | undefined {
  const pair = ANSWERS[proto]?.find((types) => types.includes(type));
  return pair && (pair[0] === type ? pair[1] : pair[0]);
}

function idOf({ proto, saddr, daddr, sport, dport, seed }: Row): string {
  const icmp = proto === 1 || proto === 58;
  const other = icmp ? answer(proto, sport ?? 0) : undefined;
  return communityId(
    {
      ipProto: proto!,
      source: address(saddr),
      destination: address(daddr),
      ports: sport === null ? null : [sport, other ?? dport ?? 0],
      oneWay: icmp && other === undefined,
    },
    seed,
  );
}
const encoded = (id: string, { encoding }: Row): string =>
  encoding === 'hex' ? `1:${Buffer.from(id.slice(2), 'base64').toString('hex')}` : id;

test('vectors of the specification', () => {
  const tuple = {
    ipProto: 6,
    source: address('128.232.110.120'),
    destination: address('66.35.250.204'),
    ports: [34855, 80] as const,
  };
  assert.is(communityId(tuple), '1:LQU9qZlK+B5F3KDmev6m5PMibrg=');
  assert.is(communityId(tuple, 1), '1:3V71V58M3Ksw/yuFALMcW0LAHvc=');
  const back = {
    ...tuple,
    source: tuple.destination,
    destination: tuple.source,
    ports: [80, 34855] as const,
  };
  assert.is(communityId(back), communityId(tuple));
});

/** Files whose layers below differ: HDLC in PPP, source routes, TCP headers that contradict themselves. */
const KNOWN = [
  'BGP_Cisco_hdlc_slarp.pcap', 'detect-ipopts__input.pcap', 'tcp_header_heapoverflow.pcap', 'tcp-malformed.pcap',
  'kerberos_fuzz.pcapng', 'mac-eve-packet__test.pcap',
]; // biome-ignore format: a list of names

if (!present)
  console.log(`SKIP Community IDs of real captures: there is no ${join(root, 'communityid.jsonl')}`);
else {
  const rows = readFileSync(join(root, 'communityid.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)
    .filter((row) => row.specConformant && row.proto !== null);

  test('corpus: every conformant row with a tuple', () => {
    const wrong = rows.filter((row) => encoded(idOf(row), row) !== row.id);
    assert.equal(wrong.slice(0, 5), []);
    console.log(`  from tuples: ${rows.length}/${rows.length}`);
    assert.ok(rows.length > 7000);
  });

  test('corpus: the flows of each capture have the IDs its baseline lists', async () => {
    const files = new Map<string, Row[]>();
    for (const row of rows)
      if (row.file)
        files.set(`${row.seed} ${row.file}`, [...(files.get(`${row.seed} ${row.file}`) ?? []), row]);
    let found = 0;
    let unread = 0;
    const engines = new Map<number, Engine>();
    const missing: string[] = [];
    for (const list of files.values()) {
      const { file, seed } = list[0]!;
      const bytes = readFileSync(join(root, file!));
      const engine = engines.get(seed) ?? (await newEngine({ communityIdSeed: seed, maxFlows: 65536 }));
      engines.set(seed, engine);
      engine.reset();
      engine.push(bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes);
      const { unsupported } = engine.totals();
      if (engine.error || engine.format === 'unknown' || unsupported) {
        unread += list.length;
        continue;
      }
      const ids = new Set(engine.flows().map(({ communityId }) => communityId));
      for (const row of list) {
        if (row.proto === 50 || row.proto === 51) continue; // arkime gives ESP and AH ports of 0
        const id =
          row.encoding === 'hex' ? `1:${Buffer.from(row.id.slice(2), 'hex').toString('base64')}` : row.id;
        if (ids.has(id)) found++;
        else if (!KNOWN.some((name) => file!.endsWith(name)))
          missing.push(
            `${file} ${row.source} ${row.proto} ${row.saddr} ${row.sport} ${row.daddr} ${row.dport}`,
          );
      }
    }
    console.log(
      `  from packets: ${found}/${found + missing.length}; ${unread} of files the engine does not read in full`,
    );
    assert.equal(missing, []);
  });
}

test.run();
