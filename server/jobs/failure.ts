/** A request that cannot be answered, with its HTTP status. The message says what is wrong and how to mend it. */
export class RequestError extends Error {
  override name = 'RequestError';
  readonly statusCode: number;
  /** Index into the filter expression, when that is what is wrong. */
  readonly position: number | null;
  /** When to come again. */
  readonly retryAfter_s: number | null;

  constructor(statusCode: number, message: string, more: { position?: number; retryAfter_s?: number } = {}) {
    super(message);
    this.statusCode = statusCode;
    this.position = more.position ?? null;
    this.retryAfter_s = more.retryAfter_s ?? null;
  }
}
