/**
 * Who is compared in the capture benchmark, and how each is told to record `rtb1` into a directory, with 128 MiB of
 * buffers (ours: 64 of ring, 64 of blocks). Each keeps whole packets and writes to the drive; none resolves names
 * or prints packets.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { RECEIVER } from './veth.js';

export const PROBE = 'build/native/ringtapd';
const BUFFER_KIB = 131_072;

export interface Recorder {
  name: string;
  ours: boolean;
  command(dir: string): string[];
  prepare?(dir: string): void;
  /** Milliseconds it is given after the last frame. */
  drain_ms: number;
  signal: NodeJS.Signals;
  /** Why it cannot run, '' when it can. */
  obstacle(): string;
}

const missing = (command: string) =>
  spawnSync('sh', ['-c', `command -v ${command}`]).status === 0 ? '' : `${command} is not installed`;

function ringtapd(ring: string): Recorder {
  return {
    name: `ringtapd ${ring}`,
    ours: true,
    command: (dir) => [
      ...[PROBE, `--ring=${ring}`, '-i', RECEIVER, '--store', dir, '-B', String(BUFFER_KIB / 2)],
      ...['--stats', join(dir, 'ledger.json'), '--stats-interval', '0'],
    ],
    drain_ms: 400,
    signal: 'SIGINT',
    obstacle() {
      const { status, stderr } = spawnSync(PROBE, [`--ring=${ring}`, '--check', '-i', 'lo'], {
        encoding: 'utf8',
      });
      return status === 2 ? stderr.trim().replace(/^ringtapd: /, '') : '';
    },
  };
}

const tcpdump: Recorder = {
  name: 'tcpdump',
  ours: false,
  command: (dir) => [
    'tcpdump',
    '-ni',
    RECEIVER,
    '-w',
    join(dir, 'a.pcap'),
    '-B',
    String(BUFFER_KIB),
    '-Z',
    'root',
  ],
  drain_ms: 400,
  signal: 'SIGINT',
  obstacle: () => missing('tcpdump'),
};

const dumpcap: Recorder = {
  name: 'dumpcap',
  ours: false,
  command: (dir) => [
    'dumpcap',
    '-q',
    '-i',
    RECEIVER,
    '-w',
    join(dir, 'a.pcapng'),
    '-B',
    String(BUFFER_KIB / 1024),
  ],
  drain_ms: 400,
  signal: 'SIGINT',
  obstacle: () => missing('dumpcap'),
};

const netsniffNg: Recorder = {
  name: 'netsniff-ng',
  ours: false,
  command: (dir) => [
    ...['netsniff-ng', '--in', RECEIVER, '--out', join(dir, 'a.pcap'), '--silent'],
    ...['--ring-size', `${BUFFER_KIB / 1024}MiB`, '--notouch-irq'],
  ],
  drain_ms: 400,
  signal: 'SIGINT',
  obstacle: () => missing('netsniff-ng'),
};

/** Without -v it goes to the background. Writes a block that is not full after `blockage_sec`; whatever is left at the end it loses, so it is waited for. */
const stenotype: Recorder = {
  name: 'stenotype --no_index',
  ours: false,
  prepare(dir) {
    chmodSync(dir, 0o777); // it drops its privileges to `nobody`
    for (const part of ['PKT0', 'IDX0']) {
      mkdirSync(join(dir, part));
      chmodSync(join(dir, part), 0o777);
    }
  },
  command: (dir) => [
    ...['stenotype', `--iface=${RECEIVER}`, `--dir=${dir}`, '--no_index', '--threads=1', '--no_watchdogs'],
    ...[`--blocks=${BUFFER_KIB / 1024}`, '--aiops=128', '--blockage_sec=1', '--preallocate_file_mb=0', '-v'],
  ],
  drain_ms: 1500,
  signal: 'SIGKILL',
  obstacle: () => missing('stenotype'),
};

/** Attaches to a running DPDK process; where it was tried (22.11, --no-huge) it recorded nothing. */
const dpdkDumpcap: Recorder = {
  name: 'dpdk-dumpcap',
  ours: false,
  command: () => [],
  drain_ms: 0,
  signal: 'SIGKILL',
  obstacle: () =>
    missing('dpdk-dumpcap') ||
    'fails: it recorded 0 packets from a process without hugepages (memory pool operations do not match)',
};

export const RECORDERS = [
  ringtapd('afpacket'),
  ringtapd('afxdp'),
  stenotype,
  netsniffNg,
  tcpdump,
  dumpcap,
  dpdkDumpcap,
];
