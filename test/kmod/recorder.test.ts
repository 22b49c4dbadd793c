/**
 * `ringtapd --ring=kmod` in the guest: an emulated 82574L through our module into the recorder's segments on
 * a disk, which the host then reads with independent eyes.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { capinfosCount, type LedgerLine, PROBE } from '../e2e/lab.js';
import { boot, prepare } from './guest.js';

const FRAMES = 1_000_000;
const BYTES = 128;
const BT_EPB = 6;
const prepared = prepare();
const work = mkdtempSync(join(tmpdir(), 'ringtap-recorder-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

function emptyDisk(name: string): string {
  const disk = join(work, name);
  execFileSync('mkfs.ext4', ['-q', '-F', disk, '1G']);
  return disk;
}

/** Takes what the guest stored off its disk. */
function stored(disk: string): string[] {
  const target = join(work, 'store');
  rmSync(target, { recursive: true, force: true });
  execFileSync('debugfs', ['-R', `rdump /store ${work}`, disk], { stdio: 'pipe' });
  return readdirSync(target)
    .filter((name) => name.endsWith('.pcapng'))
    .sort()
    .map((name) => join(target, name));
}

/** Checks each numbered frame of the files once; the numbers seen, by count and by how often out of order. */
function checkFrames(files: string[]): { frames: number; distinct: number; bad: number; end: number } {
  const seen = new Uint8Array(FRAMES);
  const sums = { frames: 0, distinct: 0, bad: 0, end: 0 };
  for (const file of files) {
    const bytes = readFileSync(file);
    for (let at = 0; at < bytes.length; at += bytes.readUInt32LE(at + 4)) {
      if (bytes.readUInt32LE(at) !== BT_EPB) continue;
      const caplen = bytes.readUInt32LE(at + 20);
      const frame = bytes.subarray(at + 28, at + 28 + caplen);
      if (frame.readUInt16BE(12) === 0x88b6) {
        sums.end++;
        continue;
      }
      const number = Number(frame.readBigUInt64LE(14));
      sums.frames++;
      if (number < FRAMES && seen[number] === 0) sums.distinct++;
      if (number < FRAMES) seen[number] = 1;
      if (caplen !== BYTES || frame.subarray(22).some((byte, i) => byte !== ((i + 22) & 0xff))) sums.bad++;
    }
  }
  return sums;
}

if (!existsSync(PROBE)) {
  process.stdout.write('SKIP the recorder over the module: the probe is not built\n');
  test('skipped', () => {});
} else {
  test('a million frames: NIC → module → recorder → pcapng, every one stored once, the ledger exact', async () => {
    const disk = emptyDisk('disk');
    let sending = Promise.resolve();
    const outcome = await boot(prepared, {
      nic: 'e1000e',
      disk,
      files: { 'bin/ringtapd': PROBE },
      onLine: (line, wire) => {
        if (line === 'READY' && wire) sending = wire.numbered(0, FRAMES, BYTES).then(() => wire.end());
      },
      scenario: `
mount -t ext4 /dev/nvme0n1 /mnt || echo FAIL mount
load pci=all segments=2 buffer_mb=128 block_kb=1024
ringtapd --ring=kmod -i $(cat $D/source) --store /mnt/store --stats-interval 1 2>/tmp/ledger & probe=$!
while ! grep -q '"final":false' /tmp/ledger 2>/dev/null; do sleep 0.1; done
echo READY
for i in $(seq 300); do [ $(cat $D/published) -gt ${FRAMES} ] && break; sleep 0.2; done
kill -INT $probe; wait $probe; echo EXIT $?
tail -n 1 /tmp/ledger | sed 's/^/LEDGER /'
grep -v '^{' /tmp/ledger
counters
umount /mnt
rmmod ringtap`,
    });
    await sending;
    assert.ok(outcome.lines.includes('EXIT 0'), outcome.lines.join('\n'));
    const line = outcome.lines.find((text) => text.startsWith('LEDGER '))!;
    const ledger: LedgerLine = JSON.parse(line.slice(7));
    assert.is(ledger.ring_received, FRAMES + 1);
    assert.is(ledger.ring_drops, 0);
    assert.is(ledger.pool_drops, 0);
    assert.is(ledger.stored, FRAMES + 1);
    assert.is(ledger.unaccounted, 0);
    const files = stored(disk);
    assert.is(capinfosCount(files), FRAMES + 1);
    assert.equal(checkFrames(files), { frames: FRAMES, distinct: FRAMES, bad: 0, end: 1 });
    const tshark = execFileSync(
      'tshark',
      ['-n', '-c', '1000', '-r', files[0]!, '-T', 'fields', '-e', 'frame.len'],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    assert.is(
      tshark
        .trim()
        .split('\n')
        .filter((length) => length === String(BYTES)).length,
      1000,
    );
  });

  test('two recorders on one device, one with a filter, stopped while traffic goes on: both ledgers exact', async () => {
    const disk = emptyDisk('second');
    const outcome = await boot(prepared, {
      disk,
      files: { 'bin/ringtapd': PROBE },
      scenario: `
mount -t ext4 /dev/nvme0n1 /mnt || echo FAIL mount
ringtapd --ring=kmod -w /mnt/x 2>&1 | sed 's/^/WITHOUT /'
load sim=1 segments=2 buffer_mb=16 block_kb=256
start() { ringtapd --ring=kmod -i sim0 --stats-interval 0.2 "$@" 2>/tmp/$n & }
started() { while ! grep -q '"final":false' /tmp/$1 2>/dev/null; do sleep 0.1; done; }
n=one; start --store /mnt/store; one=$!; started one
n=two; start --store /mnt/odd -s 100 'ether[14] & 1 = 1'; two=$!; started two
echo "100000000 0 20000 drop" > $D/generate
sleep 3
kill -INT $one; wait $one; echo EXIT $?
sleep 0.5
kill -INT $two; wait $two; echo EXIT $?
for n in one two; do grep '"final":true' /tmp/$n | sed 's/^/LEDGER /'; grep -v '^{' /tmp/$n; done
ringtapd --ring=kmod -i nothing -w /mnt/x 2>&1 | sed 's/^/WITHOUT /'
umount /mnt
rmmod ringtap`,
    });
    const ledgers = outcome.lines
      .filter((line) => line.startsWith('LEDGER '))
      .map((line) => JSON.parse(line.slice(7)));
    assert.is(ledgers.length, 2, outcome.lines.join('\n'));
    assert.is(outcome.lines.filter((line) => line === 'EXIT 0').length, 2, outcome.lines.join('\n'));
    const [all, odd] = ledgers as (LedgerLine & { synthetic: boolean })[];
    for (const ledger of [all!, odd!]) {
      assert.ok(ledger.stored > 5000);
      assert.is(ledger.unaccounted, 0);
      assert.is(ledger.synthetic, true, 'simulated traffic must say so');
    }
    assert.is(capinfosCount(stored(disk)), all!.stored);
    // It was not alone, so it filtered by itself: about half.
    const share = (odd!.filtered ?? 0) / odd!.ring_received;
    assert.ok(share > 0.4 && share < 0.6, `${share} filtered`);
    const refusals = outcome.lines.filter((line) => line.startsWith('WITHOUT '));
    assert.match(refusals.join('\n'), /load the module/);
    assert.match(refusals.join('\n'), /nothing: the module ringtap captures from nothing of this name/);
  });
}

test.run();
