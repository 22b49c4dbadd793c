/** Making records without the gateway: growing segments, striped runs, damage; always what one engine says. */
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FLOW_ROW_COLUMNS, type FlowRecord } from '../../server/flows/columns.js';
import { flowFiles } from '../../server/flows/files.js';
import { FlowFile } from '../../server/flows/flow-file.js';
import { tasksOf } from '../../server/flows/maker.js';
import { type Member, SegmentFlows } from '../../server/flows/segment-flows.js';
import type { StoredCell } from '../../server/formats/table.js';
import { paths } from '../../server/paths.js';
import { BLOCK_LOOK_BYTES, readBlockHeader } from '../../server/store/block-header.js';
import type { SegmentInfo } from '../../server/store/types.js';
import { conversation, numbered, storeOf, withoutRecorder } from '../server/captures.js';
import { temporaryDirectory, withoutEngine } from '../server/helpers.js';

const skip = withoutEngine() ?? withoutRecorder();
if (skip) console.log(`SKIP ${skip}`);
const check = skip ? test.skip : test;
const module = skip ? null : new WebAssembly.Module(readFileSync(paths.wasm));

const script: ['>' | '<', string][] = Array.from({ length: 30 }, (_, i) => [
  i % 2 ? '<' : '>',
  `${i}`.repeat(20_000),
]);
const FRAMES = [
  ...numbered(3000, 400),
  ...conversation({ address: '10.1.1.7', port: 40_000 }, { address: '10.1.1.1', port: 80 }, script),
];

/** One segment's file, cut at its blocks. */
function blocksOf(file: string): { head: Buffer; blocks: Buffer[] } {
  const bytes = readFileSync(file);
  let at = 0;
  while (!readBlockHeader(bytes.subarray(at, at + BLOCK_LOOK_BYTES))) at += bytes.readUInt32LE(at + 4);
  const head = bytes.subarray(0, at);
  const blocks: Buffer[] = [];
  while (at < bytes.length) {
    const header = readBlockHeader(bytes.subarray(at, at + BLOCK_LOOK_BYTES))!;
    blocks.push(bytes.subarray(at, at + header.bytes));
    at += header.bytes;
  }
  return { head, blocks };
}

function segment(): { head: Buffer; blocks: Buffer[]; file: string } {
  const store = storeOf(FRAMES);
  const file = join(store, readdirSync(store).find((name) => name.endsWith('.pcapng'))!);
  return { ...blocksOf(file), file };
}

type Named = Record<string, StoredCell>;
const named = (records: FlowRecord[]): Named[] =>
  records.map((record) =>
    Object.fromEntries(FLOW_ROW_COLUMNS.map(({ name }, i) => [name, record[i] ?? null])),
  );

const essential = (rows: Named[]) =>
  rows
    .map(
      ({ community_id, first_ts, last_ts, orig_packets, resp_packets, history, conn_state, missed_bytes }) =>
        [community_id, first_ts, last_ts, orig_packets, resp_packets, history, conn_state, missed_bytes].join(
          ' ',
        ),
    )
    .sort();

async function recordsOf(members: Member[]): Promise<Named[]> {
  const flows = await SegmentFlows.open(module!, members, 10_000);
  while (flows.advance(true, 1 << 20) > 0);
  const rows = named(flows.finish());
  flows.close();
  return rows;
}

