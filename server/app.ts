/**
 * Builds the gateway without listening: options are checked once, plugins are registered in the order
 * a request meets them. Tests inject into it or listen on a port of their own.
 */
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import { Gateway } from './gateway.js';
import { openArchive } from './jobs/open.js';
import { type GatewayOptions, OptionsError, resolveOptions } from './options.js';
import { registerApi } from './plugins/api.js';
import { registerArchive } from './plugins/archive.js';
import { registerDashboard } from './plugins/dashboard.js';
import { registerErrors } from './plugins/errors.js';
import { registerLogin } from './plugins/login.js';
import { registerSecurity } from './plugins/security.js';
import { registerSockets } from './sockets/sockets.js';
import { type LocalStore, openStore } from './store/open.js';

export interface App {
  app: FastifyInstance;
  gateway: Gateway;
  /** What was recorded; null without a store. */
  store: LocalStore | null;
}

/** Below the gateway's own work: queries and indexing give way to ingest and to the recorder. */
const STORE_NICE = 10;
/** Of the time, for indexing: the drive belongs to the recorder first. */
const INDEX_DUTY = 0.5;

/** Throws OptionsError. `app.close()` says goodbye to every peer and ends the analysis thread. */
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
  const store = await openStoreOf(options).catch(async (error) => {
    await gateway.close();
    throw error;
  });
  store?.startIndexing({ duty: INDEX_DUTY, onProblem: (problem) => app.log.warn(problem) });
  const stored = store && openArchive(store, options, app.log);

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
    await store?.close();
    await gateway.close();
  });
  return { app, gateway, store };
}

/** Null when there is none. Throws OptionsError when a directory cannot be read. */
async function openStoreOf({ store, wasmFile }: GatewayOptions): Promise<LocalStore | null> {
  if (store.length === 0) return null;
  return openStore(store, { nice: STORE_NICE, wasmFile }).catch((error: NodeJS.ErrnoException) => {
    if (!error.code) throw error;
    const reason = error.code === 'ENOENT' ? 'no such directory' : error.code;
    throw new OptionsError(`--store ${error.path ?? store}: ${reason}`);
  });
}
