/**
 * The recorder's simulation (native/test/sim.h) under ASan and under ThreadSanitizer, from a new seed each time.
 * RINGTAP_SIM_SECONDS makes it longer, RINGTAP_SEED repeats one.
 */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { build } from './help.js';

build('sim');
const SECONDS = Number(process.env.RINGTAP_SIM_SECONDS ?? 14);
const seed = process.env.RINGTAP_SEED ?? String(Date.now());

for (const [sanitizer, leastRuns] of [
  ['asan', 100],
  ['tsan', 10],
] as const) {
  test(`the promises hold under ${sanitizer}, seed ${seed}`, () => {
    const args = ['--seed', seed, '--seconds', String(SECONDS)];
    const binary = `build/native/${sanitizer}/sim`;
    const { status, stdout, stderr } = spawnSync(binary, args, { encoding: 'utf8' });
    process.stdout.write(stdout);
    // A machine whose address space is randomised further than this ThreadSanitizer knows cannot run it.
    if (sanitizer === 'tsan' && /unexpected memory mapping/.test(stderr))
      return console.log('SKIP simulation under tsan: its memory layout is refused here (vm.mmap_rnd_bits)');
    assert.is(status, 0, stderr);
    assert.is(stderr, '');
    const [, runs, stored, storeDrops, poolDrops, ringDrops, duplicates, sent, uplinkDrops] =
      /(\d+) runs held: stored (\d+), store drops (\d+), pool drops (\d+), ring drops (\d+), duplicates (\d+), sent (\d+), uplink drops (\d+)/
        .exec(stdout)!
        .map(Number);
    assert.ok(runs! >= leastRuns, `only ${runs} runs`);
    // Every kind of trouble has happened.
    for (const count of [stored, storeDrops, poolDrops, ringDrops, duplicates, sent, uplinkDrops])
      assert.ok(count! > 0, stdout);
  });
}

test.run();
