// TCP connections built segment by segment: conn_state and history by Zeek's rules, bytes by sequence
// numbers, handshake times, retransmissions, reordering, zero windows, missed bytes, across the wrap.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Flow } from '../../asm/host/index.js';
import type { Packet } from './captures.js';
import { ether, ipv4, newEngine, pcap, tcp } from './captures.js';

const engine = await newEngine();
const ms = 1_000_000n;
const BITS: Record<string, number> = { F: 1, S: 2, R: 4, P: 8, A: 16 };

interface Segment {
  /** Flags, or with a leading `<` from the responder: `S`, `<SA`, `A`, `FA`. */
  flags: string;
  seq: number;
  ack?: number;
  bytes?: number;
  window?: number;
  /** Milliseconds since the segment before; 10 by default. */
  after?: number;
}
/** Ports that neither Zeek nor this engine takes for a service. */
const PORTS = [40000, 40001] as const;

function packets(segments: readonly Segment[], [a, b]: readonly [number, number] = PORTS): Packet[] {
  let ts = 1000n * ms;
  return segments.map(({ flags, seq, ack = 0, bytes = 0, window = 1000, after = 10 }) => {
    ts += BigInt(after) * ms;
    const back = flags.startsWith('<');
    const bits = [...flags.replace('<', '')].reduce((sum, letter) => sum | BITS[letter]!, 0);
    const given = { flags: bits, seq: seq >>> 0, ack: ack >>> 0, window };
    const segment = tcp(back ? b : a, back ? a : b, new Uint8Array(bytes), given);
    const ends = back ? { src: '10.0.0.2', dst: '10.0.0.1' } : {};
    return { bytes: ether(0x800, ipv4(6, segment, ends)), ts };
  });
}

function flowOf(segments: readonly Segment[], ports?: readonly [number, number]): Flow {
  engine.reset();
  engine.push(pcap(packets(segments, ports)));
  assert.is(engine.end(), null);
  assert.is(engine.flowCount, 1);
  return engine.flows()[0]!;
}

const syn: Segment = { flags: 'S', seq: 100 };
const synAck: Segment = { flags: '<SA', seq: 500, ack: 101 };
const ack: Segment = { flags: 'A', seq: 101, ack: 501 };
const open = [syn, synAck, ack];
const data: Segment = { flags: 'PA', seq: 101, ack: 501, bytes: 10 };
const reply: Segment = { flags: '<PA', seq: 501, ack: 111, bytes: 20 };
const fin: Segment = { flags: 'FA', seq: 111, ack: 521 };
const finBack: Segment = { flags: '<FA', seq: 521, ack: 112 };
const lastAck: Segment = { flags: 'A', seq: 112, ack: 522 };

const STATES: readonly [want: string, history: string, segments: Segment[]][] = [
  ['S0', 'S', [syn]],
  ['S0', 'S', [syn, { ...syn, after: 1000 }]],
  ['S1', 'ShA', open],
  ['S1', 'ShADd', [...open, data, reply]],
  ['SF', 'ShADdFf', [...open, data, reply, fin, finBack]],
  ['S2', 'ShADdF', [...open, data, reply, fin]],
  ['S3', 'ShADdf', [...open, data, reply, { flags: '<FA', seq: 521, ack: 111 }]],
  ['REJ', 'Sr', [syn, { flags: '<RA', seq: 0, ack: 101 }]],
  ['REJ', 'ShRr', [syn, synAck, { flags: 'R', seq: 101 }, { flags: '<R', seq: 501 }]],
  ['RSTO', 'ShADdR', [...open, data, reply, { flags: 'R', seq: 111 }]],
  ['RSTO', 'ShR', [syn, synAck, { flags: 'R', seq: 101 }]],
  ['RSTR', 'ShADdr', [...open, data, reply, { flags: '<R', seq: 521 }]],
  ['RSTOS0', 'SR', [syn, { flags: 'R', seq: 101 }]],
  ['SH', 'SF', [syn, { flags: 'F', seq: 101 }]],
  // Never a SYN from the originator: the SYN-ACK tells who responds.
  ['RSTRH', '^hr', [synAck, { flags: '<R', seq: 501 }]],
  ['SHR', '^hf', [synAck, { flags: '<FA', seq: 501, ack: 101 }]],
  ['OTH', 'D', [data]],
  ['OTH', 'Dd', [data, reply]],
  ['OTH', 'R', [{ flags: 'R', seq: 5 }]],
  ['OTH', '^h', [synAck]],
  ['S1', '^hA', [synAck, ack]],
  // Both flags at once, and what Zeek calls inconsistent.
  ['SH', 'Q', [{ flags: 'SF', seq: 100 }]],
  ['OTH', 'I', [{ flags: 'FR', seq: 100 }]],
];
for (const [want, history, segments] of STATES)
  test(`${want}: ${segments.map(({ flags }) => flags).join(' ')}`, () => {
    const flow = flowOf(segments);
    assert.equal([flow.connState, flow.history], [want, history]);
  });

