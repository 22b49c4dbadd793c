/** Flow records in every format: names, types, unknowns, hostile text; read back by other programs. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Flow } from '../../asm/host/index.js';
import { COLUMNS } from '../../server/formats/flow-columns.js';
import { parquetFile } from '../../server/formats/flow-parquet.js';
import { csvHeader, csvLine, csvText, jsonLine, secondsText } from '../../server/formats/flow-text.js';
import { zeekFooter, zeekHeader, zeekLine } from '../../server/formats/zeek.js';
import { paths } from '../../server/paths.js';
import { ether, ipv4, pcap, tcp } from '../asm/captures.js';
import { epb, ringtap, section, temporaryDirectory, udpPacket, withoutEngine } from './helpers.js';

/** What every engine tells. */
const plain = {
  id: 1,
  proto: 'tcp',
  ipProto: 6,
  origAddr: '10.0.0.1',
  origPort: 40000,
  respAddr: '2001:db8::1',
  respPort: 443,
  firstTsNs: 1_700_000_000_000_000_001n,
  lastTsNs: 1_700_000_002_500_000_001n,
  origPackets: 3,
  respPackets: 2,
  origBytes: 300,
  respBytes: 2 ** 40,
  origTcpFlags: 2,
  respTcpFlags: 18,
} as Flow;
/** As the engine tells more. */
const rich = {
  ...plain,
  uid: 'CAbc123',
  communityId: '1:wCb3OG7yAFWelaUydu0D+125CLM=',
  service: '=cmd|"x",\t-',
  connState: 'SF',
  history: 'ShADadFf',
  origIpBytes: 280,
  respIpBytes: 180,
  origPayloadBytes: 100,
  respPayloadBytes: 0,
  missedBytes: 0,
  synAckRttNs: 12_000_000n,
  ackRttNs: null,
  handshakeRttNs: null,
  origRetransmits: 4,
  respRetransmits: 0,
  origOutOfOrder: 0,
  respOutOfOrder: 2,
  origZeroWindows: 1,
  respZeroWindows: 0,
  vlan: 7,
  innerVlan: null,
  ended: 'evicted',
  tunnelParents: ['C1', 'C,2'],
} as unknown as Flow;

/** The log as zeek-cut reads it: a map per line by #fields. */
function zeekRows(lines: string[]): Record<string, string>[] {
  const names =
    lines
      .find((line) => line.startsWith('#fields\t'))
      ?.split('\t')
      .slice(1) ?? [];
  return lines
    .filter((line) => !line.startsWith('#'))
    .map((line) => {
      const cells = line.split('\t');
      assert.is(cells.length, names.length, line);
      return Object.fromEntries(names.map((name, i) => [name, cells[i] as string]));
    });
}

test('times and intervals keep every nanosecond', () => {
  assert.is(secondsText(1_700_000_000_000_000_001n), '1700000000.000000001');
  assert.is(secondsText(-1n), '-0.000000001');
});

test('CSV: quoted by RFC 4180, nothing a spreadsheet would run', () => {
  for (const [text, cell] of [
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['say "x"', '"say ""x"""'],
    ['two\nlines', '"two\nlines"'],
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "'\t=1"],
    ['=HYPERLINK("x","y")', '"\'=HYPERLINK(""x"",""y"")"'],
  ] as const)
    assert.is(csvText(text), cell);
  assert.is(csvHeader().split(',').length, COLUMNS.length);
  assert.match(
    csvLine(plain),
    /^tcp,10\.0\.0\.1,40000,2001:db8::1,443,1700000000\.000000001,1700000002\.500000001,3,2,300,1099511627776,6,2\.500000000,,,/,
  );
  assert.match(csvLine(rich), /,SF,ShADadFf,280,180,100,0,0,,0\.012000000,/);
});

