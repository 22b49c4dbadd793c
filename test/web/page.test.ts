/**
 * The built page in a real Chromium, by a user's paths: live figures equal to the ledger's, packets
 * opened with their bytes marked, filters, pause, a gateway that is killed and comes back, both
 * themes and a narrow screen. All of it under the product's content security policy, without a
 * console error and without a request to anybody else.
 *
 * CHROMIUM names another browser; RINGTAP_SCREENSHOTS a directory to leave pictures in.
 */
import { existsSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { stream, TestGateway, TestProbe } from './support/gateway.js';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const pictures = process.env.RINGTAP_SCREENSHOTS;
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const WIDE = { width: 1440, height: 1600 };

let browser: Browser;

interface Visit {
  page: Page;
  gateway: TestGateway;
  probe: TestProbe;
  traffic: { stop(): void };
  /** Console errors, policy violations, failed scripts and foreign requests, as they happened. */
  complaints: string[];
}

interface VisitOptions extends BrowserContextOptions {
  synthetic?: boolean;
  packetsPerSecond?: number;
  withoutProbe?: boolean;
  broken?: string;
}

/** One test's own gateway, probe and browser profile; every complaint of the page fails the test. */
async function visit(options: VisitOptions, use: (visit: Visit) => Promise<void>): Promise<void> {
  const { synthetic = false, packetsPerSecond = 2000, withoutProbe = false, broken, ...context } = options;
  const gateway = new TestGateway();
  await gateway.start();
  const probe = new TestProbe(1, synthetic ? { synthetic, source: 'synth' } : {});
  if (!withoutProbe) gateway.probes = [probe];
  const traffic = withoutProbe ? { stop: () => {} } : stream(gateway, probe, packetsPerSecond);
  const profile = await browser.newContext({ viewport: WIDE, colorScheme: 'light', ...context });
  const page = await profile.newPage();
  const complaints = watch(page, gateway.url);
  try {
    if (broken) await page.route(`**${broken}`, (route) => route.fulfill({ status: 404, body: '' }));
    await page.goto(gateway.url);
    await use({ page, gateway, probe, traffic, complaints });
    if (!broken) assert.is.not(await id(page, 'connection').getAttribute('data-state'), 'failed');
    assert.equal(complaints, []);
  } finally {
    traffic.stop();
    await profile.close();
    await gateway.stop();
  }
}

function watch(page: Page, origin: string): string[] {
  const complaints: string[] = [];
  page.on('console', (message) => {
    const expected = /WebSocket connection|404/.test(message.text()); // a gateway or file taken away by the test
    if (message.type() === 'error' && !expected) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.stack ?? error.message));
  page.on('request', (request) => {
    const ours = [origin, origin.replace('http', 'ws'), 'data:', 'blob:'].some((prefix) =>
      request.url().startsWith(prefix),
    );
    if (!ours) complaints.push(`foreign request to ${request.url()}`);
  });
  return complaints;
}

const id = (page: Page, name: string) => page.locator(`[data-testid="${name}"]`);

async function until(what: string, condition: () => Promise<boolean>, seconds = 10): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.unreachable(`timed out waiting until ${what}`);
}

const field = async (page: Page, name: string) =>
  Number(await page.locator(`[data-field="${name}"][data-value]`).getAttribute('data-value'));
const attribute = async (page: Page, name: string, key: string) =>
  Number(await id(page, name).getAttribute(`data-${key}`));

async function live(page: Page): Promise<void> {
  await until(
    'the page is live',
    async () => (await id(page, 'connection').getAttribute('data-state')) === 'live',
  );
  await until('packets are listed', async () => (await attribute(page, 'packet-list', 'total')) > 100);
}

