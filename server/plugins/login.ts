/**
 * Token check of HTTP routes. `/?token=T` is how a person comes in: the token moves into an httpOnly
 * cookie and out of the address bar. Without a configured token (loopback) everybody is let through.
 */
import type { FastifyInstance } from 'fastify';
import { allows, authenticate, sameToken, tokenCookie } from '../auth.js';

const UNAUTHORIZED = {
  error: 'Unauthorized',
  message: 'a token is needed: open the URL printed by ringtap, or send Authorization: Bearer TOKEN',
};

export function registerLogin(app: FastifyInstance, token: string | null): void {
  if (token === null) return;
  app.addHook('onRequest', async (request, reply) => {
    const { token: presented } = request.query as { token?: unknown };
    const atRoot = request.url.split('?')[0] === '/';
    if (atRoot && typeof presented === 'string' && sameToken(presented, token)) {
      return reply
        .header('set-cookie', tokenCookie(token))
        .header('cache-control', 'no-store')
        .redirect('/', 303);
    }
    if (!allows(authenticate(request.headers, token), 'viewer')) {
      return reply.code(401).header('www-authenticate', 'Bearer').send(UNAUTHORIZED);
    }
  });
}
