/**
 * Builds the gateway without listening: options are checked once, plugins are registered in the order
 * a request meets them. Tests inject into it or listen on a port of their own.
 */
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import { Gateway } from './gateway.js';
import { openArchive } from './jobs/open.js';
import { type GatewayOptions, resolveOptions } from './options.js';
import { registerApi } from './plugins/api.js';
import { registerArchive } from './plugins/archive.js';
import { registerDashboard } from './plugins/dashboard.js';
import { registerErrors } from './plugins/errors.js';
import { registerLogin } from './plugins/login.js';
import { registerSecurity } from './plugins/security.js';
import { registerSockets } from './sockets/sockets.js';

export interface App {
  app: FastifyInstance;
  gateway: Gateway;
}

/** Throws OptionsError, also when the store cannot be read. `app.close()` says goodbye to every peer and ends the analysis thread. */
export async function buildApp(given: Partial<GatewayOptions> = {}): Promise<App> {
  const options = resolveOptions(given);
  const { limits } = options;
  const app = Fastify({
    // Logs go to stderr: stdout is for results. Requests are not logged: a URL may carry a token.
    logger: options.logLevel === 'silent' ? false : { level: options.logLevel, stream: process.stderr },
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.body_bytes,
    // What a schema does not know is refused, not dropped: a misspelt parameter must not be silently nothing.
    ajv: { customOptions: { removeAdditional: false } },
    requestTimeout: limits.request_timeout_ms,
    forceCloseConnections: true,
    http: { headersTimeout: limits.headers_timeout_ms, connectionsCheckingInterval: limits.timeout_check_ms },
  });
  app.server.maxConnections = limits.connections;
  const gateway = new Gateway(options, app.log);
  const stored = await openArchive(options, app.log).catch(async (error) => {
    await gateway.close();
    throw error;
  });

  registerErrors(app);
  registerSecurity(app, options.host);
  registerLogin(app, options.token);
  registerApi(app, gateway);
  registerArchive(app, stored?.archive ?? null, limits);
  await registerDashboard(app, options.dashboardDir);
  const sayGoodbye = registerSockets(app, gateway, options);

  app.addHook('preClose', async () => sayGoodbye());
  app.addHook('onClose', async () => {
    await stored?.close();
    await gateway.close();
  });
  return { app, gateway };
}
