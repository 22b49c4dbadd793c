/** `ringtap verify --order`: counts steps back, measures the largest, judges by the bound; directories and damage. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { epb, ringtap, section, temporaryDirectory, udpPacket } from './helpers.js';

const directory = temporaryDirectory();
const START_NS = 1_700_000_000_000_000_000n;

/** A capture whose packets have these stamps, in nanoseconds after the start. */
function stamped(...offsets: number[]): Buffer {
  return Buffer.concat([section(), ...offsets.map((at) => epb(udpPacket(2000), START_NS + BigInt(at)))]);
}
function file(name: string, bytes: Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}
const order = (...args: string[]) => ringtap(['verify', '--order', ...args]);

test('packets in order, equal stamps too: exit 0', async () => {
  const { code, stdout } = await order(file('good.pcapng', stamped(0, 5, 5, 9)));
  assert.equal(
    [code, stdout],
    [0, `${join(directory, 'good.pcapng')}: 4 packets, in order\n1 file, nothing wrong\n`],
  );
});

test('steps back are counted against the newest before, the largest is measured', async () => {
  const path = file('bad.pcapng', stamped(0, 100, 90, 95, 120, 50, 130));
  const { code, stdout } = await order('--json', path);
  const [found, summary] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal([code, summary], [1, { type: 'summary', files: 1, wrong: 1 }]);
  assert.equal(
    [found.packets, found.outOfOrder, found.stepBackNs, found.stepBackAt, found.ok],
    [7, 3, '70', 6, false],
  );
});

test('the bound: a step as large as it passes, one nanosecond more does not', async () => {
  const path = file('step.pcapng', stamped(0, 100, 30, 130));
  assert.is((await order('--order-bound', '70', path)).code, 0);
  const over = await order('--order-bound', '69', path);
  assert.is(over.code, 1);
  assert.match(over.stdout, /1 out of order, largest step back 70 ns at packet 3, over the bound of 69 ns/);
});

test('a directory stands for its segments, each judged by itself', async () => {
  const store = join(directory, 'store');
  mkdirSync(store);
  writeFileSync(join(store, 'b.pcapng'), stamped(0, 1));
  writeFileSync(join(store, 'a.pcapng'), stamped(7, 8)); // younger than b: files are not compared
  writeFileSync(join(store, 'a.rtidx'), 'index');
  const { code, stdout } = await order(store);
  assert.is(code, 0);
  assert.equal(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.replace(`${store}/`, '')),
    ['a.pcapng: 2 packets, in order', 'b.pcapng: 2 packets, in order', '2 files, nothing wrong'],
  );
});

test('damage is told, what came before it is still judged', async () => {
  const { code, stdout } = await order(file('cut.pcapng', stamped(0, 5, 3).subarray(0, -7)));
  assert.is(code, 1);
  assert.match(stdout, /2 packets, in order; ./);
  assert.is((await order(file('none.pcapng', Buffer.from('no capture at all, but long enough')))).code, 1);
});

test('wrong usage: exit 2 or one line that names the file', async () => {
  const cases: [args: string[], code: number, says: RegExp][] = [
    [['verify', '--order'], 2, /missing/],
    [['verify', '--order', '--order-bound', '1ms', 'x'], 2, /--order-bound 1ms: expected nanoseconds/],
    [['verify', '--order', '--order-bound', '-1', 'x'], 2, /--order-bound/],
    [['verify', '--order-bound', '5', 'x'], 2, /--order-bound: needs --order/],
    [['verify', '--order', '--repair', 'x'], 2, /--order cannot be repaired/],
    [['verify', '--order', join(directory, 'nothing')], 1, /nothing: no such file/],
  ];
  for (const [args, code, says] of cases) {
    const { code: got, stderr, stdout } = await ringtap(args);
    assert.equal([got, stdout], [code, ''], args.join(' '));
    assert.match(stderr, says);
  }
});

test.run();
