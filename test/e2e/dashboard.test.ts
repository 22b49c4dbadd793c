/** The dashboard in real Chromium over a real recording: what the screen says is what the ledger says. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  capinfosCount,
  enterNamespace,
  freePort,
  has,
  PROBE,
  Process,
  segments,
  startGateway,
  temporaryDirectory,
  until,
} from './lab.js';

enterNamespace(import.meta.url);
if (!has('chromium')) {
  process.stdout.write('SKIP no chromium\n  Total: 1\n  Passed: 0\n  Skipped: 1\n');
  process.exit(0);
}
execFileSync('make', ['-s', '-C', 'native', 'gen']);
mkdirSync('build/screenshots', { recursive: true });

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
];
const browser: Browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [...FLAGS, '--disable-component-update', '--disable-sync'],
});
test.after(() => browser.close());

const store = temporaryDirectory();
const port = await freePort();
let gateway = await startGateway(port);
const url = `ws://127.0.0.1:${port}/ws/ingest`;
const probe = new Process(PROBE, [
  '-i',
  'rx0',
  '--store',
  store,
  '--gateway',
  url,
  '--uplink-pps',
  '1000000',
]);
await until('the probe to record', () => probe.ledgers().length > 0);

const complaints: string[] = [];
const foreign: string[] = [];

async function open(colorScheme: 'dark' | 'light'): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, colorScheme });
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(`http://127.0.0.1:${port}/`) && !request.url().startsWith('data:'))
      foreign.push(request.url());
  });
  await page.goto(`http://127.0.0.1:${port}/`);
  return page;
}

/** A number of the ledger panel; null while the page says unknown. */
async function figure(page: Page, field: string): Promise<number | null> {
  const value = await page
    .locator(`[data-testid=ledger] [data-field=${field}]`)
    .first()
    .getAttribute('data-value');
  return value === null || value === 'unknown' ? null : Number(value);
}

const page = await open('dark');

test('packets arriving move the charts', async () => {
  const generator = new Process('build/native/rtgen', ['tx0', '60000', '10000', '200']);
  const rate = await until('a rate on the screen', async () => {
    const value = Number(await page.getByTestId('pps').getAttribute('data-value'));
    return value > 5000 && value;
  });
  assert.ok(rate < 20_000, `${rate} packets/s shown, 10,000 sent`);
  const points = Number(await page.getByTestId('chart').getAttribute('data-points'));
  await until(
    'the chart to move on',
    async () => Number(await page.getByTestId('chart').getAttribute('data-points')) > points,
  );
  assert.is(await page.getByTestId('synthetic').count(), 0, 'real packets are not labelled synthetic');
  await page.screenshot({ path: 'build/screenshots/live-dark.png' });
  assert.is(await generator.exited, 0);
});

test('the numbers on the screen are the ledger’s', async () => {
  await until(
    'everything stored',
    () => probe.lastLedger().stored === 60_000 && probe.lastLedger().in_flight === 0,
  );
  await until('the screen to agree', async () => (await figure(page, 'stored')) === 60_000);
  const ledger = probe.lastLedger();
  assert.is(await figure(page, 'ring_received'), ledger.ring_received);
  assert.is(await figure(page, 'ring_drops'), ledger.ring_drops);
  assert.is(await figure(page, 'store_drops'), ledger.store_drops);
  assert.is(await figure(page, 'unaccounted'), 0);
  await until('the uplink to be acknowledged', async () => (await figure(page, 'sent')) === 60_000);
  await until('the browser to have parsed all of it', async () => (await figure(page, 'parsed')) === 60_000);
  assert.is(capinfosCount(segments(store)), 60_000);
});

test('a packet opens in the tree with its bytes highlighted', async () => {
  const row = page.locator('[data-testid=packet-list] [role=row]').nth(3);
  await row.click();
  const tree = page.getByTestId('tree');
  await tree.waitFor();
  assert.match((await tree.textContent()) ?? '', /User Datagram Protocol/);
  await tree.locator('[data-field="ip.src"]').first().click();
  await page.locator('[data-testid=hex] .hex .selected').first().waitFor();
  const lit = await page.locator('[data-testid=hex] .hex .selected').allTextContents();
  assert.is(lit.join(' ').trim().toLowerCase(), '0a 00 00 01', 'the bytes of 10.0.0.1');
  await page.screenshot({ path: 'build/screenshots/packet-dark.png' });
});

test('light theme', async () => {
  const light = await open('light');
  await until('the ledger', async () => (await figure(light, 'stored')) === 60_000);
  await light.screenshot({ path: 'build/screenshots/live-light.png' });
  await light.context().close();
});

test('kill -9 of the gateway: the page says so, comes back, and shows the gap', async () => {
  const generator = new Process('build/native/rtgen', ['tx0', '100000', '10000', '100']);
  await until('more packets', () => probe.lastLedger().stored > 70_000);
  await gateway.stop('SIGKILL');
  await until(
    'the page to notice',
    async () => (await page.getByTestId('connection').getAttribute('data-state')) !== 'live',
  );
  await page.screenshot({ path: 'build/screenshots/away-dark.png' });
  await until('recording to go on', () => probe.lastLedger().stored > 110_000);
  gateway = await startGateway(port);
  await until(
    'the page to return',
    async () => (await page.getByTestId('connection').getAttribute('data-state')) === 'live',
  );
  assert.is(await generator.exited, 0);
  await until('everything stored', () => probe.lastLedger().stored === 160_000);
  await until('the screen to agree', async () => (await figure(page, 'stored')) === 160_000);
  await page
    .getByTestId('events')
    .getByText(/gateway|missed|gap/i)
    .first()
    .waitFor();
  await page.screenshot({ path: 'build/screenshots/gap-dark.png' });
});

test('no request left the gateway, and the console is clean', () => {
  assert.equal(foreign, []);
  const unexpected = complaints.filter((text) => !/WebSocket connection|ERR_CONNECTION_REFUSED/.test(text));
  assert.equal(unexpected, []);
});

test('the recording is complete after Ctrl-C', async () => {
  assert.is(await probe.stop('SIGINT'), 0, probe.stderr);
  assert.is(probe.lastLedger().unaccounted, 0);
  assert.is(capinfosCount(segments(store)), 160_000);
  await gateway.stop();
});

test.run();
