/** The test runner itself: a file that proves nothing must not pass. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const runner = (await import('../../../scripts/test.mjs' as string)) as {
  verdict(
    output: string,
    exitCode: number,
    timedOut?: boolean,
  ): { passed: number; failed: number; reason: string };
};
const report = (total: number, passed: number, skipped = 0) =>
  `  Total:     ${total}\n  Passed:    ${passed}\n  Skipped:   ${skipped}\n  Duration:  1ms\n`;

test('all passed', () => {
  const { passed, failed, reason } = runner.verdict(report(3, 3), 0);
  assert.equal([passed, failed, reason], [3, 0, '']);
});

test('no test at all is a failure', () => {
  assert.is(runner.verdict('', 0).failed, 1);
  assert.is(runner.verdict(report(0, 0), 0).failed, 1);
});

test('fewer passed than total is a failure although uvu exits 0', () => {
  assert.is(runner.verdict(report(5, 3), 0).failed, 2);
});

test('a bad exit code is a failure although all passed', () => {
  assert.is(runner.verdict(report(3, 3), 1).failed, 1);
});

test('a hanging file is a failure', () => {
  assert.match(runner.verdict(report(3, 3), 0, true).reason, /still running/);
});

test('several suites in one file are added up', () => {
  assert.equal(runner.verdict(report(2, 2) + report(4, 4), 0).passed, 6);
  assert.is(runner.verdict(report(2, 2) + report(4, 3), 0).failed, 1);
});

test.run();
