/** `ringtap verify`: every segment of a store is whole, block by block; --repair mends what a crash left. */
import { closeSync, fstatSync, openSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkSegment, type SegmentCheck } from '../../store/segment-check.js';
import { isBeingWritten, isMendable, repairSegment } from '../../store/segment-repair.js';
import type { Check, Finding, VerifyOptions } from './check.js';

const SEGMENT_NAME = /^ringtap-[A-Za-z0-9._]+-\d{8}T\d{6}\.\d{9}Z-\d{6,}\.pcapng$/;
/** A file that grows while it is looked at is looked at again so often. */
const LOOKS = 3;

function segmentsOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => SEGMENT_NAME.test(name))
    .sort()
    .map((name) => join(path, name));
}

function checkFile(path: string): SegmentCheck {
  const fd = openSync(path, 'r');
  try {
    return checkSegment(fd, fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}

function tell(path: string, check: SegmentCheck, ok: boolean, message: string, state: string): Finding {
  const { bytes, blocks, packets, damages } = check;
  return { check: 'segments', path, ok, message, details: { state, bytes, blocks, packets, damages } };
}

const counted = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;
const contents = ({ blocks, packets }: SegmentCheck) =>
  `${counted(blocks, 'block')}, ${counted(packets, 'packet')}`;

function damaged(path: string, check: SegmentCheck, more: string): Finding {
  const list = check.damages.map(({ offset, message }) => `at ${offset}: ${message}`).join('; ');
  return tell(path, check, false, `damaged ${list}; ${contents(check)} are whole${more}`, 'damaged');
}

function repaired(path: string, before: SegmentCheck): Finding {
  const done = repairSegment(path, before);
  const check = checkFile(path);
  if (check.damages.length) return damaged(path, check, `; mended: ${done.join('; ') || 'nothing'}`);
  return tell(path, check, true, `repaired: ${done.join('; ')}; ${contents(check)}`, 'repaired');
}

function judge(path: string, { repair }: VerifyOptions): Finding {
  for (let look = 1; ; look++) {
    const check = checkFile(path);
    if (check.damages.length === 0) return tell(path, check, true, `whole, ${contents(check)}`, 'whole');
    const written = isBeingWritten(path);
    if (written) return tell(path, check, true, `being written, ${contents(check)} so far`, 'open');
    if (written === false && look < LOOKS && statSync(path).size !== check.bytes) continue;
    if (!repair || !check.damages.some(isMendable))
      return damaged(path, check, repair ? '; this cannot be repaired' : '');
    if (written === null)
      return damaged(path, check, '; not repaired: the command flock (util-linux) is missing');
    return repaired(path, check);
  }
}

function* run(paths: string[], options: VerifyOptions): Iterable<Finding> {
  for (const path of paths.flatMap(segmentsOf)) {
    try {
      yield judge(path, options);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') continue; // retention was faster
      yield { check: 'segments', path, ok: false, message: `cannot be read: ${message}` };
    }
  }
}

export const segments: Check = { name: 'segments', run };
