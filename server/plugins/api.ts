/** The JSON API. Every route has a schema; /api/v1/openapi.json is made from those very schemas. */
import type { FastifyInstance, RouteOptions } from 'fastify';
import type { Gateway } from '../gateway.js';
import { VERSION } from '../paths.js';
import { gatewayStatus, statusSchema } from '../status.js';
import { errorSchema } from './errors.js';

type Json = Record<string, unknown>;
type Paths = Record<string, Json>;

interface ObjectSchema {
  properties: Record<string, Json>;
  required?: readonly string[];
}

/** What a route's schema may hold; `content` names the types of answers that are not JSON. */
interface RouteSchema {
  summary: string;
  content?: readonly string[];
  params?: ObjectSchema;
  querystring?: ObjectSchema;
  body?: Json;
  response: Record<string, Json>;
}

function parameters(place: 'path' | 'query', schema: ObjectSchema | undefined): Json[] {
  return Object.entries(schema?.properties ?? {}).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === 'path' || (schema?.required?.includes(name) ?? false),
    ...(description !== undefined && { description }),
    schema: rest,
  }));
}

function responses({ response, content }: RouteSchema): Json {
  const of = (status: string, body: Json) => {
    if (status === '204') return { description: 'Done' };
    const good = status.startsWith('2');
    const types = good && content ? content : ['application/json'];
    const json = (type: string) => (type === 'application/json' ? { schema: body } : {});
    return {
      description: good ? 'OK' : 'Error',
      content: Object.fromEntries(types.map((type) => [type, json(type)])),
    };
  };
  return Object.fromEntries(Object.entries(response).map(([status, body]) => [status, of(status, body)]));
}

/** One OpenAPI operation of a route below /api/. */
function addOperation(document: Paths, route: RouteOptions): void {
  const schema = route.schema as unknown as RouteSchema;
  const given = [...parameters('path', schema.params), ...parameters('query', schema.querystring)];
  const path = route.url.replace(/:(\w+)/g, '{$1}');
  document[path] ??= {};
  document[path][String(route.method).toLowerCase()] = {
    summary: schema.summary,
    ...(given.length > 0 && { parameters: given }),
    ...(schema.body && {
      requestBody: { required: true, content: { 'application/json': { schema: schema.body } } },
    }),
    responses: responses(schema),
  };
}

export function registerApi(app: FastifyInstance, gateway: Gateway): void {
  const paths: Paths = {};
  app.addHook('onRoute', (route) => {
    if (route.url.startsWith('/api/') && route.method !== 'HEAD') addOperation(paths, route);
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
