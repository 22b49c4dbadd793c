/**
 * The browser's and the server's results for the same bytes are identical, by hash: totals, flows, series,
 * talkers, distinct counts and the packets' trees of every vector's file and, when present, of real captures,
 * computed by the same module in Node and in Chromium. CHROMIUM names another browser.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, resolve, sep } from 'node:path';
import { chromium } from 'playwright-core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Engine } from '../../asm/host/index.js';
import { pcap } from '../asm/captures.js';
import { FILES } from '../asm/fuzz/seeds.js';
import { VECTORS } from '../asm/vectors.js';
import { withoutEngine } from './support.js';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const root = process.env.RINGTAP_CAPTURES ?? '../shared/captures';
/** Every so manieth real capture, and how large at most. */
const EVERY = 60;
const BYTES_MAX = 300_000;
const PAGE = '<!doctype html><meta charset="utf-8"><title>engine</title>';
const TYPES: Record<string, string> = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
const SERVED = ['build/asm', 'build/proto', 'test/examples/fingerprint.js'].map((path) => resolve(path));
const FINGERPRINT = resolve('test/examples/fingerprint.js');

interface Input {
  name: string;
  bytes: Uint8Array;
  filter: string | null;
}
interface Print {
  packets: number;
  hashes: Record<string, string>;
}
type Fingerprint = (
  engine: typeof Engine,
  wasm: BufferSource,
  bytes: Uint8Array,
  options: { filter: string | null },
) => Promise<Print>;

/** The vectors in one file each way, and some of the shared captures. */
function inputs(): Input[] {
  const vectors = pcap(VECTORS.map(({ bytes }, i) => ({ bytes, ts: BigInt(i) * 300_000_000n })));
  const made = [vectors, ...FILES].map((bytes, i) => ({
    name: `made ${i}`,
    bytes,
    filter: i % 2 ? null : 'ip and udp',
  }));
  const truth = join(root, 'truth.jsonl');
  if (!existsSync(truth)) return made;
  const real = readFileSync(truth, 'utf8').trim().split('\n');
  const some = real
    .map((line) => JSON.parse(line) as { file: string; uncompressedBytes: number })
    .filter((_, i) => i % EVERY === 0);
  for (const { file } of some) {
    const bytes = new Uint8Array(readFileSync(join(root, file)));
    if (bytes.length <= BYTES_MAX) made.push({ name: file, bytes, filter: 'tcp or vlan' });
  }
  return made;
}

/** The module, the host's code and the inputs on a free port of loopback. */
function serve(files: readonly Input[]) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const input = /^\/input\/(\d+)$/.exec(pathname);
    if (pathname === '/') response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
    else if (input) response.writeHead(200).end(files[Number(input[1])]!.bytes);
    else {
      const file = resolve(`.${pathname}`);
      const allowed = SERVED.some((path) => file === path || file.startsWith(path + sep));
      if (!allowed || !existsSync(file)) response.writeHead(404).end();
      else response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? '' }).end(readFileSync(file));
    }
  });
  return new Promise<{ url: string; close(): void }>((done) =>
    server.listen(0, '127.0.0.1', () =>
      done({
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        close: () => server.close(),
      }),
    ),
  );
}

const missing = withoutEngine() ?? (existsSync(executablePath) ? null : `${executablePath} is not installed`);
if (missing) {
  console.log(`SKIP the engine in a browser against Node: ${missing}`);
  test('no browser', () => assert.ok(missing));
} else
  test('every result is the same in Chromium and in Node', async () => {
    const files = inputs();
    const { url, close } = await serve(files);
    const browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run'],
    });
    try {
      const page = await browser.newPage();
      await page.goto(url);
      const script = `Promise.all([import('/build/asm/host/index.js'), import('/test/examples/fingerprint.js'), fetch('/build/asm/ringtap.wasm').then((r) => r.arrayBuffer())])
        .then(([host, print, wasm]) => { globalThis.run = async (number, filter) => {
          const bytes = new Uint8Array(await (await fetch('/input/' + number)).arrayBuffer());
          return print.fingerprint(host.Engine, wasm, bytes, { filter });
        }; })`;
      await page.evaluate(script);
      const { fingerprint } = (await import(FINGERPRINT)) as { fingerprint: Fingerprint };
      const wasm = readFileSync('build/asm/ringtap.wasm');
      let packets = 0;
      for (const [number, { name, bytes, filter }] of files.entries()) {
        const here = await fingerprint(Engine, wasm, bytes, { filter });
        const there = (await page.evaluate(`run(${number}, ${JSON.stringify(filter)})`)) as Print;
        assert.equal(there, here, name);
        packets += here.packets;
      }
      console.log(`  ${files.length} files, ${packets} packets, the same by hash`);
      assert.ok(packets > 100);
      // The hash tells: one byte of one packet changed is another result.
      const other = files[0]!.bytes.slice();
      other[60]! ^= 1;
      const changed = await fingerprint(Engine, wasm, other, { filter: files[0]!.filter });
      const before = await fingerprint(Engine, wasm, files[0]!.bytes, { filter: files[0]!.filter });
      assert.is.not(changed.hashes.trees, before.hashes.trees);
    } finally {
      await browser.close();
      close();
    }
  });

test.run();
