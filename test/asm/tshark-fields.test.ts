/**
 * Field by field against tshark over real captures, when both are at hand ($RINGTAP_CAPTURES or
 * ../shared/captures): every occurrence of a field in a frame, in order. tshark runs without reassembly,
 * since the packet tree is of single packets. What may differ is bounded in ALLOWED, each with its reason.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TreeNode } from '../../asm/host/index.js';
import { asciiText } from '../../asm/host/text.js';
import { newEngine } from './captures.js';

const root = join(process.env.RINGTAP_CAPTURES ?? '../shared/captures', 'captures');
const installed = spawnSync('tshark', ['--version']).status === 0;

const FIELDS = [
  'dns.qry.name', 'dns.qry.type', 'dns.resp.name', 'dns.resp.type', 'dns.resp.ttl', 'dns.a', 'dns.aaaa', 'dns.cname', 'dns.ns',
  'dns.ptr.domain_name', 'dns.mx.mail_exchange', 'dns.srv.target', 'dns.soa.mname', 'dns.flags.rcode',
  'tls.record.content_type', 'tls.handshake.type', 'tls.handshake.extensions_server_name', 'tls.handshake.extensions_alpn_str',
  'tls.handshake.ciphersuite', 'tls.handshake.extension.type', 'tls.handshake.sig_hash_alg', 'tls.handshake.extensions.supported_version',
  'quic.version', 'quic.dcid', 'quic.scid', 'quic.long.packet_type', 'quic.crypto.offset',
  'http.request.method', 'http.request.uri', 'http.response.code', 'http.host', 'http.user_agent', 'http.content_type',
  'dhcp.option.dhcp', 'dhcp.option.type', 'dhcp.ip.your', 'dhcp.hw.mac_addr', 'dhcp.option.hostname', 'dhcp.option.requested_ip_address',
  'dhcp.option.dhcp_server_id', 'dhcp.option.ip_address_lease_time',
  'ntp.flags.vn', 'ntp.flags.mode', 'ntp.stratum', 'ntp.refid', 'ntp.ppoll',
  'gtp.message', 'gtp.teid', 'gtp.seq_number', 'gtp.ext_hdr.next', 'gtp.ext_hdr.pdu_ses_con.qos_flow_id',
  'pfcp.msg_type', 'pfcp.seid', 'pfcp.seqno', 'pfcp.ie_type', 'pfcp.f_teid.teid', 'pfcp.ue_ip_addr_ipv4', 'pfcp.node_id_ipv4',
  'vxlan.vni', 'geneve.vni', 'geneve.option.class', 'gre.proto', 'gre.key', 'gre.sequence_number', 'gre.key.call_id', 'erspan.spanid',
  'l2tp.tunnel', 'l2tp.session', 'esp.spi', 'esp.sequence', 'ah.spi', 'ah.sequence', 'sctp.chunk_type', 'sctp.data_tsn_raw',
  'sctp.data_payload_proto_id', 'igmp.type', 'igmp.maddr', 'igmp.record_type', 'lldp.tlv.type', 'lldp.chassis.id.mac', 'lldp.time_to_live',
  'stp.root.hw', 'stp.root.prio', 'stp.port', 'stp.hello', 'lacp.actor.sysid', 'lacp.partner.port', 'pppoed.tags.ac_name', 'pppoed.tags.host_uniq', 'pppoe.session_id',
  'icmp.type', 'icmp.mtu', 'icmp.redir_gw', 'icmpv6.type', 'icmpv6.nd.ns.target_address', 'icmpv6.nd.na.target_address', 'icmpv6.opt.type',
  'icmpv6.opt.prefix', 'icmpv6.mld.multicast_address', 'icmpv6.mldr.mar.multicast_address', 'mpls.label', 'ip.src', 'ipv6.src', 'udp.dstport',
]; // biome-ignore format: a list of names

/** Words in the names of captures; of each the first PER_WORD by name are read. */
const WORDS = [
  'quic', 'pfcp', 'gtp', 'geneve', 'vxlan', 'lldp', 'LACP', 'STP', 'stp.pcap', 'igmp', 'IGMP', 'l2tp', 'esp', 'ah-', 'gre', 'pppoe', 'PPPoE',
  'sctp', 'SCTP', 'Sctp', 'dhcp', 'Dhcp', 'ntp', 'NTP', 'zeek/dns', 'PcapPlusPlus/D', 'dns', 'llmnr', 'mdns', 'icmp6', 'icmpv6', 'IcmpV6', 'icmp',
  'ja4', 'tls', 'http', 'Http', 'mpls', '4in', 'nDPI/t', 'nDPI/d', 'nDPI/h',
]; // biome-ignore format: a list of words
const PER_WORD = Number(process.env.RINGTAP_PER_WORD ?? 3);
const BYTES_MAX = 300_000;

