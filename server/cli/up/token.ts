/** The token `ringtap up` makes when it listens beyond loopback: random, in a file only its owner reads. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../command.js';

const TOKEN_BYTES = 24;

/** The token file in `directory`, made when missing. */
export function ensureTokenFile(directory: string): string {
  const file = join(directory, '.ringtap-token');
  try {
    if (!existsSync(file)) {
      writeFileSync(file, `${randomBytes(TOKEN_BYTES).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
    }
    if (!lstatSync(file).isFile()) throw new Error('it is no regular file');
    chmodSync(file, 0o600);
  } catch (error) {
    throw new Failure(`token file ${file} cannot be used: ${(error as Error).message}`);
  }
  return file;
}
