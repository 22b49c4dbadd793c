/** Security headers on every answer, and the Host check before any route. */
import type { FastifyInstance } from 'fastify';
import { hostAllowed } from '../hosts.js';

/** The dashboard needs its own scripts, WebAssembly and nothing else. 'self' covers ws: to this host. */
const CSP = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': CSP,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

export function registerSecurity(app: FastifyInstance, listenHost: string): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    if (!hostAllowed(request.headers.host, listenHost)) {
      return reply
        .code(403)
        .send({ error: 'Forbidden', message: `host ${request.headers.host} is not served here` });
    }
    // Answers are expensive: a page elsewhere must not make a browser ask for them, even if it cannot read them.
    if (request.headers['sec-fetch-site'] === 'cross-site' && request.url.startsWith('/api/'))
      return reply
        .code(403)
        .send({ error: 'Forbidden', message: 'pages of other sites may not ask this API' });
  });
}
