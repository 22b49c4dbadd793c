/**
 * How long to wait before the next connection attempt: exponential, capped, with jitter so that a
 * hundred open dashboards do not return in the same instant. Pure; the random source is injected.
 */

export const BACKOFF_FIRST_MS = 500;
export const BACKOFF_MAX_MS = 5_000;

/** `attempt` counts failures since the last success, from 1. Between half and all of the step. */
export function backoffMs(attempt: number, random: () => number): number {
  const step = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(16, Math.max(0, attempt - 1)));
  return Math.round(step * (0.5 + random() / 2));
}
