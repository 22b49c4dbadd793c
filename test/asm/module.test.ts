// The module itself: no imports, size, exported layout, and the refusal of anything else.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Engine, EngineError } from '../../asm/host/index.js';
import { ABI_VERSION } from '../../proto/gen/constants.js';
import { hex, newEngine, wasmBytes } from './captures.js';

const SIZE_MAX = 100 * 1024;

/** A module that exports abi_version() returning `version`, and, when asked, imports env.abort. */
const foreign = (version: number, imports: boolean): Uint8Array =>
  imports
    ? hex('0061736d 01000000 01 04 01 600000 02 0d 01 03 656e76 05 61626f7274 00 00')
    : hex(
        `0061736d 01000000 01 05 01 60 00 01 7f 03 02 01 00 07 0f 01 0b 6162695f76657273696f6e 00 00 0a 06 01 04 00 41 ${version
          .toString(16)
          .padStart(2, '0')} 0b`,
      );

async function refusal(bytes: Uint8Array): Promise<string> {
  try {
    await Engine.load(bytes as Uint8Array<ArrayBuffer>);
  } catch (error) {
    assert.instance(error, EngineError);
    return (error as Error).message;
  }
  return 'accepted';
}

test('imports nothing and is small', async () => {
  const module = await WebAssembly.compile(wasmBytes as Uint8Array<ArrayBuffer>);
  assert.equal(WebAssembly.Module.imports(module), []);
  assert.ok(wasmBytes.length <= SIZE_MAX, `${wasmBytes.length} bytes`);
  console.log(`ringtap.wasm: ${wasmBytes.length} bytes`);
});

test('exports its ABI version and layout', async () => {
  const { instance } = await WebAssembly.instantiate(wasmBytes as Uint8Array<ArrayBuffer>, {});
  assert.is((instance.exports.abi_version as () => number)(), ABI_VERSION);
  for (const name of [
    'CHUNK_BASE',
    'ROWS_BASE',
    'ROW_STRIDE',
    'SERIES_SECONDS',
    'FLOW_STRIDE',
    'NODE_STRIDE',
  ])
    assert.instance(instance.exports[name], WebAssembly.Global, name);
});

test('refuses what is not this module', async () => {
  assert.match(await refusal(hex('00010203')), /not a WebAssembly module/);
  assert.match(await refusal(hex('0061736d 01000000')), /does not export abi_version/);
  assert.match(await refusal(foreign(0, true)), /imports env\.abort/);
  assert.match(await refusal(foreign(ABI_VERSION, false)), /does not export init/);
});

test('refuses another ABI version, naming both', async () => {
  const message = await refusal(foreign(ABI_VERSION + 1, false));
  assert.match(message, new RegExp(`version ${ABI_VERSION + 1}.*needs ${ABI_VERSION}`));
});

test('refuses a flow limit it cannot hold', async () => {
  for (const maxFlows of [0, -1, 1e9]) {
    let message = '';
    try {
      await newEngine({ maxFlows });
    } catch (error) {
      message = (error as Error).message;
    }
    assert.match(message, /use a maxFlows from 16 to/);
  }
});

test.run();
