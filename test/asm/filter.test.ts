// Filters: the language, libpcap's rules, positions of errors. Against libpcap: filter-libpcap.test.ts.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FilterError } from '../../asm/host/index.js';
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

function count(expression: string | null, file: Uint8Array): number {
  engine.setFilter(expression);
  engine.reset();
  engine.push(file);
  assert.is(engine.end(), null);
  return engine.matched;
}
const matches = (expression: string, bytes: Uint8Array, linktype = 1): boolean =>
  count(expression, pcap([{ bytes }], { linktype })) === 1;

const syn = ether(0x800, ipv4(6, tcp(40000, 80, [], { flags: 2 })));
const dns = FRAMES.find(({ name }) => name === 'dns query')!.bytes;
const arp = ether(0x806, arpRequest(), 'ffffffffffff');
const six = ether(0x86dd, ipv6(17, udp(53, 5000)));
const tagged = ether(0x8100, vlan(7, 0x800, ipv4(6, tcp(40000, 80))));

test('primitives', () => {
  const cases: [string, boolean, Uint8Array][] = [
    ['host 10.0.0.1', true, syn],
    ['host 10.0.0.3', false, syn],
    ['host 10.0.0.2', true, arp],
    ['src host 10.0.0.2', false, syn],
    ['dst 10.0.0.2', true, syn],
    ['src or dst host 10.0.0.2', true, syn],
    ['src and dst host 10.0.0.2', false, syn],
    ['net 10', true, syn],
    ['net 10.0.0.0/31', true, syn],
    ['net 10.0.1.0/24', false, syn],
    ['net 10.0.0.0 mask 255.255.0.0', true, syn],
    ['ip6 host fd00::1', true, six],
    ['net fd00::/8', true, six],
    ['net fe80::/10', false, six],
    ['port 80', true, syn],
    ['tcp port http', true, syn],
    ['udp port 80', false, syn],
    ['src port 80', false, syn],
    ['portrange 70-90', true, syn],
    ['portrange 90-70', true, syn],
    ['port 53', true, six],
    ['ip proto 6', true, syn],
    ['ip proto \\udp', false, syn],
    ['ip6 proto 17', true, six],
    ['proto 17', true, six],
    ['ether proto 0x806', true, arp],
    ['ether proto \\arp', true, arp],
    ['ether broadcast', true, arp],
    ['ether multicast', true, arp],
    ['ether host 02:00:00:00:00:01', true, syn],
    ['ether dst 02:00:00:00:00:01', false, syn],
    ['greater 54', true, syn],
    ['greater 55', false, syn],
    ['less 54', true, syn],
    ['len = 54', true, syn],
    ['vlan', true, tagged],
    ['vlan 7', true, tagged],
    ['vlan 8', false, tagged],
    ['vlan and tcp', true, tagged],
    ['tcp', false, tagged],
    ['vlan or tcp', false, syn],
    ['mpls', true, FRAMES.find(({ name }) => name === 'mpls')!.bytes],
    ['mpls 16 and mpls 32 and icmp', true, FRAMES.find(({ name }) => name === 'mpls')!.bytes],
    ['pppoes and udp', true, FRAMES.find(({ name }) => name === 'pppoe')!.bytes],
    ['icmp6', true, FRAMES.find(({ name }) => name === 'icmpv6')!.bytes],
    ['ip protochain 6', true, syn],
    ['ip6 protochain \\udp', true, six],
    ['ether proto \\ip6', true, six],
    ['link[12:2] = 0x86dd', true, six],
    ['byte 12 = 8', true, syn],
    ['byte 13 & 0xff', true, arp],
    ['llc', false, syn],
    ['stp', true, join(hex('0180c2000000 020000000001 0026 424203'), new Uint8Array(35))],
    ['llc ui', true, join(hex('0180c2000000 020000000001 0026 424203'), new Uint8Array(35))],
    ['isis', true, join(hex('0180c2000014 020000000001 0010 fefe03 83'), new Uint8Array(12))],
    ['iso and not clnp', true, join(hex('0180c2000014 020000000001 0010 fefe03 83'), new Uint8Array(12))],
    ['ipx', true, join(hex('ffffffffffff 020000000001 0010 ffff'), new Uint8Array(14))],
    ['atalk', true, join(hex('ffffffffffff 020000000001 0010 aaaa03 080007 809b'), new Uint8Array(8))],
    ['netbeui', true, join(hex('ffffffffffff 020000000001 0010 f0f003'), new Uint8Array(13))],
    ['icmp6[icmp6type] = icmp6-neighborsolicit', false, six],
  ]; // biome-ignore format: a table
  for (const [expression, want, bytes] of cases) assert.is(matches(expression, bytes), want, expression);
});

