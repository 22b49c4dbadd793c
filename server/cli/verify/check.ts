/** What a check of `ringtap verify` is. Each lies in a file of its own; server/cli/verify.ts runs them in order. */

export interface Finding {
  /** Which check says so. */
  check: string;
  path: string;
  /** Nothing is wrong with it, or not any more. */
  ok: boolean;
  /** One line for people, without the path. */
  message: string;
  /** For --json: what else there is to say, plain data. */
  details?: Record<string, unknown>;
}

export interface VerifyOptions {
  repair: boolean;
}

export interface Check {
  name: string;
  /** `paths` are directories or single segments, and exist. Yields one finding per file. */
  run(paths: string[], options: VerifyOptions): Iterable<Finding> | AsyncIterable<Finding>;
}
