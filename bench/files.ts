/** The files that reading benchmarks share: smallest frames and a mix, both of 100k flows; 1 GB and more unless quick. */
import { type Traffic, traffic } from './traffic.js';

const FLOWS = 100_000;

export function captureFiles(quick: boolean): Traffic[] {
  return [
    traffic('64 B', { size: '64', flows: FLOWS, packets: quick ? 1_000_000 : 12_000_000 }),
    traffic('mix', { size: 'mix', flows: FLOWS, packets: quick ? 200_000 : 4_000_000 }),
  ];
}

/** Our command line as a contestant. */
export function ringtap(name: string, args: string[]): { name: string; command: string; args: string[] } {
  return { name, command: process.execPath, args: ['build/server/cli/main.js', ...args] };
}
