/** examples/c: the engine translated to C by wasm2c gives what the engine gives in Node. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { installed, run, sample, temporaryDirectory, withoutEngine } from './support.js';

const PROGRAM = 'examples/c/build/top_flows';
const directory = temporaryDirectory();
const missing =
  withoutEngine() ??
  (installed('wasm2c') ? null : 'wasm2c is not installed (package wabt)') ??
  (installed('cc') && installed('make') ? null : 'no C compiler or make');

test('the example and its makefile are there', () => {
  assert.ok(existsSync('examples/c/top_flows.c') && existsSync('examples/c/Makefile'));
});

if (missing) console.log(`SKIP the engine as C: ${missing}`);
else {
  const file = sample(directory);
  const addresses = (text: string) => text.replace(/^(udp|17) /gm, '').replaceAll('-> ', '');

  test('it builds without a warning in our own file', () => {
    const { code, stderr } = run('make', ['-s', '-C', 'examples/c']);
    assert.is(code, 0, stderr);
    assert.not.match(stderr, /warning/);
  });

  test('the same flows as in Node', () => {
    const c = run(PROGRAM, [file]);
    const node = run(process.execPath, ['examples/node/top-flows.mjs', file]);
    assert.is(c.code, 0, c.stderr);
    assert.is(addresses(c.stdout), addresses(node.stdout));
    assert.match(c.stdout, /^30 packets, 1800 bytes, 3 flows\n/);
  });

  test('damage, a missing file and wrong usage', () => {
    const cut = join(directory, 'cut.pcapng');
    writeFileSync(cut, readFileSync(file).subarray(0, -3));
    const damaged = run(PROGRAM, [cut]);
    assert.is(damaged.code, 1);
    assert.match(damaged.stdout, /^29 packets/);
    assert.match(damaged.stderr, /could not be read to its end/);
    assert.is(run(PROGRAM, [join(directory, 'none')]).code, 1);
    assert.is(run(PROGRAM, []).code, 2);
  });
}

test.run();