test('history: a letter once a side, but again for a SYN or FIN of another sequence number', () => {
  const again = { ...finBack, seq: 530 };
  assert.is(flowOf([...open, data, reply, fin, fin, finBack, finBack, again]).history, 'ShADdFff');
});

test('who opened: without a SYN the known port responds, and ^ says the first packet came from it', () => {
  const first = { flags: 'PA', seq: 1, ack: 1, bytes: 5 };
  const http = flowOf([first], [80, 50000]);
  assert.equal([http.origPort, http.respPort, http.history], [50000, 80, '^d']);
  assert.equal([http.respPackets, http.respPayloadBytes, http.origPackets], [1, 5, 0]);
  assert.is(flowOf([first], [50000, 80]).history, 'D');
  assert.is(flowOf([{ flags: 'S', seq: 1 }], [80, 50000]).origPort, 80, 'a SYN is never flipped');
  assert.is(flowOf([first], [443, 8080]).origPort, 8080, 'of two known ports the lower one responds');
});

test('duration ends when both sides have closed; bytes exclude SYN and FIN', () => {
  const flow = flowOf([...open, data, reply, fin, finBack, { ...lastAck, after: 5000 }]);
  assert.equal([flow.origPayloadBytes, flow.respPayloadBytes], [10, 20]);
  assert.equal([flow.durationNs, flow.lastTsNs - flow.firstTsNs], [60n * ms, 5060n * ms]);
  assert.equal([flow.connState, flow.origPackets, flow.origIpBytes], ['SF', 5, 5 * 40 + 10]);
});

test('round trips: newest SYN to SYN-ACK, SYN-ACK to the first ACK; unknown is null', () => {
  const lost = { ...syn, after: 3000 };
  const flow = flowOf([syn, lost, { ...synAck, after: 40 }, { ...ack, after: 7 }, { ...data, after: 500 }]);
  assert.equal([flow.synAckRttNs, flow.ackRttNs], [40n * ms, 7n * ms]);
  assert.is(flow.origRetransmits, 1, 'the second SYN');
  const half = flowOf([syn, synAck]);
  assert.equal([half.synAckRttNs, half.ackRttNs], [10n * ms, null]);
  assert.is(flowOf([data, reply]).synAckRttNs, null);
});

