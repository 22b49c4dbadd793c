/** The import rules of ARCHITECTURE.md, enforced: which room may know which. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

/**
 * First match wins. `may` lists path prefixes; `types` those it may know the types of only (messages that
 * pass through it); `packages` the npm and node modules allowed.
 */
const RULES: { room: string; may: string[]; types?: string[]; packages: RegExp }[] = [
  { room: 'proto/', may: ['proto/'], packages: /^(long|protobufjs\/minimal\.js)$/ },
  { room: 'asm/assembly/', may: ['asm/assembly/'], packages: /^$/ },
  { room: 'asm/host/', may: ['asm/host/', 'proto/gen/constants.js'], packages: /^$/ },
  {
    room: 'server/',
    may: ['server/', 'proto/', 'asm/host/'],
    packages: /^(node:.*|fastify|@fastify\/.*|ws|hyparquet-writer|@duckdb\/node-api)$/,
  },
  { room: 'web/worker/', may: ['web/worker/', 'asm/host/'], packages: /^$/ },
  {
    room: 'web/data/',
    may: ['web/data/', 'web/worker/', 'proto/'],
    types: ['asm/host/types.js'],
    packages: /^$/,
  },
  {
    room: 'web/controllers/',
    may: ['web/controllers/', 'web/data/'],
    types: ['web/worker/messages.js'],
    packages: /^lit$/,
  },
  {
    room: 'web/',
    may: ['web/elements/', 'web/controllers/', 'web/data/'],
    types: ['web/worker/messages.js', 'asm/host/types.js'],
    packages: /^lit(\/.*)?$/,
  },
];

const IMPORT =
  /^\s*(?:import|export)\s(\s*type\s)?[^'"]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;

function sources(directory: string): string[] {
  if (!statSync(directory, { throwIfNoEntry: false })) return [];
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join(directory, name));
}

/** What `file` imports that its room may not. */
export function violations(file: string, text: string): string[] {
  const rule = RULES.find(({ room }) => file.startsWith(room));
  if (!rule) return [`${file}: belongs to no room`];
  const found: string[] = [];
  for (const match of text.matchAll(IMPORT)) {
    const target = match[2] ?? match[3] ?? match[4] ?? '';
    const prefixes = match[1] ? [...rule.may, ...(rule.types ?? [])] : rule.may;
    const allowed = target.startsWith('.')
      ? prefixes.some((prefix) => normalize(join(dirname(file), target)).startsWith(prefix))
      : rule.packages.test(target);
    if (!allowed) found.push(`${file} imports ${target}`);
  }
  return found;
}

const files = ['proto', 'asm/assembly', 'asm/host', 'server', 'web'].flatMap(sources);

test('every room imports only what it may', () => {
  assert.ok(files.length > 20, `only ${files.length} files seen`);
  assert.equal(
    files.flatMap((file) => violations(file, readFileSync(file, 'utf8'))),
    [],
  );
});

test('a broken rule is seen', () => {
  assert.is(violations('web/data/store.ts', "import { x } from '../elements/x.js';").length, 1);
  assert.is(violations('web/elements/x.ts', "import { y } from '../worker/y.js';").length, 1);
  assert.is(violations('server/app.ts', "import type { Store } from '../web/data/store.js';").length, 1);
  assert.is(violations('asm/host/engine.ts', "import fs from 'node:fs';").length, 1);
  assert.is(violations('web/main.ts', "const m = await import('../server/app.js');").length, 1);
  assert.is(
    violations('web/elements/x.ts', "import { y } from '../worker/messages.js';").length,
    1,
    'types only',
  );
  assert.is(violations('web/elements/x.ts', "import type { Y } from '../worker/messages.js';").length, 0);
  assert.is(violations('elsewhere/x.ts', '').length, 1);
  assert.is(violations('server/app.ts', "import Fastify from 'fastify';\nimport './ingest.js';").length, 0);
});

test('C and kernel code include only their own headers and the shared ones', () => {
  const allowed: Record<string, RegExp> = {
    native: /^(?!.*(kmod|asm|server|web)\/)/,
    kmod: /^(?!.*(native|asm|server|web)\/)/,
  };
  for (const [room, pattern] of Object.entries(allowed)) {
    const names = readdirSync(room, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.[ch]$/.test(name),
    );
    for (const name of names) {
      const text = readFileSync(join(room, name), 'utf8');
      for (const [, target] of text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm))
        assert.ok(pattern.test(target ?? ''), `${room}/${name} includes ${target}`);
    }
  }
});

test('asm/host touches neither the DOM nor Node', () => {
  for (const file of sources('asm/host')) {
    const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    assert.not.match(code, /\b(document|window|process|require|localStorage)\s*[.([]/, file);
  }
});

test.run();
