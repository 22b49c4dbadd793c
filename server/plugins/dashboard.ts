/** The built dashboard as static files. Names carry no hash, so browsers revalidate by ETag. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

export async function registerDashboard(app: FastifyInstance, directory: string): Promise<void> {
  if (!existsSync(join(directory, 'index.html'))) {
    app.get('/', { schema: { hide: true } as object }, async (_request, reply) =>
      reply
        .code(503)
        .send({ error: 'Service Unavailable', message: 'the dashboard is not built: run npm run setup' }),
    );
    return;
  }
  await app.register(fastifyStatic, {
    root: directory,
    wildcard: true,
    dotfiles: 'ignore',
    cacheControl: false,
    setHeaders: (response) => response.setHeader('cache-control', 'no-cache'),
  });
}
