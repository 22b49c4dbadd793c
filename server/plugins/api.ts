/** The JSON API. Every route has a schema; /api/v1/openapi.json is made from those very schemas. */
import type { FastifyInstance, RouteOptions } from 'fastify';
import type { Gateway } from '../gateway.js';
import { VERSION } from '../paths.js';
import { gatewayStatus, statusSchema } from '../status.js';
import { errorSchema } from './errors.js';

type Paths = Record<string, Record<string, unknown>>;

/** One OpenAPI operation of a route below /api/. */
function addOperation(document: Paths, route: RouteOptions): void {
  const schema = route.schema as { summary: string; response: Record<string, unknown> };
  const responses = Object.entries(schema.response).map(([status, body]) => [
    status,
    { description: status === '200' ? 'OK' : 'Error', content: { 'application/json': { schema: body } } },
  ]);
  document[route.url] = { get: { summary: schema.summary, responses: Object.fromEntries(responses) } };
}

export function registerApi(app: FastifyInstance, gateway: Gateway): void {
  const paths: Paths = {};
  app.addHook('onRoute', (route) => {
    if (route.url.startsWith('/api/') && route.method === 'GET') addOperation(paths, route);
  });

  app.get(
    '/api/v1/status',
    {
      schema: {
        summary: 'Probes with their ledgers, viewers and the gateway’s own counters',
        response: { 200: statusSchema, 401: errorSchema },
      },
    },
    async (_request, reply) => {
      reply.header('cache-control', 'no-store');
      return gatewayStatus(gateway);
    },
  );

  app.get(
    '/api/v1/openapi.json',
    {
      schema: {
        summary: 'This API as an OpenAPI 3.1 document',
        response: { 200: { type: 'object', additionalProperties: true } },
      },
    },
    async () => ({ openapi: '3.1.0', info: { title: 'Ringtap', version: VERSION }, paths }),
  );
}
