/**
 * Runs the gateway: listens, prints its URL, stops gracefully on SIGINT or SIGTERM. A parent process
 * that started it with an IPC channel is told the address, and its end ends the gateway too.
 */
import type { AddressInfo } from 'node:net';
import { buildApp } from './app.js';
import type { GatewayOptions } from './options.js';

/** What a parent is told once the gateway accepts connections. */
export interface ListeningMessage {
  type: 'listening';
  port: number;
}

/** An address that cannot be listened on. The message says why and what to do. */
export class ListenError extends Error {
  override name = 'ListenError';
}

export function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): ListenError {
  const where = `${host}:${port}`;
  const reasons: Record<string, string> = {
    EADDRINUSE: `${where} is in use by another program (another gateway?): stop it, or choose another port with --listen ${host}:PORT`,
    EACCES: `${where} may not be listened on by this user: choose a port above 1023 with --listen ${host}:PORT`,
    EADDRNOTAVAIL: `${host} is no address of this machine: choose another with --listen HOST:PORT`,
    ENOTFOUND: `${host} is no known host name: choose another with --listen HOST:PORT`,
  };
  return new ListenError(reasons[error.code ?? ''] ?? `cannot listen on ${where}: ${error.message}`);
}

/** Resolves when the gateway has stopped. `onListening` gets the URL. */
export async function runGateway(
  options: Partial<GatewayOptions> & { host: string },
  port: number,
  onListening: (url: string) => void,
): Promise<void> {
  const { app } = await buildApp(options);
  try {
    await app.listen({ host: options.host, port });
  } catch (error) {
    await app.close();
    throw listenError(error as NodeJS.ErrnoException, options.host, port);
  }
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    if (process.send) process.once('disconnect', () => resolve());
  });
  const address = app.server.address() as AddressInfo;
  onListening(urlOf(options.host, address.port));
  process.send?.({ type: 'listening', port: address.port } satisfies ListeningMessage);
  await stopped;
  await app.close();
  if (process.connected) process.disconnect();
}
