/** The reading commands as a user runs them: help, exit codes, results, damaged input, gzip, pipes. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { epochText, sizeText, timeText } from '../../server/cli/format.js';
import { paths, VERSION } from '../../server/paths.js';
import { epb, ringtap, section, temporaryDirectory, udpPacket, withoutEngine } from './helpers.js';

const directory = temporaryDirectory();
const PACKETS = 40;

/** Forty packets of forty flows, one second apart. */
function capture(): Buffer {
  const blocks = Array.from({ length: PACKETS }, (_, i) =>
    epb(udpPacket(2000 + i), 1_700_000_000_000_000_007n + BigInt(i) * 1_000_000_000n),
  );
  return Buffer.concat([section(), ...blocks]);
}
function file(name: string, bytes: Buffer | string): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}

const COMMANDS = ['up', 'gateway', 'summary', 'packets', 'count', 'decode', 'slice', 'flows', 'verify'];

test('help: for all and for each command, on stdout, exit 0', async () => {
  const all = await ringtap(['--help']);
  assert.equal([all.code, all.stderr], [0, '']);
  for (const name of COMMANDS) {
    assert.match(all.stdout, new RegExp(`^  ${name} `, 'm'));
    const one = await ringtap([name, '--help']);
    assert.equal([one.code, one.stderr], [0, ''], name);
    assert.match(one.stdout, `Usage: ringtap ${name}`);
    for (const line of one.stdout.split('\n')) assert.ok(line.length <= 100, line);
  }
  assert.is((await ringtap(['--version'])).stdout, `${VERSION}\n`);
});

test('wrong usage: exit 2, one clear line and where to look, nothing on stdout', async () => {
  const cases: [args: string[], says: RegExp][] = [
    [[], /command is missing/],
    [['frobnicate'], /no command frobnicate/],
    [['toString'], /no command toString/],
    [['summary'], /FILE is missing/],
    [['summary', '--frob', 'x'], /--frob/],
    [['summary', '-', '-'], /only once/],
    [['count', '-f'], /-f/],
    [['packets', 'a', 'b'], /unexpected argument b/],
    [['packets', 'a', '--limit', '-1'], /--limit/],
    [['packets', 'a', '--limit', '1.5'], /--limit 1.5/],
    [['decode', 'a'], /--frame N is missing/],
    [['decode', 'a', '--frame', '0'], /--frame 0/],
    [['flows', 'a', '--format', 'xml'], /csv, json, zeek or parquet/],
    [['slice', 'a'], /-w OUT.pcapng is missing/],
    [['slice', 'a', '-w', 'b', '-f', 'udp and ('], /filter:/],
    [['count', 'a', '--threads', '0'], /--threads 0/],
    [['summary', 'a', '--threads', '65'], /at most 64/],
    [['gateway', '--log-level', 'loud'], /loud/],
    [['gateway', 'x'], /unexpected argument x/],
    [['gateway', '--listen', '127.0.0.1:99999'], /HOST:PORT/],
    [['gateway', '--token-file', '/nonexistent/token'], /token file/],
  ];
  const check = async ([args, says]: (typeof cases)[number]) => {
    const { code, stdout, stderr } = await ringtap(args);
    assert.equal([code, stdout], [2, ''], args.join(' '));
    assert.match(stderr, says);
    assert.match(stderr, /Try: ringtap .*--help/);
    assert.not.match(stderr, /^\s+at /m);
  };
  await Promise.all(cases.map(check));
});

test('numbers and times as text', () => {
  assert.is(epochText(1_700_000_000_000_000_007n), '1700000000.000000007');
  assert.is(epochText(5n), '0.000000005');
  assert.is(epochText(null), null);
  assert.is(timeText(1_700_000_000_123_456_789n), '2023-11-14T22:13:20.123456789Z');
  assert.is(timeText(2n ** 64n - 1n), '2554-07-21T23:34:33.709551615Z');
  assert.is(timeText(null), '-');
  assert.equal([0, 999, 1000, 123_456, 999_950_000].map(sizeText), [
    '0 B',
    '999 B',
    '1.00 kB',
    '123 kB',
    '1.00 GB',
  ]);
});

