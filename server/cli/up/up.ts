/**
 * `ringtap up`: recorder and gateway as two children. The recorder depends on nothing: the gateway may
 * die and come back. Stops in the order that loses nothing: recorder first, its final account, then
 * the gateway.
 */
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { dirname, resolve } from 'node:path';
import { urlOf } from '../../main.js';
import { isLoopback, LISTEN_DEFAULT, parseListen, readTokenFile } from '../../options.js';
import { type Command, Failure, parse, UsageError } from '../command.js';
import { asUsage } from '../gateway.js';
import { flush, note, OutputClosed, printLine } from '../output.js';
import { GatewayChild } from './gateway_child.js';
import { chooseSource, type Source } from './preflight.js';
import { Recorder } from './recorder.js';
import { finalAccount, StatusLine } from './status.js';
import { ensureTokenFile } from './token.js';

const STORE_DEFAULT = './captures';

const help = `Usage: ringtap up [-i IFACE] [--store DIR] [--listen HOST:PORT] [-f EXPR] [-s SNAPLEN]
                  [-C MB] [-G SECONDS] [-W FILES] [-B KIB] [--name PROBE] [--synth SPEC]

Records every packet of an interface to disk and serves the live dashboard, until Ctrl-C,
which flushes everything. Without the right to capture, synthetic traffic is recorded and
labelled so.

  -i, --interface IFACE  interface to record, default that of the default route
  --store DIR[,DIR]      where segments (pcapng files) go, default ${STORE_DEFAULT};
                         striped over several drives
  --listen HOST:PORT     address of the dashboard, default ${LISTEN_DEFAULT}. Beyond
                         loopback a token is made and is part of the printed URL.
  -f, --filter EXPR      capture filter (pcap): only packets that pass are recorded
  -s, --snaplen BYTES    bytes recorded of each packet, default all
  -C, --rotate-size MB   begin a new file after this many million bytes
  -G, --rotate-seconds S begin a new file after this many seconds
  -W, --keep-files N     keep the last N files of this run
  --retain-bytes BYTES   delete the oldest segments beyond that size (512M, 2T)
  --retain-age AGE       delete segments older than that (90, 10m, 12h, 7d)
  --free-floor SIZE      keep so much of the drive free (10G, 10%), default 5%, at most 4G:
                         the oldest segments go before the drive is full
  -B, --ring-size KIB    kernel ring buffer
  --name PROBE           name of this probe, default the host's
  --synth SPEC           record generated traffic, for example pps=10000,size=mix
  --help                 this text
`;

const OPTIONS = {
  interface: { type: 'string', short: 'i' },
  store: { type: 'string', default: STORE_DEFAULT },
  listen: { type: 'string', default: LISTEN_DEFAULT },
  filter: { type: 'string', short: 'f' },
  snaplen: { type: 'string', short: 's' },
  'rotate-size': { type: 'string', short: 'C' },
  'rotate-seconds': { type: 'string', short: 'G' },
  'keep-files': { type: 'string', short: 'W' },
  'retain-bytes': { type: 'string' },
  'retain-age': { type: 'string' },
  'free-floor': { type: 'string' },
  'ring-size': { type: 'string', short: 'B' },
  name: { type: 'string' },
  synth: { type: 'string' },
} as const;

type Values = ReturnType<typeof parse<typeof OPTIONS>>['values'];

/** Options that are ringtapd's own, by the same long name. */
const PASSED = [
  'store',
  'filter',
  'snaplen',
  'rotate-size',
  'rotate-seconds',
  'keep-files',
  'retain-bytes',
  'retain-age',
  'free-floor',
  'ring-size',
  'name',
] as const;

function recordingArgs(values: Values): string[] {
  return PASSED.flatMap((name) => {
    const value = values[name];
    return value === undefined ? [] : [`--${name}=${value}`];
  });
}

