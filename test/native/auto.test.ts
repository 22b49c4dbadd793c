/** --ring=auto chooses, says why, and takes nothing from the machine; --list-interfaces says what there is. */
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ASAN, build, endAll, FAST, generate, liveObstacle, makeNetns, run, start, until } from './help.js';

build('all', 'asan', 'gen');
const obstacle = liveObstacle();
const live: typeof test = obstacle
  ? (Object.assign((name: string) => console.log(`SKIP ${name}: ${obstacle}`), {}) as unknown as typeof test)
  : test;
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();

/** What auto chooses for an interface, and the line that says why. */
function choose(netns: string, name: string): { source: string; why: string } {
  const args = ['--check', '--ring=auto', '-i', name];
  const { stdout, messages } = run(args, { netns });
  const why = messages.find((line) => line.includes('--ring=auto')) ?? '';
  return { source: (JSON.parse(stdout.toString()) as { source: string }).source, why };
}

const nativeXdp = (netns: string) => {
  const args = ['netns', 'exec', netns, FAST, '--check', '--ring=afxdp', '--xdp-mode=native', '-i', 'vb'];
  return spawnSync('ip', args).status === 0;
};

live(
  'an interface of no use to the machine: AF_XDP where the driver has it, and packets arrive',
  async () => {
    const netns = makeNetns('a');
    if (!nativeXdp(netns)) return console.log('SKIP auto chooses AF_XDP: no native XDP on veth here');
    const { source, why } = choose(netns, 'vb');
    assert.is(source, 'afxdp');
    assert.match(why, /afxdp on vb: the machine does not use it, and driver veth has native XDP$/);
    const args = ['-i', 'vb', '--ring=auto', '-w', '/dev/null', '--stats-interval', '0.1'];
    const probe = start(args, { netns });
    await until(() => probe.last(), 'the first ledger line', 40_000);
    await generate(netns, 1000, 20000, 100);
    await until(() => probe.last()!.stored + probe.last()!.in_flight === 1000, 'all packets');
    probe.child.kill('SIGINT');
    const final = (await probe.end).ledgers.at(-1)!;
    assert.equal([final.source, final.stored, final.unaccounted], ['afxdp', 1000, 0]);
  },
);

live('an address, a route, something stacked on it, a foreign program, a large MTU: AF_PACKET', () => {
  const netns = makeNetns('b');
  const is = (name: string, why: RegExp) => {
    const answer = choose(netns, name);
    assert.is(answer.source, 'afpacket', `${name}: ${answer.why}`);
    assert.match(answer.why, why);
  };
  ip('-n', netns, 'addr', 'add', '10.9.0.1/24', 'dev', 'vb');
  is('vb', /afpacket on vb: it has the address 10\.9\.0\.1, and AF_XDP would take its packets/);
  ip('-n', netns, 'addr', 'flush', 'dev', 'vb');
  ip('-n', netns, 'route', 'add', 'default', 'dev', 'vb');
  is('vb', /it has the default route/);
  ip('-n', netns, 'route', 'del', 'default');
  ip('-n', netns, 'link', 'add', 'br0', 'type', 'bridge');
  ip('-n', netns, 'link', 'set', 'vb', 'master', 'br0');
  is('vb', /it carries br0/);
  is('br0', /has no native XDP/);
  ip('-n', netns, 'link', 'del', 'br0');
  ip('-n', netns, 'link', 'set', 'vb', 'mtu', '9000');
  is('vb', /its MTU 9000 is over what AF_XDP takes/);
  ip('-n', netns, 'link', 'set', 'vb', 'mtu', '1500');
  is('lo', /no Ethernet interface/);
  // fe80:: is on every link and means nothing.
  ip('netns', 'exec', netns, 'sh', '-c', 'echo 0 >/proc/sys/net/ipv6/conf/vb/disable_ipv6');
  ip('-n', netns, 'addr', 'add', 'fe80::9/64', 'dev', 'vb');
  if (nativeXdp(netns)) assert.is(choose(netns, 'vb').source, 'afxdp');
});

live('AF_XDP that cannot be had: AF_PACKET, and why', async () => {
  const netns = makeNetns('c');
  if (!nativeXdp(netns)) return console.log('SKIP auto falls back: no native XDP on veth here');
  const args = ['-i', 'vb', '--ring=afxdp', '-w', '/dev/null', '--stats-interval', '0.1'];
  const first = start(args, { netns });
  await until(() => first.last(), 'the first ledger line', 40_000);
  const { source, why } = choose(netns, 'vb');
  assert.is(source, 'afpacket');
  assert.match(why, /XDP program \d+ is attached to it/);
  first.child.kill('SIGINT');
  await first.end;
});

live('no such interface is an error for auto as for any source', () => {
  const { code, messages } = run(['-i', 'nope0', '--ring=auto', '-w', '/dev/null']);
  assert.is(code, 1);
  assert.match(messages[0]!, /nope0: no such interface; there are: /);
});

live('--list-interfaces: driver, queues, MTU, offloads, XDP, and who needs it', () => {
  const netns = makeNetns('d');
  ip('-n', netns, 'addr', 'add', '10.9.0.1/24', 'dev', 'vb');
  ip('-n', netns, 'link', 'set', 'vb', 'mtu', '1400');
  const lines = ip('netns', 'exec', netns, ASAN, '--list-interfaces').trim().split('\n');
  const all = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const find = (name: string) => all.find((row) => row.name === name)!;
  const { index, xdp, gro, rxvlan, ...vb } = find('vb');
  assert.equal(vb, {
    name: 'vb',
    up: true,
    default: false,
    linktype: 1,
    driver: 'veth',
    mtu: 1400,
    queues: 1,
    lro: false,
    xdp_program: null,
    in_use: 'has the address 10.9.0.1',
  });
  assert.ok(Number(index) > 0 && typeof gro === 'boolean' && typeof rxvlan === 'boolean');
  assert.ok(xdp === 'native' || xdp === 'generic');
  assert.equal([find('va').in_use, find('lo').driver, find('lo').default], [null, null, false]);
});

test.after.each(endAll);
test.run();
