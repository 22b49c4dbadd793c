/** Shared by the store's tests: recorded stores, crafted segments, and packets as comparable texts. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LocalStore, openStore, type StoreOptions } from '../../server/store/open.js';
import { SegmentWriter, type WriterOptions } from '../../server/store/segment-writer.js';
import { sliceStore } from '../../server/store/slice.js';
import type { Coverage, PacketHit, PacketQuery, ScanOptions } from '../../server/store/types.js';

const made: string[] = [];
process.on('exit', () => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

export function scratch(): string {
  const path = mkdtempSync(join(tmpdir(), 'ringtap-store-'));
  made.push(path);
  return path;
}

/** Records generated traffic with the real probe. */
export function record(directories: string, synth: string, more: string[] = []): void {
  const args = ['--ring=synth', '--synth', synth, '--store', directories, '--stats', '/dev/null', ...more];
  execFileSync('build/native/ringtapd', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 60_000 });
}

export function segments(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => name.endsWith('.pcapng'));
  return names.sort().map((name) => join(directory, name));
}

export const everything = (filter = ''): PacketQuery => ({ range: { fromNs: null, toNs: null }, filter });
const keyOf = (ts: bigint, bytes: Uint8Array) => `${ts} ${Buffer.from(bytes).toString('hex')}`;

export interface Answer {
  hits: PacketHit[];
  /** Time and bytes of each. */
  keys: string[];
  coverage: Coverage;
}

export async function ask(store: LocalStore, query: PacketQuery, options: ScanOptions = {}): Promise<Answer> {
  const hits: PacketHit[] = [];
  const answer = store.scan(query, options);
  for (;;) {
    const { value, done } = await answer.next();
    if (done) return { hits, keys: hits.map(({ tsNs, bytes }) => keyOf(tsNs, bytes)), coverage: value };
    hits.push(...value);
  }
}

/** Opens, asks, closes. */
export async function askOnce(
  directories: string[],
  query: PacketQuery,
  options: StoreOptions = {},
): Promise<Answer> {
  const store = await openStore(directories, { threads: 2, ...options });
  try {
    return await ask(store, query);
  } finally {
    await store.close();
  }
}

/** Waits until nobody writes to it any more, then indexes all of it. */
export async function index(directory: string): Promise<void> {
  const store = await openStore([directory], { threads: 1 });
  await until(
    async () => (await store.segments()).every(({ sealed }) => sealed),
    'the last segment to be sealed',
  );
  const problems: string[] = [];
  await store.indexAll({ nice: 0, onProblem: (problem) => problems.push(problem) });
  const open = (await store.segments()).filter(({ indexed }) => !indexed);
  await store.close();
  problems.push(...open.map(({ stem }) => `${stem} is not indexed`));
  if (problems.length) throw new Error(problems.join('\n'));
}

/** Asks again and again, at most `ms`. */
export async function until<T>(ready: () => Promise<T>, what: string, ms = 15_000): Promise<T> {
  for (
    const deadline = Date.now() + ms;
    Date.now() < deadline;
    await new Promise((done) => setTimeout(done, 100))
  ) {
    const value = await ready();
    if (value) return value;
  }
  throw new Error(`waited ${ms} ms for ${what}`);
}

/** Packets of a pcap file in nanoseconds. */
function pcapKeys(bytes: Buffer): string[] {
  const keys: string[] = [];
  for (let at = 24; at + 16 <= bytes.length; ) {
    const ts = BigInt(bytes.readUInt32LE(at)) * 1_000_000_000n + BigInt(bytes.readUInt32LE(at + 4));
    const caplen = bytes.readUInt32LE(at + 8);
    keys.push(keyOf(ts, bytes.subarray(at + 16, at + 16 + caplen)));
    at += 16 + caplen;
  }
  return keys;
}

/** What tcpdump finds in files, in their order. */
export function tcpdumpKeys(files: string[], filter: string): string[] {
  return files.flatMap((file) => {
    const args = ['-n', '--time-stamp-precision=nano', '-r', file, '-w', '-', filter];
    const { status, stdout, stderr } = spawnSync('tcpdump', args, { maxBuffer: 1 << 30, timeout: 60_000 });
    if (status !== 0) throw new Error(`tcpdump: ${stderr}`);
    return pcapKeys(stdout);
  });
}

/** Packet blocks of a little-endian pcapng file, by hand. */
export function pcapngKeys(bytes: Buffer): string[] {
  const keys: string[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt32LE(at + 4)) {
    if (bytes.readUInt32LE(at) !== 6) continue;
    const ts = (BigInt(bytes.readUInt32LE(at + 12)) << 32n) | BigInt(bytes.readUInt32LE(at + 16));
    keys.push(keyOf(BigInt.asIntN(64, ts), bytes.subarray(at + 28, at + 28 + bytes.readUInt32LE(at + 20))));
  }
  return keys;
}

export async function sliceBytes(store: LocalStore, query: PacketQuery): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of sliceStore(store, query)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

export function writer(directory: string, options: Partial<WriterOptions> = {}): SegmentWriter {
  const defaults = {
    name: 'test',
    application: 'test',
    comments: [],
    segmentBytes: 1 << 20,
    blockBytes: 1 << 16,
  };
  const made = new SegmentWriter(directory, { ...defaults, ...options });
  made.setInterfaces([{ linktype: 1, options: [] }]);
  return made;
}

/** An Ethernet/IPv4 packet with ports. */
export function packet4(
  source: number,
  destination: number,
  protocol: number,
  ports: [number, number],
  vlan = -1,
): Buffer {
  const tag = vlan < 0 ? 0 : 4;
  const bytes = Buffer.alloc(14 + tag + 20 + 20);
  if (tag) bytes.writeUInt32BE((0x8100 * 65536 + vlan) >>> 0, 12);
  bytes.writeUInt16BE(0x0800, 12 + tag);
  const ip = 14 + tag;
  bytes[ip] = 0x45;
  bytes.writeUInt16BE(40, ip + 2);
  bytes[ip + 9] = protocol;
  bytes.writeUInt32BE(source >>> 0, ip + 12);
  bytes.writeUInt32BE(destination >>> 0, ip + 16);
  bytes.writeUInt16BE(ports[0], ip + 20);
  bytes.writeUInt16BE(ports[1], ip + 22);
  return bytes;
}