const missing = withoutEngine();
if (missing) console.log(`SKIP reading commands: ${missing}`);
else withEngine();

function withEngine(): void {
  const good = file('good.pcapng', capture());
  const cut = file('cut.pcapng', capture().subarray(0, -50));
  const text = file('text.txt', 'this is no capture file, but it has some length to it\n');
  const empty = file('empty.pcap', '');

  test('summary --json: every field, exactly', async () => {
    const { code, stdout, stderr } = await ringtap(['summary', '--json', good]);
    assert.equal([code, stderr], [0, '']);
    const { protocolCounts, ...rest } = JSON.parse(stdout);
    assert.equal(rest, {
      file: good,
      format: 'pcapng',
      linkTypes: [1],
      packets: PACKETS,
      capturedBytes: PACKETS * 60,
      originalBytes: PACKETS * 60,
      firstTs: '1700000000.000000007',
      lastTs: '1700000039.000000007',
      tcpConversations: 0,
      udpConversations: PACKETS,
      truncated: 0,
      malformed: 0,
      error: null,
    });
    const names = 'eth vlan mpls arp ip ipv6 icmp icmpv6 tcp udp sctp gre vxlan gtp dns http tls quic';
    assert.equal(Object.keys(protocolCounts), names.split(' '));
    assert.equal([protocolCounts.eth, protocolCounts.udp, protocolCounts.tcp], [PACKETS, PACKETS, 0]);
  });

  test('gzip, standard input and gzip on standard input are the same capture', async () => {
    const plain = JSON.parse((await ringtap(['summary', '--json', good])).stdout);
    const zipped = file('good.pcapng.gz', gzipSync(capture()));
    const twice = file(
      'members.gz',
      Buffer.concat([gzipSync(capture().subarray(0, 1000)), gzipSync(capture().subarray(1000))]),
    );
    for (const [name, stdin] of [[zipped], [twice], ['-', capture()], ['-', gzipSync(capture())]] as [
      string,
      Buffer?,
    ][]) {
      const { code, stdout } = await ringtap(['summary', '--json', name], stdin);
      assert.is(code, 0);
      assert.equal({ ...JSON.parse(stdout), file: good }, plain, name);
    }
  });

  test('damage: what was read counts, the error is one line, exit 1, other files go on', async () => {
    const zipped = gzipSync(capture());
    const flipped = Buffer.from(zipped);
    flipped[flipped.length - 6] = (flipped[flipped.length - 6] as number) ^ 0xff; // in the CRC
    const files = [
      cut,
      file('cut.gz', zipped.subarray(0, -20)),
      file('crc.gz', flipped),
      text,
      empty,
      join(directory, 'missing.pcap'),
      directory,
      good,
    ];
    const { code, stdout, stderr } = await ringtap(['summary', '--json', ...files]);
    assert.is(code, 1);
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(
      rows.map((row) => row.file),
      files,
    );
    assert.equal(
      rows.map((row) => row.error === null),
      [...files.slice(1).map(() => false), true],
    );
    assert.is(rows[0].packets, PACKETS - 1);
    assert.ok(rows[1].packets > 0 && rows[1].packets <= PACKETS, 'before the cut in the gzip');
    assert.is(rows[2].packets, PACKETS);
    assert.is(rows[3].packets, 0);
    assert.match(rows[2].error, 'gzip');
    assert.match(rows[5].error, 'no such file');
    assert.match(rows[6].error, 'directory');
    assert.is(rows[7].packets, PACKETS);
    assert.is(stderr.trim().split('\n').length, 7);
    assert.not.match(stderr, /^\s+at /m);
  });

  test('every prefix of a capture is read without a crash, packets never exceed those in it', async () => {
    const bytes = capture().subarray(0, 700);
    const files: string[] = [];
    for (let length = 0; length <= bytes.length; length += 13)
      files.push(file(`prefix-${length}`, bytes.subarray(0, length)));
    const { code, stdout } = await ringtap(['summary', '--json', ...files]);
    assert.is(code, 1);
    const packets = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).packets as number);
    assert.is(packets.length, files.length);
    for (let i = 1; i < packets.length; i++) assert.ok((packets[i] as number) >= (packets[i - 1] as number));
  });

  test('summary as a table', async () => {
    const { code, stdout } = await ringtap(['summary', good, good]);
    assert.is(code, 0);
    assert.match(stdout, /^packets +40$/m);
    assert.match(stdout, /^first packet +2023-11-14T22:13:20.000000007Z$/m);
    assert.match(stdout, /^conversations +tcp 0, udp 40$/m);
    assert.is(stdout.match(/^file /gm)?.length, 2);
  });

  test('count: N for one file, N FILE for several', async () => {
    const filter = ['-f', 'udp and src port 2003'];
    assert.is((await ringtap(['count', ...filter, good])).stdout, '1\n');
    assert.is((await ringtap(['count', ...filter, good, cut])).stdout, `1 ${good}\n1 ${cut}\n`);
    assert.is((await ringtap(['count', '-f', 'tcp', good])).stdout, '0\n');
    assert.is((await ringtap(['count', good])).stdout, `${PACKETS}\n`);
    const damaged = await ringtap(['count', '-f', 'udp', cut]);
    assert.equal([damaged.code, damaged.stdout], [1, `${PACKETS - 1}\n`]);
  });

  test('a wrong filter: exit 2, points at the place', async () => {
    const { code, stdout, stderr } = await ringtap(['count', '-f', 'udp and (', good]);
    assert.equal([code, stdout], [2, '']);
    assert.match(stderr, /udp and \(\n\s+\^/);
  });

  test('packets: lines, filter, limit, JSON; numbers are those of the file', async () => {
    const all = await ringtap(['packets', good]);
    assert.is(all.stdout.trim().split('\n').length, PACKETS);
    assert.match(all.stdout, /^ +1 2023-11-14T22:13:20.000000007Z 10\.0\.0\.1\S* → 10\.0\.0\.2\S* UDP 60 /);
    const some = await ringtap(['packets', good, '-f', 'src portrange 2005-2020', '--limit', '3', '--json']);
    const rows = some.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(
      rows.map((row) => row.number),
      [6, 7, 8],
    );
    assert.equal([rows[0].ts, rows[0].caplen, rows[0].wirelen], ['1700000005.000000007', 60, 60]);
    const none = await ringtap(['packets', good, '--limit', '0']);
    assert.equal([none.code, none.stdout], [0, '']);
    const damaged = await ringtap(['packets', cut]);
    assert.equal([damaged.code, damaged.stdout.trim().split('\n').length], [1, PACKETS - 1]);
    assert.is((await ringtap(['packets', cut, '--limit', '2'])).code, 0, 'stopped before the damage');
  });

  test('decode: tree and hex of one packet; a packet beyond the end fails', async () => {
    const { code, stdout } = await ringtap(['decode', good, '--frame', '3']);
    assert.is(code, 0);
    assert.match(stdout, /^Ethernet II/m);
    assert.match(stdout, /2002/);
    assert.match(stdout, /^0000 {2}00 00 00/m);
    const json = JSON.parse((await ringtap(['decode', good, '--frame', '3', '--json'])).stdout);
    assert.is(json.number, 3);
    assert.is(json.bytes, udpPacket(2002).toString('hex'));
    assert.ok(json.tree.some(({ field }: { field: string }) => field === 'udp'));
    const beyond = await ringtap(['decode', good, '--frame', '41']);
    assert.is(beyond.code, 1);
    assert.match(beyond.stderr, 'has 40 packets, no 41');
  });

  test('flows: CSV with a header, JSON, none', async () => {
    const csv = (await ringtap(['flows', good])).stdout.trim().split('\n');
    assert.is(csv.length, PACKETS + 1);
    assert.match(
      csv[0] ?? '',
      /^proto,orig_addr,orig_port,resp_addr,resp_port,first_ts,last_ts,orig_packets,resp_packets,orig_bytes,resp_bytes,/,
    );
    assert.match(
      csv[1] ?? '',
      /^udp,10\.0\.0\.1,20\d\d,10\.0\.0\.2,5353,17\d+\.000000007,17\d+\.000000007,1,0,60,0,17,/,
    );
    const rows = (await ringtap(['flows', good, '--format', 'json'])).stdout.trim().split('\n');
    assert.is(JSON.parse(rows[0] ?? '').orig_packets, 1);
    const none = await ringtap(['flows', empty]);
    assert.equal([none.code, none.stdout.trim().split('\n').length], [1, 1]);
  });

  test('a reader that goes away ends the command quietly', async () => {
    const many = Array.from({ length: 200 }, () => good);
    const child = spawn(process.execPath, [paths.cli, 'summary', '--json', ...many, ...many], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const [code] = await once(child, 'close');
    assert.equal([code, stderr], [0, '']);
  });

  compareWithTools(good);
  compareWithTruth();
}

function installed(tool: string): boolean {
  return spawnSync(tool, ['--version']).error === undefined;
}

/** Counts of other programs over the same file. */
function compareWithTools(good: string): void {
  if (!installed('tshark') || !installed('tcpdump')) {
    console.log('SKIP comparison with tshark and tcpdump: not installed');
    return;
  }
  test('tshark and tcpdump count the same', async () => {
    const run = (tool: string, args: string[]) =>
      execFileSync(tool, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    assert.is(
      run('tshark', ['-n', '-r', good, '-T', 'fields', '-e', 'frame.number']).trim().split('\n').length,
      PACKETS,
    );
    for (const filter of [
      'udp',
      'tcp',
      'src portrange 2005-2020',
      'host 10.0.0.1 and not port 2001',
      'net 10.0.0.0/8',
    ]) {
      const theirs = run('tcpdump', ['-n', '-r', good, '--count', filter]).match(/\d+/)?.[0];
      assert.is((await ringtap(['count', '-f', filter, good])).stdout.trim(), theirs, filter);
    }
  });
}

interface Truth {
  file: string;
  agree: boolean | null;
  format: string;
  packets: number;
  capturedBytes: number;
  originalBytes: number;
  firstTs: string;
  lastTs: string;
  readError: string | null;
  protocolCounts: Record<string, number>;
}

/** Packets, bytes, times and errors must be equal wherever tshark and libpcap agree; protocols nearly so. */
function compareWithTruth(): void {
  const captures = resolve(process.env.RINGTAP_CAPTURES ?? '../shared/captures');
  const list = join(captures, 'truth.jsonl');
  if (!existsSync(list)) {
    console.log(`SKIP captures with ground truth: no ${list} (set RINGTAP_CAPTURES)`);
    return;
  }
  test('captures with ground truth', async () => {
    const truth = readFileSync(list, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Truth);
    const strict = truth.filter(({ agree }) => agree === true);
    const files = strict.map(({ file: name }) => join(captures, name));
    const { stdout } = await ringtap(['summary', '--json', ...files], undefined, 60_000);
    const ours = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Omit<Truth, 'readError'> & { error: string | null });
    assert.is(ours.length, strict.length);
    let protocolsEqual = 0;
    for (const [i, expected] of strict.entries()) {
      const got = ours[i] as (typeof ours)[number];
      for (const key of [
        'format',
        'packets',
        'capturedBytes',
        'originalBytes',
        'firstTs',
        'lastTs',
      ] as const) {
        assert.is(got[key], expected[key], `${expected.file}: ${key}`);
      }
      assert.is(got.error === null, expected.readError === null, `${expected.file}: ${got.error}`);
      const basics = ['eth', 'arp', 'ip', 'ipv6', 'tcp', 'udp'];
      if (basics.every((name) => got.protocolCounts[name] === expected.protocolCounts[name]))
        protocolsEqual++;
    }
    assert.ok(
      protocolsEqual / strict.length > 0.95,
      `protocols equal in ${protocolsEqual} of ${strict.length}`,
    );
  });
}

test.run();
