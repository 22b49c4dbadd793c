/** `ringtap up` end to end with the real recorder on synthetic traffic: stop, crash, port and token. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { defaultInterface } from '../../server/cli/up/preflight.js';
import { finalAccount } from '../../server/cli/up/status.js';
import { paths } from '../../server/paths.js';
import { Client, ringtap, sleep, temporaryDirectory, viewer, waitFor, withoutEngine } from './helpers.js';

interface Status {
  probes: {
    connected: boolean;
    synthetic: boolean;
    last_seq: number;
    gaps: { batches: number; packets: number };
    before: { batches: number; packets: number };
    ledger: { stored: number } | null;
  }[];
}

/** A running `ringtap up` on a free port. */
class Up {
  stdout = '';
  stderr = '';
  exit: { code: number | null; signal: string | null } | null = null;
  readonly child: ChildProcess;
  readonly store: string;

  constructor(args: string[], store = temporaryDirectory(), listen = '127.0.0.1:0') {
    this.store = store;
    this.child = spawn(process.execPath, [paths.cli, 'up', '--store', store, '--listen', listen, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // an own process group, to be signalled as a terminal does
    });
    this.child.stdout?.on('data', (text) => {
      this.stdout += text;
    });
    this.child.stderr?.on('data', (text) => {
      this.stderr += text;
    });
    this.child.on('close', (code, signal) => {
      this.exit = { code, signal };
    });
  }
  async url(): Promise<string> {
    return waitFor('the URL', () => /Dashboard\s+(http:\S+)/.exec(this.stdout)?.[1], 10_000);
  }
  async status(): Promise<Status> {
    return (await fetch(new URL('/api/v1/status', await this.url()))).json() as Promise<Status>;
  }
  async recording(stored = 1, lastSeq = 1): Promise<Status> {
    const end = performance.now() + 15_000;
    for (;;) {
      const status = await this.status().catch(() => null);
      const [probe] = status?.probes ?? [];
      if (status && probe && (probe.ledger?.stored ?? 0) >= stored && probe.last_seq >= lastSeq)
        return status;
      if (performance.now() > end) throw new Error(`nothing is recorded:\n${this.stdout}${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  async ended(): Promise<{ code: number | null; signal: string | null }> {
    return waitFor('up to end', () => this.exit, 15_000);
  }
  /** Pids of the direct children whose command line contains `word`. */
  children(word: string): number[] {
    const list = readFileSync(`/proc/${this.child.pid}/task/${this.child.pid}/children`, 'utf8').trim();
    return list
      .split(' ')
      .filter(Boolean)
      .map(Number)
      .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word));
  }
  segments(): string[] {
    return readdirSync(this.store).filter((name) => name.endsWith('.pcapng'));
  }
  /** Leaves nothing behind when an assertion fails. */
  async cleanUp(): Promise<void> {
    if (this.exit) return;
    const pids = [...this.children('gateway'), ...this.children('ringtapd')];
    this.child.kill('SIGKILL');
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await this.ended();
  }
}

async function withUp(up: Up, body: (up: Up) => Promise<void>): Promise<void> {
  try {
    await body(up);
  } finally {
    await up.cleanUp();
  }
}

const recordedOf = (stdout: string) =>
  Number(/Recorded\s+([\d,]+) packets/.exec(stdout)?.[1]?.replaceAll(',', ''));

/** Packet blocks in all segments, counted by walking the blocks. */
function packetsOnDisk(up: Up): number {
  let packets = 0;
  for (const name of up.segments()) {
    const bytes = readFileSync(join(up.store, name));
    for (let at = 0; at + 12 <= bytes.length; at += bytes.readUInt32LE(at + 4)) {
      if (bytes.readUInt32LE(at) === 6) packets++;
    }
  }
  return packets;
}

test('the default interface is one of this machine, or none', () => {
  const name = defaultInterface();
  assert.ok(name === null || existsSync(`/sys/class/net/${name}`), String(name));
});

test('the final account says unknown where nobody knows', () => {
  const ledger = {
    ring_received: 5,
    pool_drops: 0,
    stored: 5,
    store_drops: 0,
    unaccounted: 0,
    received_bytes: 1,
  };
  const text = finalAccount(
    { ...ledger, stored_bytes: 10, segments: 1, final: true, if_drops: null },
    'x',
    '/s',
  );
  assert.match(text, 'by the interface unknown, in the ring unknown, for want of blocks 0');
  assert.match(finalAccount(null, 'x', '/s'), 'no account');
});

const missing = existsSync(paths.probe) ? null : `ringtapd is not built (${paths.probe})`;
if (missing) console.log(`SKIP ringtap up: ${missing}`);
else {
  test('Ctrl-C in the terminal flushes, accounts for every packet and exits 0', async () => {
    await withUp(new Up(['--synth', 'pps=5000']), async (up) => {
      const status = await up.recording(1000);
      assert.ok(status.probes[0]?.synthetic, 'labelled synthetic');
      assert.match(up.stdout, 'SYNTHETIC traffic (generated, not captured)');
      process.kill(-(up.child.pid as number), 'SIGINT'); // to the whole group
      assert.equal(await up.ended(), { code: 0, signal: null });
      assert.match(up.stdout, /Unaccounted\s+0/);
      assert.ok(recordedOf(up.stdout) >= 1000);
      assert.is(packetsOnDisk(up), recordedOf(up.stdout));
      assert.not.match(up.stderr, /\{"/, 'no raw JSON');
    });
  });

  test('a real interface: what was sent is on disk, with a filter and whole', async () => {
    const { stdout } = spawnSync(paths.probe, ['-i', 'lo', '--check'], { encoding: 'utf8' });
    if (!JSON.parse(stdout).ok) {
      console.log('SKIP recording lo: no right to capture');
      return;
    }
    const receiver = createSocket('udp4').bind(0, '127.0.0.1');
    await once(receiver, 'listening');
    const { port } = receiver.address();
    await withUp(new Up(['-i', 'lo', '-f', `udp dst port ${port}`]), async (up) => {
      await up.recording(0, 0);
      for (let i = 0; i < 300; i++) {
        receiver.send(Buffer.from(`datagram ${i}`), port, '127.0.0.1');
        if (i % 50 === 49) await sleep(10);
      }
      const status = await up.recording(300, 1);
      assert.is(status.probes[0]?.synthetic, false);
      up.child.kill('SIGINT');
      assert.is((await up.ended()).code, 0);
      assert.equal([recordedOf(up.stdout), packetsOnDisk(up)], [300, 300]);
      const segment = join(up.store, up.segments()[0] as string);
      assert.ok(readFileSync(segment).includes('datagram 299'));
      if (!withoutEngine()) assert.is((await ringtap(['count', '-f', 'udp', segment])).stdout, '300\n');
    });
    receiver.close();
  });

  test('kill -9 of the gateway: it comes back, the probe reconnects, nothing recorded is lost', async () => {
    await withUp(new Up(['--synth', 'pps=5000']), async (up) => {
      await up.recording();
      const [gateway] = up.children('gateway');
      const [recorder] = up.children('ringtapd');
      assert.ok(gateway && recorder);
      const watcher = await viewer({ url: (await up.url()).replace('http', 'ws').replace(/\/$/, '') });
      await watcher.first('batch');
      const seen = Number(watcher.all('batch').at(-1)?.batch?.seq);
      process.kill(gateway as number, 'SIGKILL');
      await watcher.close();
      const [next] = await waitFor('a new gateway', () => {
        const pids = up.children('gateway');
        return pids.length && pids[0] !== gateway ? pids : null;
      });
      assert.ok(next !== gateway);
      const before = await up.recording(5000, seen + 1); // the sequence goes on
      assert.ok(before.probes[0]?.connected);
      assert.ok((before.probes[0]?.before.batches ?? 0) > 0, 'what came before this gateway is known');
      assert.equal(up.children('ringtapd'), [recorder], 'the recorder never stopped');
      up.child.kill('SIGTERM');
      assert.equal(await up.ended(), { code: 0, signal: null });
      assert.match(up.stderr, 'recording goes on');
      assert.is(packetsOnDisk(up), recordedOf(up.stdout));
      assert.match(up.stdout, 'for want of blocks 0, by the drives 0');
    });
  });

  test('npm being ended, which ends only the shell between, stops and flushes', async () => {
    const store = temporaryDirectory();
    const command = `"${process.execPath}" "${paths.cli}" up --synth pps=1000 --listen 127.0.0.1:0 --store "${store}"; :`;
    const env = { ...process.env, npm_lifecycle_event: 'start' };
    const shell = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'], env });
    let stdout = '';
    shell.stdout.on('data', (text) => {
      stdout += text;
    });
    await waitFor('the URL', () => /Dashboard/.test(stdout), 10_000);
    shell.kill('SIGTERM');
    await waitFor('the final account', () => /Unaccounted\s+0/.test(stdout), 10_000);
  });

  test('a recorder ended by a signal is started again; one that gives up ends up with 1', async () => {
    await withUp(new Up(['--synth', 'pps=1000']), async (up) => {
      await up.recording();
      for (let i = 0; i < 4; i++) {
        const pid = await waitFor('a recorder', () => up.children('ringtapd')[0], 10_000);
        process.kill(pid, 'SIGKILL');
        await waitFor('it to be gone', () => !existsSync(`/proc/${pid}`));
      }
      assert.equal(await up.ended(), { code: 1, signal: null });
      assert.match(up.stderr, 'giving up');
      assert.ok(up.segments().length >= 1);
    });
  });

  test('traffic that ends by itself ends up with 0', async () => {
    await withUp(new Up(['--synth', 'pps=5000,count=500']), async (up) => {
      assert.equal(await up.ended(), { code: 0, signal: null });
      assert.is(recordedOf(up.stdout), 500);
      assert.is(packetsOnDisk(up), 500);
    });
  });

  test('a port in use: one line with the fix, exit 1, nothing recorded', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    await withUp(new Up(['--synth', 'pps=10'], undefined, `127.0.0.1:${port}`), async (up) => {
      assert.equal(await up.ended(), { code: 1, signal: null });
      assert.match(up.stderr, `127.0.0.1:${port} is in use`);
      assert.match(up.stderr, '--listen');
      assert.is(up.stderr.trim().split('\n').length, 1, up.stderr);
      assert.equal(up.segments(), []);
    });
    server.close();
  });

  test('wrong wishes: one line, exit 1 or 2, nothing recorded', async () => {
    const file = join(temporaryDirectory(), 'file');
    writeFileSync(file, '');
    const cases: [args: string[], code: number, says: string][] = [
      [['-i', 'no-such-if'], 1, 'no-such-if'],
      [['--synth', 'bogus=1'], 2, 'bogus'],
      [['--synth', 'pps=1', '-i', 'lo'], 2, 'exclude'],
      [['--synth', 'pps=1', '-f', 'tcp ((('], 2, 'filter'],
      [['--synth', 'pps=1', '-s', 'many'], 2, 'snaplen'],
      [['--synth', 'pps=1', '--listen', 'nowhere'], 2, '--listen'],
      [['--synth', 'pps=1', '--store', join(file, 'below')], 1, '--store'],
      [['--frobnicate'], 2, 'frobnicate'],
      [['stray'], 2, 'stray'],
    ];
    const check = ([args, code, says]: (typeof cases)[number]) =>
      withUp(new Up(args), async (up) => {
        assert.equal(await up.ended(), { code, signal: null }, args.join(' ') + up.stderr);
        assert.match(up.stderr, says);
        assert.not.match(up.stderr, /^\s+at /m);
        assert.equal(up.segments(), []);
      });
    await Promise.all(cases.map(check));
  });

  test('beyond loopback: a private token, part of the URL, needed by everybody', async () => {
    await withUp(new Up(['--synth', 'pps=1000'], undefined, '0.0.0.0:0'), async (up) => {
      const url = new URL(await up.url());
      const token = url.searchParams.get('token') ?? '';
      assert.ok(token.length >= 32);
      const file = join(up.store, '.ringtap-token');
      assert.is(statSync(file).mode & 0o777, 0o600);
      assert.is(readFileSync(file, 'utf8').trim(), token);
      const base = `http://127.0.0.1:${url.port}`;
      const get = (path: string, headers = {}) => fetch(base + path, { headers, redirect: 'manual' });
      assert.is((await get('/api/v1/status')).status, 401);
      const stranger = new Client(`ws://127.0.0.1:${url.port}/ws/live`);
      assert.is((await stranger.close()).code, 4003);
      const login = await get(`/?token=${token}`);
      assert.is(login.status, 303);
      const cookie = (login.headers.get('set-cookie') ?? '').split(';')[0] as string;
      const connected = async () =>
        ((await (await get('/api/v1/status', { cookie })).json()) as Status).probes[0]?.connected;
      const end = performance.now() + 5000;
      while (!(await connected())) assert.ok(performance.now() < end, 'the probe uses the token');
      up.child.kill('SIGINT');
      assert.is((await up.ended()).code, 0);
      assert.not.match(up.stderr, token);
    });
  });
}

