// asm/ABI.md against the module itself: every export is documented, and nothing that does not exist.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { wasmBytes } from './captures.js';

interface Documented {
  name: string;
  /** Parameters of a function; null for constants. */
  parameters: number | null;
}

/** The first cell of every table row that names an export. */
function documented(text: string): Documented[] {
  return [...text.matchAll(/^\| `(\w+)(?:\(([^)]*)\))?` \|/gm)].map(([, name, list]) => ({
    name: name as string,
    parameters: list === undefined ? null : list.split(',').filter((word) => word.trim()).length,
  }));
}

const rows = documented(readFileSync('asm/ABI.md', 'utf8')).filter(
  // The table of memory areas names addresses again.
  ({ name }, i, all) => all.findIndex((other) => other.name === name) === i,
);

test('the document and the module list the same exports', async () => {
  const module = await WebAssembly.compile(wasmBytes as Uint8Array<ArrayBuffer>);
  const exported = WebAssembly.Module.exports(module).map(({ name }) => name);
  const names = rows.map(({ name }) => name);
  assert.equal(
    exported.filter((name) => !names.includes(name)),
    [],
    'exported, but not in asm/ABI.md',
  );
  assert.equal(
    names.filter((name) => !exported.includes(name)),
    [],
    'in asm/ABI.md, but not exported',
  );
});

test('functions have the parameters the document gives them, constants are no functions', async () => {
  const { instance } = await WebAssembly.instantiate(wasmBytes as Uint8Array<ArrayBuffer>, {});
  let functions = 0;
  for (const { name, parameters } of rows) {
    const value = instance.exports[name];
    if (typeof value === 'function') {
      assert.is(parameters, value.length, name);
      functions++;
    } else assert.is(parameters, null, `${name} is no function`);
  }
  assert.ok(functions > 15, `${functions} functions`);
});

test('a document that lies is seen', () => {
  const [one, two] = documented('| `push(length, rows)` | x |\n| `GO` | y |\n| plain | `z` |');
  assert.equal(
    [one, two],
    [
      { name: 'push', parameters: 2 },
      { name: 'GO', parameters: null },
    ],
  );
});

test.run();