const member = (file: string): Member => ({
  stem: file.replace(/^.*\//, '').replace('.pcapng', ''),
  path: file,
});

check('a segment that grows block by block gives the records of the whole', async () => {
  const { head, blocks, file } = segment();
  assert.ok(blocks.length >= 5, `${blocks.length} blocks`);
  const whole = essential(await recordsOf([member(file)]));
  const growing = join(temporaryDirectory(), 'ringtap-x-1.pcapng');
  writeFileSync(growing, head);
  const flows = await SegmentFlows.open(module!, [member(growing)], 10_000);
  let shown = 0;
  for (const block of blocks) {
    appendFileSync(growing, block);
    assert.is(flows.advance(false, 1 << 30), block.length);
    assert.is(flows.advance(false, 1 << 30), 0);
    assert.ok(flows.open().length >= shown);
    shown = flows.open().length;
  }
  assert.equal(essential(named([...flows.takeEnded(), ...flows.finish()])), whole);
  flows.close();
});

/** OPT_RUN of the section: run, stripe, stripes. */
function stripedHead(head: Buffer, stripe: number, stripes: number): Buffer {
  const option = Buffer.alloc(28 + 4);
  option.writeUInt16LE(0xa002, 0);
  option.writeUInt16LE(24, 2);
  option.fill(7, 4, 20);
  option.writeUInt32LE(stripe, 20);
  option.writeUInt32LE(stripes, 24);
  const section = Buffer.alloc(28 + option.length);
  head.copy(section, 0, 0, 24);
  option.copy(section, 24);
  section.writeUInt32LE(section.length, 4);
  section.writeUInt32LE(section.length, section.length - 4);
  return Buffer.concat([section, head.subarray(head.readUInt32LE(4))]);
}

check('a run striped over drives gives the records of one file', async () => {
  const { head, blocks, file } = segment();
  const whole = essential(await recordsOf([member(file)]));
  const members = [0, 1].map((stripe) => {
    const path = join(temporaryDirectory(), `ringtap-x${stripe}-000001.pcapng`);
    const own = blocks.filter((_, i) => i % 2 === stripe);
    writeFileSync(path, Buffer.concat([stripedHead(head, stripe, 2), ...own]));
    return member(path);
  });
  const rows = await recordsOf(members);
  assert.equal(essential(rows), whole);
  assert.ok(
    rows.some(
      ({ blocks: positions }) => /ringtap-x1/.test(String(positions)) && /ringtap-x0/.test(String(positions)),
    ),
  );
  assert.not.equal(essential(await recordsOf(members.slice(0, 1))), whole);
});

check('damage costs its block and nothing else', async () => {
  const { head, blocks } = segment();
  const path = join(temporaryDirectory(), 'ringtap-d-1.pcapng');
  const hurt = blocks.map((block) => Buffer.from(block));
  const header = readBlockHeader(hurt[2]!)!;
  hurt[2]!.writeUInt32LE(0xffff_ffff, header.isbBytes + 4); // the first packet's block length
  writeFileSync(path, Buffer.concat([head, ...hurt]));
  const flows = await SegmentFlows.open(module!, [member(path)], 10_000);
  while (flows.advance(true, 64 << 10) > 0);
  const rows = named(flows.finish());
  flows.close();
  const packets = rows.reduce(
    (sum, { orig_packets, resp_packets }) => sum + Number(orig_packets) + Number(resp_packets),
    0,
  );
  const lost = FRAMES.length - packets;
  assert.ok(lost > 0 && lost < FRAMES.length / 2, `${lost} packets lost`);
  assert.is(flows.damaged, 1);
});

check('what is no segment is refused', async () => {
  const path = join(temporaryDirectory(), 'ringtap-n-1.pcapng');
  for (const bytes of [Buffer.alloc(0), Buffer.from('not a capture at all'), Buffer.alloc(100_000, 0x0a)]) {
    writeFileSync(path, bytes);
    await SegmentFlows.open(module!, [member(path)], 16).then(
      () => assert.unreachable(),
      (error) => assert.instance(error, Error),
    );
  }
});

test('a flow file has its name when it is complete; parts show what there is', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'flows', 'date=2025-06-15', 'hour=15', 'ringtap-a-1.parquet');
  const file = new FlowFile(path);
  const row = (n: number): FlowRecord =>
    FLOW_ROW_COLUMNS.map(({ name, type }) => {
      if (name === 'id') return `ringtap-a-1~${n}`;
      return name === 'orig_packets' ? n : type === 'time' ? 1_750_000_000_000_000_001n : null;
    });
  const read = async () => {
    const all: Record<string, unknown>[] = [];
    for (const { path: part } of flowFiles([directory])) {
      const bytes = readFileSync(part);
      all.push(
        ...(await parquetReadObjects({
          file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer,
        })),
      );
    }
    return all.length;
  };
  assert.is(await read(), 0);
  file.ended(Array.from({ length: 60_000 }, (_, i) => row(i)));
  file.show([row(60_000), row(60_001)]);
  assert.is(await read(), 60_002);
  assert.ok(flowFiles([directory]).every(({ growing }) => growing));
  file.ended([row(60_000)]);
  file.show([row(60_001)]);
  assert.is(await read(), 60_002);
  file.ended([row(60_001)]);
  file.finish();
  assert.equal(
    flowFiles([directory]).map(({ growing, stem }) => [growing, stem]),
    [[false, 'ringtap-a-1']],
  );
  assert.is(await read(), 60_002);
  assert.equal(readdirSync(join(path, '..')), ['ringtap-a-1.parquet'], 'nothing else is left');
});

test('stripes of the same time are one task', () => {
  const info = (stem: string, runId: string | null, stripe: number, from_s: number, to_s: number, sealed = true): SegmentInfo => ({
    stem, path: `/x/${stem}.pcapng`, interfaceName: 'e', runId, stripe, stripes: runId ? 2 : 1, packets: 1, bytes: 1, sealed, indexed: false,
    range: { fromNs: 1_750_000_000_000_000_000n + BigInt(from_s * 1e9), toNs: 1_750_000_000_000_000_000n + BigInt(to_s * 1e9) },
  }); // biome-ignore format: one record
  const tasks = tasksOf([
    info('ringtap-e-000001', 'r', 0, 0, 10),
    info('ringtap-e-000002', 'r', 1, 0.001, 9.9),
    info('ringtap-e-000003', 'r', 1, 9.9, 20, false),
    info('ringtap-e-000004', 'r', 0, 10, 20),
    info('ringtap-e-000005', 'q', 1, 0, 10),
    info('ringtap-f-000001', null, 0, 0, 10),
  ]);
  assert.equal(
    tasks.map(({ members, sealed }) => [members.map(({ stem }) => stem.slice(8)).join(' '), sealed]).sort(),
    [
      ['e-000001 e-000002', true],
      ['e-000004 e-000003', false],
      ['e-000005', true],
      ['f-000001', true],
    ],
  );
  assert.match(tasks[0]!.path, '/x/flows/date=2025-06-15/hour=15/ringtap-f-000001.parquet');
});

test.run();
