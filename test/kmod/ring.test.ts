/**
 * The ring's protocol, proven twice without a kernel: exhaustively as a spin model (ring.pml), and as the very
 * source the kernel runs (kmod/ring.c) with threads under sanitizers. Both must also fail on purpose.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const work = mkdtempSync(join(tmpdir(), 'ringtap-ring-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
const hasSpin = !spawnSync('spin', ['-V']).error;

/** Errors the exhaustive search of the model found, and how many states it took. */
function verify(defines: string[]): { errors: number; states: number } {
  execFileSync('spin', [...defines, '-a', resolve('test/kmod/ring.pml')], { cwd: work, stdio: 'pipe' });
  execFileSync('gcc', ['-O2', '-w', '-DSAFETY', '-DCOLLAPSE', '-o', 'pan', 'pan.c'], { cwd: work });
  const { stdout } = spawnSync(join(work, 'pan'), ['-m200000'], { cwd: work, encoding: 'utf8' });
  assert.not.match(
    stdout,
    /max search depth too small|aborting|out of memory/,
    'the search was not exhaustive',
  );
  const errors = Number(/errors: (\d+)/.exec(stdout)?.[1] ?? Number.NaN);
  const states = Number(/(\d+) states, stored/.exec(stdout)?.[1] ?? Number.NaN);
  return { errors, states };
}

if (hasSpin) {
  test('the model holds in every interleaving of two writers and a listener', () => {
    const { errors, states } = verify([]);
    assert.is(errors, 0);
    assert.ok(states > 100_000, `only ${states} states: the model lost its interleavings`);
  });
  // The first is the original's defect: readers were shown what was reserved.
  for (const mutant of ['RESERVED', 'OWN_END', 'NO_LEASE', 'EARLY_SEAL', 'LOST'])
    test(`the model catches the mutant ${mutant}`, () => {
      assert.ok(verify([`-DMUTANT_${mutant}`]).errors > 0);
    });
} else process.stdout.write('SKIP the ring model: spin is not installed\n');

/** Builds the thread test against a copy of the ring, changed by `edit`, and runs it. */
function threads(
  sanitizer: string,
  edit = (text: string) => text,
): { status: number | null; output: string } {
  const kmod = join(work, 'kmod');
  mkdirSync(join(work, 'test', 'kmod'), { recursive: true });
  mkdirSync(kmod, { recursive: true });
  for (const name of ['ring.h', 'block.h', 'env.h']) copyFileSync(join('kmod', name), join(kmod, name));
  copyFileSync('kmod/uapi/ringtap_uapi.h', join(kmod, 'ringtap_uapi.h'));
  writeFileSync(join(kmod, 'ring.c'), edit(readFileSync('kmod/ring.c', 'utf8')));
  copyFileSync('test/kmod/ring_threads.c', join(work, 'test', 'kmod', 'ring_threads.c'));
  const flags = [
    '-std=gnu11',
    '-g',
    '-O1',
    '-Wall',
    '-Wextra',
    '-Werror',
    `-fsanitize=${sanitizer}`,
    '-pthread',
  ];
  const binary = join(work, 'threads');
  execFileSync('gcc', [...flags, '-o', binary, 'test/kmod/ring_threads.c', 'kmod/ring.c'], { cwd: work });
  const { status, stdout, stderr } = spawnSync(binary, { encoding: 'utf8', timeout: 60_000 });
  return { status, output: stdout + stderr };
}

for (const sanitizer of ['thread', 'address,undefined'])
  test(`three writers, three listeners, one slow: every packet delivered whole or counted (${sanitizer})`, () => {
    const { status, output } = threads(sanitizer);
    assert.is(status, 0, output);
    const packets = [...output.matchAll(/LISTENER \d packets (\d+) lost (\d+)/g)].map((match) => [
      Number(match[1]),
      Number(match[2]),
    ]);
    assert.is(packets.length, 3);
    for (const [got = 0, lost = 0] of packets) assert.is(got + lost, 72_000);
    assert.ok((packets[2]?.[1] ?? 0) > 0, 'the slow listener lost nothing: nothing was overrun');
  });

/** The defect put back into the real source: commits that ignore what others are still copying. */
function publishUncopied(text: string): string {
  const changed = text.replace(
    'if (other->active && other->slot == slot',
    'if (false && other->slot == slot',
  );
  assert.is.not(changed, text, 'ring.c no longer holds the line this test breaks');
  return changed;
}

test('the threads catch a ring that publishes uncopied bytes', () => {
  const { status, output } = threads('thread', publishUncopied);
  assert.is.not(status, 0, output);
});

test('the threads catch a ring that recycles leased slots', () => {
  const { status, output } = threads('thread', (text) => {
    const changed = text.replace(' && block->leases == 0', '');
    assert.is.not(changed, text);
    return changed;
  });
  assert.is.not(status, 0, output);
});

test.run();
