/** Where the built parts lie, found from this module and never from the working directory. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// Compiled to build/server/paths.js.
const built = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

export const paths = {
  wasm: built('asm/ringtap.wasm'),
  dashboard: built('web/dist'),
  probe: built('native/ringtapd'),
  cli: built('server/cli/main.js'),
};

export const VERSION: string = JSON.parse(readFileSync(built('../package.json'), 'utf8')).version;