test('and, or, not: equal precedence, left to right; a qualifier is passed on', () => {
  const cases: [string, boolean, Uint8Array][] = [
    ['tcp or udp and port 53', true, dns],
    ['tcp or udp and port 53', false, syn],
    ['tcp or (udp and port 53)', true, syn],
    ['not tcp and not udp', true, arp],
    ['not (tcp or udp)', false, syn],
    ['! tcp', true, dns],
    ['port 53 and not (443 or 80)', true, dns],
    ['port 53 or (443 or 80)', true, syn],
    ['port 53 and (len > 20)', true, dns],
    ['port 53 and (20 < len)', true, dns],
    ['portrange ftp-http or 443', true, syn],
    ['port 53 or 80', true, syn],
    ['tcp port 53 or 80', true, syn],
    ['port (53 or 80)', true, syn],
    ['host 10.0.0.9 or 10.0.0.2', true, syn],
    ['not not tcp', true, syn],
    ['tcp && ! udp || arp', true, arp],
  ]; // biome-ignore format: a table
  for (const [expression, want, bytes] of cases) assert.is(matches(expression, bytes), want, expression);
});

test('arithmetic', () => {
  const cases: [string, boolean, Uint8Array][] = [
    ['tcp[tcpflags] & (tcp-syn|tcp-fin) != 0', true, syn],
    ['tcp[13] = 2', true, syn],
    ['tcp[13] == tcp-ack', false, syn],
    ['ip[8] < 65', true, syn],
    ['ip[6:2] & 0x1fff != 0', false, syn],
    ['ip[0] & 0xf = 5', true, syn],
    ['ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) = 0', true, syn],
    ['len - 14 = ip[2:2]', true, syn],
    ['(len > 10) and tcp', true, syn],
    ['(ip[8] + 1) * 2 = 130', true, syn],
    ['ip[ip[8] - 64] = 0x45', true, syn],
    ['10 / 3 = 3', true, syn],
    ['7 % 4 = 3', true, syn],
    ['-1 = 0xffffffff', true, syn],
    ['9 % 5 + 2 = 2', true, syn],
    ['2 * 9 % 5 = 8', true, syn],
    ['6 ^ 3 & 1 = 7', true, syn],
    ['tcp[(ip[9])+7]=2', true, syn],
    ['length - 14 = ip[2:2]', true, syn],
    ['ether[12:2] = 0x800', true, syn],
    ['udp[8:2] = 0x1234', true, dns],
    ['ip6[6] = 17', true, six],
    ['tcp[1000] = 0', false, syn],
    ['not tcp[1000] = 0', false, syn],
    ['ip[8] / (ip[1] + 0) = 1', false, syn],
  ]; // biome-ignore format: a table
  for (const [expression, want, bytes] of cases) assert.is(matches(expression, bytes), want, expression);
});

test('other linktypes', () => {
  assert.ok(matches('tcp port 80', ipv4(6, tcp(1, 80)), 101));
  assert.ok(matches('udp and ip6', ipv6(17, udp(1, 80)), 229));
  assert.ok(matches('ip6', join(hex('1e000000'), ipv6(17, udp(1, 80))), 0));
  assert.ok(
    matches('host 10.0.0.1', join(hex('0000 0001 0006 0200000000010000 0800'), ipv4(6, tcp(1, 2))), 113),
  );
  assert.ok(matches('inbound', join(hex('0000 0001 0006 0200000000010000 0800'), ipv4(6, tcp(1, 2))), 113));
  assert.ok(matches('arp', join(hex('0806 0000 00000002 0001 00 06 0200000000010000'), arpRequest()), 276));
  assert.ok(matches('tcp', join(hex('ff030021'), ipv4(6, tcp(1, 2))), 9));
  assert.is(engine.filterProblem, null);
});

test('what a linktype cannot have matches nothing, and is said', () => {
  assert.not.ok(matches('ether broadcast', ipv4(6, tcp(1, 80)), 101));
  assert.match(engine.filterProblem!, /no broadcast on raw IP/);
  assert.not.ok(matches('tcp', hex('00'), 147));
  assert.match(engine.filterProblem!, /linktype 147/);
  assert.not.ok(matches('inbound', syn));
  assert.match(engine.filterProblem!, /no inbound/);
  assert.not.ok(matches('type mgt', syn));
  assert.match(engine.filterProblem!, /no 802.11/);
  assert.ok(matches('greater 1', hex('00'), 147));
});