/** Parents first, one by one: mkdirSync's `recursive` never ends where the kernel refuses with ENOENT (/proc). */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) return;
  makeDirectory(dirname(directory));
  mkdirSync(directory);
}

/** All directories of --store are made; the first is where other things go, too. */
function makeStore(store: string): string {
  return store.split(',').map(makeStoreDirectory)[0] as string;
}

function makeStoreDirectory(name: string): string {
  const directory = resolve(name);
  try {
    makeDirectory(directory);
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Failure(`${directory} cannot be written to (${code}): choose another place with --store DIR`);
  }
  return directory;
}

/** The banner is for people: a closed stdout must not stop a recording. */
function say(text: string): void {
  try {
    printLine(text);
    flush();
  } catch (error) {
    if (!(error instanceof OutputClosed)) throw error;
  }
}

/** An address others can type: for "all addresses" the first that is not loopback. */
function shownHost(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host;
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? hostname();
}

function banner(source: Source, store: string, url: string): void {
  const what = source.synthetic ? 'SYNTHETIC traffic (generated, not captured)' : source.name;
  say(
    `\n  Dashboard  ${url}\n  Recording  ${what} to ${store}\n  Ctrl-C     stops and writes everything out\n`,
  );
}

/** Under npm a SIGTERM may end only the shell between npm and us: its death then means stop. */
function onOrphaned(stop: () => void): NodeJS.Timeout | null {
  if (!process.env.npm_lifecycle_event) return null;
  const parent = process.ppid;
  return setInterval(() => {
    if (process.ppid !== parent) stop();
  }, 500);
}

/** First signal: flush and end. Second: say that it is still at it. Third: abandon. */
function onStopSignals(recorder: Recorder): () => void {
  let asked = 0;
  const stop = () => {
    asked++;
    if (asked === 1) note('ringtap: stopping: writing out what is in memory…');
    if (asked === 2) note('ringtap: still writing; once more abandons what is not yet on disk');
    if (asked !== 2) recorder.stop(asked > 2);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, stop);
  const timer = onOrphaned(() => asked === 0 && stop());
  return () => {
    for (const signal of signals) process.off(signal, stop);
    if (timer) clearInterval(timer);
  };
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, OPTIONS);
  if (positionals.length) throw new UsageError(`unexpected argument ${positionals[0]}`);
  if (values.interface !== undefined && values.synth !== undefined) {
    throw new UsageError('-i and --synth exclude each other');
  }
  const { host, port } = asUsage(() => parseListen(values.listen));
  const store = makeStore(values.store);
  const common = recordingArgs(values);
  const source = chooseSource(values.interface, values.synth, common);
  const tokenFile = isLoopback(host) ? null : ensureTokenFile(store);
  for (const remark of source.remarks) note(remark);

  const gateway = new GatewayChild({ host, port, tokenFile, store: values.store });
  const boundPort = await gateway.start();
  if (boundPort === null) return 1; // it has said why; nothing was recorded

  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const uplink = ['--gateway', `${urlOf(reachable, boundPort).replace('http:', 'ws:')}ws/ingest`];
  if (tokenFile !== null) uplink.push('--token-file', tokenFile);
  const status = new StatusLine(source.name);
  const token =
    tokenFile === null ? '' : `?token=${encodeURIComponent(asUsage(() => readTokenFile(tokenFile)))}`;
  let announced = false;
  const recorder = new Recorder([...source.args, ...common, ...uplink], (ledger) => {
    // Only a ledger proves that it records.
    if (!announced) banner(source, store, urlOf(shownHost(host), boundPort) + token);
    announced = true;
    status.update(ledger);
  });
  const release = onStopSignals(recorder);

  const code = await recorder.run();
  if (announced) say(finalAccount(recorder.ledger, source.name, store));
  release();
  await gateway.stop();
  return code;
}

export const up: Command = {
  summary: 'record an interface and serve the live dashboard',
  help,
  run,
};
