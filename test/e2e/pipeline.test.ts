/** The main job on real packets: a generator on one end of a veth pair, everything else on the other. */
import { execFileSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  capinfosCount,
  enterNamespace,
  freePort,
  interfaceCounter,
  type LedgerLine,
  PROBE,
  Process,
  segments,
  startGateway,
  status,
  temporaryDirectory,
  tsharkCount,
  until,
} from './lab.js';

enterNamespace(import.meta.url);
execFileSync('make', ['-s', '-C', 'native', 'gen']);

const generate = (count: number, pps: number, size = 128) =>
  new Process('build/native/rtgen', ['tx0', String(count), String(pps), String(size)]);

function recorder(store: string, port: number): Process {
  const gateway = `ws://127.0.0.1:${port}/ws/ingest`;
  const uplink = ['--gateway', gateway, '--uplink-pps', '1000000', '--stats-interval', '0.2'];
  return new Process(PROBE, ['-i', 'rx0', '--store', store, ...uplink]);
}

/** received = passed on + each named loss, at every stage. */
function assertBalanced(ledger: LedgerLine): void {
  assert.is(ledger.unaccounted, 0);
  const losses = (ledger.filtered ?? 0) + (ledger.ring_drops ?? 0) + ledger.pool_drops + ledger.store_drops;
  assert.is(ledger.ring_received, losses + ledger.stored + ledger.in_flight);
  assert.is(ledger.offered, ledger.sent + ledger.sampled_out + ledger.uplink_drops + ledger.uplink_pending);
}

test('1,000,000 packets reach the disk, and every reader counts what the ledger says', async () => {
  const store = temporaryDirectory();
  const port = await freePort();
  const gateway = await startGateway(port);
  const probe = recorder(store, port);
  await until('the probe to record', () => probe.ledgers().length > 0);
  const before = interfaceCounter('tx0', 'tx_packets');
  const generator = generate(1_000_000, 200_000);

  // The segment being written opens cleanly at any moment, and holds no fewer than were stored before it was opened.
  for (let look = 0; look < 5; look++) {
    await until('more packets', () => (probe.ledgers().at(-1)?.stored ?? 0) > look * 100_000);
    const stored = probe.lastLedger().stored;
    const seen = capinfosCount(segments(store));
    assert.ok(seen >= stored, `capinfos sees ${seen}, ledger had ${stored}`);
  }
  assert.is(await generator.exited, 0);
  const sent = interfaceCounter('tx0', 'tx_packets') - before;
  assert.is(sent, 1_000_000);
  await until('the ring to run empty', () => {
    const { ring_received, if_drops, in_flight } = probe.lastLedger();
    return ring_received + (if_drops ?? 0) >= sent && in_flight === 0;
  });
  const summary = await until('the gateway to have parsed what it got', async () => {
    const [first] = (await status(port)).probes;
    return first?.ledger && first.summary && first.summary.packets >= first.ledger.sent && first;
  });
  assert.is(await probe.stop(), 0, probe.stderr);
  const ledger = probe.lastLedger();
  assert.ok(ledger.final);
  assertBalanced(ledger);
  assert.is(
    ledger.stored +
      (ledger.ring_drops ?? 0) +
      ledger.pool_drops +
      ledger.store_drops +
      (ledger.if_drops ?? 0),
    sent,
  );
  assert.is(ledger.stored, sent, 'nothing needs to be lost at this rate');
  assert.is(capinfosCount(segments(store)), ledger.stored);
  assert.is(tsharkCount(segments(store)), ledger.stored);
  assert.is(summary.summary?.malformed, 0);
  assert.is(summary.summary?.protocols.udp, summary.summary?.packets);
  await gateway.stop();
});

test('kill -9 of the gateway: recording loses nothing, the probe returns, the gap is exact', async () => {
  const store = temporaryDirectory();
  const port = await freePort();
  const gateway = await startGateway(port);
  const probe = recorder(store, port);
  await until('the probe to record', () => probe.ledgers().length > 0);
  const generator = generate(400_000, 50_000);
  await until(
    'packets at the gateway',
    async () => ((await status(port)).probes[0]?.summary?.packets ?? 0) > 50_000,
  );
  await gateway.stop('SIGKILL');
  const storedAtKill = probe.lastLedger().stored;
  await until('recording to go on without it', () => probe.lastLedger().stored > storedAtKill + 100_000);
  const next = await startGateway(port);
  const back = await until('the probe to return', async () => {
    const [first] = (await status(port)).probes;
    return first?.connected && (first.ledger?.sent ?? 0) > 0 && first;
  });
  assert.ok(back);
  assert.is(await generator.exited, 0);
  await until(
    'the ring to run empty',
    () => probe.lastLedger().ring_received >= 400_000 && probe.lastLedger().in_flight === 0,
  );
  assert.is(await probe.stop(), 0, probe.stderr);
  const ledger = probe.lastLedger();
  assertBalanced(ledger);
  assert.is(ledger.stored, 400_000);
  assert.is(capinfosCount(segments(store)), 400_000);
  assert.is(ledger.offered, 400_000);
  await next.stop();
});

test.run();