test('errors carry their position, and leave the filter as it was', () => {
  const cases: [string, number, RegExp][] = [
    ['tcp and', 7, /expected a primitive.*the end/],
    ['tcp port', 8, /expected an address, number or name/],
    ['host 1.2.3.400', 5, /not an IPv4 address/],
    ['tcp & 3', 4, /expected and, or, or the end/],
    ['(tcp or udp', 11, /expected '\)'/],
    ['net 10.0.0.1/8', 12, /non-network bits/],
    ['net 10.0.0.0/33', 12, /mask length/],
    ['host 10.0.0.0/8', 5, /use net/],
    ['port 70000', 5, /greater than 65535/],
    ['port nonesuch', 5, /unknown port/],
    ['host example.com', 5, /names are not resolved/],
    ['tcp host 10.0.0.1', 9, /cannot qualify/],
    ['icmp port 5', 10, /has no ports/],
    ['ip[0:3] = 1', 5, /size of 1, 2 or 4/],
    ['ip[0] / 0 = 1', 8, /division by zero/],
    ['tcp[13', 6, /expected '\]'/],
    ['len >', 5, /expected a number/],
    ['gateway foo', 8, /resolver/],
    ['arp protochain 6', 15, /cannot qualify/],
    ['src proto 6', 4, /does not apply/],
    ['ip[0] << 32 = 1', 9, /shift/],
    ['type foo', 5, /802.11 type/],
    ['subtype foo', 8, /802.11 subtype/],
    ['llc foo', 4, /LLC command/],
    ['action foo', 7, /action/],
    ['tcp and 443', 8, /expected a primitive/],
    ['udp port http', 9, /not registered for udp/],
    ['net loopback', 4, /names are not resolved/],
    ['decnet host 70.1', 12, /area.node/],
    ['opc 20000', 0, /greater than 16383/],
    ['tcp $ udp', 4, /unexpected character/],
    ['ip broadcast', 0, /network's mask/],
    ['vlan 5000', 0, /maximum of 4095/],
    ['ether host 10.0.0.1', 11, /link-layer address/],
    ['tcp udp', 4, /expected and, or, or the end/],
    [`${'('.repeat(300)}tcp`, 201, /nested deeper/],
    ['not '.repeat(300), 804, /nested deeper/],
    ['x'.repeat(20_000), 16384, /more than 16384/],
  ]; // biome-ignore format: a table
  engine.setFilter('arp');
  for (const [expression, position, message] of cases) {
    try {
      engine.setFilter(expression);
      assert.unreachable(`${expression.slice(0, 40)} compiled`);
    } catch (error) {
      assert.instance(error, FilterError, `${expression.slice(0, 40)}: ${error}`);
      assert.match((error as FilterError).message, message, expression.slice(0, 40));
      assert.is((error as FilterError).position, position, expression.slice(0, 40));
    }
  }
  engine.reset();
  engine.push(pcap([{ bytes: arp }, { bytes: syn }]));
  assert.is(engine.matched, 1, 'still arp');
});

test('a blank filter matches all; setting one restarts the count', () => {
  const file = pcap([{ bytes: arp }, { bytes: syn }]);
  assert.is(count(null, file), 2);
  assert.is(count('  ', file), 2);
  assert.is(count('arp', file), 1);
  engine.setFilter('tcp');
  assert.is(engine.matched, 0);
});

test('rows say which packets matched', () => {
  engine.setFilter('tcp');
  engine.reset();
  const matched: boolean[] = [];
  engine.push(pcap([{ bytes: arp }, { bytes: syn }]), (rows) => {
    for (let i = 0; i < rows.length; i++) matched.push(rows.matched(i));
  });
  assert.equal(matched, [false, true]);
});

test('a long filter works, one too long is refused', () => {
  const ports = Array.from({ length: 400 }, (_, i) => `port ${i + 1}`).join(' or ');
  assert.throws(() => engine.setFilter(ports), /instructions, more than/);
  const hosts = Array.from({ length: 200 }, (_, i) => `ip host 10.1.0.${i}`).join(' or ');
  assert.ok(matches(`${hosts} or ip host 10.0.0.1`, syn));
});

test.run();
