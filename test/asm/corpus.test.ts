/**
 * Real captures with ground truth from tshark and tcpdump, when they are at hand: $RINGTAP_CAPTURES or
 * ../shared/captures. Rows where the two tools agree are compared strictly; what may differ is bounded
 * in ALLOWED below, each with its reason, and a better result than allowed is fine, a worse one fails.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ProtocolName, StreamError } from '../../asm/host/index.js';
import { PROTOCOLS } from '../../asm/host/index.js';
import { newEngine } from './captures.js';

const root = process.env.RINGTAP_CAPTURES ?? '../shared/captures';
const present = existsSync(join(root, 'truth.jsonl'));

interface Truth {
  file: string;
  compression: string | null;
  format: string;
  linktypes: number[];
  packets: number | null;
  capturedBytes: number;
  originalBytes: number;
  firstTs: string | null;
  lastTs: string | null;
  agree: boolean | null;
  readErrorKind: StreamError['kind'] | null;
  protocolCounts: Record<ProtocolName, number>;
  tcpConversations: number;
  udpConversations: number;
}
interface Filters {
  file: string;
  linktype: number;
  reliable: boolean;
  counts: Record<string, number>;
}

/** Linktypes that are decoded; the others are told apart in the report. */
const FILTER_LINKTYPES = new Set([0, 1, 9, 50, 101, 104, 108, 113, 228, 229, 276]);

