// Decoding: protocols counted per frame, cut and contradictory headers, the packet tree and its ranges.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ProtocolName, TreeNode } from '../../asm/host/index.js';
import { PROTOCOLS } from '../../asm/host/index.js';
import {
  arpRequest,
  ether,
  FRAMES,
  hex,
  ipv4,
  ipv6,
  join,
  newEngine,
  pcap,
  tcp,
  udp,
  vlan,
} from './captures.js';

const engine = await newEngine();

function totals(bytes: Uint8Array, linktype = 1, wirelen = bytes.length) {
  engine.reset();
  engine.push(pcap([{ bytes, wirelen }], { linktype }));
  assert.is(engine.end(), null);
  return engine.totals();
}

const seen = (counts: Record<ProtocolName, number>): string =>
  PROTOCOLS.filter((name) => counts[name]).join(' ');
const sorted = (names: string): string =>
  PROTOCOLS.filter((name) => names.split(' ').includes(name)).join(' ');

function flat(nodes: readonly TreeNode[]): TreeNode[] {
  return nodes.flatMap((node) => [node, ...flat(node.children)]);
}
const find = (nodes: readonly TreeNode[], field: string): TreeNode => {
  const node = flat(nodes).find((candidate) => candidate.field === field);
  assert.ok(node, `${field} is in the tree`);
  return node!;
};

for (const { name, bytes, seen: want } of FRAMES)
  test(`counts the protocols of: ${name}`, () => {
    const result = totals(bytes);
    assert.is(seen(result.protocolCounts), sorted(want));
    assert.is(result.malformed, 0);
    assert.is(result.unsupported, name === 'unknown ethertype' ? 1 : 0);
  });

test('a protocol inside itself counts once', () => {
  assert.is(totals(ether(0x800, ipv4(4, ipv4(4, ipv4(17, udp(1, 2)))))).protocolCounts.ip, 1);
});

test('linktypes other than Ethernet', () => {
  const ip = ipv4(6, tcp(1, 2));
  const six = ipv6(17, udp(1, 2));
  const cases: [number, Uint8Array, string][] = [
    [101, ip, 'ip tcp'],
    [228, ip, 'ip tcp'],
    [229, six, 'ipv6 udp'],
    [0, join(hex('02000000'), ip), 'ip tcp'],
    [0, join(hex('00000002'), ip), 'ip tcp'],
    [0, join(hex('1e000000'), six), 'ipv6 udp'],
    [108, join(hex('00000018'), six), 'ipv6 udp'],
    [113, join(hex('0000 0001 0006 0200000000010000 0800'), ip), 'ip tcp'],
    [113, join(hex('0004 0001 0006 0200000000010000 8100'), vlan(5, 0x86dd, six)), 'vlan ipv6 udp'],
    [276, join(hex('86dd 0000 00000002 0001 00 06 0200000000010000'), six), 'ipv6 udp'],
    [9, join(hex('ff03 0021'), ip), 'ip tcp'],
    [9, join(hex('57'), six), 'ipv6 udp'],
    [104, join(hex('0f00 0800'), ip), 'ip tcp'],
    [
      105,
      join(hex('0802 0000 020000000001 020000000002 020000000003 0000 aaaa03 000000 0800'), ip),
      'ip tcp',
    ],
    [
      127,
      join(
        hex(
          '0000 0900 02000000 10 8802 0000 020000000001 020000000002 020000000003 0000 0000 aaaa03 000000 86dd',
        ),
        six,
        hex('deadbeef'),
      ),
      'ipv6 udp',
    ],
    [147, ip, ''],
  ];
  for (const [linktype, bytes, want] of cases) {
    const result = totals(bytes, linktype);
    assert.is(seen(result.protocolCounts), sorted(want), `linktype ${linktype}`);
    assert.is(result.unsupported, linktype === 147 ? 1 : 0);
    assert.equal(result.linkTypes, [linktype]);
  }
});

test('truncated, malformed and unsupported are told apart', () => {
  const whole = ether(0x800, ipv4(6, tcp(1, 2)));
  const cut = totals(whole.subarray(0, 40), 1, whole.length);
  assert.equal([cut.truncated, cut.malformed, cut.unsupported], [1, 0, 0], 'the capture kept less');
  const short = totals(whole.subarray(0, 40));
  assert.equal([short.truncated, short.malformed, short.unsupported], [0, 1, 0], 'the wire had no more');
  const badHeader = whole.slice();
  badHeader[14] = 0x42;
  assert.is(totals(badHeader).malformed, 1, 'header length below 20');
  const longer = whole.slice();
  longer[16] = 0xff;
  assert.is(totals(longer).malformed, 1, 'total length past the wire');
  assert.is(totals(hex('0102')).malformed, 1, 'two bytes of Ethernet');
});

test('a packet of nothing but tunnels ends', () => {
  let bytes = ipv4(17, udp(1, 2));
  for (let i = 0; i < 2000; i++) bytes = ipv4(4, bytes);
  const result = totals(bytes.subarray(0, 40_000), 101);
  assert.is(result.packets, 1);
  assert.ok(engine.decode(101, bytes).length < 100);
});

