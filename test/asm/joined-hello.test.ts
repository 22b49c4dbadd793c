// A ClientHello over several TCP segments: SNI, ALPN and JA4 at the one that completes it, within bounds.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { KeyFields } from '../../asm/host/index.js';
import type { Bytes } from './captures.js';
import { ether, hex, ipv4, ipv6, join, newEngine, pcap, tcp } from './captures.js';
import {
  alpn,
  clientHello,
  extension,
  SPEC_CIPHERS,
  SPEC_EXTENSIONS,
  SPEC_JA4,
  serverName,
  tlsRecord,
} from './vectors.js';

const engine = await newEngine();
const hello = tlsRecord(22, clientHello(SPEC_CIPHERS, SPEC_EXTENSIONS));
/** With a key share as large as a post-quantum one: 1.7 KB. */
const large = tlsRecord(
  22,
  clientHello(
    [0x1301],
    [extension(0x33, new Uint8Array(1600).fill(5)), serverName('pq.example'), alpn('h2')],
  ),
);

interface Part {
  seq: number;
  bytes: Bytes;
  from?: number;
  reply?: boolean;
}
const frame = ({ seq, bytes, from = 40000, reply = false }: Part): Uint8Array =>
  ether(
    0x800,
    ipv4(
      6,
      reply ? tcp(443, from, bytes, { seq }) : tcp(from, 443, bytes, { seq }),
      reply ? { src: '10.0.0.2', dst: '10.0.0.1' } : {},
    ),
  );

/** Key fields of every packet, in order. */
function read(frames: readonly Uint8Array[]): KeyFields[] {
  const out: KeyFields[] = [];
  engine.reset();
  engine.push(pcap(frames.map((bytes) => ({ bytes }))), (rows) => {
    for (let i = 0; i < rows.length; i++) out.push(engine.streamKeyFields(rows, i));
  });
  assert.is(engine.end(), null);
  return out;
}
const cut = (bytes: Uint8Array, ...at: number[]): Part[] =>
  [0, ...at].map((start, i) => ({ seq: 1 + start, bytes: bytes.subarray(start, at[i] ?? bytes.length) }));

test('every cut in two gives the same as the whole', () => {
  const whole = read([frame({ seq: 1, bytes: hello })])[0]!.tls!.client!;
  assert.equal([whole.sni, whole.ja4!.slice(11)], ['example.org', SPEC_JA4]);
  for (let at = 6; at < hello.length; at++) {
    const [, second] = read(cut(hello, at).map(frame));
    assert.equal(second!.tls?.client, whole, `cut at ${at}`);
  }
});

test('a post-quantum hello over three segments, with the peer and a repetition between them', () => {
  const [a, b, c] = cut(large, 700, 1400) as [Part, Part, Part];
  const fields = read(
    [a, { seq: 1, bytes: [], reply: true }, b, a, { seq: 9, bytes: hex('1703030001ff'), reply: true }, c].map(
      frame,
    ),
  );
  const { client } = fields[5]!.tls!;
  assert.equal([client!.sni, client!.alpn], ['pq.example', ['h2']]);
  assert.match(client!.ja4!, /^t1[23]d/);
  assert.is(fields[0]!.tls?.client?.ja4 ?? null, null);
});

test('over IPv6, in Ethernet that is padded', () => {
  const [a, b] = cut(hello, hello.length - 3) as [Part, Part];
  const over6 = ({ seq, bytes }: Part) =>
    join(ether(0x86dd, ipv6(6, tcp(40000, 443, bytes, { seq }))), new Uint8Array(9));
  assert.is(read([a, b].map(over6))[1]!.tls?.client?.sni, 'example.org');
});

test('a gap ends the attempt, and another flow has its own', () => {
  const [a, b, c] = cut(large, 700, 1400) as [Part, Part, Part];
  assert.is(read([a, c, b].map(frame)).filter(({ tls }) => tls?.client?.ja4).length, 0);
  const other = cut(hello, 50).map((part) => ({ ...part, from: 40001 }));
  const mixed = read([a, other[0]!, b, other[1]!, c].map(frame));
  assert.equal(
    mixed.map(({ tls }) => tls?.client?.ja4 !== undefined && tls.client.ja4 !== null),
    [false, false, false, true, true],
  );
});

test('ten thousand unfinished hellos do not grow without limit, nor do hostile ones throw', () => {
  const frames = Array.from({ length: 10_000 }, (_, i) =>
    frame({ seq: 1, bytes: hello.subarray(0, 60), from: 1024 + i }),
  );
  assert.is(read(frames).length, 10_000);
  const record = hex('16 0301 ffff 01 00fffa');
  read([frame({ seq: 1, bytes: record }), frame({ seq: 9, bytes: new Uint8Array(1000) })]);
  // The oldest gave way: its second half comes too late; the newest is completed.
  const late = (port: number) => frame({ seq: 61, bytes: hello.subarray(60), from: port });
  const fields = read([...frames, late(1024), late(1024 + 9999)]);
  assert.equal(
    fields.slice(-2).map(({ tls }) => tls?.client?.sni ?? null),
    [null, 'example.org'],
  );
});

test.run();
