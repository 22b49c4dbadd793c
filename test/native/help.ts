/** Shared by the probe's tests: builds what they run, runs it, reads its ledger, makes network namespaces. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ASAN = 'build/native/asan/ringtapd';
export const FAST = 'build/native/ringtapd';
export const GENERATOR = 'build/native/rtgen';

/** Brings the binaries up to date; make does nothing when they are. */
export function build(...targets: string[]): void {
  execFileSync('make', ['-s', '-C', 'native', '-j2', ...targets], { stdio: ['ignore', 'ignore', 'inherit'] });
}

export interface LedgerLine {
  type: string;
  probe_name: string;
  interface: string;
  source: string;
  synthetic: boolean;
  ts_ns: string;
  ring_received: number;
  filtered: number | null;
  ring_drops: number | null;
  pool_drops: number;
  unrecorded: number;
  cutoff: number;
  duplicates: number;
  sliced_bytes: number;
  ring_starved: number | null;
  stored: number;
  store_drops: number;
  in_flight: number;
  unaccounted: number;
  if_drops: number | null;
  received_bytes: number;
  stored_bytes: number;
  offered: number;
  sent: number;
  sampled_out: number;
  uplink_drops: number;
  uplink_pending: number;
  segment: string;
  segments: number;
  expired_segments: number;
  expired_bytes: number;
  final: boolean;
  alarms: string[];
}

export interface Outcome {
  code: number | null;
  stdout: Buffer;
  /** stderr without ledger lines. */
  messages: string[];
  ledgers: LedgerLine[];
}

/** Every line must be valid JSON or a message; a sanitizer's report is neither and stops the test. */
function outcome(code: number | null, stdout: Buffer, stderr: string): Outcome {
  const lines = stderr.split('\n').filter(Boolean);
  if (lines.some((line) => /AddressSanitizer|runtime error|LeakSanitizer/.test(line)))
    throw new Error(stderr);
  const ledgers = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LedgerLine);
  return { code, stdout, messages: lines.filter((line) => !line.startsWith('{')), ledgers };
}

/** Runs to the end. `netns`: inside that namespace. */
export function run(
  args: string[],
  options: { binary?: string; netns?: string; input?: Buffer; timeout?: number } = {},
): Outcome {
  const binary = options.binary ?? ASAN;
  const command = options.netns ? ['ip', 'netns', 'exec', options.netns, binary] : [binary];
  const { status, stdout, stderr } = spawnSync(command[0]!, [...command.slice(1), ...args], {
    input: options.input,
    timeout: options.timeout ?? 30_000,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 30,
  });
  return outcome(status, stdout, stderr.toString());
}

export interface Running {
  child: ChildProcess;
  /** The newest ledger line so far. */
  last(): LedgerLine | undefined;
  messages(): string;
  end: Promise<Outcome>;
}

const running = new Set<ChildProcess>();
/** For test.after.each: a failed test must not leave a probe behind. */
export function endAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

