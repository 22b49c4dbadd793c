// HTTP, TLS and QUIC counted through a connection (tcpstream.ts): what starts one, what goes on, what does not count.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ProtocolName } from '../../asm/host/index.js';
import type { Bytes } from './captures.js';
import { ether, hex, ipv4, join, newEngine, pcap, tcp, udp } from './captures.js';
import { overUdp, quicInitial, RFC9001_FRAMES } from './vectors.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
interface Sent {
  data: Bytes;
  port?: number;
  seq?: number;
  reply?: boolean;
  flags?: number;
  ack?: number;
}
/** Segments of one connection, numbered by what each sent before unless told otherwise. */
function connection(...sent: Sent[]): Uint8Array[] {
  const next = { there: 1, back: 1 };
  return sent.map(({ data, port = 80, seq, reply = false, flags = 0x18, ack = 0 }) => {
    const way = reply ? 'back' : 'there';
    const at = seq ?? next[way];
    next[way] = Math.max(next[way], at + data.length);
    const ends = reply ? ({ src: '10.0.0.2', dst: '10.0.0.1' } as const) : {};
    return ether(
      0x800,
      ipv4(
        6,
        reply
          ? tcp(port, 40000, data, { seq: at, flags, ack })
          : tcp(40000, port, data, { seq: at, flags, ack }),
        ends,
      ),
    );
  });
}
for (const flowBatches of ['never', 'always'] as const) {
  const engine = await newEngine({ seed: 1n, flowBatches });
  const count = (frames: readonly Uint8Array[], ...names: ProtocolName[]): number[] => {
    engine.reset();
    engine.push(pcap(frames.map((bytes) => ({ bytes }))));
    assert.is(engine.end(), null);
    const { protocolCounts } = engine.totals();
    return names.map((name) => protocolCounts[name]);
  };
  const batches = (what: string) => `${what} (batches ${flowBatches})`;
  const get = { data: text('GET / HTTP/1.1\r\nHost: a\r\n\r\n') };
  const ok = { data: text('HTTP/1.1 200 OK\r\n\r\n'), reply: true };
  const body = { data: text('<html>'), reply: true };
  const hello = { data: hex('16 0301 0004 01000000'), port: 443 };
  const cipher = { data: hex('8b00ff'), port: 443 };

  test(batches('HTTP: a request, its response, and all that follows either'), () => {
    assert.equal(count(connection(get, ok, body, body), 'http', 'tcp'), [4, 4]);
    assert.equal(count(connection(body, get, body), 'http'), [2], 'not before the request');
    assert.equal(count(connection(ok, body), 'http'), [1], 'a response alone starts nothing');
    assert.equal(
      count(connection(get, { data: [] }, { data: [], reply: true }), 'http'),
      [1],
      'no data, no HTTP',
    );
  });

  test(batches('HTTP: what is sent again or late does not count again, unless it was acknowledged'), () => {
    assert.equal(count(connection(get, { ...get, seq: 1 }), 'http'), [1]);
    const acknowledged = { data: [], reply: true, ack: 1 + get.data.length, flags: 0x10 };
    assert.equal(
      count(connection({ data: [], reply: true }, get, acknowledged, { ...get, seq: 1 }), 'http'),
      [2],
    );
    assert.equal(count(connection(get, { ...body, flags: 0x38 }), 'http'), [1], 'urgent data');
  });

  test(batches('HTTP: methods and versions'), () => {
    for (const [line, port, want] of [
      ['PROPFIND /a HTTP/1.1\r\n', 8000, 1],
      ['VERSION-CONTROL /a HTTP/1.1\r\n', 8000, 1],
      ['GET /a\r\n', 80, 1],
      ['GET /a\r\n', 8000, 0],
      ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 80, 1],
      ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 8001, 0],
      ['BODY { color: red }\r\n', 80, 0],
      ['OPTIONS rtsp://a RTSP/1.0\r\n', 554, 0],
    ] as const)
      assert.equal(count(connection({ data: text(line), port }), 'http'), [want], line);
  });

  test(batches('TLS: records, what goes on with them, clear text in between'), () => {
    assert.equal(count(connection(hello, cipher, { ...cipher, reply: true }), 'tls'), [3]);
    assert.equal(count(connection(hello, { data: text('plain text'), port: 443 }), 'tls'), [1]);
    assert.equal(count(connection(cipher), 'tls'), [1], "TLS's port");
    assert.equal(count(connection({ ...cipher, port: 4444 }), 'tls'), [0], 'another port');
    assert.equal(count(connection({ ...hello, port: 4444 }, { ...cipher, port: 4444 }), 'tls'), [2]);
    assert.equal(count(connection({ ...hello, port: 3389 }), 'tls'), [0], 'inside RDP');
    const sslv2 = join(hex('802e 01 0301 0015 0000 0010'), new Uint8Array(21 + 16));
    assert.equal(count(connection({ data: sslv2, port: 4444 }), 'tls'), [1]);
    assert.equal(count(connection({ data: sslv2.subarray(0, 20), port: 4444 }), 'tls'), [0]);
  });

  test(batches('TLS through CONNECT is both'), () => {
    const proxied = [
      { data: text('CONNECT a:443 HTTP/1.1\r\n\r\n'), port: 8080 },
      { ...ok, port: 8080 },
      { ...hello, port: 8080 },
      { ...cipher, port: 8080 },
    ];
    assert.equal(count(connection(...proxied), 'http', 'tls'), [4, 2]);
  });

  test(batches('QUIC: on any port after a long header, and TLS where a hello fits'), () => {
    const initial = quicInitial(RFC9001_FRAMES);
    const short = hex('40 0102030405060708090a');
    assert.equal(
      count([overUdp(4433, initial), overUdp(4433, short), overUdp(4434, short)], 'quic', 'tls', 'udp'),
      [2, 1, 3],
    );
    const back = ether(0x800, ipv4(17, udp(4433, 40000, short), { src: '10.0.0.2', dst: '10.0.0.1' }));
    assert.equal(count([overUdp(4433, initial), back], 'quic'), [2]);
    assert.equal(
      count([overUdp(4433, hex('c3 51303433 08 0102030405060708 00 00 4000'))], 'quic'),
      [0],
      "Google's own framing",
    );
    assert.equal(count([overUdp(9, hex('c0 12345678 00 00 00 00 00'))], 'quic'), [0], 'no known version');
  });
}

test.run();
