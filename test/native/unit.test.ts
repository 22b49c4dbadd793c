/** Runs the probe's C unit tests, built with ASan and UBSan. */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

test('make check: all pass, and there are some', () => {
  const { status, stdout, stderr } = spawnSync('make', ['-s', '-C', 'native', '-j2', 'check'], {
    encoding: 'utf8',
  });
  assert.is(status, 0, stderr);
  const [, passed, failed] = /(\d+) passed, (\d+) failed\n$/.exec(stdout) ?? [];
  assert.ok(Number(passed) > 20, stdout);
  assert.is(failed, '0');
});

test.run();
