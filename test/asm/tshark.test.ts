// The same numbers as tshark, when it is installed: counts, addresses and ports of the built frames.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TreeNode } from '../../asm/host/index.js';
import { PROTOCOLS } from '../../asm/host/index.js';
import { FRAMES, newEngine, pcap } from './captures.js';

/** Fields both print the same way; all occurrences of a frame are compared, in order. */
const FIELDS = [
  'eth.src', 'eth.dst', 'ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst', 'ip.ttl', 'tcp.srcport', 'tcp.dstport', 'udp.srcport',
  'udp.dstport', 'tcp.window_size_value', 'vlan.id', 'mpls.label', 'vxlan.vni', 'arp.src.proto_ipv4', 'dns.qry.name',
]; // biome-ignore format: a list of names

const installed = spawnSync('tshark', ['--version']).status === 0;
if (!installed) console.log('SKIP against tshark: it is not installed');

/** One line a frame: protocols, then FIELDS, occurrences joined by commas. */
function tshark(file: Uint8Array): string[][] {
  const directory = mkdtempSync(path(tmpdir(), 'ringtap-tshark-'));
  try {
    const name = path(directory, 'a.pcap');
    writeFileSync(name, file);
    const columns = ['frame.protocols', ...FIELDS].flatMap((field) => ['-e', field]);
    const { stdout } = spawnSync(
      'tshark',
      ['-n', '-r', name, '-T', 'fields', '-E', 'separator=;', ...columns],
      { encoding: 'utf8' },
    );
    return stdout
      .trim()
      .split('\n')
      .map((line) => line.split(';'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const flat = (nodes: readonly TreeNode[]): TreeNode[] =>
  nodes.flatMap((node) => [node, ...flat(node.children)]);

test('the packet tree and the counts agree with tshark', async () => {
  if (!installed) return;
  const engine = await newEngine();
  const lines = tshark(pcap(FRAMES.map(({ bytes }) => ({ bytes }))));
  assert.is(lines.length, FRAMES.length);
  for (const [i, { name, bytes }] of FRAMES.entries()) {
    const [protocols = '', ...values] = lines[i]!;
    const tokens = new Set(protocols.split(':').map((token) => (token === 'ieee8021ad' ? 'vlan' : token)));
    engine.reset();
    engine.push(pcap([{ bytes }]));
    const counts = engine.totals().protocolCounts;
    assert.equal(
      PROTOCOLS.filter((protocol) => counts[protocol]),
      PROTOCOLS.filter((protocol) => tokens.has(protocol)),
      name,
    );
    const nodes = flat(engine.decode(1, bytes));
    for (const [column, field] of FIELDS.entries()) {
      // tshark gives the service tag of 802.1ad a field of its own.
      if (name === 'qinq' && field === 'vlan.id') continue;
      const ours = nodes
        .filter((node) => node.field === field)
        .map(({ value }) => value)
        .join(',');
      assert.is(ours, values[column] ?? '', `${name}: ${field}`);
    }
  }
});

test.run();