test('what cannot be recorded is not announced: a store that cannot be, a filter that is none', async () => {
  const listen = ['--listen', '127.0.0.1:0', '--synth', 'pps=10'];
  const store = await ringtap(['up', ...listen, '--store', '/proc/ringtap/store']);
  assert.is(store.code, 1);
  assert.match(store.stderr, /\/proc\/ringtap\/store cannot be written to .*--store DIR/);
  const filter = await ringtap(['up', ...listen, '--store', temporaryDirectory(), '-f', 'prot tcp']);
  assert.is(filter.code, 2);
  for (const { stdout, stderr } of [store, filter]) {
    assert.is(stdout, '');
    assert.not.match(stderr, /\n\s+at /);
  }
});

test('what a peer says cannot steer the terminal', async () => {
  const { code, stderr } = await ringtap(['up', '\x1b]0;pwned\x07\x1b[2J']);
  assert.is(code, 2);
  assert.match(stderr, 'pwned');
  assert.not.ok(['\x07', '\x1b'].some((control) => stderr.includes(control)));
});

test('the gateway alone refuses to listen beyond loopback without a token', async () => {
  const { code, stderr } = await ringtap(['gateway', '--listen', '0.0.0.0:0']);
  assert.is(code, 2);
  assert.match(stderr, '--token-file');
});

test.run();
