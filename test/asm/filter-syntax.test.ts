// The filter's parser and compiler against nonsense: whatever is typed, for whatever linktype, it compiles
// or is a FilterError with a position inside the expression. And what explainFilter says.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileFilter } from '../../asm/host/filter/compile.js';
import { KEYWORDS } from '../../asm/host/filter/names.js';
import { parseFilter } from '../../asm/host/filter/parser.js';
import { explainFilter, FilterError } from '../../asm/host/index.js';
import { random, runSeed } from './captures.js';

const seed = runSeed('filter-syntax');
const INSNS_MAX = 16384;

/** True when it compiled. */
function survives(text: string, linktype: number): boolean {
  try {
    const program = compileFilter(parseFilter(text), { linktype });
    program.forEach(({ code, jt, jf, k }, at) => {
      if ((code & 7) !== 5) return;
      const targets = (code & 0xf0) === 0 ? [at + 1 + (k | 0)] : [at + 1 + jt, at + 1 + jf];
      for (const target of targets)
        assert.ok(target >= 0 && target < program.length, `${text}: jump to ${target}`);
    });
    assert.ok(program.length <= INSNS_MAX, `${program.length} instructions`);
    return true;
  } catch (error) {
    if (!(error instanceof FilterError)) throw new Error(`${JSON.stringify(text)} on ${linktype}: ${error}`);
    const { position, message } = error;
    assert.ok(position >= 0 && position <= text.length, `${JSON.stringify(text)}: position ${position}`);
    assert.match(message, /^[^\n]{5,200}$/);
    return false;
  }
}

const WORDS = [
  ...KEYWORDS, '(', ')', '[', ']', ':', '/', '+', '-', '*', '%', '&', '|', '^', '!', '<', '>', '=', '<=', '>=', '!=',
  '<<', '>>', '&&', '||', '==', '0', '1', '80', '0x800', '4294967295', '10.0.0.1', '10.0', '10.0.0.0/8', '::1', 'fe80::/10',
  '02:00:00:00:00:01', '$1f', 'http', 'name.example', '1-100', '\\tcp', '\\and', 'tcp-syn', 'icmptype', 'mgt', 'beacon',
  'ui', 'eth0', 'nods', 'mask', '255.255.0.0', 'ip[0]', 'tcp[13]', 'ether host', 'port 80', 'not', 'and', 'or', 'and', 'or',
]; // biome-ignore format: a list

test('random words', () => {
  const next = random(seed);
  const linktypes = [0, 1, 8, 9, 105, 113, 117, 123, 127, 140, 192, 276, 147, 3, 65535];
  let compiled = 0;
  for (let i = 0; i < 60_000; i++) {
    const text = Array.from({ length: 1 + next(9) }, () => WORDS[next(WORDS.length)]!).join(
      next(6) ? ' ' : '',
    );
    if (survives(text, linktypes[next(linktypes.length)]!)) compiled++;
  }
  assert.ok(compiled > 300, `${compiled} of 60000 compiled`);
});

test('valid expressions with characters changed, left out or added', () => {
  const next = random(seed + 1);
  const good = [
    'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src net 10.0.0.0/8',
    'vlan 7 and (ip6 host fe80::1 or port (80 or 443)) or ether host 02:00:00:00:00:01',
    'ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) != 0',
    'wlan type mgt subtype beacon or llc ui and dir tods and iso proto \\isis',
  ];
  for (let i = 0; i < 60_000; i++) {
    let text = good[next(good.length)]!;
    for (let edits = 1 + next(4); edits > 0; edits--) {
      const at = next(text.length + 1);
      const insert = next(3) ? String.fromCodePoint(next(20) ? 32 + next(95) : next(0xd800)) : '';
      text = text.slice(0, at) + insert + text.slice(at + next(3));
    }
    if (text.trim()) survives(text, next(2) ? 1 : 127);
  }
});

test('nesting and length without end', () => {
  for (const part of [
    '(',
    'not ',
    '!',
    '-',
    'ip[',
    'ip[(',
    'port (',
    'vlan (',
    '1 + ',
    '1 % ',
    'ip[0] + (',
    'tcp or ',
    'vlan and ',
    'geneve and ',
    'mpls and ',
    'pppoes and ',
  ])
    for (const amount of [10, 199, 201, 1000, 16384 / part.length])
      for (const end of ['', 'tcp', '1', '1 = 1']) survives(part.repeat(amount) + end, 1);
});

test('explainFilter: words, listing and what is pushed where', () => {
  const plain = explainFilter('ip', 1);
  assert.equal(plain.listing, [
    '(000) ldh      [12]',
    '(001) jeq      #0x800           jt 2\tjf 3',
    '(002) ret      #262144',
    '(003) ret      #0',
  ]);
  assert.is(plain.words, 'the packet is ip');
  assert.equal(plain.pushed.kernel, { whole: true, reason: null });
  assert.equal(plain.pushed.index, { kind: 'ethertype', number: 0x800 });
  assert.ok(plain.emittedBytes! > 50);

  const grouped = explainFilter('tcp or udp and not port 53', 1);
  assert.is(
    grouped.words,
    '((the packet is tcp or the packet is udp) and not the source or destination port is 53)',
  );
  assert.equal(grouped.pushed.index, {
    kind: 'one',
    of: [
      { kind: 'ip-protocol', number: 6 },
      { kind: 'ip-protocol', number: 17 },
    ],
  });
  assert.equal(explainFilter('host 10.0.0.1 and tcp dst port 443', 1).pushed.index, {
    kind: 'all',
    of: [
      { kind: 'ipv4', address: 0x0a000001, mask: 0xffffffff, direction: 'either' },
      { kind: 'port', port: 443, protocol: 'tcp', direction: 'dst' },
    ],
  });
  assert.equal(explainFilter('not host 10.0.0.1', 1).pushed.index, { kind: 'any' });
  assert.equal(explainFilter('not (not tcp or not ip)', 1).pushed.index, {
    kind: 'all',
    of: [
      { kind: 'ip-protocol', number: 6 },
      { kind: 'ethertype', number: 0x800 },
    ],
  });
  assert.equal(explainFilter('tcp or len > 5', 1).pushed.index, { kind: 'any' });

  const chain = explainFilter('ip6 protochain 6', 1);
  assert.is(chain.emittedBytes, null);
  assert.is(chain.pushed.kernel.whole, false);
  assert.match(explainFilter('vlan', 1).pushed.kernel.reason!, /VLAN/);
  assert.match(explainFilter('ether broadcast', 101).problem!, /no broadcast on raw IP/);
  assert.throws(
    () => explainFilter('tcp and', 1),
    (error: FilterError) => error.position === 7,
  );
});

test.run();
