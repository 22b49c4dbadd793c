/**
 * What the engine throws. Damaged captures are not errors here: they are a StreamError value that
 * `end()` returns, because what was read before the damage still counts.
 */

/** The module cannot be used: wrong file, wrong ABI version, no memory. The message names cause and fix. */
export class EngineError extends Error {
  override name = 'EngineError';
}

/** A filter expression that does not compile. `position` is an index into the expression. */
export class FilterError extends Error {
  override name = 'FilterError';
  readonly position: number;
  constructor(message: string, position: number) {
    super(message);
    this.position = position;
  }
}