for (const [name, base] of [
  ['', 1000],
  [' across the wrap of sequence numbers', 0xffffffff - 150],
] as const) {
  const at = (offset: number, given: Partial<Segment> = {}): Segment => ({
    flags: 'A',
    seq: base + offset,
    ack: 501,
    bytes: 100,
    after: 1,
    ...given,
  });
  const begin: Segment[] = [
    { flags: 'S', seq: base - 1 },
    { flags: '<SA', seq: 500, ack: base, after: 20 },
    { flags: 'A', seq: base, ack: 501, after: 1 },
  ];
  const acks = (offset: number): Segment => ({ flags: '<A', seq: 501, ack: base + offset, after: 1 });
  const stats = (flow: Flow): (number | null)[] => [
    flow.origPayloadBytes,
    flow.origRetransmits,
    flow.origOutOfOrder,
    flow.missedBytes,
  ];

  test(`in order${name}`, () => {
    assert.equal(stats(flowOf([...begin, at(0), at(100), at(200), acks(300)])), [300, 0, 0, 0]);
  });
  test(`a segment seen twice is a retransmission${name}`, () => {
    const flow = flowOf([...begin, at(0), at(100), at(100), at(200), at(0, { bytes: 300 }), acks(300)]);
    assert.equal(stats(flow), [300, 2, 0, 0]);
    assert.is(flow.history, 'ShADTa');
  });
  test(`a hole filled within a round trip was out of order, later it was lost${name}`, () => {
    assert.equal(stats(flowOf([...begin, at(0), at(200), at(100), at(300), acks(400)])), [400, 0, 1, 0]);
    assert.equal(
      stats(flowOf([...begin, at(0), at(200), at(100, { after: 90 }), acks(300)])),
      [300, 1, 0, 0],
    );
  });
  test(`parts of holes, from either end and the middle${name}`, () => {
    const part = (offset: number, bytes: number) => at(offset, { bytes });
    const flow = flowOf([...begin, at(0), at(400), part(100, 50), part(350, 50), part(200, 50), acks(500)]);
    assert.equal(stats(flow), [500, 0, 3, 50 + 100]);
  });
  test(`what the peer acknowledged without our seeing it is missed${name}`, () => {
    assert.equal(stats(flowOf([...begin, at(0), at(200), acks(300)])), [300, 0, 0, 100]);
    assert.equal(
      stats(flowOf([...begin, at(0), at(200), acks(100)])),
      [300, 0, 0, 0],
      'not yet acknowledged',
    );
    assert.equal(stats(flowOf([...begin, at(0), acks(250)])), [250, 0, 0, 150], 'at the end');
    const late = flowOf([...begin, at(0), acks(200), at(100), acks(200)]);
    assert.equal(stats(late), [200, 0, 1, 0], 'an acknowledgment captured before its data');
  });
  test(`a third hole gives the oldest up as missed${name}`, () => {
    const flow = flowOf([...begin, at(0), at(200), at(400), at(600), acks(50)]);
    assert.is(flow.missedBytes, 100);
  });
  test(`keep-alives are no retransmissions${name}`, () => {
    const keep = at(99, { bytes: 1, after: 1000 });
    assert.equal(stats(flowOf([...begin, at(0), keep, at(99, { bytes: 0 }), acks(100)])), [100, 0, 0, 0]);
  });
}

test('zero windows are counted per side; W at the 1st and the 10th', () => {
  const closed: Segment = { flags: '<A', seq: 501, ack: 111, window: 0 };
  const flow = flowOf([...open, data, ...Array<Segment>(10).fill(closed), { ...closed, flags: '<RA' }]);
  assert.equal([flow.origZeroWindows, flow.respZeroWindows], [0, 10]);
  assert.is(flow.history, 'ShADawwr');
});

test('more than 4 GiB: bytes and counters go beyond 32 bits', () => {
  const step = 0x3fffffff;
  const big: Packet[] = [];
  for (let i = 0; i < 9; i++) {
    const frames = packets([
      { flags: 'A', seq: (i * step) % 2 ** 32, ack: 1 },
      { flags: '<A', seq: 1, ack: ((i + 1) * step) % 2 ** 32 },
    ]);
    big.push(...frames.map(({ bytes }) => ({ bytes, ts: BigInt(i) * ms, wirelen: 0xfffffff })));
  }
  for (let i = 0; i < 20; i++) big.push({ ...big[0]!, wirelen: 0xffffffff });
  engine.reset();
  engine.push(pcap(big));
  const [flow] = engine.flows();
  assert.is(flow!.origBytes, 9 * 0xfffffff + 20 * 0xffffffff);
  assert.is(flow!.origPayloadBytes, 9 * step);
});

test.run();