test('JSON: unknown is null, never 0 or missing', () => {
  const known = JSON.parse(jsonLine(rich));
  assert.equal(
    Object.keys(known),
    COLUMNS.map(({ name }) => name),
  );
  assert.equal(
    [known.uid, known.service, known.missed_bytes, known.syn_ack_rtt],
    ['CAbc123', '=cmd|"x",\t-', 0, '0.012000000'],
  );
  assert.equal(known.tunnel_parents, ['C1', 'C,2']);
  assert.equal([known.orig_retransmits, known.resp_out_of_order, known.orig_zero_windows], [4, 2, 1]);
  assert.equal([known.ack_rtt, known.vlan, known.inner_vlan, known.ended], [null, 7, null, 'evicted']);
  const unknown = JSON.parse(jsonLine(plain));
  assert.equal(
    [unknown.uid, unknown.missed_bytes, unknown.syn_ack_rtt, unknown.tunnel_parents],
    [null, null, null, null],
  );
  const single = JSON.parse(jsonLine({ ...plain, lastTsNs: plain.firstTsNs }));
  assert.is(single.duration, null, 'one packet lasts for no known time');
});

test('Zeek: its header, names, types; unset is -, and text cannot break the line', () => {
  const now = new Date('2026-01-31T23:59:58.123Z');
  const lines = [...zeekHeader(now), zeekLine(plain), zeekLine(rich), zeekFooter(now)];
  assert.equal(lines.slice(0, 6), [
    '#separator \\x09',
    '#set_separator\t,',
    '#empty_field\t(empty)',
    '#unset_field\t-',
    '#path\tconn',
    '#open\t2026-01-31-23-59-58',
  ]);
  assert.is(lines[6]?.split('\t').length, lines[7]?.split('\t').length, 'a type for each field');
  assert.match(
    lines[6] ?? '',
    /^#fields\tts\tuid\tid\.orig_h\tid\.orig_p\tid\.resp_h\tid\.resp_p\tproto\tservice\tduration\torig_bytes\t/,
  );
  const [first, second] = zeekRows(lines) as [Record<string, string>, Record<string, string>];
  assert.equal(
    [first.ts, first.uid, first.orig_bytes, first.orig_pkts, first.duration],
    ['1700000000.000000001', '-', '-', '3', '2.500000000'],
  );
  assert.equal(
    [second.conn_state, second.orig_bytes, second.resp_bytes, second.orig_ip_bytes],
    ['SF', '100', '0', '280'],
  );
  assert.is(second.service, '=cmd|"x",\\x09-');
  assert.is(second.tunnel_parents, 'C1,C\\x2c2');
  const odd = zeekRows([...zeekHeader(now), zeekLine({ ...rich, service: '-', uid: 'a\\b\nc' } as Flow)])[0];
  assert.equal([odd?.service, odd?.uid], ['\\x2d', 'a\\x5cb\\x0ac']);
  const icmp = zeekRows([
    ...zeekHeader(now),
    zeekLine({ ...plain, proto: 'icmpv6' }),
    zeekLine({ ...plain, proto: 'sctp' }),
  ]);
  assert.equal(
    icmp.map(({ proto }) => proto),
    ['icmp', 'unknown_transport'],
  );
});

test('Parquet: read back whole, with types and nulls; an empty table too', async () => {
  const bytes = parquetFile([plain, rich]);
  const file = bytes.buffer as ArrayBuffer;
  const rows = await parquetReadObjects({ file });
  assert.is(rows.length, 2);
  const [first, second] = rows as [Record<string, unknown>, Record<string, unknown>];
  assert.equal(
    [first.orig_addr, first.orig_port, first.resp_bytes, first.uid],
    ['10.0.0.1', 40000, 2n ** 40n, null],
  );
  assert.equal(
    [second.service, second.syn_ack_rtt_ns, second.duration_ns],
    ['=cmd|"x",\t-', 12_000_000n, 2_500_000_000n],
  );
  const schema = parquetMetadata(file).schema.find(({ name }) => name === 'first_ts');
  assert.equal(
    [schema?.type, schema?.logical_type],
    ['INT64', { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'NANOS' }],
  );
  const raw = await parquetReadObjects({
    file,
    parsers: { timestampFromNanoseconds: (ns: bigint) => ns } as never,
  });
  assert.is(raw[0]?.first_ts, plain.firstTsNs);
  assert.is(Number(parquetMetadata(parquetFile([]).buffer as ArrayBuffer).num_rows), 0);
});

