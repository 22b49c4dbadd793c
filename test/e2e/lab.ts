/**
 * A private network for one end-to-end test: the whole test process runs in a network namespace of its
 * own (loopback and one veth pair `tx0` ─ `rx0`), which vanishes with it. Needs root; says SKIP otherwise.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const INSIDE = 'RINGTAP_TEST_NETNS';

/** Re-runs the calling test file inside a fresh network namespace; returns only in there. */
export function enterNamespace(moduleUrl: string): void {
  if (process.env[INSIDE]) {
    buildNetwork();
    return;
  }
  if (process.getuid?.() !== 0) {
    process.stdout.write('SKIP needs root for network namespaces\n  Total: 1\n  Passed: 0\n  Skipped: 1\n');
    process.exit(0);
  }
  const { status } = spawnSync('unshare', ['-n', process.execPath, fileURLToPath(moduleUrl)], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  });
  process.exit(status ?? 1);
}

/** No IPv6 on the pair: its neighbour discovery would add packets nobody sent. */
function buildNetwork(): void {
  const ip = (words: string) => execFileSync('ip', words.split(' '));
  ip('link set lo up');
  ip('link add tx0 type veth peer name rx0');
  for (const name of ['tx0', 'rx0']) {
    spawnSync('sysctl', ['-qw', `net.ipv6.conf.${name}.disable_ipv6=1`]);
    ip(`link set ${name} up`);
  }
}

/** A counter of an interface, as the kernel keeps it. */
export function interfaceCounter(name: string, counter: string): number {
  const [link] = JSON.parse(execFileSync('ip', ['-j', '-s', 'link', 'show', name], { encoding: 'utf8' }));
  const [direction = '', field = ''] = counter.split('_');
  return link.stats64[direction][field];
}

/** A directory that goes away when the process does. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ringtap-test-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export const PROBE = 'build/native/ringtapd';
export const CLI = 'build/server/cli/main.js';

/** A child whose output is kept, and which cannot outlive the test. */
export class Process {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly exited: Promise<number>;

  constructor(command: string, args: string[], env: Record<string, string> = {}) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.child.stdout?.on('data', (chunk) => (this.stdout += chunk));
    this.child.stderr?.on('data', (chunk) => (this.stderr += chunk));
    this.exited = new Promise((resolve) =>
      this.child.on('close', (code, signal) => resolve(signal ? 128 : (code ?? 1))),
    );
    const end = () => this.child.kill('SIGKILL');
    process.on('exit', end);
    this.child.on('close', () => process.off('exit', end));
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  async stop(name: NodeJS.Signals = 'SIGINT'): Promise<number> {
    this.signal(name);
    return this.exited;
  }

  /** The ledger lines the probe has printed so far. */
  ledgers(text = this.stderr): LedgerLine[] {
    return text
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}') && line.includes('"ledger"'))
      .map((line) => JSON.parse(line));
  }

  lastLedger(): LedgerLine {
    const last = this.ledgers().at(-1);
    if (!last) throw new Error(`no ledger line in:\n${this.stderr}`);
    return last;
  }
}

export interface LedgerLine {
  ring_received: number;
  filtered: number | null;
  ring_drops: number | null;
  pool_drops: number;
  stored: number;
  store_drops: number;
  in_flight: number;
  unaccounted: number;
  if_drops: number | null;
  offered: number;
  sent: number;
  sampled_out: number;
  uplink_drops: number;
  uplink_pending: number;
  final: boolean;
}

/** Polls until `probe` gives something, or fails naming what was waited for. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== null && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Segment files below a store, in order. */
export function segments(store: string): string[] {
  return readdirSync(store)
    .filter((name) => name.endsWith('.pcapng'))
    .sort()
    .map((name) => join(store, name));
}

/** Packets as capinfos counts them; throws on anything it complains about. */
export function capinfosCount(files: string[]): number {
  if (files.length === 0) return 0;
  const text = execFileSync('capinfos', ['-T', '-r', '-c', '-M', ...files], { encoding: 'utf8' });
  return text
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line.split('\t')[1]), 0);
}

/** Packets as tshark reads them, one frame at a time; throws when it meets damage. */
export function tsharkCount(files: string[]): number {
  let frames = 0;
  for (const file of files) {
    const { stdout, stderr, status } = spawnSync(
      'tshark',
      ['-n', '-r', file, '-T', 'fields', '-e', 'frame.number'],
      {
        encoding: 'utf8',
        maxBuffer: 1 << 28,
      },
    );
    if (status !== 0) throw new Error(`tshark on ${file}: ${stderr}`);
    frames += stdout.length === 0 ? 0 : stdout.trimEnd().split('\n').length;
  }
  return frames;
}

export function has(command: string): boolean {
  return (process.env.PATH ?? '').split(':').some((directory) => existsSync(join(directory, command)));
}

/** What /api/v1/status says of one probe, as far as the tests look. */
export interface ProbeStatus {
  connected: boolean;
  last_seq: number;
  ledger: LedgerLine | null;
  summary: { packets: number; malformed: number; flows: number; protocols: Record<string, number> } | null;
  gaps: { batches: number; packets: number | null };
}

export async function status(port: number): Promise<{ probes: ProbeStatus[]; viewers: number }> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/status`);
  if (!response.ok) throw new Error(`status answered ${response.status}`);
  return (await response.json()) as Awaited<ReturnType<typeof status>>;
}

/** A port nobody listens on at this moment; the namespace is ours alone. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** The gateway as a process of its own, answering before this returns. */
export async function startGateway(port: number): Promise<Process> {
  const gateway = new Process(process.execPath, [CLI, 'gateway', '--listen', `127.0.0.1:${port}`]);
  await until(`the gateway on port ${port}`, () => status(port).catch(() => null)).catch((error) => {
    throw new Error(`${error.message}\n${gateway.stderr}`);
  });
  return gateway;
}
