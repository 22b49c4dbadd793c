/** What a command is, and the errors that end one. Prints nothing itself. */
import { type ParseArgsConfig, parseArgs } from 'node:util';

export interface Command {
  /** One line in the list of commands. */
  summary: string;
  /** Everything `ringtap NAME --help` prints. */
  help: string;
  /** Resolves to the exit code: 0 done, 1 failed. Throws UsageError (2) or Failure (1). */
  run(args: string[]): Promise<number>;
}

/** Wrong usage: exit 2. The message says what is wrong with which argument. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** It could not be done: exit 1. One line that names cause and fix. */
export class Failure extends Error {
  override name = 'Failure';
}

/** parseArgs whose complaints are one short sentence. */
export function parse<T extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: T,
): ReturnType<typeof parseArgs<{ args: string[]; options: T; allowPositionals: true; strict: true }>> {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    const message = (error as Error).message.split('. ')[0] ?? '';
    throw new UsageError(message.charAt(0).toLowerCase() + message.slice(1));
  }
}

/** A whole number of at least `min`. */
export function wholeNumber(text: string, option: string, min: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min) {
    throw new UsageError(`${option} ${text}: expected a whole number of at least ${min}`);
  }
  return value;
}

/** The FILE… arguments; `-` is standard input, once. */
export function filesOf(positionals: string[], max = Number.POSITIVE_INFINITY): string[] {
  if (positionals.length === 0) throw new UsageError('a FILE is missing (- for standard input)');
  if (positionals.length > max) throw new UsageError(`unexpected argument ${positionals[max]}`);
  if (positionals.filter((file) => file === '-').length > 1) throw new UsageError('- can be given only once');
  return positionals;
}
