/**
 * A virtual machine that boots Debian's 6.1 kernel with our module in a small initramfs, runs one shell
 * scenario and powers off. Always emulated (tcg): KVM is not relied on. QEMU's exit status says nothing, so
 * a boot counts only when the scenario printed its last line and the kernel's log is free of trouble.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const BOOT_ATTEMPTS = 3;
const UP_TIMEOUT_MS = 25_000;
const BOOT_TIMEOUT_MS = 90_000;
const TOOLS = ['qemu-system-x86_64', 'busybox', 'cpio', 'gzip', 'ip', 'mkfs.ext4', 'debugfs'];
/** Of the image package, besides ours; the kernel has NVMe and ext4 built in. */
const MODULES = ['drivers/net/veth'];
/** For a NIC with virtual functions: the PF's driver and what it leans on. */
const PF_MODULES = [
  'drivers/dca/dca',
  'drivers/i2c/algos/i2c-algo-bit',
  'drivers/net/ethernet/intel/igb/igb',
];
const TROUBLE =
  /BUG:|WARNING:|Oops|Call Trace|KASAN:|kmemleak: [1-9]|possible .*lock|suspicious RCU|general protection|rcu.*stall|Kernel panic/;

export interface Prepared {
  kernel: string;
  /** Of the kernel's own modules; null: all that is needed is built in. */
  moduleDirectory: string | null;
  modules: { version: string; headers: string; ko: string; sparse: boolean; warnings: string[] }[];
  tap: string;
  /** Another QEMU than the system's, with its data and module directories. */
  qemu?: { program: string; share: string[]; modules: string };
}

/** What a boot left behind. */
export interface Outcome {
  lines: string[];
  /** JSON after `RESULT `, in order. */
  results: ListenerResult[];
  /** sysfs counters by path, from the scenario's last `counters`; null: unknown. */
  counters: Map<string, number | null>;
}

/** See kmod/test/read.c. */
export interface ListenerResult {
  packets: number;
  bytes: number;
  foreign: number;
  bad: number;
  duplicates: number;
  inversions: number;
  stamps_backwards: number;
  truncated: number;
  highest: number;
  /** Most places a packet came late. */
  displacement: number;
  tagged: number;
  spans: number;
  blocks: number;
  end: boolean;
  offered: number;
  delivered: number;
  lost: number;
  pending: number;
}

export interface BootOptions {
  scenario: string;
  /** An emulated NIC whose frames come from `Wire`. */
  nic?: 'e1000e' | 'e1000' | 'igb';
  /** A raw image, /dev/nvme0n1 in the guest. */
  disk?: string;
  /** Further files for the guest: path in it → path here. Programs bring their libraries. */
  files?: Record<string, string>;
  cpus?: number;
  /** From our init on. */
  limitMs?: number;
  /** Called for each line the guest prints. */
  onLine?: (line: string, wire: Wire | null) => void;
}

function has(tool: string): boolean {
  return ['/usr/bin', '/usr/sbin', '/bin', '/sbin'].some((directory) => existsSync(join(directory, tool)));
}

