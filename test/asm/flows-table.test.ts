// The flow table as a whole: batches change nothing, nothing is lost when flows end, tunnels and tags,
// services, top talkers and distinct counts within their bounds, merged and single.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { EngineOptions, Flow, TopTalkers } from '../../asm/host/index.js';
import {
  distinctOf,
  type Engine,
  EngineError,
  mergeSketches,
  mergeTopTalkers,
  TALKER_KINDS,
} from '../../asm/host/index.js';
import type { Packet } from './captures.js';
import {
  dnsQuery,
  ether,
  FRAMES,
  hex,
  ipv4,
  ipv6,
  join,
  newEngine,
  pcap,
  random,
  runSeed,
  tcp,
  udp,
  vlan,
} from './captures.js';

const seed = runSeed('flows-table');
const second = 1_000_000_000n;
const MAC = '020000000001';

async function read(file: Uint8Array, options: EngineOptions = {}): Promise<Engine> {
  const engine = await newEngine({ seed: 7n, ...options });
  engine.push(file);
  assert.is(engine.end(), null);
  return engine;
}

/** TCP of all kinds, UDP, IPv6, tunnels; times that also step back. */
function mixed(count: number, hosts: number): Packet[] {
  const next = random(seed);
  const flags = [2, 0x12, 0x10, 0x18, 0x11, 4, 0x14];
  return Array.from({ length: count }, (_, i) => {
    const [a, b] = [1 + next(hosts), 1 + next(hosts)];
    const ports = [1024 + next(40), next(2) ? 80 : 1024 + next(40)] as const;
    const segment = tcp(...ports, new Uint8Array(next(50)), {
      flags: flags[next(flags.length)]!,
      seq: next(4) * 0x40000000 + next(200),
      ack: next(4) * 0x40000000 + next(200),
      window: next(5),
    });
    const inner = next(3) ? ipv4(6, segment, ends(a, b)) : ipv4(17, udp(...ports, dnsQuery()), ends(a, b));
    const frame = ether(0x800, inner);
    const kind = next(12);
    const bytes =
      kind === 0
        ? ether(0x86dd, ipv6(6, segment, a & 255, b & 255))
        : kind === 1
          ? ether(0x800, ipv4(17, udp(9, 4789, join(hex('0800000000000100'), frame)), ends(b, a)))
          : kind === 2
            ? FRAMES[next(FRAMES.length)]!.bytes
            : frame;
    return { bytes, ts: 1000n * second + BigInt(i) * 1_000_000n - BigInt(next(3_000_000)) * 1000n };
  });
}
const ends = (a: number, b: number) => ({
  src: `10.0.${a >> 8}.${a & 255}`,
  dst: `10.0.${b >> 8}.${b & 255}`,
});
const sum = (flows: readonly Flow[]): number =>
  flows.reduce((total, flow) => total + flow.origPackets + flow.respPackets, 0);
const byId = (flows: Flow[]): Flow[] => flows.sort((a, b) => a.id - b.id);

test('in batches or one at a time: the same flows, ends, rows and counts', async () => {
  const file = pcap(mixed(8000, 60));
  for (const extra of [
    {},
    { maxFlows: 100 },
    { maxFlows: 100, exportFlows: true, idleTimeouts: { tcp: 2, udp: 1 } },
  ]) {
    const results = [];
    for (const flowBatches of ['never', 'always', 'auto'] as const) {
      const engine = await newEngine({ seed: 7n, flowBatches, ...extra });
      const ids: number[] = [];
      for (let at = 0; at < file.length; at += 9973)
        engine.push(file.subarray(at, at + 9973), (rows) => {
          for (let i = 0; i < rows.length; i++) ids.push(rows.flowId(i));
        });
      const ended = 'exportFlows' in extra ? engine.drainFlows() : [];
      const { tcpConversations, udpConversations } = engine.totals();
      const talkers = TALKER_KINDS.map((by) => engine.topTalkers({ by, k: 50 }));
      const counts = [tcpConversations, udpConversations, engine.flowsEvicted, engine.flowPackets];
      results.push({ ids, ended, flows: byId(engine.flows()), counts, talkers, distinct: engine.distinct() });
    }
    assert.is(results[0]!.ids.length, 8000);
    assert.equal(results[1], results[0]);
    assert.equal(results[2], results[0]);
  }
});

