// The flow table and the series: directions, keys, conversations, eviction, windows.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Packet } from './captures.js';
import { ether, hex, ipv4, ipv6, join, newEngine, pcap, random, runSeed, tcp, udp } from './captures.js';

const seed = runSeed('flows');
const engine = await newEngine();
const second = 1_000_000_000n;

function read(packets: readonly Packet[]): void {
  engine.reset();
  engine.push(pcap(packets));
  assert.is(engine.end(), null);
}
const there = (payload: Uint8Array): Uint8Array => ether(0x800, ipv4(6, payload));
const back = (payload: Uint8Array): Uint8Array =>
  ether(0x800, ipv4(6, payload, { src: '10.0.0.2', dst: '10.0.0.1' }));

test('both directions share a flow; the first sender is its originator', () => {
  read([
    { bytes: there(tcp(1000, 80, [], { flags: 2, seq: 1 })), ts: 5n * second },
    { bytes: back(tcp(80, 1000, [], { flags: 0x12, seq: 1, ack: 2 })), ts: 6n * second, wirelen: 100 },
    { bytes: there(tcp(1000, 80, hex('0102'), { seq: 2, ack: 2 })), ts: 7n * second },
  ]);
  assert.is(engine.flowCount, 1);
  const [flow] = engine.flows();
  assert.match(flow!.uid, /^C[0-9A-Za-z]{17}$/);
  assert.equal(flow, {
    id: 0,
    uid: flow!.uid,
    communityId: '1:lWJQYXirSlmWE2qTFPykhczY8U4=',
    proto: 'tcp',
    ipProto: 6,
    origAddr: '10.0.0.1',
    origPort: 1000,
    respAddr: '10.0.0.2',
    respPort: 80,
    firstTsNs: 5n * second,
    lastTsNs: 7n * second,
    durationNs: 2n * second,
    service: null,
    origPackets: 2,
    respPackets: 1,
    origBytes: 54 + 56,
    respBytes: 100,
    origIpBytes: 40 + 42,
    respIpBytes: 40,
    origPayloadBytes: 2,
    respPayloadBytes: 0,
    origTcpFlags: 0x12,
    respTcpFlags: 0x12,
    connState: 'S1',
    history: 'ShD',
    missedBytes: 0,
    vlan: null,
    innerVlan: null,
    tunnelParents: [],
    synAckRttNs: second,
    ackRttNs: second,
    handshakeRttNs: 2n * second,
    origRetransmits: 0,
    respRetransmits: 0,
    origOutOfOrder: 0,
    respOutOfOrder: 0,
    origZeroWindows: 0,
    respZeroWindows: 0,
    ended: null,
  });
});

test('IPv6, and the same ports over UDP and TCP, are flows of their own', () => {
  read([
    { bytes: ether(0x86dd, ipv6(6, tcp(1, 2))) },
    { bytes: ether(0x86dd, ipv6(6, tcp(2, 1), 2, 1)) },
    { bytes: ether(0x86dd, ipv6(17, udp(1, 2))) },
    { bytes: ether(0x800, ipv4(17, udp(1, 2))) },
    { bytes: ether(0x800, ipv4(132, hex('0001 0002 00000000 00000000'))) },
    { bytes: ether(0x800, ipv4(47, hex('0000 0000'))) },
  ]);
  const flows = engine.flows({ sort: 'packets' });
  assert.is(flows[0]!.origAddr, 'fd00::1');
  assert.is(flows[0]!.respPackets, 1);
  assert.equal(flows.map(({ proto }) => proto).sort(), ['other', 'sctp', 'tcp', 'udp', 'udp']);
  const { tcpConversations, udpConversations } = engine.totals();
  assert.equal([tcpConversations, udpConversations], [1, 2]);
});

test('an echo and its reply share a flow; the packet an error quotes has none', () => {
  const error = join(hex('0303 0000 00000000'), ipv4(17, udp(9, 10)));
  read([
    { bytes: ether(0x800, ipv4(1, hex('0800 0000 0001 0001'))) },
    { bytes: ether(0x800, ipv4(1, hex('0000 0000 0001 0001'), { src: '10.0.0.2', dst: '10.0.0.1' })) },
    { bytes: ether(0x800, ipv4(1, error)) },
  ]);
  assert.equal(
    engine
      .flows()
      .map(({ proto, origPackets, respPackets }) => [proto, origPackets, respPackets])
      .sort(),
    [
      ['icmp', 1, 0],
      ['icmp', 1, 1],
    ],
  );
  assert.is(engine.totals().udpConversations, 0);
});

