/** `ringtap/engine` as somebody else gets it: packed by npm, imported by name, checked by their compiler. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { installed, run, sample, temporaryDirectory, withoutEngine } from './support.js';

const directory = temporaryDirectory();
const app = join(directory, 'app');
const home = join(app, 'node_modules', 'ringtap');

/** Compiles only when types and values are exported as documented. */
const PROGRAM = `
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Engine, EngineError, FilterError, type Flow, type PacketRows, type StreamError } from 'ringtap/engine';
import { EngineClient, nodeEnd, serveEngine, type ChannelEnd, type PacketColumns } from 'ringtap/engine/worker';

const wasm: Uint8Array<ArrayBuffer> = new Uint8Array(readFileSync(fileURLToPath(import.meta.resolve('ringtap/engine.wasm'))));
const engine: Engine = await Engine.load(wasm, { maxFlows: 1024 });
let matched: number = 0;
try {
  engine.setFilter('udp and (');
} catch (error) {
  if (!(error instanceof FilterError)) throw error;
  console.log('filter', error.position);
}
engine.setFilter('src port 4001');
engine.push(new Uint8Array(readFileSync(process.argv[2]!)), (rows: PacketRows): void => {
  for (let i = 0; i < rows.length; i++) if (rows.matched(i)) matched++;
});
const error: StreamError | null = engine.end();
const flows: Flow[] = engine.flows({ sort: 'packets', limit: 1 });
const first: bigint = flows[0]!.firstTsNs;
console.log(matched, error, flows[0]!.origPort, typeof first);
export type { ChannelEnd, PacketColumns };
console.log([EngineError, EngineClient, nodeEnd, serveEngine].every((one) => typeof one === 'function'));
`;
const WRONG = "import { Engine } from 'ringtap/engine';\nconst engine: Engine = 1;\nengine.nothing();\n";

const TSCONFIG = {
  compilerOptions: {
    target: 'ES2022',
    module: 'nodenext',
    lib: ['ES2023', 'DOM'],
    types: ['node'],
    typeRoots: [resolve('node_modules/@types')],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    outDir: 'out',
    rootDir: '.',
  },
};

function compile(file: string) {
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ ...TSCONFIG, files: [file] }));
  return run(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '-p', '.'], app);
}

/** Null, or why the package cannot be tried. */
function pack(): string | null {
  const missing = withoutEngine() ?? (installed('npm') && installed('tar') ? null : 'no npm or tar');
  if (missing) return missing;
  const { code, stderr } = run('npm', [
    'pack',
    '--ignore-scripts',
    '--offline',
    '--pack-destination',
    directory,
  ]);
  if (code !== 0) throw new Error(`npm pack: ${stderr}`);
  const [packed] = readdirSync(directory).filter((name) => name.endsWith('.tgz'));
  mkdirSync(home, { recursive: true });
  const unpacked = run('tar', ['-xzf', join(directory, packed ?? ''), '-C', home, '--strip-components=1']);
  if (unpacked.code !== 0) throw new Error(`tar: ${unpacked.stderr}`);
  writeFileSync(join(app, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(app, 'use.ts'), PROGRAM);
  writeFileSync(join(app, 'wrong.ts'), WRONG);
  return null;
}

const missing = pack();
if (missing) {
  console.log(`SKIP the package: ${missing}`);
  test('nothing to pack', () => assert.ok(missing));
} else {
  test('it holds what it exports, and no sources, tests or captures', () => {
    const names = readdirSync(home, { recursive: true, encoding: 'utf8' });
    for (const wanted of ['build/asm/ringtap.wasm', 'build/asm/host/worker.d.ts', 'LICENSE', 'README.md'])
      assert.ok(names.includes(wanted), wanted);
    assert.equal(
      names.filter((name) => /^(test|bench|native|kmod|captures|build\/test|build\/bench)/.test(name)),
      [],
    );
  });

  test('types hold in a strict project, and wrong use is an error', () => {
    const right = compile('use.ts');
    assert.is(right.code, 0, right.stdout);
    const wrong = compile('wrong.ts');
    assert.is.not(wrong.code, 0);
    assert.match(wrong.stdout, /TS2322[\s\S]*TS2339/);
  });

  test('it runs by its name', () => {
    const { code, stdout, stderr } = run(process.execPath, ['out/use.js', sample(directory)], app);
    assert.equal([code, stderr], [0, '']);
    assert.equal(stdout.trim().split('\n'), ['filter 9', '10 null 4000 bigint', 'true']);
  });

  test('nothing but the documented parts can be imported', () => {
    const script =
      "await import('ringtap/build/asm/host/module.js').catch((error) => console.log(error.code));";
    const { stdout } = run(process.execPath, ['--input-type=module', '-e', script], app);
    assert.is(stdout.trim(), 'ERR_PACKAGE_PATH_NOT_EXPORTED');
  });
}

test.run();
