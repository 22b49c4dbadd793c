/**
 * kill -9 at random moments: no completed block is lost. KILLS=200 is the long form; RINGTAP_SEED repeats a run.
 * Every run stripes over two directories, rotates and retains, so that moments inside those are met, too.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { build, endAll, FAST, scratch, sleep, start } from './help.js';

build('all');
const KILLS = Number(process.env.KILLS ?? 12);
const seed = Number(process.env.RINGTAP_SEED ?? Date.now() % 1e6);
let state = seed;
const random = () => {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return state / 2 ** 32;
};
/** Through a page cache a write can be cut in its middle. */
const direct = /ext|xfs|btrfs/.test(execFileSync('stat', ['-fc', '%T', tmpdir()], { encoding: 'utf8' }));
const segments = (dirs: string[]) =>
  dirs.flatMap((dir) =>
    readdirSync(dir)
      .filter((name) => name.endsWith('.pcapng'))
      .map((name) => join(dir, name)),
  );

test(`kill -9 at ${KILLS} random moments (seed ${seed}): all that was stored is there and whole`, async () => {
  for (let kill = 1; kill <= KILLS; kill++) {
    const base = scratch();
    const dirs = ['a', 'b'].map((name) => join(base, name));
    const flags = ['--block-size', '512K', '-C', '2', '--stats-interval', '0.1', '--flush-interval', '0.02'];
    const args = [
      '--ring=synth',
      '--synth',
      `seed=${kill},pps=${random() < 0.5 ? 40000 : 3000},size=mix`,
      ...flags,
    ];
    const probe = start([...args, '--store', dirs.join(',')], { binary: FAST });
    await sleep(100 + 900 * random());
    probe.child.kill('SIGKILL');
    const { ledgers } = await probe.end;
    const what = `seed ${seed}, kill ${kill}`;
    const paths = (() => {
      try {
        return segments(dirs);
      } catch {
        return []; // killed before it had begun
      }
    })();
    if (!paths.length) continue;
    const before = spawnSync('capinfos', ['-Mc', ...paths], { encoding: 'utf8' });
    if (direct) assert.is(before.status, 0, `${what}: readable as it is: ${before.stderr}`);
    const verify = spawnSync(
      process.execPath,
      ['build/server/cli/main.js', 'verify', '--repair', '--json', ...dirs],
      { encoding: 'utf8' },
    );
    assert.is(verify.status, 0, `${what}: ${verify.stdout}`);
    const rows = verify.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const whole = rows.reduce((sum, row) => sum + (row.packets ?? 0), 0);
    const stored = ledgers.at(-1)?.stored ?? 0;
    assert.ok(whole >= stored, `${what}: ${whole} packets are whole, ${stored} were told as stored`);
    const torn = direct && rows.some((row) => row.state === 'repaired');
    assert.not.ok(torn, `${what}: O_DIRECT leaves nothing torn behind kill -9: ${verify.stdout}`);
    const text = execFileSync('capinfos', ['-Mc', ...paths], { encoding: 'utf8' });
    const counted = [...text.matchAll(/Number of packets:\s+(\d+)/g)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
    assert.is(counted, whole, what);
    rmSync(base, { recursive: true });
  }
});

test.after.each(endAll);
test.run();
