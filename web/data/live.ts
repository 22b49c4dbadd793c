/**
 * Puts the live view together: connection → store ⇄ worker client. The only place that knows all of
 * them. Everything that differs between a browser and a test is passed in.
 */
import { Connection, type ConnectionOptions } from './connection.js';
import { EngineClient, type EnginePort } from './engine-client.js';
import { LiveStore, type StoreOptions } from './store.js';

/** Connected to a probe and yet nothing for this long: the connection is dead without knowing it. */
export const SILENCE_MAX_MS = 20_000;
const WATCH_INTERVAL_MS = 2_000;

export interface LiveOptions
  extends Pick<ConnectionOptions, 'url' | 'openSocket' | 'timers' | 'random'>,
    StoreOptions {
  port: EnginePort;
}

export interface Live {
  store: LiveStore;
  engine: EngineClient;
  connection: Connection;
  /** Close the connection and stop watching it. */
  stop(): void;
}

/** Starts at once. */
export function createLive(options: LiveOptions): Live {
  const store = new LiveStore(options);
  const engine = new EngineClient(options.port, {
    onReady: () => store.onEngineReady(),
    onFailed: (message) => store.onEngineFailed(message),
    onTaken: (probe, packets, damage) => store.onTaken(probe, packets, damage),
    onStats: (stats) => store.onStats(stats),
  });
  store.use(engine);
  let heardMs = options.now();
  const connection = new Connection({
    ...options,
    onFrame: (frame, message) => {
      heardMs = options.now();
      store.onFrame(frame, message);
    },
    onState: (state) => {
      heardMs = options.now();
      store.onConnection(state);
    },
    onDamage: (reason) => store.onDamage(reason),
  });
  let watch: unknown = null;
  const look = () => {
    const expecting =
      connection.state.phase === 'open' && store.state.probes.some((probe) => probe.connected);
    if (expecting && options.now() - heardMs > SILENCE_MAX_MS) connection.restart('the gateway fell silent');
    watch = options.timers.set(look, WATCH_INTERVAL_MS);
  };
  look();
  connection.start();
  return {
    store,
    engine,
    connection,
    stop: () => {
      options.timers.clear(watch);
      connection.stop();
    },
  };
}