test('exports: every packet of a flow is in exactly one flow, live or drained', async () => {
  const packets = mixed(12_000, 200);
  const options = { maxFlows: 64, exportFlows: true, idleTimeouts: { tcp: 1, udp: 1, icmp: 1, other: 1 } };
  const engine = await read(pcap(packets), options);
  const drained = engine.drainFlows();
  const live = engine.flows();
  assert.ok(live.length <= 64 && drained.length > 3000);
  assert.is(sum(drained) + sum(live), engine.flowPackets);
  assert.equal(new Set([...drained, ...live].map(({ id }) => id)).size, drained.length + live.length);
  for (const reason of ['evicted', 'idle', 'reused'] as const)
    assert.ok(
      drained.some(({ ended }) => ended === reason),
      reason,
    );
  const rest = engine.drainFlows({ all: true });
  assert.equal([rest.length, engine.flowCount, engine.flows().length], [live.length, 0, 0]);
  assert.ok(rest.every(({ ended }) => ended === 'drained'));
  const whole = await read(pcap(packets), { maxFlows: 1 << 16 });
  assert.is(whole.flowPackets, engine.flowPackets);
  assert.is(sum(whole.flows()), whole.flowPackets);
  engine.push(pcap(packets).subarray(24, 24)); // an emptied table goes on
  engine.begin();
  engine.push(pcap(packets));
  assert.is(sum(engine.drainFlows({ all: true })), whole.flowPackets);
});

test('a full table of more than the export area holds drains in steps', async () => {
  const packets = Array.from({ length: 5000 }, (_, i) => ({ bytes: ether(0x800, ipv4(17, udp(1 + i, 9))) }));
  const engine = await read(pcap(packets), { exportFlows: true });
  assert.is(engine.drainFlows().length, 0);
  assert.is(engine.drainFlows({ all: true }).length, 5000);
});

test('idle timeouts split by protocol, to the nanosecond; without exports both parts stay listed', async () => {
  const at = (seconds: bigint, bytes: Uint8Array): Packet => ({ bytes, ts: seconds * second });
  const u = ether(0x800, ipv4(17, udp(1, 2)));
  const t = ether(0x800, ipv4(6, tcp(1, 2)));
  const packets = [at(0n, u), at(0n, t), at(60n, u), at(60n, t), at(121n, u), at(121n, t)];
  const engine = await read(pcap(packets), { idleTimeouts: { udp: 60, tcp: 300 } });
  const list = (flows: Flow[]) =>
    byId(flows).map(({ proto, origPackets, ended }) => `${proto} ${origPackets} ${ended}`);
  assert.equal(list(engine.flows()), ['udp 2 idle', 'tcp 3 null', 'udp 1 null']);
  const exporting = await read(pcap(packets), { idleTimeouts: { udp: 60, tcp: 300 }, exportFlows: true });
  assert.equal(list(exporting.drainFlows()), ['udp 2 idle']);
  assert.equal(list(exporting.flows()), ['tcp 3 null', 'udp 1 null']);
});

test('forgotten flows are counted all the same, and take no place', async () => {
  const packets = mixed(12_000, 60);
  const options = { seed: 7n, maxFlows: 1 << 16, idleTimeouts: { tcp: 2, udp: 1, icmp: 1, other: 1 } };
  const exporting = await read(pcap(packets), { ...options, exportFlows: true });
  const forgetting = await read(pcap(packets), { ...options, forgetFlows: true });
  assert.equal(forgetting.totals(), exporting.totals());
  assert.equal([forgetting.flowPackets, forgetting.flowsEvicted], [exporting.flowPackets, 0]);
  assert.equal(forgetting.distinct(), exporting.distinct());
  assert.equal(byId(forgetting.flows()), byId(exporting.flows()));
  assert.ok(exporting.drainFlows().length > 1000, 'flows did end');
  try {
    await newEngine({ forgetFlows: true, exportFlows: true });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, EngineError);
  }
});

test('endFlows hands out the whole table in steps', async () => {
  const packets = Array.from({ length: 5000 }, (_, i) => ({ bytes: ether(0x800, ipv4(17, udp(1 + i, 9))) }));
  const engine = await read(pcap(packets), { exportFlows: true, maxFlows: 4000 });
  const steps = [...engine.endFlows()];
  assert.is(steps[0]?.length, 1000, 'those evicted before come first');
  assert.ok(steps.every((flows) => flows.length <= 1024));
  assert.is(new Set(steps.flat().map(({ id }) => id)).size, 5000);
  assert.is(engine.flowCount, 0);
});

