/** The analysis thread: it may crash or lag; ingest and viewers go on, and every payload is accounted for. */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { paths } from '../../server/paths.js';
import {
  payload,
  startGateway,
  TestProbe,
  temporaryDirectory,
  viewer,
  waitFor,
  withoutEngine,
} from './helpers.js';

const missing = withoutEngine();
if (missing) console.log(`SKIP analysis: ${missing}`);
else {
  test('a thread that crashes is started again; what it missed is counted, then it counts on', async () => {
    const wasmFile = join(temporaryDirectory(), 'engine.wasm');
    writeFileSync(wasmFile, 'no module');
    const limits = { analysis_restart_min_ms: 20, analysis_restart_max_ms: 50, summary_interval_ms: 30 };
    const gateway = await startGateway({ wasmFile, limits });
    const watcher = await viewer(gateway);
    const probe = await TestProbe.connect(gateway);
    const { counters } = gateway.gateway.analysis;
    await waitFor('crashes', () => counters.restarts >= 3);
    await waitFor('a payload to be shed', () => {
      probe.batch(4);
      return counters.shedBatches > 0;
    });
    await waitFor(
      'batches to reach the viewer all the same',
      () => watcher.all('batch').length === probe.seq,
    );
    assert.is(counters.shedPackets, counters.shedBatches * 4);
    copyFileSync(paths.wasm, wasmFile);
    const summary = () => gateway.gateway.registry.get(1)?.summary ?? null;
    await waitFor('the thread to work', summary);
    const before = summary()?.packets ?? 0;
    probe.batch(3);
    await waitFor('the packets to be counted', () => summary()?.packets === before + 3);
    assert.is(probe.closed, null);
    await gateway.app.close();
  });

  test('a thread that lags sheds payloads, never ingest; parsed and shed add up', async () => {
    const limits = { analysis_queue_bytes: 100_000, summary_interval_ms: 30 };
    const gateway = await startGateway({ limits });
    const probe = await TestProbe.connect(gateway);
    const body = payload(500, 20); // about 45 kB: two fit
    for (let i = 0; i < 60; i++) probe.batch(500, body);
    await waitFor('all to be acknowledged', () => probe.acked() === 60);
    const { counters } = gateway.gateway.analysis;
    assert.ok(counters.shedBatches > 0, 'something was shed');
    assert.is(counters.batches + counters.shedBatches, 60);
    const parsed = () => gateway.gateway.registry.get(1)?.summary?.packets ?? 0;
    await waitFor('the accounts to add up', () => parsed() + counters.shedPackets === 60 * 500);
    await gateway.app.close();
  });
}

test.run();
