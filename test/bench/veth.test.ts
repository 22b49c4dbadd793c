/** The capture benchmark's ground: numbered live frames of every size arrive, and are found again in the files. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { countNumbers, RECEIVER, Veth, vethObstacle } from '../../bench/veth.js';
import { build, endAll, FAST, imbalance, scratch, start, tsharkFields, until } from '../native/help.js';

const obstacle = await vethObstacle();
if (obstacle) {
  console.log(`SKIP frames through a veth pair: ${obstacle}`);
  test('the reason is one line', () => assert.not.match(obstacle, /\n/));
} else {
  build('all');
  test('what was sent and what a file holds are counted alike, in another recorder’s file too', async () => {
    const dir = scratch();
    const veth = new Veth();
    veth.rebuild();
    const probe = start(['-i', RECEIVER, '--store', dir, '--stats-interval', '0.1'], {
      binary: FAST,
      netns: veth.name,
    });
    await until(() => probe.last(), 'the first ledger line');
    const { sent, pps } = await veth.send(3000, 20_000, 'mix');
    await until(() => (probe.last()?.stored ?? 0) > 0, 'packets in the file');
    probe.child.kill('SIGINT');
    const final = (await probe.end).ledgers.at(-1)!;
    assert.is(sent, 3000);
    assert.ok(pps > 0 && pps < 22_000, `${pps}`);
    assert.is(imbalance(final), '');
    const files = readdirSync(dir)
      .filter((name) => name.endsWith('.pcapng'))
      .map((name) => join(dir, name));
    assert.ok(final.stored > 100);
    assert.is(countNumbers(files), final.stored);
    const frames = tsharkFields(
      files[0]!,
      ['frame.len', 'ip.len', 'ip.checksum.status'],
      ['-o', 'ip.check_checksum:TRUE'],
    );
    assert.equal(
      [...new Set(frames.map(([bytes]) => Number(bytes)))].sort((a, b) => a - b),
      [64, 594, 1514],
    );
    for (const [bytes, ip, checksum] of frames) {
      assert.is(Number(ip), Number(bytes) - 14);
      assert.is(checksum, '1');
    }
  });
  test('a file without frames holds none', () => assert.is(countNumbers([FAST]), 0));
}

test.after.each(endAll);
test.run();
