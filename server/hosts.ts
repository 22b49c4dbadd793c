/**
 * Host and Origin checks. On loopback only this machine's names are served, so that a page whose
 * domain was rebound to 127.0.0.1 reads nothing; a WebSocket opened by a page must come from our own.
 */
import { isLoopback } from './options.js';

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

function hostnameOf(host: string): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/i.exec(host);
  return match?.[1]?.toLowerCase() ?? null;
}

/** Beyond loopback any well-formed name may be ours, and the token guards it. */
export function hostAllowed(host: string | undefined, listenHost: string): boolean {
  const name = hostnameOf(host ?? '');
  if (name === null) return false;
  return !isLoopback(listenHost) || LOOPBACK_HOSTS.has(name) || name === listenHost;
}

/** No Origin: not a browser. Otherwise it must be the host the request was made to. */
export function originAllowed(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  const match = /^https?:\/\/([^/]+)$/i.exec(origin);
  return match?.[1] !== undefined && match[1].toLowerCase() === host?.toLowerCase();
}
