/** examples/browser in a real Chromium: a visitor opens a file and sees its flows. CHROMIUM names another browser. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize, resolve, sep } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sample, temporaryDirectory, withoutEngine } from './support.js';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};
const SERVED = ['examples', 'build/asm', 'build/proto'].map((path) => resolve(path) + sep);

/** The example and what it imports, on a free port of loopback. */
function serve(): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const file = resolve(normalize(`.${pathname.endsWith('/') ? `${pathname}index.html` : pathname}`));
    const type = TYPES[extname(file)];
    if (!type || !SERVED.some((root) => file.startsWith(root)) || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': type }).end(readFileSync(file));
  });
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => {
      done({ server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/examples/browser/` });
    });
  });
}

let browser: Browser;

/** Opens the page, gives it `file`, and returns what it shows. */
async function show(file: string): Promise<{ summary: string; rows: string[] }> {
  const { server, url } = await serve();
  const page: Page = await browser.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  try {
    await page.goto(url);
    await page.setInputFiles('#file', file);
    await page.waitForSelector('#summary[data-done]', { timeout: 20_000 });
    const rows = await page.locator('#flows tr').allInnerTexts();
    // A page without an icon asks for one.
    assert.equal(
      complaints.filter((text) => !/404/.test(text)),
      [],
    );
    return { summary: await page.innerText('#summary'), rows };
  } finally {
    await page.close();
    server.closeAllConnections();
    server.close();
  }
}

test('the page uses no markup from packets', () => {
  assert.not.match(
    readFileSync('examples/browser/page.js', 'utf8'),
    /innerHTML|insertAdjacentHTML|document\.write/,
  );
});

const missing = withoutEngine() ?? (existsSync(executablePath) ? null : `${executablePath} is not installed`);
if (missing) console.log(`SKIP the example in a browser: ${missing}`);
else {
  const directory = temporaryDirectory();
  test.before(async () => {
    browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run'],
    });
  });
  test.after(() => browser.close());

  test('a file is read in a worker and its largest flows are shown', async () => {
    const { summary, rows } = await show(sample(directory));
    assert.is(summary, '30 packets, 1800 bytes, 3 flows');
    assert.equal(
      rows.map((row) => row.split('\t')),
      [
        ['udp', '10.0.0.1:4000', '10.0.0.2:5353', '15', '900'],
        ['udp', '10.0.0.1:4001', '10.0.0.2:5353', '10', '600'],
        ['udp', '10.0.0.1:4002', '10.0.0.2:5353', '5', '300'],
      ],
    );
  });

  test('something else than a capture is told', async () => {
    const text = join(directory, 'text.txt');
    writeFileSync(text, 'this is no capture file');
    assert.match((await show(text)).summary, /0 packets.*not a pcap or pcapng file/);
  });
}

test.run();
