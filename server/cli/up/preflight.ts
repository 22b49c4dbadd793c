/**
 * Decides what `ringtap up` records: the interface asked for or of the default route, and, where
 * capturing it is not allowed, synthetic traffic, said in plain words. Starts only short checks.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { paths } from '../../paths.js';
import { Failure, UsageError } from '../command.js';

export interface Source {
  /** Arguments of ringtapd that choose the source. */
  args: string[];
  /** For people: `eth0`, or `synthetic traffic`. */
  name: string;
  synthetic: boolean;
  /** Why it is not what was asked for; empty when it is. */
  remarks: string[];
}

/** ringtapd's answer to --check. */
interface Check {
  ok: boolean;
  /** Positive errno; 0 for wrong usage. */
  errno: number;
  /** What is wrong: output, gateway, source or filter. */
  stage?: string;
  message?: string;
}

const SYNTH_DEFAULT = 'pps=2000';
const EPERM = 1;
const EACCES = 13;

function readTable(file: string): string[][] {
  try {
    return readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
  } catch {
    return [];
  }
}

const ROUTE_UP = 0x1;
const ROUTE_REJECT = 0x200;

/** Interface of the default route with the lowest metric, IPv4 before IPv6; null when there is none. */
export function defaultInterface(): string | null {
  const usable = (flags: string | undefined) => {
    const bits = Number.parseInt(flags ?? '0', 16);
    return (bits & ROUTE_UP) !== 0 && (bits & ROUTE_REJECT) === 0;
  };
  // Iface Destination Gateway Flags RefCnt Use Metric Mask
  const v4 = readTable('/proc/net/route')
    .filter(
      ([, destination, , flags, , , , mask]) =>
        destination === '00000000' && mask === '00000000' && usable(flags),
    )
    .map((row) => ({ name: row[0] as string, metric: Number(row[6]) }));
  // destination length source length next_hop metric refs use flags iface
  const v6 = readTable('/proc/net/ipv6_route')
    .filter((row) => /^0+$/.test(row[0] ?? '') && row[1] === '00' && row[9] !== 'lo' && usable(row[8]))
    .map((row) => ({ name: row[9] as string, metric: Number.parseInt(row[5] ?? '0', 16) }));
  const best = (routes: { name: string; metric: number }[]) =>
    routes.sort((a, b) => a.metric - b.metric)[0]?.name ?? null;
  return best(v4) ?? best(v6);
}

/** Runs `ringtapd ARGS --check`. Throws Failure when it cannot even answer. */
function check(args: string[]): Check {
  const { stdout, stderr, status, error } = spawnSync(paths.probe, [...args, '--check'], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  if (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Failure(
      missing ? `${paths.probe} is missing: run npm run setup` : `ringtapd --check: ${error.message}`,
    );
  }
  const answer = parseAnswer(stdout);
  if (answer) return answer;
  const complaint = stderr
    .trim()
    .split('\n')
    .pop()
    ?.replace(/^ringtapd: /, '');
  if (status === 2 && complaint) throw new UsageError(complaint);
  throw new Failure(complaint || 'ringtapd --check gave no answer');
}

function parseAnswer(stdout: string): Check | null {
  try {
    return JSON.parse(stdout);
  } catch {
    return null;
  }
}

/** Why the source cannot be opened; errno 0 is ringtapd's way to say that the request is wrong. */
function refusal({ errno, message = 'ringtapd cannot open the source' }: Check): Error {
  return errno ? new Failure(message) : new UsageError(message);
}

function synthetic(spec: string, remarks: string[]): Source {
  return { args: ['--ring=synth', '--synth', spec], name: 'synthetic traffic', synthetic: true, remarks };
}

/**
 * `common` are the other ringtapd arguments (filter, snaplen, store), checked along. Throws Failure for
 * what neither capturing nor synthetic traffic would mend, such as an unknown interface.
 */
export function chooseSource(
  wanted: string | undefined,
  synth: string | undefined,
  common: string[],
): Source {
  const source = synth === undefined ? capturing(wanted, common) : synthetic(synth, []);
  if (!source.synthetic) return source;
  const answer = check([...source.args, ...common]);
  if (!answer.ok) throw refusal(answer);
  return source;
}

function capturing(wanted: string | undefined, common: string[]): Source {
  const name = wanted ?? defaultInterface();
  if (name === null) {
    return synthetic(SYNTH_DEFAULT, [
      'This machine has no default route, so there is no interface to choose. Name one with -i IFACE.',
      'Until then SYNTHETIC traffic is recorded: generated packets, not captured ones.',
    ]);
  }
  const args = ['-i', name];
  const answer = check([...args, ...common]);
  if (answer.ok) return { args, name, synthetic: false, remarks: [] };
  const mayNot = answer.stage === 'source' && (answer.errno === EPERM || answer.errno === EACCES);
  if (!mayNot) throw refusal(answer);
  return synthetic(SYNTH_DEFAULT, [
    `You do not have the right to capture packets on ${name}. Run as root (sudo npm start), or once:`,
    `  sudo setcap cap_net_raw,cap_net_admin,cap_ipc_lock+ep ${paths.probe}`,
    'Until then SYNTHETIC traffic is recorded: generated packets, not captured ones.',
  ]);
}
