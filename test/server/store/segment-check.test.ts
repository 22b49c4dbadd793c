/** `ringtap verify [--repair]` on segments of the real recorder: cut, zeroed, changed, hostile, being written. */
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { crc32c } from '../../../server/store/crc32c.js';
import { checkSegment, type SegmentCheck } from '../../../server/store/segment-check.js';

const base = mkdtempSync(join(tmpdir(), 'ringtap-verify-'));
process.on('exit', () => rmSync(base, { recursive: true, force: true }));
const NAME = 'ringtap-synth-20260101T000000.000000000Z-000001.pcapng';

function ringtap(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['build/server/cli/main.js', ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

/** A segment of about 20 blocks of 64 KiB, and where each begins and ends. */
const original = (() => {
  const path = join(base, 'original');
  const args = [
    '--ring=synth',
    '--synth',
    'seed=9,pps=0,size=mix,count=4000',
    '--block-size',
    '64K',
    '-w',
    path,
  ];
  const { status, stderr } = spawnSync('build/native/ringtapd', args, { encoding: 'utf8' });
  assert.is(status, 0, stderr);
  const bytes = readFileSync(path);
  const blocks: { offset: number; end: number; packets: number }[] = [];
  for (let at = 4096; at < bytes.length; ) {
    const header = at + 20 + 5 * 12 + 4; // if_drops is unknown, so five counters come before it
    const end = at + bytes.readUInt32LE(header + 72);
    blocks.push({ offset: at, end, packets: Number(bytes.readBigUInt64LE(header + 32)) });
    at = end;
  }
  return { bytes, blocks };
})();
const total = original.blocks.reduce((sum, block) => sum + block.packets, 0);

let made = 0;
function store(bytes: Uint8Array): { dir: string; path: string } {
  const dir = join(base, `store${++made}`);
  mkdirSync(dir);
  writeFileSync(join(dir, NAME), bytes);
  return { dir, path: join(dir, NAME) };
}

function check(path: string): SegmentCheck {
  const fd = openSync(path, 'r');
  try {
    return checkSegment(fd, readFileSync(path).length);
  } finally {
    closeSync(fd);
  }
}

function tsharkCount(path: string): number {
  const { status, stdout, stderr } = spawnSync(
    'tshark',
    ['-n', '-r', path, '-T', 'fields', '-e', 'frame.number'],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    },
  );
  assert.is(status, 0, stderr);
  return stdout.split('\n').filter(Boolean).length;
}

const changed = (change: (bytes: Buffer) => void): Buffer => {
  const bytes = Buffer.from(original.bytes);
  change(bytes);
  return bytes;
};

test('crc32c is the one of RFC 3720, whatever the pieces', () => {
  assert.is(crc32c(0, Buffer.from('123456789')), 0xe3069283);
  assert.is(crc32c(0, Buffer.alloc(32)), 0x8a9136aa);
  const bytes = original.bytes.subarray(0, 1000);
  for (const at of [0, 1, 7, 8, 13, 999])
    assert.is(crc32c(crc32c(0, bytes.subarray(0, at)), bytes.subarray(at)), crc32c(0, bytes));
});

test('a whole segment is whole, with every packet counted', () => {
  assert.is(total, 4000);
  const { dir, path } = store(original.bytes);
  assert.equal(check(path), {
    bytes: original.bytes.length,
    blocks: original.blocks.length,
    packets: 4000,
    damages: [],
  });
  const { status, stdout } = ringtap('verify', dir);
  assert.is(status, 0);
  assert.match(stdout, /000001\.pcapng: whole, \d+ blocks, 4000 packets\n1 file, nothing wrong\n$/);
});

test('cut anywhere: every complete block stays, the rest is kept aside, a second run finds nothing', () => {
  const third = original.blocks[2]!;
  const cuts = [
    4096,
    4097,
    5000,
    third.offset + 4,
    third.offset + 4096,
    third.end - 1,
    third.end,
    third.end + 8,
  ];
  for (let seed = 1; seed <= 6; seed++)
    cuts.push(4096 + ((seed * 7919 * 977) % (original.bytes.length - 4096)));
  for (const cut of cuts) {
    const { dir, path } = store(original.bytes.subarray(0, cut));
    const kept = original.blocks.filter(({ end }) => end <= cut);
    const end = kept.at(-1)?.end ?? 4096;
    const first = ringtap('verify', dir);
    assert.is(first.status, end === cut ? 0 : 1, `${cut}: ${first.stdout}`);
    if (end !== cut) assert.match(first.stdout, new RegExp(`damaged at ${end}: `));
    assert.is(readFileSync(path).length, cut, 'only looked at');
    assert.is(ringtap('verify', '--repair', dir).status, 0);
    assert.equal(readFileSync(path), original.bytes.subarray(0, end));
    const aside = path.replace('.pcapng', '.damaged');
    assert.is(existsSync(aside), end !== cut);
    if (end !== cut) assert.equal(readFileSync(aside), original.bytes.subarray(end, cut));
    assert.is(
      tsharkCount(path),
      kept.reduce((sum, block) => sum + block.packets, 0),
    );
    assert.is(ringtap('verify', dir).status, 0);
  }
});

test('zeros behind the last block are cut off and not kept', () => {
  for (const zeros of [1, 4096, 300_000]) {
    const { dir, path } = store(Buffer.concat([original.bytes, Buffer.alloc(zeros)]));
    assert.match(
      ringtap('verify', '--repair', dir).stdout,
      new RegExp(`repaired: ${zeros} bytes at \\d+ cut off;`),
    );
    assert.equal(readFileSync(path), original.bytes);
    assert.equal(readdirSync(dir), [NAME]);
  }
});

test('bytes changed in the last block: it was not written to its end, and goes', () => {
  const last = original.blocks.at(-1)!;
  const { dir, path } = store(changed((bytes) => bytes.fill(0, last.offset + 4096, last.offset + 4100)));
  assert.match(ringtap('verify', dir).stdout, /the last block: its checksum does not match/);
  assert.is(ringtap('verify', '--repair', dir).status, 0);
  assert.is(readFileSync(path).length, last.offset);
});

test('bytes changed elsewhere: said, and left as they are', () => {
  const { offset } = original.blocks[3]!;
  const bytes = changed((b) => b.writeUInt8(b.readUInt8(offset + 300) ^ 1, offset + 300));
  const { dir, path } = store(bytes);
  const { status, stdout } = ringtap('verify', '--repair', dir);
  assert.is(status, 1);
  assert.match(
    stdout,
    new RegExp(`damaged at ${offset}: block 4: its checksum does not match; .* cannot be repaired`),
  );
  assert.equal(readFileSync(path), bytes);
});

test('a hole between good blocks becomes padding; tshark reads what is left', () => {
  const [from, to] = [original.blocks[4]!, original.blocks[6]!];
  const { dir, path } = store(changed((bytes) => bytes.fill(0, from.offset, to.offset)));
  const lost = from.packets + original.blocks[5]!.packets;
  assert.match(
    ringtap('verify', dir).stdout,
    new RegExp(`at ${from.offset}: ${to.offset - from.offset} bytes are no block`),
  );
  const { status, stdout } = ringtap('verify', '--repair', '--json', dir);
  assert.is(status, 0, stdout);
  assert.is(tsharkCount(path), total - lost);
  assert.is(readFileSync(path).length, original.bytes.length);
});

test('a checksum of 0 is one nobody computed: the packets themselves are walked', () => {
  const { offset } = original.blocks[1]!;
  const header = offset + 20 + 5 * 12 + 4;
  const none = (bytes: Buffer) => bytes.writeUInt32LE(0, header + 4);
  assert.equal(check(store(changed(none)).path).damages, []);
  const broken = changed((bytes) => {
    none(bytes);
    bytes.writeUInt32LE(7, offset + original.bytes.readUInt32LE(offset + 4) + 4);
  });
  assert.match(check(store(broken).path).damages[0]!.message, /breaks off/);
});

test('block_seq that goes back is told', () => {
  const [a, b] = [original.blocks[1]!, original.blocks[2]!];
  const bytes = Buffer.concat([
    original.bytes.subarray(0, a.offset),
    original.bytes.subarray(b.offset, b.end),
    original.bytes.subarray(a.offset, a.end),
    original.bytes.subarray(b.end),
  ]);
  assert.match(check(store(bytes).path).damages[0]!.message, /block 2 follows 3/);
});

test('a file that somebody still writes is left alone', async () => {
  const { dir, path } = store(original.bytes.subarray(0, original.bytes.length - 100));
  const holder = spawn('flock', [path, 'sh', '-c', 'echo held; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  try {
    const { status, stdout } = ringtap('verify', '--repair', dir);
    assert.is(status, 0);
    assert.match(stdout, /being written, \d+ blocks, \d+ packets so far/);
    assert.is(readFileSync(path).length, original.bytes.length - 100);
  } finally {
    const ended = new Promise((resolve) => holder.on('exit', resolve));
    holder.kill('SIGKILL');
    await ended;
  }
});

test('a section header that is none: nothing can be done, nothing is touched', () => {
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(4096), changed((b) => b.writeUInt32LE(20, 4))]) {
    const { dir, path } = store(bytes);
    const { status, stdout } = ringtap('verify', '--repair', dir);
    assert.is(status, 1, stdout);
    assert.match(stdout, /damaged at 0: .*section header.*cannot be repaired/);
    assert.equal(readFileSync(path), bytes);
  }
});

