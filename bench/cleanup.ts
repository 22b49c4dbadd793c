/** What a benchmark leaves behind goes when it ends, also when it is told to end before it is done. */
import { mkdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';

const cleanups = new Set<() => void>();
process.on('exit', () => {
  for (const clean of [...cleanups].reverse()) clean();
});
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

/** Calls `clean` at the end, unless the returned function is called before. */
export function atExit(clean: () => void): () => void {
  cleanups.add(clean);
  return () => cleanups.delete(clean);
}

/** An empty directory on the disk that holds the build, removed at the end. */
export function workDirectory(name: string): string {
  const path = resolve('build', 'bench', `${name}-${process.pid}`);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  atExit(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Empties it between two runs. */
export function emptyDirectory(path: string): string {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}
