/**
 * The gateway's options: parsed and checked once, before anything is opened. Nothing else reads the
 * environment or the command line.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { GATEWAY_PORT_DEFAULT } from '../proto/gen/constants.js';
import { TOKEN_CHARS_MIN, TOKEN_PATTERN } from './auth.js';
import { LIMITS, type Limits } from './limits.js';
import { paths } from './paths.js';

export interface GatewayOptions {
  /** Address listened on: decides which Host headers are right and whether a token is needed. */
  host: string;
  /** The shared token, or null for none (loopback only). */
  token: string | null;
  /** Built dashboard; served when it exists. */
  dashboardDir: string;
  /** Compiled engine for the analysis thread. */
  wasmFile: string;
  /** Directories of recorded segments to answer from and to index; empty for none. */
  store: string[];
  /** Keep flow records for so long after their packets were deleted; null: they go with them. */
  retainFlows_s: number | null;
  /** pino level; 'silent' for none. */
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  limits: Limits;
}

/** Options that contradict themselves. The message says what is wrong and how to mend it. */
export class OptionsError extends Error {
  override name = 'OptionsError';
}

export const LISTEN_DEFAULT = `127.0.0.1:${GATEWAY_PORT_DEFAULT}`;

/** True for addresses only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** `HOST:PORT` or `[IPV6]:PORT`; port 0 lets the system choose. */
export function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (!host || port > 65535 || (match?.[1] && isIP(host) !== 6)) {
    throw new OptionsError(`--listen ${text}: expected HOST:PORT, for example ${LISTEN_DEFAULT}`);
  }
  return { host, port };
}

const AGE_UNITS_S: Record<string, number> = { m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Seconds of an age such as `30d`; null for none given. */
export function parseAge(text: string | undefined): number | null {
  if (text === undefined) return null;
  const match = /^(\d{1,6})([mhdw])$/.exec(text);
  if (match) return Number(match[1]) * (AGE_UNITS_S[match[2] as string] as number);
  throw new OptionsError(`--retain-flows-age ${text}: expected a number and m, h, d or w, for example 30d`);
}

/** The first line of a token file. Throws OptionsError when there is no usable token in it. */
export function readTokenFile(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new OptionsError(`token file ${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}`);
  }
  const token = text.trim();
  if (token.length < TOKEN_CHARS_MIN || !TOKEN_PATTERN.test(token)) {
    throw new OptionsError(
      `token file ${file} must hold one line of at least ${TOKEN_CHARS_MIN} letters, digits or ._~+/-`,
    );
  }
  return token;
}

/** Fills defaults and refuses to serve others than this machine without a token. */
export function resolveOptions(given: Partial<GatewayOptions> = {}): GatewayOptions {
  const options: GatewayOptions = {
    host: '127.0.0.1',
    token: null,
    dashboardDir: paths.dashboard,
    wasmFile: paths.wasm,
    store: [],
    retainFlows_s: null,
    logLevel: 'info',
    ...given,
    limits: { ...LIMITS, ...given.limits },
  };
  if (!options.token && !isLoopback(options.host)) {
    throw new OptionsError(
      `listening on ${options.host} lets others connect and needs a token: add --token-file FILE, ` +
        'or listen on 127.0.0.1',
    );
  }
  return options;
}
