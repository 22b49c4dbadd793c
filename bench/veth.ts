/**
 * A veth pair in a network namespace for the capture benchmarks: frames sent into `rtb0` by rtflood come out of
 * `rtb1`, whose receive path (a NAPI kernel thread) runs on the recorder's core. Built anew for each run.
 */
import {
  type ExecFileSyncOptionsWithStringEncoding,
  execFile,
  execFileSync,
  spawnSync,
} from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { atExit } from './cleanup.js';

export const RECEIVER = 'rtb1';
export const GENERATOR_CORE = 0;
export const RECORDER_CORE = 1;
const FLOOD = 'build/native/rtflood';
const SENDER = 'rtb0';

const execute = promisify(execFile);
const quiet: ExecFileSyncOptionsWithStringEncoding = { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' };

/** Numbers of the kernel threads that poll a receiver. */
function pollers(): number[] {
  const isPoller = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith(`napi/${RECEIVER}`);
    } catch {
      return false; // it ended in between
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isPoller(name))
    .map(Number);
}

export class Veth {
  readonly name = `rtbench${process.pid}`;
  /** The kernel thread that receives. */
  poller = 0;

  constructor() {
    atExit(() => this.remove());
  }

  /** Removes what is there and makes it anew; throws with the reason when it cannot be. */
  rebuild(): void {
    this.remove();
    const ip = (...args: string[]) => execFileSync('ip', args, quiet);
    ip('netns', 'add', this.name);
    ip('-n', this.name, 'link', 'add', SENDER, 'type', 'veth', 'peer', 'name', RECEIVER);
    this.inside('sh', '-c', 'for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 >$f; done');
    for (const end of [SENDER, RECEIVER]) ip('-n', this.name, 'link', 'set', end, 'up');
    this.inside(FLOOD, 'gro', RECEIVER);
    const before = new Set(pollers());
    this.inside('sh', '-c', `echo 1 >/sys/class/net/${RECEIVER}/threaded`);
    const [poller] = pollers().filter((pid) => !before.has(pid));
    if (!poller) throw new Error('the kernel has no threaded NAPI for veth');
    execFileSync('taskset', ['-pc', String(RECORDER_CORE), String(poller)], quiet);
    this.poller = poller;
  }

  /** Runs a command inside, to its end; its output. */
  inside(command: string, ...args: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.name, command, ...args], quiet);
  }

  /** Words that start a command inside, on the recorder's core. */
  onRecorderCore(command: string[]): string[] {
    return ['ip', 'netns', 'exec', this.name, 'taskset', '-c', String(RECORDER_CORE), ...command];
  }

  /** Sends `count` numbered frames; how many left and at which rate. */
  async send(count: number, pps: number, size: string): Promise<{ sent: number; pps: number }> {
    const core = ['-c', String(GENERATOR_CORE), FLOOD, 'send', SENDER, String(count), String(pps), size];
    const { stdout } = await execute('ip', ['netns', 'exec', this.name, 'taskset', ...core]);
    const [sent, ns] = stdout.split(' ').map(Number);
    return { sent: sent!, pps: (sent! / ns!) * 1e9 };
  }

  remove(): void {
    spawnSync('ip', ['netns', 'del', this.name], { stdio: 'ignore' });
  }
}

/** Different numbers in these files, whatever their format. */
export function countNumbers(files: string[]): number {
  if (files.length === 0) return 0;
  return Number(execFileSync(FLOOD, ['count', ...files], quiet).split(' ')[0]);
}

/** Nanoseconds on a CPU of all threads of a process; io_uring's workers are among them. */
export function cpuTimeNs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const times = threads.map((tid) => {
    try {
      return Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      return 0; // it ended in between
    }
  });
  return times.reduce((sum, time) => sum + time, 0);
}

/** Why nothing can be measured here, or ''. */
export async function vethObstacle(): Promise<string> {
  execFileSync('make', ['-s', '-C', 'native', 'bench'], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (process.getuid?.() !== 0) return 'not root';
  const online = readFileSync('/sys/devices/system/cpu/online', 'utf8').trim();
  if (online === '0') return 'one core: generator and recorder need one each';
  const veth = new Veth();
  try {
    veth.rebuild();
    await veth.send(1000, 100_000, '64');
    return '';
  } catch (error) {
    return (
      ((error as { stderr?: string }).stderr ?? (error as Error).message).trim().split('\n')[0] ?? 'unknown'
    );
  } finally {
    veth.remove();
  }
}