/** A picture of what the test sees; looked at by people, so only taken when asked for. */
async function picture(page: Page, name: string): Promise<void> {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`) });
}

test('live: charts move, and every number equals the ledger’s', () =>
  visit({}, async ({ page, gateway, probe, traffic }) => {
    await live(page);
    await until('the chart has points', async () => (await attribute(page, 'chart', 'points')) >= 2);
    const points = await attribute(page, 'chart', 'points');
    await until('the chart moves', async () => (await attribute(page, 'chart', 'points')) > points);
    assert.ok((await attribute(page, 'pps', 'value')) > 500);
    traffic.stop();
    probe.ringDrops = 17;
    gateway.send(probe.ledger());
    gateway.send(probe.summary());
    const sent = probe.sent;
    await until('the last ledger is shown', async () => (await field(page, 'ring_received')) === sent + 17);
    assert.is(await field(page, 'stored'), sent);
    assert.is(await field(page, 'ring_drops'), 17);
    assert.is(await field(page, 'unaccounted'), 0);
    assert.is(await page.locator('[data-field="filtered"]').getAttribute('data-value'), 'unknown');
    assert.is(await field(page, 'sent'), sent);
    assert.is((await field(page, 'before')) + (await field(page, 'received')), sent);
    await until(
      'everything is parsed',
      async () => (await field(page, 'parsed')) === (await field(page, 'received')),
    );
    assert.is(await field(page, 'gateway_parsed'), sent);
    await until('the protocols are counted', async () => {
      const tcp = page.locator('[data-protocol="eth"]');
      return Number(await tcp.getAttribute('data-value')) === (await field(page, 'parsed'));
    });
    assert.match((await id(page, 'sample').textContent())!, '100 %');
    assert.ok((await id(page, 'flows').locator('tbody tr').count()) > 10);
    await until('silence is said', async () =>
      (await id(page, 'connection').textContent())!.includes('last data'),
    );
  }));

test('a packet opens; tree and bytes mark each other; the keyboard moves on', () =>
  visit({}, async ({ page }) => {
    await live(page);
    const row = page.locator('rt-packet-list .row', { hasText: 'TCP' }).first();
    await row.click();
    await id(page, 'packet-detail').waitFor();
    assert.is(await id(page, 'packet-list').getAttribute('data-frozen'), 'true');
    await page.locator('[role=treeitem][data-field="ip.src"]').click();
    const marked = () =>
      page
        .locator('rt-hex-dump .hex .selected')
        .evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset.byte));
    assert.equal(await marked(), ['26', '27', '28', '29']);
    await page.locator('rt-hex-dump .hex [data-byte="23"]').click();
    assert.is(
      await page.locator('[role=treeitem][aria-selected=true]').getAttribute('data-field'),
      'ip.proto',
    );
    await picture(page, 'packet-light');
    const opened = await attribute(page, 'opened', 'no');
    await page.keyboard.press('j');
    await until(
      'the next packet is open',
      async () => (await attribute(page, 'opened', 'no')) === opened + 1,
    );
    await page.keyboard.press('k');
    await until('the first is open again', async () => (await attribute(page, 'opened', 'no')) === opened);
    await until('new packets are counted', async () =>
      /new packet/.test((await id(page, 'jump-live').textContent())!),
    );
    await page.keyboard.press('Escape');
    assert.is(await id(page, 'packet-detail').count(), 0);
    await page.keyboard.press('Escape');
    await until(
      'the list follows',
      async () => (await id(page, 'packet-list').getAttribute('data-frozen')) === 'false',
    );
  }));

test('the packet that was pressed opens, although the list moved on meanwhile', () =>
  visit({}, async ({ page }) => {
    await live(page);
    const list = (await id(page, 'packet-list').boundingBox())!;
    /** Number of the packet drawn at that point: shadow roots are entered one by one. */
    const under = () =>
      page.evaluate(
        ([x, y]) => {
          let hit = document.elementFromPoint(x!, y!);
          while (hit?.shadowRoot) hit = hit.shadowRoot.elementFromPoint(x!, y!);
          return hit?.closest<HTMLElement>('.row')?.dataset.no ?? '';
        },
        [list.x + 60, list.y + 40],
      );
    await page.mouse.move(list.x + 60, list.y + 40);
    const before = Number(await under());
    await page.mouse.down();
    const after = Number(await under());
    await until('the list moves on', async () => Number(await under()) > after + 5);
    await page.mouse.up();
    await id(page, 'packet-detail').waitFor();
    const opened = await attribute(page, 'opened', 'no');
    assert.ok(opened >= before && opened <= after, `${opened} opened, ${before} to ${after} pressed`);
  }));

test('a packet cut on the uplink says so', () =>
  visit({}, async ({ page }) => {
    await live(page);
    await id(page, 'filter').fill('greater 1000');
    await until('only long packets', async () =>
      page
        .locator('rt-packet-list .row')
        .count()
        .then((count) => count > 5),
    );
    await until('the filter is in force', async () => {
      const lengths = await page.locator('rt-packet-list .length').allTextContents();
      return lengths.filter((text) => /^\d+$/.test(text)).every((text) => Number(text) >= 1000);
    });
    await page.locator('rt-packet-list .row').first().click();
    await id(page, 'truncated').waitFor();
    assert.match((await id(page, 'truncated').textContent())!, /^256 of 1,4\d\d bytes/);
  }));

test('the filter filters, and a wrong one says where it is wrong', () =>
  visit({}, async ({ page }) => {
    await live(page);
    await page.keyboard.press('/');
    await page.keyboard.type('arp');
    await page.keyboard.press('Enter');
    await until('only ARP is listed', async () => {
      const protocols = await page.locator('rt-packet-list .row .protocol').allTextContents();
      return protocols.length > 3 && protocols.every((text) => text === 'ARP');
    });
    await page.keyboard.type(' and ) 80');
    const problem = id(page, 'filter-error');
    await problem.waitFor();
    assert.is(await problem.getAttribute('data-position'), '8');
    await picture(page, 'filter-error-light');
    await id(page, 'filter').fill('host 203.0.113.99');
    await until('no match is said', async () =>
      /None of the last/.test((await id(page, 'packets-empty').textContent()) ?? ''),
    );
    await id(page, 'filter').fill('');
    await until('all are listed', async () => (await attribute(page, 'packet-list', 'total')) > 1000);
    await page.locator('rt-flows tbody tr').first().click();
    await until('the flow is the filter', async () =>
      /^host .* and tcp and port/.test(await id(page, 'filter').inputValue()),
    );
    await until(
      'its packets are listed',
      async () => (await page.locator('rt-packet-list .row').count()) > 3,
    );
    assert.is(await id(page, 'filter-error').count(), 0);
  }));

test('scrolling up holds the list, space holds the page, and both return to live', () =>
  visit({}, async ({ page, probe }) => {
    await live(page);
    await until(
      'there is something to scroll',
      async () => (await attribute(page, 'packet-list', 'total')) > 1000,
    );
    await id(page, 'packet-list').hover();
    await page.mouse.wheel(0, -600);
    await until(
      'the list is held',
      async () => (await id(page, 'packet-list').getAttribute('data-frozen')) === 'true',
    );
    await page.mouse.wheel(0, -600);
    await page.waitForTimeout(300);
    const numbers = () =>
      page
        .locator('rt-packet-list .row')
        .evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset.no));
    const held = await numbers();
    await page.waitForTimeout(400);
    assert.equal(await numbers(), held);
    assert.ok(held.length > 20);
    await id(page, 'jump-live').click();
    await until('the newest are listed', async () => Number((await numbers()).at(-1)) > probe.sent - 2000);
    await page.keyboard.press(' ');
    await page.waitForTimeout(100);
    const stored = await field(page, 'stored');
    await page.waitForTimeout(1300);
    assert.is(await field(page, 'stored'), stored);
    assert.is(await id(page, 'connection').getAttribute('data-state'), 'paused');
    await page.keyboard.press(' ');
    await until('the ledger goes on', async () => (await field(page, 'stored')) > stored);
  }));

test('a killed gateway is told, and afterwards what was missed, to the packet', () =>
  visit({ colorScheme: 'dark' }, async ({ page, gateway, probe, traffic }) => {
    await live(page);
    await until('the chart has points', async () => (await attribute(page, 'chart', 'points')) >= 2);
    await gateway.stop();
    await until(
      'the page says so',
      async () => (await id(page, 'connection').getAttribute('data-state')) === 'waiting',
    );
    await id(page, 'banner').waitFor();
    await page.waitForTimeout(2500); // the probe goes on recording, the stream has nobody to send to
    await picture(page, 'gateway-away-dark');
    const missedFrom = probe.sent;
    await gateway.start();
    await until(
      'the page is live again',
      async () => (await id(page, 'connection').getAttribute('data-state')) === 'live',
      15,
    );
    await until('the gap is known', async () => (await field(page, 'missed')) > 0);
    await until('it is told', async () =>
      /packets are missing here; recording continued/.test((await id(page, 'events').textContent())!),
    );
    const missed = await field(page, 'missed');
    assert.ok(missed > 1000 && missed >= probe.sent - missedFrom - 20_000);
    traffic.stop();
    gateway.send(probe.ledger());
    await until('the accounts balance', async () => {
      const parts = await Promise.all(['before', 'missed', 'received'].map((name) => field(page, name)));
      return parts.reduce((sum, part) => sum + part, 0) === probe.sent;
    });
    await until('the chart shows a gap', async () => (await attribute(page, 'chart', 'gaps')) === 1);
    await picture(page, 'gateway-back-dark');
  }));

test('synthetic traffic is labelled in header and chart', () =>
  visit({ synthetic: true, colorScheme: 'dark' }, async ({ page }) => {
    await live(page);
    assert.match((await id(page, 'synthetic').textContent())!, 'SYNTHETIC');
    assert.is(await id(page, 'chart-synthetic').textContent(), 'SYNTHETIC');
    assert.match((await id(page, 'chart').getAttribute('aria-label'))!, 'Synthetic');
    await page.waitForTimeout(3000);
    await picture(page, 'synthetic-dark');
  }));

test('another probe can be chosen', () =>
  visit({}, async ({ page, gateway }) => {
    await live(page);
    const other = new TestProbe(2, { name: 'core-2', interfaceName: 'ens5', runId: 9 });
    gateway.send(other.up());
    gateway.send(other.batch(30));
    gateway.send(other.ledger());
    await until(
      'it is offered',
      async () => (await id(page, 'probe-select').locator('option').count()) === 2,
    );
    await id(page, 'probe-select').selectOption({ label: 'core-2 · ens5 · afpacket' });
    await until('its ledger is shown', async () => (await field(page, 'stored')) === 30);
    await until('its packets are listed', async () => (await attribute(page, 'packet-list', 'total')) === 30);
  }));

test('the theme follows the system, can be changed, and is remembered', () =>
  visit({ colorScheme: 'dark' }, async ({ page }) => {
    await live(page);
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await id(page, 'theme').click();
    const light = await ground();
    assert.is.not(light, dark);
    await page.reload();
    await live(page);
    assert.is(await ground(), light);
  }));

test('at 360 pixels nothing overflows, and a packet can be opened', () =>
  visit({ viewport: { width: 360, height: 780 }, hasTouch: true }, async ({ page }) => {
    await live(page);
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.is(await overflow(), 0);
    await picture(page, 'narrow-light');
    await page.locator('rt-packet-list .row').nth(2).click();
    await id(page, 'packet-detail').waitFor();
    assert.is(await overflow(), 0);
    await picture(page, 'narrow-packet-light');
  }));

test('help, table view and focus are there for the keyboard', () =>
  visit({}, async ({ page }) => {
    await live(page);
    await page.keyboard.press('?');
    assert.ok(await id(page, 'help-dialog').isVisible());
    await page.keyboard.press('Escape');
    assert.not.ok(await id(page, 'help-dialog').isVisible());
    await until('there are rates', async () => (await attribute(page, 'chart', 'points')) >= 1);
    await id(page, 'chart-table-toggle').focus();
    await page.keyboard.press('Enter');
    assert.ok((await page.locator('rt-throughput tbody tr').count()) >= 1);
    const unnamed = await page.evaluate(() => {
      const names: string[] = [];
      const visit = (root: Document | ShadowRoot) => {
        for (const element of root.querySelectorAll<HTMLElement>('*')) {
          if (element.shadowRoot) visit(element.shadowRoot);
          const interactive = element.matches('button, input, select, canvas, [tabindex="0"]:not(tr)');
          const name =
            element.ariaLabel ?? element.getAttribute('aria-labelledby') ?? element.textContent?.trim();
          if (interactive && !name) names.push(element.outerHTML.slice(0, 120));
        }
      };
      visit(document);
      return names;
    });
    assert.equal(unnamed, []);
  }));

test('without a probe, and without the module, the page says what is wrong', async () => {
  await visit({ withoutProbe: true }, async ({ page }) => {
    await until('the state is named', async () =>
      /No probe yet/.test((await id(page, 'connection').textContent())!),
    );
    await until('what to do is said', async () =>
      (await id(page, 'packets-empty').textContent())!.includes('ringtapd -i'),
    );
    await picture(page, 'empty-light');
  });
  await visit({ broken: '/ringtap.wasm' }, async ({ page }) => {
    await until('the failure is told', async () =>
      /cannot be decoded/.test(
        (await id(page, 'banner')
          .textContent()
          .catch(() => '')) ?? '',
      ),
    );
    await until('the ledger works all the same', async () => (await field(page, 'stored')) > 0);
  });
});

test('hostile messages are counted, not believed', () =>
  visit({}, async ({ page, gateway, probe }) => {
    await live(page);
    gateway.sendRaw('text');
    gateway.sendRaw(new Uint8Array([1, 2, 3, 255, 255]));
    const evil = '<img src=x onerror=alert(1)>';
    gateway.send(new TestProbe(66, { name: evil, runId: 66 }).up());
    probe.alarms = [evil];
    gateway.send(probe.batch(50, { payload: new Uint8Array(400).fill(0xff) }));
    await until('the damage is told', async () =>
      /damaged batch/.test((await id(page, 'events').textContent())!),
    );
    await until('the alarm is text', async () => (await id(page, 'banner').textContent())!.includes(evil));
    assert.is(await page.locator('img').count(), 0);
    await live(page);
  }));

test('at 100,000 packets a second the page keeps up and the main thread stays free', () =>
  visit({ packetsPerSecond: 0 }, async ({ page, gateway, probe }) => {
    await until('the probe is known', async () => (await id(page, 'probe-select').count()) === 1);
    await page.evaluate(() => {
      const tasks: number[] = [];
      Object.assign(window, { longTasks: tasks });
      new PerformanceObserver((list) =>
        tasks.push(...list.getEntries().map(({ duration }) => duration)),
      ).observe({ type: 'longtask' });
    });
    const { payload } = probe.batch(5000).batch!;
    probe.sent = 0;
    probe.seq = 0;
    const seconds = 4;
    for (let i = 0; i < seconds * 20; i++) {
      const { batch } = probe.batch(0, { payload: payload!, packets: 5000 });
      gateway.send({ batch: batch! });
      probe.sent += 5000;
      if (i % 20 === 19) gateway.send(probe.ledger());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await until('all of it is parsed', async () => (await field(page, 'parsed')) === seconds * 100_000, 30);
    assert.is(await field(page, 'shed'), 0);
    const tasks = await page.evaluate(() => (window as unknown as { longTasks: number[] }).longTasks);
    const longest = Math.max(0, ...tasks);
    const blocked = tasks.reduce((sum, duration) => sum + duration - 50, 0);
    console.log(
      `main thread at 100,000 packets/s: longest task ${longest ? Math.round(longest) : 'under 50'} ms`,
    );
    // Not one over 50 ms is the aim; but a task also waits for its turn on the processor.
    if (loadavg()[0]! > availableParallelism())
      console.log('SKIP main-thread limit: the machine is busy with other work');
    else assert.ok(blocked < seconds * 100, `blocked for ${Math.round(blocked)} ms in ${seconds} s`);
  }));

if (!existsSync(executablePath)) {
  console.log(`SKIP page: no browser at ${executablePath}; install chromium or set CHROMIUM`);
} else if (!existsSync('build/web/dist/index.html')) {
  throw new Error('the dashboard is not built: run npm run build');
} else {
  test.before(async () => {
    browser = await chromium.launch({ executablePath, args: ARGUMENTS });
  });
  test.after(() => browser.close());
  test.run();
}