test('tunnels: the carrier and what it carries are flows; a row names the innermost', () => {
  engine.reset();
  const inner = ether(0x800, ipv4(6, tcp(3, 4), { src: '1.1.1.1', dst: '2.2.2.2' }));
  const bytes = ether(0x800, ipv4(17, udp(1000, 4789, join(hex('08000000 00000100'), inner))));
  let id = -2;
  engine.push(pcap([{ bytes }]), (rows) => {
    id = rows.flowId(0);
  });
  assert.equal(
    engine
      .flows({ sort: 'first' })
      .map(({ proto }) => proto)
      .sort(),
    ['tcp', 'udp'],
  );
  const inside = engine.flows().find((flow) => flow.id === id)!;
  const carrier = engine.flows().find(({ proto }) => proto === 'udp')!;
  assert.is(inside.proto, 'tcp');
  assert.equal(inside.tunnelParents, [carrier.uid]);
  assert.equal([carrier.service, carrier.tunnelParents.length, inside.service], ['vxlan', 0, null]);
});

test('a row without IP has no flow', () => {
  engine.reset();
  const ids: number[] = [];
  engine.push(pcap([{ bytes: ether(0x88cc, hex('00')) }]), (rows) => ids.push(rows.flowId(0)));
  assert.equal(ids, [-1]);
});

test('a SYN with a new sequence number on known ports begins another conversation', () => {
  const syn = (seq: number): Packet => ({ bytes: there(tcp(1000, 80, [], { flags: 2, seq })) });
  read([
    syn(1),
    syn(1),
    { bytes: back(tcp(80, 1000, [], { flags: 0x12, seq: 500 })) },
    { bytes: there(tcp(1000, 80)) },
  ]);
  assert.is(engine.totals().tcpConversations, 1, 'a retransmitted SYN is the same');
  read([syn(1), { bytes: back(tcp(80, 1000, [], { flags: 0x12, seq: 500 })) }, syn(9000), syn(9000)]);
  assert.is(engine.totals().tcpConversations, 2);
  assert.equal(
    engine.flows().map(({ ended, origPackets, respPackets }) => [ended, origPackets, respPackets]),
    [
      ['reused', 1, 1],
      [null, 2, 0],
    ],
    'both are listed: the one that ended until its place is needed',
  );
});

test('later fragments go to a flow without ports', () => {
  read([
    { bytes: ether(0x800, ipv4(17, udp(1, 2), { fragment: 0x2000 })) },
    { bytes: ether(0x800, ipv4(17, hex('0102030405060708'), { fragment: 1 })) },
  ]);
  assert.equal(
    engine
      .flows()
      .map(({ proto, ipProto, origPort }) => [proto, ipProto, origPort])
      .sort(),
    [
      ['other', 17, 0],
      ['udp', 17, 1],
    ],
  );
});

test('against a plain map: random traffic, any hash seed', async () => {
  const next = random(seed);
  const packets: Packet[] = [];
  const want = new Map<string, [packets: number, bytes: number]>();
  for (let i = 0; i < 30_000; i++) {
    const [a, b] = [next(60), next(60)];
    const ports = [1 + next(20), 1 + next(20)] as const;
    const six = next(3) === 0;
    const payload = udp(...ports);
    const bytes = six
      ? ether(0x86dd, ipv6(17, payload, a, b))
      : ether(0x800, ipv4(17, payload, { src: `10.0.0.${a}`, dst: `10.0.0.${b}` }));
    packets.push({ bytes, ts: BigInt(i) * 1000n });
    const ends = [`${a}:${ports[0]}`, `${b}:${ports[1]}`].sort();
    const key = `${six} ${ends}`;
    const entry = want.get(key) ?? [0, 0];
    want.set(key, [entry[0] + 1, entry[1] + bytes.length]);
  }
  const file = pcap(packets);
  for (const hashSeed of [0n, BigInt(seed) << 20n, 0xffffffffffffffffn]) {
    const fresh = await newEngine({ seed: hashSeed, maxFlows: 1 << 16 });
    fresh.push(file);
    assert.is(fresh.end(), null);
    assert.is(fresh.flowCount, want.size);
    assert.is(fresh.flowsEvicted, 0);
    for (const flow of fresh.flows()) {
      const last = (address: string): string =>
        String(
          address.includes('.')
            ? Number(address.split('.')[3])
            : Number.parseInt(address.split(':').at(-1) || '0', 16),
        );
      const ends = [
        `${last(flow.origAddr)}:${flow.origPort}`,
        `${last(flow.respAddr)}:${flow.respPort}`,
      ].sort();
      const entry = want.get(`${flow.origAddr.includes(':')} ${ends}`);
      assert.equal([flow.origPackets + flow.respPackets, flow.origBytes + flow.respBytes], entry);
    }
  }
});

