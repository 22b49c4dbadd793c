/** Every error is JSON {error, message}: for people, without stacks or paths. A wrong filter says where. */
import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';
import { FilterError } from '../../asm/host/index.js';
import { RequestError } from '../jobs/failure.js';

export const errorSchema = {
  type: 'object',
  required: ['error', 'message'],
  properties: {
    error: { type: 'string' },
    message: { type: 'string' },
    position: { type: 'integer', description: 'index into the filter expression' },
  },
} as const;

export function registerErrors(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof RequestError) return sendRequestError(error, reply);
    if (error instanceof FilterError)
      return sendRequestError(new RequestError(400, `filter: ${error.message}`, error), reply);
    const status = error.statusCode ?? 500;
    if (status >= 500) request.log.error(error, 'request failed');
    const message = status >= 500 ? 'internal error, see the gateway’s log' : error.message;
    reply.code(status).send({ error: STATUS_CODES[status] ?? 'Error', message });
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0];
    reply.code(404).send({ error: 'Not Found', message: `nothing is served at ${path}` });
  });
}

function sendRequestError(
  { statusCode, message, position, retryAfter_s }: RequestError,
  reply: FastifyReply,
) {
  if (retryAfter_s !== null) reply.header('retry-after', retryAfter_s);
  const error = STATUS_CODES[statusCode] ?? 'Error';
  reply.code(statusCode).send({ error, message, ...(position !== null && { position }) });
}
