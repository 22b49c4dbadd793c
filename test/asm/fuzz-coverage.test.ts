// A short coverage-guided run under AddressSanitizer; `npm run fuzz -- SECONDS` is the long one.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runSeed } from './captures.js';
import { buildFuzzer, FUZZER, fuzz, withoutFuzzer } from './fuzz/run.js';

const SECONDS = 15;
/** Edges that the seeds alone reach are more: fewer mean that the harness no longer gets anywhere. */
const EDGES_LEAST = 2000;
const missing = withoutFuzzer();

if (missing) {
  console.log(`SKIP fuzzing under AddressSanitizer: ${missing}`);
  test('the fuzzer is absent', () => assert.ok(missing));
} else {
  buildFuzzer();

  test('a read of one byte too many is seen', () => {
    const { status, stderr } = spawnSync(FUZZER, ['-runs=1'], {
      encoding: 'utf8',
      env: { ...process.env, RINGTAP_FUZZ_SELFTEST: '1' },
    });
    assert.is.not(status, 0);
    assert.match(stderr, /AddressSanitizer: use-after-poison[\s\S]*READ of size[\s\S]*digest/);
  });

  test(`${SECONDS} s of guided mutations: no trap, no hang, no read out of the input`, () => {
    const corpus = 'build/fuzz/short';
    rmSync(corpus, { recursive: true, force: true });
    const result = fuzz({ seconds: SECONDS, seed: runSeed('fuzz-coverage') + 1, corpus });
    console.log(`  ${result.executions} executions, ${result.coverage} of ${result.edges} edges`);
    assert.is(result.finding, null, result.finding ?? '');
    assert.ok(result.coverage > EDGES_LEAST && result.executions > 10_000, 'the harness gets nowhere');
  });
}

test.run();