test('the table is bounded: the least recently seen go, counted, and busy ones stay', async () => {
  const small = await newEngine({ maxFlows: 64, seed: 3n });
  const busy = ether(0x800, ipv4(17, udp(1, 2), { src: '9.9.9.9' }));
  const packets: Packet[] = [];
  for (let i = 0; i < 5000; i++) {
    packets.push({ bytes: ether(0x800, ipv4(17, udp(1000 + i, 53))), ts: BigInt(2 * i) * 1000n });
    packets.push({ bytes: busy, ts: BigInt(2 * i + 1) * 1000n });
  }
  small.push(pcap(packets));
  assert.is(small.end(), null);
  assert.is(small.flowCount, 64);
  assert.is(small.flowsEvicted, 5001 - 64);
  const [first] = small.flows({ sort: 'packets', limit: 1 });
  assert.equal([first!.origAddr, first!.origPackets], ['9.9.9.9', 5000], 'the busy flow was never evicted');
  assert.is(new Set(small.flows().map(({ id }) => id)).size, 64, 'ids are unique');
});

test('flows() sorts and limits', () => {
  read([
    { bytes: ether(0x800, ipv4(17, udp(1, 1, new Uint8Array(500)))), ts: 1n * second },
    { bytes: ether(0x800, ipv4(17, udp(2, 2))), ts: 2n * second },
    { bytes: ether(0x800, ipv4(17, udp(2, 2))), ts: 9n * second },
    { bytes: ether(0x800, ipv4(17, udp(3, 3))), ts: 5n * second },
  ]);
  const ports = (sort: 'bytes' | 'packets' | 'last' | 'first'): number[] =>
    engine.flows({ sort }).map(({ origPort }) => origPort);
  assert.is(ports('bytes')[0], 1);
  assert.is(ports('packets')[0], 2);
  assert.equal(ports('last'), [2, 3, 1]);
  assert.equal(ports('first'), [3, 2, 1]);
  assert.is(engine.flows({ limit: 2 }).length, 2);
});

test('the series has one point a second, within a bounded window', () => {
  const bytes = ether(0x800, ipv4(17, udp(1, 2)));
  const at = (sec: number): Packet => ({ bytes, ts: BigInt(sec) * second + 5n, wirelen: 100 });
  read([at(10), at(10), at(12), at(11)]);
  assert.equal(engine.series(), [
    { sec: 10, packets: 2, bytes: 200 },
    { sec: 11, packets: 1, bytes: 100 },
    { sec: 12, packets: 1, bytes: 100 },
  ]);
  assert.equal(
    engine.series(12).map(({ sec }) => sec),
    [12],
  );
  read([at(10), at(10 + 4096), at(10), at(11 + 4096)]);
  assert.equal(
    engine.series().map(({ sec, packets }) => [sec, packets]),
    [
      [4106, 1],
      [4107, 1],
    ],
  );
  assert.is(engine.totals().packets, 4);
});

test('reset forgets flows, series and totals', () => {
  read([{ bytes: ether(0x800, ipv4(17, udp(1, 2))), ts: second }]);
  engine.reset();
  assert.equal([engine.flowCount, engine.series().length, engine.totals().packets], [0, 0, 0]);
  assert.is(engine.totals().firstTsNs, null);
});

test.run();