test('the tree names fields as Wireshark does, with their bytes', () => {
  const tree = engine.decode(
    1,
    ether(0x800, ipv4(6, tcp(443, 51234, [], { flags: 0x12, seq: 7, options: hex('020405b4 01030307') }))),
  );
  assert.equal(
    tree.map(({ field }) => field),
    ['eth', 'ip', 'tcp'],
  );
  assert.is(tree[1]!.label, 'Internet Protocol Version 4, Src: 10.0.0.1, Dst: 10.0.0.2');
  const cases: [string, string, string, number, number][] = [
    ['eth.dst', '02:00:00:00:00:02', 'Destination: 02:00:00:00:00:02', 0, 6],
    ['eth.type', 'IPv4 (0x0800)', 'Type: IPv4 (0x0800)', 12, 2],
    ['ip.hdr_len', '20 bytes (5)', '.... 0101 = Header Length: 20 bytes (5)', 14, 1],
    ['ip.ttl', '64', 'Time to Live: 64', 22, 1],
    ['ip.proto', 'TCP (6)', 'Protocol: TCP (6)', 23, 1],
    ['ip.src', '10.0.0.1', 'Source Address: 10.0.0.1', 26, 4],
    ['tcp.srcport', '443', 'Source Port: 443', 34, 2],
    ['tcp.seq_raw', '7', 'Sequence Number (raw): 7', 38, 4],
    ['tcp.flags', '0x012 (SYN, ACK)', 'Flags: 0x012 (SYN, ACK)', 46, 2],
    ['tcp.flags.syn', 'Set', '.... .... ..1. = Syn: Set', 46, 2],
    ['tcp.flags.fin', 'Not set', '.... .... ...0 = Fin: Not set', 46, 2],
    ['tcp.options.mss_val', '1460', 'TCP Option - Maximum segment size: 1460', 54, 4],
  ]; // biome-ignore format: a table
  for (const [field, value, label, offset, length] of cases) {
    const node = find(tree, field);
    assert.equal([node.value, node.label, node.offset, node.length], [value, label, offset, length], field);
  }
  assert.ok(find(tree[2]!.children, 'tcp.flags').children.some(({ field }) => field === 'tcp.flags.syn'));
});

test('the tree of every frame kind lies within the frame, and children within their parents', () => {
  for (const { name, bytes } of FRAMES) {
    const visit = (nodes: readonly TreeNode[], from: number, to: number): void => {
      for (const node of nodes) {
        assert.ok(node.offset >= from && node.offset + node.length <= to, `${name}: ${node.field}`);
        assert.not.match(node.label, /undefined|NaN/, name);
        visit(
          node.children,
          node.field.startsWith('icmpv6') ? 0 : node.offset,
          node.field.startsWith('icmpv6') ? to : node.offset + node.length,
        );
      }
    };
    visit(engine.decode(1, bytes), 0, bytes.length);
  }
});

test('decoding changes no totals and no stream', () => {
  engine.reset();
  const file = pcap(FRAMES.map(({ bytes }) => ({ bytes })));
  engine.push(file.subarray(0, 500));
  const before = engine.totals();
  for (const { bytes } of FRAMES) engine.decode(1, bytes);
  assert.equal(engine.totals(), before);
  engine.push(file.subarray(500));
  assert.is(engine.end(), null);
  assert.is(engine.totals().packets, FRAMES.length);
});

test('describes packets in one line', () => {
  const cases: [Uint8Array, string, string, string, RegExp][] = [
    [ether(0x800, ipv4(6, tcp(443, 51234, hex('00'), { flags: 0x12 }))), '10.0.0.1', '10.0.0.2', 'TCP', /^443 → 51234 \[SYN, ACK\] Seq=1 .*Len=1$/],
    [ether(0x806, arpRequest()), '02:00:00:00:00:01', '00:00:00:00:00:00', 'ARP', /^Who has 10\.0\.0\.2\? Tell 10\.0\.0\.1$/],
    [FRAMES.find(({ name }) => name === 'dns query')!.bytes, '10.0.0.1', '10.0.0.2', 'DNS', /query 0x1234 A example\.com$/],
    [FRAMES.find(({ name }) => name === 'http request')!.bytes, '10.0.0.1', '10.0.0.2', 'HTTP', /^GET \/ HTTP\/1\.1$/],
    [FRAMES.find(({ name }) => name === 'tls handshake')!.bytes, 'fd00::1', 'fd00::2', 'TLS', /^Encrypted Handshake Message$/],
    [FRAMES.find(({ name }) => name === 'icmp error')!.bytes, '10.0.0.1', '10.0.0.2', 'ICMP', /unreachable/],
    [FRAMES.find(({ name }) => name === 'vxlan')!.bytes, 'fd00::1', 'fd00::2', 'TCP', /^3 → 4/],
  ]; // biome-ignore format: a table
  for (const [bytes, source, destination, protocol, info] of cases) {
    const line = engine.describe(1, bytes);
    assert.equal([line.source, line.destination, line.protocol], [source, destination, protocol]);
    assert.match(line.info, info);
  }
  assert.is(engine.describe(1, hex('00')).protocol, 'Unknown');
});

test('text from packets is escaped', () => {
  const bytes = ether(
    0x800,
    ipv4(6, tcp(1, 80, Buffer.from('GET /\x1b[31m\x00\xff HTTP/1.1\r\n', 'latin1'))),
  );
  assert.is(engine.describe(1, bytes).info, 'GET /\\x1b[31m\\x00\\xff HTTP/1.1');
});

test.run();
