/**
 * The files that reading benchmarks share: smallest frames, a mix of sizes and frames of about 800 bytes,
 * all of 100k flows; 1 GB and more unless quick.
 */
import { type Traffic, traffic } from './traffic.js';

export type Capture = Traffic;

const FLOWS = 100_000;

export function captureFiles(quick: boolean): Capture[] {
  return [
    traffic('64 B', { size: '64', flows: FLOWS, packets: quick ? 1_000_000 : 12_000_000 }),
    traffic('mix', { size: 'mix', flows: FLOWS, packets: quick ? 200_000 : 4_000_000 }),
  ];
}

/** Any size from 64 to 1514 bytes, 789 on average. */
export function largeFrames(quick: boolean): Capture {
  return traffic('800 B', { size: '64-1514', flows: FLOWS, packets: quick ? 100_000 : 1_500_000 });
}

/** What is read in no time: a run on it is all start-up. */
export function startFile(): Capture {
  return traffic('start', { size: '64', flows: 1, packets: 1 });
}

/** Our command line as a contestant. */
export function ringtap(name: string, args: string[]): { name: string; command: string; args: string[] } {
  return { name, command: process.execPath, args: ['build/server/cli/main.js', ...args] };
}