test('hostile bytes anywhere: an answer, never an exception, never an endless loop', () => {
  const seed = Number(process.env.RINGTAP_SEED ?? Date.now() % 1e6);
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const { path } = store(original.bytes);
  for (let round = 0; round < 60; round++) {
    const bytes = changed((b) => {
      for (let n = 1 + random(4); n; n--) {
        // Headers are where harm can be done.
        const at = random(2)
          ? original.blocks[random(original.blocks.length)]!.offset + random(40) * 4
          : random(b.length - 4);
        b.writeUInt32LE([0, 1, 4, 12, 0xffffffff, 0x7ffffffc, random(2 ** 32)][random(7)]!, at);
      }
    });
    writeFileSync(path, bytes);
    if (round % 3 === 0) truncateSync(path, random(bytes.length));
    const result = check(path);
    assert.ok(result.packets <= total, `seed ${seed} round ${round}`);
  }
});

test('wrong usage and what is not there', () => {
  assert.is(ringtap('verify').status, 2);
  const missing = ringtap('verify', join(base, 'nowhere'));
  assert.is(missing.status, 1);
  assert.match(missing.stderr, /nowhere: no such file or directory/);
  const { dir } = store(original.bytes);
  copyFileSync(join(dir, NAME), join(dir, 'other.pcapng'));
  const lines = ringtap('verify', '--json', dir)
    .stdout.trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.is(lines.length, 2, 'only files named as segments');
  assert.equal(
    [lines[0].state, lines[0].packets, lines[1].type, lines[1].wrong],
    ['whole', 4000, 'summary', 0],
  );
});

test.run();
