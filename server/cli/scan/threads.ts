/** The option `--threads`. */
import { availableParallelism } from 'node:os';
import { UsageError, wholeNumber } from '../command.js';

const THREADS_MAX = 64;

/** `--threads N`; as many as the machine has by default. */
export function threadsOf(text: string | undefined): number {
  if (text === undefined) return Math.min(availableParallelism(), THREADS_MAX);
  const threads = wholeNumber(text, '--threads', 1);
  if (threads > THREADS_MAX) throw new UsageError(`--threads ${text}: expected at most ${THREADS_MAX}`);
  return threads;
}
