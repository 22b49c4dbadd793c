/** Which files are locked by whoever writes them (flock, see native/src/segment.h), as Linux lists them. */
import { readFileSync } from 'node:fs';

/** Inode numbers of files with an exclusive flock; empty where that cannot be told. */
export function lockedInodes(): ReadonlySet<number> {
  try {
    const held = readFileSync('/proc/locks', 'utf8').matchAll(
      /FLOCK\s+\S+\s+WRITE\s+\d+\s+[0-9a-f]+:[0-9a-f]+:(\d+)/g,
    );
    return new Set(Array.from(held, ([, inode]) => Number(inode)));
  } catch {
    return new Set();
  }
}