test('a silent flow is exported by the traffic of others', async () => {
  const packets = Array.from({ length: 200 }, (_, i) => ({
    bytes: ether(0x800, ipv4(17, udp(i === 0 ? 7 : 8, 9))),
    ts: BigInt(i) * second,
  }));
  const engine = await read(pcap(packets), { idleTimeouts: { udp: 30 }, exportFlows: true });
  assert.equal(
    engine.drainFlows().map(({ origPort, ended }) => [origPort, ended]),
    [[7, 'idle']],
  );
});

test('drainFlows without exportFlows, and bad timeouts, say what to do', async () => {
  const engine = await newEngine();
  assert.throws(
    () => engine.drainFlows(),
    (error: Error) => /exportFlows: true/.test(error.message),
  );
  for (const tcp of [-1, 0.5, Number.NaN, 2 ** 33])
    try {
      await newEngine({ idleTimeouts: { tcp } });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, EngineError);
    }
});

test('tags, services and tunnel parents', async () => {
  const gtp = FRAMES.find(({ name }) => name.startsWith('gtp'))!.bytes;
  const engine = await read(
    pcap([
      { bytes: ether(0x88a8, vlan(0x2007, 0x8100, vlan(9, 0x800, ipv4(17, udp(4000, 53, dnsQuery()))))) },
      { bytes: ether(0x8100, vlan(5, 0x800, ipv4(6, tcp(4001, 80, Buffer.from('GET / HTTP/1.1\r\n\r\n'))))) },
      { bytes: ether(0x86dd, ipv6(6, tcp(4002, 443, hex('16 0301 0004 01000000')))) },
      { bytes: gtp },
      { bytes: ether(0x800, ipv4(4, ipv4(17, udp(7, 8)))) },
      { bytes: ether(0x800, ipv4(1, join(hex('0303 0000 00000000'), ipv4(17, udp(9, 53, dnsQuery()))))) },
    ]),
  );
  const flows = byId(engine.flows());
  assert.equal(
    flows.map(({ vlan, innerVlan, service, connState }) => [vlan, innerVlan, service, connState]),
    [
      [7, 9, 'dns', 'S0'],
      [5, null, 'http', 'OTH'],
      [null, null, 'ssl', 'OTH'],
      [null, null, 'gtpv1', 'S0'],
      [null, null, null, 'S0'],
      [null, null, null, 'OTH'],
      [null, null, null, 'S0'],
      [null, null, null, 'OTH'],
    ],
  );
  assert.equal(
    flows.map(({ tunnelParents }) => flows.findIndex(({ uid }) => uid === tunnelParents[0])),
    [-1, -1, -1, -1, 3, -1, 5, -1],
  );
});

test('uids: the same for the same seed, different between flows and seeds, silent about the seed', async () => {
  const file = pcap(mixed(500, 50));
  const names = async (hashSeed: bigint) =>
    byId((await read(file, { seed: hashSeed })).flows()).map(({ uid }) => uid);
  const [one, same, other] = [await names(1n), await names(1n), await names(2n)];
  assert.equal(one, same);
  assert.is(new Set([...one, ...other]).size, one.length + other.length);
});

test('UDP: direction, state, payload lengths without padding', async () => {
  const padded = join(ether(0x800, ipv4(17, udp(5000, 53, [1, 2, 3]))), new Uint8Array(15));
  const answer = ether(
    0x800,
    ipv4(17, udp(53, 5000, new Uint8Array(70)), { src: '10.0.0.2', dst: '10.0.0.1' }),
  );
  const pair = await read(pcap([{ bytes: answer }, { bytes: padded }]));
  const [flow] = pair.flows();
  assert.equal([flow!.origPort, flow!.history, flow!.connState], [5000, '^dD', 'SF']);
  assert.equal([flow!.origPayloadBytes, flow!.respPayloadBytes, flow!.origIpBytes], [3, 70, 31]);
  const [alone] = (await read(pcap([{ bytes: answer }]))).flows();
  assert.equal([alone!.connState, alone!.history], ['SHR', '^d']);
});