const lines = <T>(name: string): T[] =>
  readFileSync(join(root, name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
const load = (row: Truth): Uint8Array => {
  const bytes = readFileSync(join(root, row.file));
  return row.compression === 'gzip' ? gunzipSync(bytes) : bytes;
};

/** `seconds.nanoseconds`, floored, as in the truth. */
function timeText(ns: bigint | null): string | null {
  if (ns === null) return null;
  const fraction = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return `${(ns - fraction) / 1_000_000_000n}.${String(fraction).padStart(9, '0')}`;
}

const HEURISTIC =
  'tshark names streams by port tables, heuristics and earlier frames, the engine by the bytes at hand';

/** Figures that may differ in a number of files, and why. Everything not named here or in KNOWN must match. */
const ALLOWED: Record<string, [files: number, reason: string]> = {
  gtp: [3, `${HEURISTIC}: GTP' and GTPv2's first byte`],
  dns: [28, `${HEURISTIC}: also other ports, and messages that are not sane`],
  http: [209, `${HEURISTIC}: segments that continue a message are not counted`],
  tls: [156, `${HEURISTIC}: segments that continue a record are not counted`],
  quic: [23, `${HEURISTIC}: short headers and other ports are not counted`],
  udpConversations: [
    45,
    'tshark makes several rows of one pair (SNMP, RTP); the files of KNOWN; UDP-Lite counts there',
  ],
  'filters on other linktypes': [2, "libpcap cuts the packets of one file to its header's snaplen of 26"],
};

/** Files whose layers below L7 differ, by cause. */
const KNOWN: Record<string, readonly string[]> = {
  'linktypes that are not decoded (PKTAP, Juniper, ARCNET, NFLOG, PPI, IPNET, FDDI, Netlink, Frame Relay, 802.15.4)': [
    'LINKTYPE_PKTAP.pcap', 'LINKTYPE_USER2_PKTAP.pcap', 'isis_poi.pcap', 'juniper_header-heapoverflow.pcap',
    'arcnet-rfc1051-arp-icmp-http.pcap', 'arcnet-rfc1201-arp-icmp-http.pcap', 'bacnet-arcnet.cap', 'nflog-ebtables.pcapng',
    'nflogPacket.pcap', 'arkime/nflog.pcap', 'http_PPI.pcap', 'SampleCaptures__Http.cap', 'e1000g.pcap', '__nfs.pcap',
    'dns-inverse-query.pcap', 'netlink-conntrack.pcap', 'OSPFv3_multipoint_adjacencies.pcap', 'rpl-dio-mc-nsa-optional-tlv-dissector-sample.pcap.gz',
  ],
  'ethertypes that are not followed (FabricPath, VN-Tag, HSR, E-Tag, NSH, MACsec, 802.1ah, Centrino)': [
    'nDPI/ajp.pcap', 'decode-dce__input.pcap', 'vntag.pcap', 'vntag_vlan_sandwich_clean.pcap',
    'HSR-simple-supervision-and-1vdan-appearing.pcap', 'decode-etag-01__input.pcap', 'decode-etag-02__input.pcap',
    'decode-nsh-type2__input.pcap', 'icmp-rfc8335-missing-bytes.pcap', 'macsec-integonly.pcap', 'macsec-short-longer.pcap',
    'pbb-recursive-frames.pcapng', 'dns-remoteshell.pcap',
  ],
  'packets inside application protocols (sFlow samples, CAPWAP, AYIYA, Teredo, L2TP, ZEP, OpenFlow, GTP signalling)': [
    'data-qinq.pcap', 'sflow.pcap', 'sflow_expanded.pcap', 'sflow-print-v6.pcap', 'data-1140.pcap', 'data-icmpv4.pcap',
    'data-sflow-raw-ipv4.pcap', 'filestore-5408__input.pcap', 'tcp-reassembly.pcap', 'capwap_data.pcapng', 'ayiya3.pcap',
    'teredo_bubble_with_payload.pcap', 'nb6-startup.pcap', '__6LoWPAN.pcap.gz', 'anoop.pcap', 'pdp_ctx_messages.pcapng',
    'of13_ericsson.pcapng', 'openflow_v1.3_messages.pcapng.gz', 'icmp6-redirect-hdr-opt.pcap',
  ],
  'GRE payloads and carriers that are not followed (WCCP, Aruba 802.11, GRE in UDP)': [
    'wccp_redirect_gre.pcap', 'gre-aruba-amsdu.pcap', 'gre-over-udp-4754.pcap',
  ],
  'tshark has no VXLAN on port 8472, and stops at BIG TCP lengths inside tunnels': [
    'vxlan_port_8472.pcap', 'bigtcp-ipv4-geneve-ipv4.pcap', 'bigtcp-ipv4-vxlan-ipv4.pcap', 'bigtcp-ipv6-geneve-ipv6.pcap',
    'bigtcp-ipv6-vxlan-ipv6.pcap',
  ],
  'one tag of 802.1ad, which tshark calls by another name': ['arp-too-long-tha.pcap'],
  'HDLC in a PPP capture, and an ethertype for an address family: tshark guesses': ['BGP_Cisco_hdlc_slarp.pcap', 'NullLoopback.pcap'],
  'aggregated 802.11 frames': ['SampleCaptures__mesh.pcap'],
  'Ethernet without a control word under MPLS that looks like IPv4': ['mpls-eompls-cw.pcap'],
  'headers that contradict themselves, at which tshark stops a layer earlier or later': [
    'bad-ipv4-version-pgm-heapoverflow.pcap', 'decode-too-small__test.pcap', 'tcp-session-decode-malformed-ipv4__input.pcap',
    'fuzz-2006-09-29-28586.pcap', 'beep-oobr.pcap', 'tcp-auth-heapoverflow.pcap',
  ],
  'IPv4 source routes: tshark files the conversation under the last hop': ['detect-ipopts__input.pcap'],
}; // biome-ignore format: lists of names
const known = Object.values(KNOWN).flat();
const isKnown = (file: string): boolean => known.some((name) => file.endsWith(name));

/** Files in which the engine reads on where tshark stops, by name. */
const ALLOWED_ERRORS: Record<string, string> = {
  'pcap-ng_Wi-Fi_Bluetooth_USB_Cooked_timestamps_issue_1.ntar':
    'a Bluetooth packet too short for its pseudo-header, which is not decoded',
  'test007.ntar':
    "a block length that is no multiple of four: its trailer is where the padding ends, as the block's writer meant",
};

const tally = new Map<string, { same: number; of: number; differ: string[] }>();
function compare(figure: string, file: string, ours: unknown, truth: unknown): void {
  const entry = tally.get(figure) ?? { same: 0, of: 0, differ: [] };
  tally.set(figure, entry);
  entry.of++;
  if (JSON.stringify(ours) === JSON.stringify(truth)) entry.same++;
  else entry.differ.push(`${file}: ${JSON.stringify(ours)}, truth ${JSON.stringify(truth)}`);
}

/** Like compare, but files of KNOWN are excused; they count in what is reported. */
const overall = new Map<string, [same: number, of: number]>();
function compareLayer(figure: string, file: string, ours: number, truth: number): void {
  if (ALLOWED[figure] || !isKnown(file)) compare(figure, file, ours, truth);
  const [same, of] = overall.get(figure) ?? [0, 0];
  overall.set(figure, [same + (ours === truth ? 1 : 0), of + 1]);
}

function judge(figures: readonly string[]): void {
  const failed: string[] = [];
  for (const figure of figures) {
    const { same, of, differ } = tally.get(figure)!;
    const allowed = ALLOWED[figure]?.[0] ?? 0;
    const [files, all] = overall.get(figure) ?? [same, of];
    console.log(
      `  ${figure}: ${files}/${all}${allowed ? ` (up to ${allowed} may differ: ${ALLOWED[figure]![1]})` : ''}`,
    );
    if (process.env.RINGTAP_VERBOSE) for (const line of differ) console.log(`    ${line}`);
    if (differ.length > allowed)
      failed.push(`${figure}: ${differ.length} differ, ${allowed} allowed\n${differ.slice(0, 5).join('\n')}`);
  }
  assert.is(failed.length, 0, failed.join('\n'));
}

if (!present) {
  console.log(`SKIP corpus: no truth.jsonl in ${root} (set RINGTAP_CAPTURES)`);
  test('the corpus is absent', () => {});
} else {
  const truth = lines<Truth>('truth.jsonl');
  const engine = await newEngine();
  const read = (bytes: Uint8Array): StreamError | null => {
    engine.reset();
    engine.push(bytes);
    return engine.end();
  };

  test('summaries', () => {
    for (const row of truth) {
      const error = read(load(row));
      if (row.format === 'other') {
        // Network Monitor, Sniffer, snoop, an image: each refused, none read.
        compare('refusal', row.file, error?.kind, 'not-a-capture');
        continue;
      }
      const excused = Object.keys(ALLOWED_ERRORS).some((name) => row.file.endsWith(name));
      if (row.packets !== null && !excused)
        compare('error', row.file, error?.kind ?? null, row.readErrorKind);
      if (row.packets !== null) compare('format', row.file, engine.format, row.format);
      if (!row.agree) continue;
      const totals = engine.totals();
      compare('packets', row.file, totals.packets, row.packets);
      compare('capturedBytes', row.file, totals.capturedBytes, row.capturedBytes);
      compare('originalBytes', row.file, totals.originalBytes, row.originalBytes);
      compare('firstTs', row.file, timeText(totals.firstTsNs), row.firstTs);
      compare('lastTs', row.file, timeText(totals.lastTsNs), row.lastTs);
      compare(
        'linkTypes',
        row.file,
        [...totals.linkTypes].sort((a, b) => a - b),
        row.linktypes,
      );
      for (const name of PROTOCOLS)
        compareLayer(name, row.file, totals.protocolCounts[name], row.protocolCounts[name]);
      compareLayer('tcpConversations', row.file, totals.tcpConversations, row.tcpConversations);
      compare('udpConversations', row.file, totals.udpConversations, row.udpConversations);
    }
    assert.ok(tally.get('packets')!.of > 100, 'the corpus has comparable rows');
    judge([...tally.keys()].filter((figure) => !figure.startsWith('filter')));
  });

  test('filters', () => {
    const rows = new Map(lines<Filters>('filters.jsonl').map((row) => [row.file, row]));
    for (const row of truth) {
      const filters = rows.get(row.file);
      if (!filters?.reliable || !filters.counts) continue;
      const bytes = load(row);
      const figure = FILTER_LINKTYPES.has(filters.linktype) ? 'filters' : 'filters on other linktypes';
      for (const [expression, matched] of Object.entries(filters.counts)) {
        engine.setFilter(expression);
        read(bytes);
        compare(figure, `${row.file} '${expression}'`, engine.matched, matched);
      }
    }
    assert.ok(tally.get('filters')!.of > 1000, 'the corpus has filter rows');
    judge([...tally.keys()].filter((figure) => figure.startsWith('filter')));
  });
}

test.run();