const OTHER_LAYER =
  'sFlow samples, L2TPv3, BIG TCP and Ethernet without a control word under MPLS are not followed, or by tshark not';
const SEGMENTS =
  'without reassembly tshark shows nothing of a record or message that goes on in the next segment, and other streams on known ports only';
const FIRST_FRAGMENT = 'of fragments that are not put together tshark shows nothing, not even the first';
const FUZZED =
  'elements without fields of their own here (Remote GTP-U Peer, …), for which tshark uses the same names';

/** Frames that may differ by field, and why. A better result is fine, a worse one fails. */
const ALLOWED: Record<string, [frames: number, reason: string]> = {
  'dns.resp.name': [3, FIRST_FRAGMENT],
  'dns.resp.type': [3, FIRST_FRAGMENT],
  'dns.resp.ttl': [3, FIRST_FRAGMENT],
  'tls.record.content_type': [62, SEGMENTS],
  'tls.handshake.type': [17, SEGMENTS],
  'tls.handshake.extensions_server_name': [1, SEGMENTS],
  'tls.handshake.extensions_alpn_str': [3, `${SEGMENTS}; bytes that are no UTF-8`],
  'tls.handshake.ciphersuite': [4, SEGMENTS],
  'tls.handshake.extension.type': [4, SEGMENTS],
  'tls.handshake.sig_hash_alg': [2, SEGMENTS],
  'tls.handshake.extensions.supported_version': [1, SEGMENTS],
  'http.request.method': [4, `${SEGMENTS}; SSDP over UDP`],
  'http.request.uri': [4, `${SEGMENTS}; SSDP over UDP`],
  'http.host': [4, `${SEGMENTS}; SSDP over UDP`],
  'http.user_agent': [1, SEGMENTS],
  'http.content_type': [1, 'a malformed header line'],
  'dhcp.hw.mac_addr': [1, 'tshark names the address in the client identifier the same'],
  'ntp.stratum': [1, 'the peers in a private (mode 7) answer are not decoded'],
  'ntp.ppoll': [1, 'the peers in a private (mode 7) answer are not decoded'],
  'pfcp.seid': [1, FUZZED],
  'pfcp.ie_type': [3, FUZZED],
  'pfcp.f_teid.teid': [1, FUZZED],
  'pfcp.node_id_ipv4': [8, FUZZED],
  'geneve.vni': [2, OTHER_LAYER],
  'sctp.chunk_type': [1, 'a packet of more chunks than tshark shows'],
  'lldp.tlv.type': [1, 'tshark stops at a chassis of a wrong length'],
  'stp.root.hw': [27, OTHER_LAYER],
  'stp.root.prio': [27, OTHER_LAYER],
  'stp.port': [27, OTHER_LAYER],
  'stp.hello': [27, OTHER_LAYER],
  'icmp.type': [1, OTHER_LAYER],
  'ip.src': [3, OTHER_LAYER],
  'ipv6.src': [1, OTHER_LAYER],
  'udp.dstport': [1, OTHER_LAYER],
};

/** Paths below the root. */
function captures(): string[] {
  const all = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(pcap|pcapng|cap)(\.gz)?$/.test(name) && statSync(join(root, name)).size < BYTES_MAX)
    .sort();
  return [...new Set(WORDS.flatMap((word) => all.filter((name) => name.includes(word)).slice(0, PER_WORD)))];
}

const flat = (nodes: readonly TreeNode[]): TreeNode[] =>
  nodes.flatMap((node) => [node, ...flat(node.children)]);

