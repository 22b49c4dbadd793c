/** The bytes on the wire, written out by hand after the protobuf encoding: what peers in other languages rely on. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeFrame } from '../../proto/frame.js';
import { LIMITS } from '../../server/limits.js';
import { gapFrame, probeDownFrame, probeUpFrame, summaryFrame } from '../../server/live/frames.js';
import { checkHello } from '../../server/probes/hello.js';
import { Run } from '../../server/probes/run.js';
import { section, startGateway, TestProbe, waitFor } from './helpers.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const utf8 = (text: string) => Buffer.from(text).toString('hex');

test('Gap, ProbeDown', () => {
  const gap = { probe: 3, firstSeq: 5, lastSeq: 300, packets: 1000 };
  assert.is(hex(gapFrame(gap, 'viewer-slow')), '420c' + '0803' + '1005' + '18ac02' + '20e807' + '2801');
  assert.is(hex(gapFrame({ ...gap, packets: null }, 'uplink')), '4209' + '0803' + '1005' + '18ac02' + '2802');
  assert.is(
    hex(gapFrame({ ...gap, packets: 0 }, 'uplink')),
    '420b' + '0803' + '1005' + '18ac02' + '2000' + '2802',
  );
  assert.is(hex(probeDownFrame(1, 'gone')), `3a08080112 04${utf8('gone')}`.replace(' ', ''));
});

test('Summary', () => {
  const summary = { packets: 1, wireBytes: 60, malformed: 0, flows: 1, batches: 1, protocols: { udp: 1 } };
  const bytes = hex(summaryFrame(2, summary, 4));
  assert.is(bytes.slice(4, 10), '080211'); // probe, then fixed64 ts_ns
  assert.is(bytes.slice(26), `1801203c3001${'3a070a03'}${utf8('udp')}100140014804`);
});

test('ProbeUp carries the Hello and whether it is connected', () => {
  const hello = {
    runId: '11'.repeat(16),
    name: 'p',
    interfaceName: 'e',
    linktype: 1,
    source: 's',
    synthetic: true,
    filter: '',
    uplinkSnaplen: 256,
    section: Buffer.from([1, 2]),
    startedTsNs: 1n,
  };
  const run = new Run(hello.runId);
  run.lastSeq = 9;
  const probe = { number: 1, hello, run, link: null, ledger: null, summary: null, gone_ms: 0 };
  const inner = `08011210${'11'.repeat(16)}1a0170220165280132017338014880025202010259${'0100000000000000'}`;
  const body = `080112${(inner.length / 2).toString(16)}${inner}2009`;
  assert.is(hex(probeUpFrame(probe)), `32${(body.length / 2).toString(16)}${body}`);
});

test('Welcome and Ack as a probe receives them', async () => {
  const gateway = await startGateway();
  const probe = await TestProbe.connect(gateway);
  assert.is(probe.raw[0]?.toString('hex'), '2204' + '0801' + '1040');
  probe.batch();
  await waitFor('the ack', () => probe.acked() === 1);
  assert.is(probe.raw[1]?.toString('hex'), '2a020801');
  await gateway.app.close();
});

test('Hello, Batch and Ledger as a probe in C sends them', () => {
  const pcapng = section();
  const fields = `08011210${'ab'.repeat(16)}1a03${utf8('tap')}2204${utf8('eth0')}28013208${utf8('afpacket')}52${pcapng.length.toString(16)}${pcapng.toString('hex')}`;
  const { hello } = decodeFrame(
    Buffer.from(
      `0a${(fields.length / 2).toString(16)}01${fields}`.replace(/^0a(..)01/, (_, length) => `0a${length}`),
      'hex',
    ),
  );
  const checked = checkHello(hello ?? {}, LIMITS);
  assert.equal([checked.name, checked.interfaceName, checked.source], ['tap', 'eth0', 'afpacket']);
  assert.equal([checked.synthetic, checked.runId], [false, 'ab'.repeat(16)]);
  const { batch } = decodeFrame(
    Buffer.from('1212' + '0801' + '1002' + '2803' + '3004' + '4005' + '7a06' + 'aabbccddeeff', 'hex'),
  );
  assert.equal(
    [batch?.probe, Number(batch?.seq), batch?.packets, Number(batch?.packetsBefore)],
    [1, 2, 3, 4],
  );
  assert.is(Buffer.from(batch?.payload ?? []).toString('hex'), 'aabbccddeeff');
  const { ledger } = decodeFrame(Buffer.from('1a08' + '0801' + '2800' + '3802' + '5001', 'hex'));
  assert.equal(
    [Number(ledger?.ringDrops), ledger?.filtered ?? null, Number(ledger?.unaccounted)],
    [0, null, -1],
  );
});

test.run();
