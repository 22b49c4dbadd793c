/** The set-up script where it cannot do the work itself: it must say what to run, and change nothing. */
import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const NOBODY = 65534;
const tools = mkdtempSync(join(tmpdir(), 'ringtap-setup-'));
chmodSync(tools, 0o755);
test.after(() => rmSync(tools, { recursive: true }));

function tool(name: string, script: string): void {
  writeFileSync(join(tools, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** Runs the script with our tools first on the PATH, as an ordinary user. */
function setup(args: string[], env: Record<string, string> = {}) {
  const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  return spawnSync(process.execPath, ['scripts/setup.mjs', ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env, PATH: `${tools}:${process.env.PATH}` },
    ...asNobody,
  });
}

function readableByOthers(): boolean {
  try {
    accessSync('scripts/setup.mjs', constants.R_OK);
    return (
      spawnSync(process.execPath, ['-e', "require('fs').readFileSync('scripts/setup.mjs')"], {
        uid: process.getuid?.() === 0 ? NOBODY : undefined,
      }).status === 0
    );
  } catch {
    return false;
  }
}

if (!readableByOthers()) {
  process.stdout.write('SKIP another user cannot read this directory\n');
} else {
  test('missing Debian packages and no root: one command to run, exit 1, no stack trace', () => {
    tool('dpkg-query', 'echo "gcc install ok installed"; echo "make install ok installed"');
    const { status, stdout, stderr } = setup([]);
    assert.is(status, 1);
    assert.is(stdout, '');
    assert.match(stderr, /sudo apt-get install -y --no-install-recommends pkg-config .*libpcap-dev/);
    assert.not.match(stderr, /\bgcc\b/, 'what is there is not named');
    assert.not.match(stderr, /at .*\.mjs:\d+/);
  });

  test('--test names the packages of the tests too', () => {
    tool('dpkg-query', 'exit 1');
    assert.match(setup(['--test']).stderr, /tshark tcpdump/);
    assert.not.match(setup([]).stderr, /tshark/);
  });
}

test('a build step that fails is named, and the exit code says so', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/build.mjs', 'no-such-step'], {
    encoding: 'utf8',
  });
  assert.is(status, 2);
  assert.match(stderr, /no-such-step/);
});

test.run();