/** Numbers in decimal, bytes without colons, other than ASCII escaped: what both print differently. */
function normal(raw: string): string {
  const value = /^[ -~]*$/.test(raw) ? raw : asciiText(new TextEncoder().encode(raw));
  const number = /\((0x[0-9a-f]+|\d+)\)$/.exec(value)?.[1] ?? value;
  if (/^0x[0-9a-f]+$/.test(number)) return BigInt(number).toString();
  return number.replaceAll(':', '');
}

/** tshark splits the names of SRV records into fields of their own. The type follows the name. */
const isServiceName = (nodes: readonly TreeNode[], at: number): boolean =>
  nodes[at]!.field === 'dns.resp.name' && nodes[at + 1]?.value === 'SRV (33)';

/**
 * tshark gives DHCP's end option the type 0 and vendors' PFCP elements (bit 15) another field, and lists the
 * types an NSEC record names among the records' own.
 */
function agree(field: string, ours: string, theirs: string): boolean {
  if (field === 'dhcp.option.type') return ours === theirs.replace(/,0$/, '');
  const list = ours.split(',');
  if (field === 'pfcp.ie_type') return list.filter((value) => Number(value) < 0x8000).join(',') === theirs;
  if (field !== 'dns.resp.type') return ours === theirs;
  let found = 0;
  for (const value of theirs.split(',')) if (value === list[found]) found++;
  return found === list.length;
}

function tshark(file: string): string[][] {
  const off = [
    'tcp.desegment_tcp_streams',
    'ip.defragment',
    'ipv6.defragment',
    'tls.desegment_ssl_records',
    'http.desegment_headers',
  ];
  const { stdout } = spawnSync(
    'tshark',
    [
      '-n',
      '-r',
      file,
      '-T',
      'fields',
      '-E',
      'separator=/t',
      '-E',
      'aggregator=\u0001',
      ...off.flatMap((name) => ['-o', `${name}:FALSE`]),
      ...FIELDS.flatMap((name) => ['-e', name]),
    ],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t'));
}

if (!installed || !existsSync(root))
  console.log(`SKIP fields against tshark: ${installed ? `no captures in ${root}` : 'it is not installed'}`);

test('fields agree with tshark', async () => {
  if (!installed || !existsSync(root)) return;
  const engine = await newEngine();
  const same = new Map<string, number>();
  const differ = new Map<string, string[]>();
  for (const name of captures()) {
    const file = join(root, name);
    const raw = readFileSync(file);
    const packets: TreeNode[][] = [];
    engine.reset();
    engine.push(raw[0] === 0x1f ? gunzipSync(raw) : raw, (rows) => {
      for (let i = 0; i < rows.length; i++)
        packets.push(flat(engine.decode(rows.linktype(i), rows.bytes(i), rows.wirelen(i))));
    });
    const lines = tshark(file);
    for (const [i, nodes] of packets.entries())
      for (const [column, field] of FIELDS.entries()) {
        const theirs = (lines[i]?.[column] ?? '').split('\u0001').map(normal).join(',');
        const ours = nodes
          .filter((node, at) => node.field === field && !isServiceName(nodes, at))
          .map(({ value }) => normal(value))
          .join(',');
        if (ours === '' && theirs === '') continue;
        if (agree(field, ours, theirs)) same.set(field, (same.get(field) ?? 0) + 1);
        else
          differ.set(field, [
            ...(differ.get(field) ?? []),
            `${name} frame ${i + 1}: ${ours || '-'}, tshark ${theirs || '-'}`,
          ]);
      }
  }
  const failed: string[] = [];
  for (const field of FIELDS) {
    const bad = differ.get(field) ?? [];
    const good = same.get(field) ?? 0;
    const [allowed, reason] = ALLOWED[field] ?? [0, ''];
    console.log(
      `  ${field}: ${good}/${good + bad.length}${bad.length ? ` (up to ${allowed} may differ: ${reason})` : ''}`,
    );
    if (process.env.RINGTAP_VERBOSE)
      for (const line of bad.slice(0, Number(process.env.RINGTAP_VERBOSE)))
        console.log(`    ${line.slice(0, 300)}`);
    if (bad.length > allowed) failed.push(`${field}: ${bad.length} differ, ${allowed} allowed, ${bad[0]}`);
  }
  assert.is(failed.length, 0, failed.join('\n'));
});

test.run();