const missing = withoutEngine();
if (missing) console.log(`SKIP flows of captures: ${missing}`);
else withEngine();

function withEngine(): void {
  const directory = temporaryDirectory();
  const name = join(directory, 'flows.pcapng');
  const blocks = Array.from({ length: 30 }, (_, i) =>
    epb(udpPacket(2000 + (i % 10)), 1_700_000_000_000_000_000n + BigInt(i)),
  );
  writeFileSync(name, Buffer.concat([section(), ...blocks]));

  test('what the engine measured of a TCP connection arrives in the columns', async () => {
    const ends = { src: '10.0.0.2', dst: '10.0.0.1' };
    const there = (flags: number, seq: number, ack: number, data: number[] = []) =>
      ether(0x800, ipv4(6, tcp(40000, 80, data, { flags, seq, ack })));
    const back = (flags: number, seq: number, ack: number) =>
      ether(0x800, ipv4(6, tcp(80, 40000, [], { flags, seq, ack }), ends));
    const data = there(0x18, 11, 101, [1, 2, 3]);
    const frames = [
      there(2, 10, 0),
      back(0x12, 100, 11),
      there(0x10, 11, 101),
      data,
      data,
      back(0x10, 101, 14),
    ];
    const tcpFile = join(directory, 'tcp.pcap');
    writeFileSync(
      tcpFile,
      pcap(
        frames.map((bytes, i) => ({ bytes, ts: BigInt(i) * 10_000_000n })),
        { variant: 'ns' },
      ),
    );
    const row = JSON.parse((await ringtap(['flows', tcpFile, '--format', 'json'])).stdout);
    assert.equal(
      [
        row.syn_ack_rtt,
        row.ack_rtt,
        row.rtt,
        row.orig_retransmits,
        row.resp_retransmits,
        row.resp_zero_windows,
      ],
      ['0.010000000', '0.010000000', '0.020000000', 1, 0, 0],
    );
  });

  test('every format tells the same flows', async () => {
    const json = (await ringtap(['flows', name, '--format', 'json'])).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal([json.length, json[0].orig_packets], [10, 3]);
    const ports = json.map((row) => row.orig_port).sort();
    const csv = (await ringtap(['flows', name, '--format', 'csv'])).stdout.trim().split('\n').slice(1);
    assert.equal(csv.map((line) => Number(line.split(',')[2])).sort(), ports);
    const zeek = zeekRows((await ringtap(['flows', name, '--format', 'zeek'])).stdout.trim().split('\n'));
    assert.equal(zeek.map((row) => Number(row['id.orig_p'])).sort(), ports);
    const parquet = join(directory, 'flows.parquet');
    const { stdout, status } = spawnSync(process.execPath, [paths.cli, 'flows', name, '--format', 'parquet']);
    writeFileSync(parquet, stdout);
    const bytes = readFileSync(parquet);
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    const rows = await parquetReadObjects({ file });
    assert.equal([status, rows.map((row) => row.orig_port).sort()], [0, ports]);
  });

  const cut = ['zeek-cut', 'bro-cut'].find((tool) => spawnSync(tool, [], { input: '' }).error === undefined);
  if (!cut)
    console.log('SKIP the log in zeek-cut: neither zeek-cut nor bro-cut (package bro-aux) is installed');
  else
    test(`${cut} reads the log`, async () => {
      const { stdout } = await ringtap(['flows', name, '--format', 'zeek']);
      const fields = spawnSync(cut, ['id.orig_h', 'id.resp_p', 'proto', 'uid', 'orig_pkts'], {
        input: stdout,
        encoding: 'utf8',
      });
      const lines = fields.stdout.trim().split('\n');
      assert.is(lines.length, 10);
      for (const line of lines) assert.match(line, /^10\.0\.0\.1\t5353\tudp\t\S+\t3$/);
    });
}

test.run();
