// Key fields: DNS names and their pointers, JA4, QUIC Initial packets, DHCP, NTP, HTTP, GTP and PFCP.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TreeNode } from '../../asm/host/index.js';
import { be16, ether, hex, ipv4, join, newEngine, tcp, udp } from './captures.js';
import {
  alpn,
  clientHello,
  cryptoFrame,
  extension,
  overTcp,
  overUdp,
  quicInitial,
  RFC9001_FRAMES,
  RFC9001_START,
  RFC9001_TAG,
  SPEC_CIPHERS,
  SPEC_EXTENSIONS,
  SPEC_JA4,
  serverName,
  signatures,
  tlsRecord,
  VECTORS,
  versions,
} from './vectors.js';

const engine = await newEngine();
const vector = (name: string): Uint8Array => VECTORS.find((candidate) => candidate.name === name)!.bytes;
const key = (name: string) => engine.keyFields(1, vector(name));
const hello = (bytes: Uint8Array) => engine.keyFields(1, overTcp(443, tlsRecord(22, bytes))).tls!.client!;
const flat = (nodes: readonly TreeNode[]): TreeNode[] =>
  nodes.flatMap((node) => [node, ...flat(node.children)]);

test('JA4 of the specification’s example', () => {
  const client = hello(clientHello(SPEC_CIPHERS, SPEC_EXTENSIONS));
  assert.is(client.ja4, `t13d1516h2_${SPEC_JA4}`);
  assert.equal([client.sni, client.alpn, client.version], ['example.org', ['h2', 'http/1.1'], 'TLS 1.3']);
});

test('JA4 where something is missing', () => {
  const cases: [Uint8Array, RegExp][] = [
    // The specification's rules: no supported_versions, no SNI, no ALPN; empty lists hash to zeros.
    [clientHello([0x2f], null, 0x301), /^t10i010000_[0-9a-f]{12}_000000000000$/],
    [clientHello([], [serverName('a')]), /^t12d000100_000000000000_000000000000$/],
    // Its example without signature algorithms: the text ends without an underscore.
    [clientHello(SPEC_CIPHERS, SPEC_EXTENSIONS.map((one) => (one[1] === 13 ? extension(13) : one))), /_8daaf6152771_6d807ffa2a79$/],
    // First or last byte no letter or digit: hex; a single character is both.
    [clientHello([1], [alpn('\xab\xcd')]), /^t12i0101ad_/],
    [clientHello([1], [alpn('0\xab')]), /^t12i01013b_/],
    [clientHello([1], [alpn('x')]), /^t12i0101xx_/],
    [clientHello([1], [alpn('')]), /^t12i010100_/],
    [clientHello([1], [versions(0x7f1c, 0x0303)]), /^t00i/],
    [clientHello(Array.from({ length: 120 }, (_, i) => i + 1), [signatures(0x0a0a)]), /^t12i9901/],
  ]; // biome-ignore format: a table
  for (const [bytes, want] of cases) assert.match(hello(bytes).ja4!, want);
});

test('a ClientHello that goes on in the next segment has no JA4, but what is there', () => {
  const record = tlsRecord(22, clientHello(SPEC_CIPHERS, SPEC_EXTENSIONS));
  const client = engine.keyFields(1, overTcp(443, record.subarray(0, record.length - 4))).tls!.client!;
  assert.equal([client.ja4, client.sni], [null, 'example.org']);
});

test('the packet of RFC 9001 appendix A.2', () => {
  const packet = quicInitial(RFC9001_FRAMES);
  const text = Buffer.from(packet).toString('hex');
  assert.is(text.slice(0, RFC9001_START.length), RFC9001_START);
  assert.is(text.slice(-RFC9001_TAG.length), RFC9001_TAG);
  assert.is(packet.length, 1200);
  const { quic } = engine.keyFields(1, overUdp(443, packet));
  assert.equal([quic!.dcid, quic!.type, quic!.version], ['8394c8f03e515708', 'Initial', '0x00000001']);
  assert.equal([quic!.client!.sni, quic!.client!.alpn], ['example.com', ['alpn']]);
  assert.match(quic!.client!.ja4!, /^q13d0211an_/);
});

const specHello = clientHello(SPEC_CIPHERS, SPEC_EXTENSIONS);
const specQuic = (packet: Uint8Array) => engine.keyFields(1, overUdp(443, packet)).quic!;

test('every version with known keys', () => {
  for (const version of [1, 0x6b3343cf, 0xff00001d, 0xff00001b]) {
    const quic = specQuic(
      quicInitial(cryptoFrame(0, specHello), { version, token: hex('0102'), number: 0x1234 }),
    );
    assert.is(quic.type, 'Initial');
    assert.is(quic.client?.ja4, `q13d1516h2_${SPEC_JA4}`, version.toString(16));
  }
});

test('CRYPTO frames in any order, over two packets of a datagram', () => {
  const piece = (from: number, to: number): Uint8Array => cryptoFrame(from, specHello.subarray(from, to));
  const first = quicInitial(join([1, 0, 0], piece(100, 170), piece(60, 110), [1]), { size: 200 });
  const second = quicInitial(join(piece(170, specHello.length), piece(0, 60)), { number: 3, size: 300 });
  const bytes = overUdp(443, join(first, second));
  assert.is(engine.keyFields(1, bytes).quic!.client?.ja4, `q13d1516h2_${SPEC_JA4}`);
  const nodes = flat(engine.decode(1, bytes));
  const random = nodes.find(({ field }) => field === 'tls.handshake.random')!;
  const zero = nodes.filter(({ field }) => field === 'quic.crypto.crypto_data').at(-1)!;
  assert.equal([random.offset, random.length], [zero.offset + 6, 32], 'its place in the last fragment');
  assert.is(random.value, '07'.repeat(32));
  for (const { field, offset, length } of nodes) assert.ok(offset + length <= bytes.length, field);
  const { ja4, sni, version } = specQuic(second).client!;
  assert.equal([ja4, sni, version], [null, null, null], 'without the first packet there is a hole');
});

