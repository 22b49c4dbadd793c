/** examples/node as a reader would run them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { run, sample, temporaryDirectory, withoutEngine } from './support.js';

const directory = temporaryDirectory();
const missing = withoutEngine();

test('both say how they are used', () => {
  for (const name of ['top-flows', 'worker-thread']) {
    const { code, stderr } = run(process.execPath, [`examples/node/${name}.mjs`]);
    assert.equal(
      [code, stderr],
      [2, `usage: node ${name}.mjs FILE${name === 'top-flows' ? '' : ' [FILTER]'}\n`],
    );
  }
});

if (missing) console.log(`SKIP examples for Node: ${missing}`);
else {
  const file = sample(directory);

  test('top-flows prints the largest flows first', () => {
    const { code, stdout } = run(process.execPath, ['examples/node/top-flows.mjs', file]);
    assert.equal(
      [code, stdout.trim().split('\n')],
      [
        0,
        [
          '30 packets, 1800 bytes, 3 flows',
          'udp 10.0.0.1:4000 -> 10.0.0.2:5353 15 packets 900 bytes',
          'udp 10.0.0.1:4001 -> 10.0.0.2:5353 10 packets 600 bytes',
          'udp 10.0.0.1:4002 -> 10.0.0.2:5353 5 packets 300 bytes',
        ],
      ],
    );
  });

  test('top-flows tells damage and still prints what it read', () => {
    const cut = join(directory, 'cut.pcapng');
    writeFileSync(cut, readFileSync(file).subarray(0, -3));
    const { code, stdout, stderr } = run(process.execPath, ['examples/node/top-flows.mjs', cut]);
    assert.is(code, 1);
    assert.match(stdout, /^29 packets/);
    assert.match(stderr, /cut short.*at byte \d+/);
  });

  test('worker-thread counts through the worker', () => {
    const { code, stdout } = run(process.execPath, [
      'examples/node/worker-thread.mjs',
      file,
      'src port 4001',
    ]);
    assert.equal([code, stdout], [0, '30 packets, 10 match, the longest has 60 bytes\n']);
  });
}

test.run();