/** Everything a guest needs, built; or the process ends with a SKIP line that says why not. */
export function prepare(script: 'kmod' | 'kmod-vf' = 'kmod'): Prepared {
  const missing = TOOLS.filter((tool) => !has(tool));
  if (missing.length > 0) skip(`kernel module: ${missing.join(', ')} not installed`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [`scripts/${script}.mjs`], {
    encoding: 'utf8',
  });
  if (status === 2) skip(stderr.trim());
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function skip(reason: string): never {
  process.stdout.write(`SKIP ${reason}\n  Total: 1\n  Passed: 0\n  Skipped: 1\n`);
  process.exit(0);
}

/** Copies a program and, when it is dynamic, its libraries to the same paths in the guest. */
function addProgram(directory: string, source: string, target: string): void {
  mkdirSync(dirname(join(directory, target)), { recursive: true });
  copyFileSync(source, join(directory, target));
  chmodSync(join(directory, target), 0o755);
  const { stdout } = spawnSync('ldd', [source], { encoding: 'utf8' });
  for (const [, library = ''] of stdout.matchAll(/(?:=> |^\s*)(\/\S+) \(/gm)) {
    mkdirSync(join(directory, dirname(library)), { recursive: true });
    copyFileSync(library, join(directory, library));
  }
}

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
D=/sys/class/ringtap/ringtap0
counters() { (cd $D && for f in nic/* segments/*/*; do echo "COUNTER $f $(cat $f)"; done); }
ready() { while [ ! -e /tmp/ready$1 ]; do sleep 0.05; done; }
load() { insmod /ringtap.ko "$@" || echo "FAIL insmod $*"; }
dmesg -c >/dev/null # what the boot itself complained of is not ours
echo GUEST-UP
. /scenario
dmesg | grep -E '${TROUBLE.source}' | grep -v 'Command line' | sed 's/^/TROUBLE /'
lsmod | grep -q ringtap && echo 'FAIL the module is still loaded'
echo GUEST-DONE
poweroff -f
`;

/** The initramfs with the scenario in it. */
function pack(prepared: Prepared, options: BootOptions, work: string): string {
  const directory = join(work, 'root');
  for (const name of ['bin', 'proc', 'sys', 'dev', 'tmp', 'mnt'])
    mkdirSync(join(directory, name), { recursive: true });
  addProgram(directory, '/bin/busybox', 'bin/busybox');
  addProgram(directory, prepared.tap, 'bin/tap');
  addProgram(directory, execFileSync('which', ['ip'], { encoding: 'utf8' }).trim(), 'bin/ip2');
  for (const [target, source] of Object.entries(options.files ?? {})) addProgram(directory, source, target);
  copyFileSync(prepared.modules[0]!.ko, join(directory, 'ringtap.ko'));
  const wanted = options.nic === 'igb' ? [...MODULES, ...PF_MODULES] : MODULES;
  for (const name of prepared.moduleDirectory ? wanted : [])
    copyFileSync(
      join(prepared.moduleDirectory ?? '', `${name}.ko`),
      join(directory, `${name.split('/').at(-1)}.ko`),
    );
  writeFileSync(join(directory, 'init'), INIT, { mode: 0o755 });
  writeFileSync(join(directory, 'scenario'), options.scenario);
  const image = join(work, 'initrd.gz');
  execFileSync('sh', ['-c', `find . | cpio -o -H newc 2>/dev/null | gzip -1 >${image}`], { cwd: directory });
  return image;
}

function qemuArguments(prepared: Prepared, options: BootOptions, work: string): string[] {
  const words = (prepared.qemu?.share ?? []).flatMap((directory) => ['-L', directory]);
  words.push('-accel', 'tcg', '-M', 'q35', '-m', '1024', '-smp', String(options.cpus ?? 2));
  words.push('-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot');
  words.push('-kernel', prepared.kernel, '-initrd', pack(prepared, options, work));
  // Without IPv6 a PF that is up sends nothing of its own, whose slow going would make its driver reset it.
  words.push(
    '-append',
    `console=ttyS0 panic=-1 quiet mitigations=off tsc=reliable rcupdate.rcu_cpu_stall_timeout=60${options.nic === 'igb' ? ' ipv6.disable=1' : ''}`,
  );
  if (options.nic) {
    const path = join(work, 'wire');
    words.push('-netdev', `stream,id=n0,server=on,addr.type=unix,addr.path=${path}`);
    // Virtual functions need a PCI Express port of their own.
    const port = options.nic === 'igb' ? ',bus=port0' : '';
    if (port) words.push('-device', 'pcie-root-port,id=port0,bus=pcie.0,chassis=1');
    words.push('-device', `${options.nic},netdev=n0,id=nic0${port}`);
    words.push('-qmp', `unix:${join(work, 'qmp')},server=on,wait=off`);
  }
  if (options.disk) {
    words.push('-drive', `file=${options.disk},format=raw,if=none,id=disk,cache=unsafe`);
    words.push('-device', 'nvme,drive=disk,serial=ringtap');
  }
  return words;
}

/** Frames into the guest's NIC: each prefixed by its length, big endian, as QEMU's stream netdev wants. */
export class Wire {
  constructor(
    private readonly socket: Socket,
    private readonly monitorPath: string,
  ) {}

  /** Plugs the cable out or in. */
  async link(up: boolean): Promise<void> {
    const monitor = connect(this.monitorPath);
    const order = { execute: 'set_link', arguments: { name: 'nic0', up } };
    let answers = '';
    await new Promise<void>((resolve, reject) => {
      monitor.on('error', reject);
      monitor.on('data', (chunk) => {
        answers += chunk;
        if (answers.split('"return"').length > 2) resolve();
        else if (answers.includes('"error"')) reject(new Error(answers));
      });
      monitor.write(`${JSON.stringify({ execute: 'qmp_capabilities' })}\n${JSON.stringify(order)}\n`);
    });
    monitor.destroy();
  }

  /** Resolves when everything up to here has left this process: QEMU stops reading when the NIC is full. */
  async write(data: Buffer): Promise<void> {
    if (this.socket.destroyed) throw new Error('the guest is gone');
    if (this.socket.write(data)) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        this.socket.off('drain', done).off('close', done);
        resolve();
      };
      this.socket.on('drain', done).on('close', done);
    });
  }

  /** Numbered frames first…first+count-1 of `bytes` each (0: 64 to 1514 in turn), see nic_sim.c. */
  async numbered(first: number, count: number, bytes: number): Promise<void> {
    for (let done = 0; done < count; ) {
      const batch = Math.min(count - done, 512);
      await this.write(
        Buffer.concat(
          Array.from({ length: batch }, (_, i) => numberedFrame(first + done + i, bytes || mixed(done + i))),
        ),
      );
      done += batch;
    }
  }

  async end(): Promise<void> {
    await this.write(numberedFrame(0, 64, 0x88b6));
  }

  close(): void {
    this.socket.destroy();
  }
}

function mixed(number: number): number {
  return 64 + (number % (1514 - 64 + 1));
}

const templates = new Map<number, Buffer>();

/** With its length prefix; the template is kept per size, only the number differs. */
function numberedFrame(number: number, bytes: number, type = 0x88b5): Buffer {
  let template = templates.get(bytes);
  if (!template) {
    template = Buffer.alloc(4 + bytes);
    template.writeUInt32BE(bytes, 0);
    for (let i = 0; i < bytes; i++) template[4 + i] = i & 0xff;
    template.fill(0xff, 4, 10);
    template.fill(0, 10, 16);
    template[10] = 2;
    templates.set(bytes, template);
  }
  const frame = Buffer.from(template);
  frame.writeUInt16BE(type, 16);
  frame.writeBigUInt64LE(BigInt(number), 18);
  return frame;
}

async function connectWire(work: string, child: ChildProcess): Promise<Wire> {
  for (;;) {
    try {
      const socket = await new Promise<Socket>((resolve, reject) => {
        const attempt = connect(join(work, 'wire'), () => resolve(attempt));
        attempt.once('error', reject);
      });
      socket.on('error', () => {}); // the guest powers off
      socket.resume();
      return new Wire(socket, join(work, 'qmp'));
    } catch (error) {
      if (child.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function read(lines: string[]): Outcome {
  const results = lines.filter((line) => line.startsWith('RESULT ')).map((line) => JSON.parse(line.slice(7)));
  const counters = new Map<string, number | null>();
  for (const line of lines) {
    const match = /^COUNTER (\S+) (\S+)/.exec(line);
    if (match) counters.set(match[1] ?? '', match[2] === 'unknown' ? null : Number(match[2]));
  }
  return { lines, results, counters };
}

/**
 * Runs QEMU once; null when the kernel did not even reach our init. That happens to emulated machines on a
 * busy host, before any code of ours is loaded, and is not counted against the module.
 */
async function bootOnce(prepared: Prepared, options: BootOptions): Promise<string[] | null> {
  const work = mkdtempSync(join(tmpdir(), 'ringtap-guest-'));
  const { program = 'qemu-system-x86_64', modules } = prepared.qemu ?? {};
  const child = spawn(program, qemuArguments(prepared, options, work), {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: modules ? { ...process.env, QEMU_MODULE_DIR: modules } : process.env,
  });
  const kill = () => child.kill('SIGKILL');
  let timer = setTimeout(kill, options.limitMs ?? UP_TIMEOUT_MS);
  process.on('exit', kill);
  const lines: string[] = [];
  try {
    const wire = options.nic ? await connectWire(work, child) : null;
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (line === 'GUEST-UP') {
        clearTimeout(timer);
        timer = setTimeout(kill, options.limitMs ?? BOOT_TIMEOUT_MS);
      }
      options.onLine?.(line, wire);
    }
    wire?.close();
  } finally {
    clearTimeout(timer);
    process.off('exit', kill);
    kill();
    rmSync(work, { recursive: true, force: true });
  }
  return lines.includes('GUEST-UP') ? lines : null;
}

/** Boots, runs the scenario, checks that nothing failed; throws with the guest's output otherwise. */
export async function boot(prepared: Prepared, options: BootOptions): Promise<Outcome> {
  let lines: string[] | null = null;
  for (let attempt = 0; attempt < BOOT_ATTEMPTS && !lines; attempt++)
    lines = await bootOnce(prepared, options);
  if (!lines) throw new Error(`the guest did not boot in ${BOOT_ATTEMPTS} attempts`);
  const bad = lines.filter((line) => /^(FAIL|WRONG|TROUBLE)/.test(line));
  if (bad.length > 0 || !lines.includes('GUEST-DONE'))
    throw new Error(`the guest ${bad.length ? 'failed' : 'did not finish'}:\n${lines.join('\n')}`);
  return read(lines);
}

/** What was seen between `CASE name` lines, by name. */
export function cases(outcome: Outcome): Map<string, Outcome> {
  const byName = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of outcome.lines) {
    if (line.startsWith('CASE ')) {
      current = [];
      byName.set(line.slice(5), current);
    } else current.push(line);
  }
  return new Map([...byName].map(([name, lines]) => [name, read(lines)]));
}

/** The sum of one counter over the segments. */
export function segments(outcome: Outcome, counter: string): number {
  let sum = 0;
  for (const [path, value] of outcome.counters)
    if (path.startsWith('segments/') && path.endsWith(`/${counter}`)) sum += value ?? Number.NaN;
  return sum;
}

/** 0 when every frame a segment received is in exactly one of the ledger's other columns. */
export function unaccounted(outcome: Outcome): number {
  const parts = ['errors', 'filtered', 'unclaimed', 'pool_drops', 'published'];
  return segments(outcome, 'received') - parts.reduce((sum, part) => sum + segments(outcome, part), 0);
}