// ── talkers and distinct counts ──────────────────────────────────────────────────────────────────────
interface Truth {
  file: Uint8Array;
  sent: Map<string, number>;
  ports: Map<string, number>;
  pairs: Set<string>;
  sources: Set<string>;
}
/** Skewed sources: host i sends about 1/i of the packets. */
function skewed(count: number, hosts: number, from: number): Truth {
  const next = random(seed + from);
  const truth: Truth = {
    file: new Uint8Array(),
    sent: new Map(),
    ports: new Map(),
    pairs: new Set(),
    sources: new Set(),
  };
  const packets: Packet[] = [];
  for (let i = 0; i < count; i++) {
    const host = Math.floor(hosts ** (next(1_000_000) / 1_000_000));
    const { src } = ends(host, 0);
    const port = 2000 + next(5);
    const wirelen = 60 + next(1000);
    packets.push({
      bytes: ether(0x800, ipv4(17, udp(10_000 + next(20_000), port), { src, dst: '192.0.2.1' }), MAC),
      ts: BigInt(i) * 1000n,
      wirelen,
    });
    truth.sources.add(src);
    truth.sent.set(src, (truth.sent.get(src) ?? 0) + wirelen);
    truth.ports.set(`udp/${port}`, (truth.ports.get(`udp/${port}`) ?? 0) + wirelen);
  }
  truth.file = pcap(packets);
  return truth;
}

test('top talkers are exact while few left the table, and within the error said when many did', async () => {
  const truth = skewed(40_000, 10_000, 0);
  for (const maxFlows of [1 << 17, 64]) {
    const engine = await read(truth.file, { maxFlows });
    const ports = engine.topTalkers({ by: 'port' });
    assert.is(ports.errorBytes, 0);
    assert.equal(new Map(ports.talkers.map(({ key, bytes }) => [key, bytes])), truth.ports);
    assert.equal(engine.topTalkers({ by: 'destination', k: 1 }).talkers[0]?.key, '192.0.2.1');
    const { talkers, errorBytes } = engine.topTalkers({ by: 'source' });
    const total = [...truth.sent.values()].reduce((a, b) => a + b, 0);
    assert.ok(errorBytes < total / 500, `error of ${errorBytes} of ${total} bytes`);
    const listed = new Map(talkers.map(({ key, bytes }) => [key, bytes]));
    for (const [host, bytes] of truth.sent) {
      const said = listed.get(host) ?? 0;
      assert.ok(said <= bytes && bytes <= said + errorBytes, `${host}: ${said} said, ${bytes} sent`);
    }
    const top = [...truth.sent].sort((a, b) => b[1] - a[1])[0]!;
    assert.is(talkers[0]!.key, top[0]);
  }
});

test('talkers of several engines add up', async () => {
  const truths = [skewed(5000, 3000, 1), skewed(5000, 3000, 2)];
  const answers: TopTalkers[] = [];
  for (const { file } of truths)
    answers.push((await read(file, { maxFlows: 64 })).topTalkers({ by: 'source' }));
  const { talkers, errorBytes } = mergeTopTalkers(answers, 20);
  assert.is(talkers.length, 20);
  for (const { key, bytes } of talkers) {
    const sent = truths.reduce((all, { sent }) => all + (sent.get(key) ?? 0), 0);
    assert.ok(bytes <= sent && sent <= bytes + errorBytes, key);
  }
  assert.throws(() => mergeTopTalkers([]));
  assert.throws(() => mergeTopTalkers([answers[0]!, { by: 'port', talkers: [], errorBytes: 0 }]));
});

test('distinct counts lie within four standard errors, also merged and whatever was evicted', async () => {
  const truths = [skewed(30_000, 60_000, 3), skewed(30_000, 60_000, 4)];
  const engines = [];
  for (const { file } of truths)
    engines.push(await read(file, { maxFlows: 64, seed: BigInt(engines.length) }));
  const check = (name: string, said: number, want: number, error: number): void =>
    assert.ok(Math.abs(said - want) <= Math.max(1, 4 * error * want), `${name}: ${said} said, ${want} seen`);
  for (const [i, engine] of engines.entries()) {
    const { originators, responders, responderPorts, standardError } = engine.distinct();
    assert.ok(standardError < 0.01);
    check('originators', originators, truths[i]!.sources.size, standardError);
    assert.equal([responders, responderPorts], [1, 5], 'few are counted exactly');
  }
  const merged = distinctOf(mergeSketches(engines.map((engine) => engine.distinctSketch())));
  const all = new Set(truths.flatMap(({ sources }) => [...sources]));
  check('merged', merged.originators, all.size, merged.standardError);
  engines[0]!.reset();
  assert.is(engines[0]!.distinct().flows, 0);
  assert.equal(engines[0]!.topTalkers({ by: 'flow' }).talkers, []);
});

test.run();
