/** `ringtap gateway`: the gateway alone, for probes on this or other machines. */
import { ListenError, runGateway } from '../main.js';
import {
  type GatewayOptions,
  LISTEN_DEFAULT,
  OptionsError,
  parseAge,
  parseListen,
  readTokenFile,
  resolveOptions,
} from '../options.js';
import { type Command, Failure, parse, UsageError } from './command.js';
import { flush, printLine } from './output.js';

const help = `Usage: ringtap gateway [--listen HOST:PORT] [--store DIR[,DIR...]] [--token-file FILE]
                       [--retain-flows-age AGE] [--log-level LEVEL]

Serves the dashboard and passes batches of packets from probes (/ws/ingest) to viewers
(/ws/live). Prints the dashboard's URL when it listens; Ctrl-C stops it.

  --listen HOST:PORT   address to listen on, default ${LISTEN_DEFAULT}; beyond loopback a
                       token file is needed. Port 0 takes a free one.
  --store DIR          directories of recorded segments: indexes them and answers queries
  --retain-flows-age AGE
                       keep flow records for AGE, such as 30d or 12h, after their packets were
                       deleted; without it they are deleted together
  --token-file FILE    file with the token that probes and viewers must send
  --log-level LEVEL    debug, info (default), warn, error or silent; logs are JSON lines
                       on standard error
  --help               this text
`;

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'];

export const gateway: Command = {
  summary: 'run the gateway and dashboard without recording',
  help,
  async run(args) {
    const { values, positionals } = parse(args, {
      listen: { type: 'string', default: LISTEN_DEFAULT },
      store: { type: 'string', default: '' },
      'retain-flows-age': { type: 'string' },
      'token-file': { type: 'string' },
      'log-level': { type: 'string', default: 'info' },
    });
    if (positionals.length) throw new UsageError(`unexpected argument ${positionals[0]}`);
    const logLevel = values['log-level'] as GatewayOptions['logLevel'];
    if (!LEVELS.includes(logLevel))
      throw new UsageError(`--log-level ${logLevel}: expected ${LEVELS.join(', ')}`);
    const { host, port } = asUsage(() => parseListen(values.listen));
    const tokenFile = values['token-file'];
    const token = tokenFile === undefined ? null : asUsage(() => readTokenFile(tokenFile));
    const options = asUsage(() =>
      resolveOptions({
        host,
        token,
        logLevel,
        store: values.store.split(',').filter(Boolean),
        retainFlows_s: parseAge(values['retain-flows-age']),
      }),
    );
    try {
      await runGateway(options, port, (url) => {
        printLine(`dashboard: ${url}`);
        flush();
      });
    } catch (error) {
      if (error instanceof ListenError || error instanceof OptionsError) throw new Failure(error.message);
      throw error;
    }
    return 0;
  },
};

/** Options that contradict themselves are wrong usage. */
export function asUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof OptionsError) throw new UsageError(error.message);
    throw error;
  }
}