test('a packet whose tag is wrong stays closed and as it was', () => {
  const packet = quicInitial(cryptoFrame(0, specHello));
  packet[packet.length - 1]! ^= 1;
  const bytes = overUdp(443, packet);
  assert.is(engine.keyFields(1, bytes).quic!.client, undefined);
  const payload = flat(engine.decode(1, bytes)).find(({ field }) => field === 'quic.payload')!;
  assert.ok(payload.value.startsWith(Buffer.from(packet.subarray(18, 40)).toString('hex')));
});

test('compression pointers that lead nowhere end', () => {
  const ask = (name: string): string =>
    engine.keyFields(1, overUdp(53, join(hex('0001 0100 0001 0000 0000 0000'), hex(name), hex('0001 0001'))))
      .dns!.questions[0]!.name;
  assert.is(ask('01 61 00'), 'a');
  assert.is(ask('c00c'), '<malformed>', 'at itself');
  assert.is(ask('01 61 c00c'), 'a.<malformed>', 'at its own start');
  assert.is(ask('c0ff'), '<malformed>', 'forward');
  assert.is(ask('00'), '<Root>');
  const long = Array.from({ length: 5 }, () => `3f${'61'.repeat(63)}`).join('');
  assert.equal(
    engine.keyFields(1, overUdp(53, join(hex('0001 0100 0001 0000 0000 0000'), hex(`${long}00 0001 0001`))))
      .dns!.questions,
    [],
    'more than 255 bytes',
  );
});

test('DNS', () => {
  const { dns } = key('dns answer');
  assert.equal(dns!.questions, [{ name: 'www.example.org', type: 'A' }]);
  assert.equal(dns!.records.slice(0, 3), [
    { name: 'www.example.org', type: 'CNAME', ttlS: 300, value: 'a.example.org' },
    { name: 'www.example.org', type: 'A', ttlS: 60, value: '192.0.2.1' },
    { name: 'www.example.org', type: 'AAAA', ttlS: 60, value: '2001:db8::1' },
  ]);
  assert.equal([dns!.rcode, dns!.response, dns!.protocol], [0, true, 'dns']);
  assert.equal([key('mdns').dns!.protocol, key('mdns').dns!.rcode], ['mdns', null]);
});

test('DHCP, NTP, HTTP, GTP, PFCP and a TLS server', () => {
  assert.equal(key('dhcp request').dhcp, {
    messageType: 'Request',
    transactionId: 0x3903f326,
    clientMac: '02:00:00:00:00:01',
    requestedAddress: '10.0.0.9',
    yourAddress: '10.0.0.9',
    serverId: '10.0.0.1',
    hostname: 'laptop',
    leaseS: 3600,
  });
  assert.equal(key('ntp server').ntp, {
    version: 4,
    mode: 'server',
    stratum: 1,
    refId: 'GPS',
    referenceTime: null,
    originTime: null,
    receiveTime: null,
    transmitTime: '2001-09-09T01:46:40.500000000Z',
  });
  assert.equal(key('http request').http, {
    method: 'POST',
    uri: '/x?y=1',
    status: null,
    version: 'HTTP/1.1',
    host: 'example.org',
    userAgent: 't/1',
    contentType: 'text/plain',
    contentLength: 2,
  });
  assert.is(key('http response').http!.status, 404);
  assert.equal(key('gtp-u with a PDU session container').gtp, { messageType: 255, teid: 7, qfi: 9 });
  assert.equal(key('pfcp session establishment').pfcp, {
    messageType: 50,
    message: 'PFCP Session Establishment Request',
    sequence: 7,
    seid: '0x0000000000000001',
    nodeId: '10.1.1.1',
    tunnels: [{ teid: 0x1001, address: '10.1.1.2' }],
    ueAddresses: ['10.60.0.1'],
  });
  assert.equal(key('tls server hello and more').tls!.server, {
    version: 'TLS 1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    alpn: null,
  });
});

test('packets an ICMP error quotes, and packets of nothing, have no key fields', () => {
  const quoted = ipv4(17, udp(40000, 53, hex('0001 0100 0001 0000 0000 0000 016100 0001 0001')));
  assert.equal(engine.keyFields(1, ether(0x800, ipv4(1, join(hex('0303 0000 00000000'), quoted)))), {});
  assert.equal(engine.keyFields(1, ether(0x800, ipv4(6, tcp(1, 2)))), {});
  assert.equal(engine.keyFields(1, new Uint8Array()), {});
});

test('a tree that is full before the packet’s end', () => {
  for (const name of [
    'quic initial of RFC 9001 A.2',
    'dns answer',
    'dhcp request',
    'ntp server',
    'pfcp session establishment',
    'tls client hello',
    'http request',
  ])
    for (let labels = 780; labels < 820; labels++) {
      const stack = new Uint8Array(labels * 4);
      stack[stack.length - 2] = 1;
      const bytes = ether(0x8847, join(stack, vector(name).subarray(14)));
      assert.not.match(JSON.stringify(engine.keyFields(1, bytes)), /undefined|NaN/);
      engine.describe(1, bytes);
    }
});

test('an Initial packet of any length in its header is refused or read, never trapped on', () => {
  const packet = quicInitial(cryptoFrame(0, specHello));
  for (let length = 0; length < 64; length++) {
    const copy = packet.slice();
    copy.set(be16(0x4000 | length), 16);
    assert.is(specQuic(copy).client, undefined);
  }
});

test.run();
