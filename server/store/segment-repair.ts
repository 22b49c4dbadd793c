/**
 * Mends a segment without losing a block whose write had completed: what follows the last good block is cut
 * off, what lies between good blocks becomes padding, and whatever is taken out is kept beside it as
 * STEM.damaged (zeros are not). Each step is on the drive before the next one begins, so that a crash in
 * between leaves the segment as it was or mended.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { BT_PAD } from '../../proto/gen/constants.js';
import type { Damage, SegmentCheck } from './segment-check.js';

const CHUNK_BYTES = 1 << 20;
/** A multiple of BLOCK_ALIGN_BYTES, as every block's length is. */
const PAD_BYTES = 1 << 16;
/** `flock` ends with this when somebody else holds the lock. */
const LOCKED_STATUS = 75;

/**
 * Does a live recorder write this file? It locks the file (flock) before the file has a name, and until it is
 * closed; one that is not locked will never be written again. Null: it cannot be told here.
 */
export function isBeingWritten(path: string): boolean | null {
  const { status } = spawnSync('flock', ['-n', '-E', String(LOCKED_STATUS), path, 'true'], {
    stdio: 'ignore',
  });
  return status === 0 ? false : status === LOCKED_STATUS ? true : null;
}

/** Can --repair do something about it? */
export function isMendable(damage: Damage): boolean {
  return damage.kind === 'torn' || damage.kind === 'zeros' || damage.kind === 'lost';
}

function writeAll(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(fd, bytes, done, bytes.length - done, at + done);
}

function copyRange(from: number, to: number, offset: number, end: number): void {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  for (let at = offset; at < end; ) {
    const n = readSync(from, buffer, 0, Math.min(CHUNK_BYTES, end - at), at);
    if (n === 0) return;
    writeAll(to, buffer.subarray(0, n), at - offset);
    at += n;
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(dirname(path), 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The first name that is free: STEM.damaged, STEM.damaged.2… */
function asideName(path: string): string {
  const stem = path.replace(/\.pcapng$/, '');
  for (let n = 1; ; n++) {
    const name = `${stem}.damaged${n > 1 ? `.${n}` : ''}`;
    if (!existsSync(name)) return name;
  }
}

/** Copies the range beside the segment, complete or not at all. */
function keepAside(fd: number, path: string, damage: Damage): string {
  const name = asideName(path);
  const unfinished = `${name}.part`;
  const aside = openSync(unfinished, 'w', 0o640);
  try {
    copyRange(fd, aside, damage.offset, damage.end);
    fsyncSync(aside);
  } finally {
    closeSync(aside);
  }
  renameSync(unfinished, name);
  syncDirectory(path);
  return name;
}

/** Local-use blocks over the whole range: every reader skips them. Some readers are wary of long blocks. */
function fillWithPadding(fd: number, { offset, end }: Damage): void {
  for (let at = offset; at < end; at += PAD_BYTES) {
    const block = Buffer.alloc(Math.min(PAD_BYTES, end - at));
    block.writeUInt32LE(BT_PAD, 0);
    block.writeUInt32LE(block.length, 4);
    block.writeUInt32LE(block.length, block.length - 4);
    writeAll(fd, block, at);
  }
}

/** What was done, one sentence for each damage mended. The file must not be being written; throws on I/O errors. */
export function repairSegment(path: string, check: SegmentCheck): string[] {
  const done: string[] = [];
  const fd = openSync(path, 'r+');
  try {
    if (fstatSync(fd).size !== check.bytes) throw new Error('it has changed since it was looked at');
    for (const damage of check.damages.filter(isMendable)) {
      const kept = damage.kind === 'zeros' ? '' : `, kept as ${keepAside(fd, path, damage)}`;
      if (damage.kind === 'lost') fillWithPadding(fd, damage);
      else ftruncateSync(fd, damage.offset);
      fsyncSync(fd);
      const how = damage.kind === 'lost' ? 'made padding' : 'cut off';
      done.push(`${damage.end - damage.offset} bytes at ${damage.offset} ${how}${kept}`);
    }
  } finally {
    closeSync(fd);
  }
  return done;
}
