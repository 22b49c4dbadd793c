/** Shared by the tests of the examples: a capture file and running a program to its end. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { epb, section, udpPacket } from '../server/helpers.js';

export { temporaryDirectory, withoutEngine } from '../server/helpers.js';

/** 30 packets in three flows: 15, 10 and 5 packets of 60 bytes, from ports 4000 to 4002. */
export function sample(directory: string): string {
  const ports = Array.from({ length: 30 }, (_, i) => (i < 15 ? 4000 : i < 25 ? 4001 : 4002));
  const blocks = ports.map((port, i) => epb(udpPacket(port), 1_700_000_000_000_000_000n + BigInt(i)));
  const file = join(directory, 'sample.pcapng');
  writeFileSync(file, Buffer.concat([section(), ...blocks]));
  return file;
}

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

export function run(command: string, args: string[], cwd = process.cwd()): Outcome {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    cwd,
    timeout: 120_000,
  });
  if (error) throw error;
  return { code: status, stdout, stderr };
}

export const installed = (command: string) => spawnSync(command, ['--version']).error === undefined;
