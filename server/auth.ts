/**
 * Who is asking. One shared token grants every role for now; routes name the role they need, so that
 * tokens of single roles only change `authenticate`. Keeps no state, logs nothing, never throws.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export type Role = 'probe' | 'viewer';
export interface Principal {
  roles: readonly Role[];
}

export const TOKEN_CHARS_MIN = 16;
/** RFC 6750's b64token, so that a token fits a header, a cookie and a URL. */
export const TOKEN_PATTERN = /^[A-Za-z0-9._~+/-]+=*$/;
const COOKIE = 'ringtap_token';
const EVERYONE: Principal = { roles: ['probe', 'viewer'] };

/** Equal in constant time: digests have one length, whatever was sent. */
export function sameToken(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** `Authorization: Bearer T` (probes, tools), else the cookie (browsers), else null. */
function presentedToken(headers: IncomingHttpHeaders): string | null {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '');
  if (bearer?.[1]) return bearer[1];
  const cookies = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return cookies.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1) ?? null;
}

/** The principal behind a request, or null when its token is missing or wrong. */
export function authenticate(headers: IncomingHttpHeaders, token: string | null): Principal | null {
  if (token === null) return EVERYONE;
  const presented = presentedToken(headers);
  return presented !== null && sameToken(presented, token) ? EVERYONE : null;
}

export function allows(principal: Principal | null, role: Role): boolean {
  return principal?.roles.includes(role) ?? false;
}

/** Set-Cookie for a browser that came with `/?token=`: unreadable by scripts, never sent cross-site. */
export function tokenCookie(token: string): string {
  return `${COOKIE}=${token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000`;
}