export function start(
  args: string[],
  options: { binary?: string; netns?: string; env?: Record<string, string> } = {},
): Running {
  const binary = options.binary ?? ASAN;
  const command = options.netns ? ['ip', 'netns', 'exec', options.netns, binary] : [binary];
  const child = spawn(command[0]!, [...command.slice(1), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  running.add(child);
  child.on('close', () => running.delete(child));
  let stderr = '';
  const stdout: Buffer[] = [];
  child.stderr!.on('data', (data) => {
    stderr += data;
  });
  child.stdout!.on('data', (data) => stdout.push(data));
  const end = new Promise<Outcome>((resolve, reject) => {
    child.on('close', (code) => {
      try {
        resolve(outcome(code, Buffer.concat(stdout), stderr));
      } catch (error) {
        reject(error);
      }
    });
  });
  const last = () => {
    const lines = stderr.slice(0, stderr.lastIndexOf('\n') + 1).split('\n');
    const line = lines.reverse().find((text) => text.startsWith('{'));
    return line ? (JSON.parse(line) as LedgerLine) : undefined;
  };
  return { child, last, messages: () => stderr, end };
}

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `ready` holds, at most `ms`. */
export async function until(ready: () => unknown, what: string, ms = 15_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!ready()) {
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms for: ${what}`);
    await sleep(20);
  }
}

/** Why nothing was lost or invented, or the sentence that says what was. */
export function imbalance(l: LedgerLine): string {
  const recorder =
    (l.filtered ?? 0) +
    l.cutoff +
    l.duplicates +
    l.unrecorded +
    (l.ring_drops ?? 0) +
    l.pool_drops +
    l.stored +
    l.store_drops +
    l.in_flight;
  const uplink = l.sent + l.sampled_out + l.uplink_drops + l.uplink_pending;
  if (l.unaccounted !== 0 || recorder !== l.ring_received)
    return `recorder: ${recorder} of ${l.ring_received}, unaccounted ${l.unaccounted}`;
  return uplink === l.offered ? '' : `uplink: ${uplink} of ${l.offered}`;
}

const made: string[] = [];
process.on('exit', () => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

export function scratch(): string {
  const path = mkdtempSync(join(tmpdir(), 'ringtap-native-'));
  made.push(path);
  return path;
}

/** The preloaded library of test/native/shim.c. */
export function shim(): string {
  const path = join(scratch(), 'shim.so');
  execFileSync('cc', ['-shared', '-fPIC', '-D_GNU_SOURCE', '-o', path, 'test/native/shim.c']);
  return path;
}

export function have(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
}

/** Packets in a file as three independent readers count them; a reader that complains is an error. */
export function countPackets(path: string): { capinfos: number; tcpdump: number; tshark: number } {
  const capinfos = spawnSync('capinfos', ['-Mc', path], { encoding: 'utf8' });
  if (capinfos.status !== 0) throw new Error(`capinfos: ${capinfos.stderr}`);
  const tcpdump = spawnSync('tcpdump', ['-nr', path, '--count'], { encoding: 'utf8' });
  if (tcpdump.status !== 0) throw new Error(`tcpdump: ${tcpdump.stderr}`);
  return {
    capinfos: Number(/Number of packets:\s+(\d+)/.exec(capinfos.stdout)![1]),
    tcpdump: Number(/(\d+) packet/.exec(tcpdump.stdout)![1]),
    tshark: tsharkFields(path, ['frame.number'], ['--disable-protocol', 'eth']).length, // counting needs no more
  };
}

export function tsharkFields(path: string, fields: string[], more: string[] = []): string[][] {
  const args = ['-n', ...more, '-r', path, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])];
  const { status, stdout, stderr } = spawnSync('tshark', args, {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
    timeout: 60_000,
  });
  if (status !== 0) throw new Error(`tshark: ${stderr}`);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('\t'));
}

const namespaces: string[] = [];
process.on('exit', () => {
  for (const name of namespaces) spawnSync('ip', ['netns', 'del', name]);
});

/** A namespace with the veth pair va -> vb, both up and quiet. Removed at exit. */
export function makeNetns(letter: string): string {
  const name = `rt${process.pid}${letter}`;
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  ip('netns', 'add', name);
  namespaces.push(name);
  const quiet = 'for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 >$f; done';
  ip('netns', 'exec', name, 'sh', '-c', quiet);
  ip('-n', name, 'link', 'add', 'va', 'type', 'veth', 'peer', 'name', 'vb');
  for (const end of ['va', 'vb']) ip('-n', name, 'link', 'set', end, 'up');
  return name;
}

/** Why live capture cannot be tested here, or '' when it can. */
export function liveObstacle(): string {
  if (process.getuid?.() !== 0) return 'not root';
  if (!have('ip')) return 'no iproute2';
  const name = `rt${process.pid}probe`;
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return 'no right to make network namespaces';
  spawnSync('ip', ['netns', 'del', name]);
  return '';
}

export function generate(
  netns: string,
  count: number,
  pps: number,
  size: number,
  vlan?: number,
): Promise<number> {
  const args = ['netns', 'exec', netns, GENERATOR, 'va', `${count}`, `${pps}`, `${size}`];
  const child = spawn('ip', vlan ? [...args, `${vlan}`] : args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  return new Promise((resolve, reject) =>
    child.on('close', (code) =>
      code === 0 ? resolve(Number(text)) : reject(new Error(`rtgen exit ${code}`)),
    ),
  );
}

export function mkdir(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}

export const read = (path: string) => readFileSync(path);
