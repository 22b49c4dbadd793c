/**
 * Where the engine and tshark differ on the shared captures, and why. A file that is not here and differs is
 * printed as such. `comparable: false`: the truth is no measure there, because it does not follow from the
 * bytes (a port decides, a dissector asked for it) or lies outside what DESIGN names.
 */
export interface Difference {
  reason: string;
  comparable?: false;
  /** Figures it is about; all when absent. */
  figures?: readonly string[];
  /** Ends of the files' names. */
  files: readonly string[];
}

const HTTP = ['http'];
const TLS = ['tls'];
const DNS = ['dns'];

// biome-ignore format: lists of names
export const DIFFERENCES: readonly Difference[] = [
  { reason: 'read on where tshark stops: a Bluetooth packet too short for its pseudo-header; a block length that is no multiple of four, whose trailer is where the padding ends', figures: ['error'],
    files: ['pcap-ng_Wi-Fi_Bluetooth_USB_Cooked_timestamps_issue_1.ntar', 'test007.ntar'] },
  { reason: "libpcap cuts packets to the header's snaplen of 26", figures: ['filters on other linktypes'], comparable: false,
    files: ["ieee802.11_meshhdr-oobr.pcap 'not (tcp or udp)'", "ieee802.11_meshhdr-oobr.pcap 'not tcp and not udp'"] },
  { reason: 'a linktype that is not decoded (Juniper, ARCNET of the BSDs, Netlink, 802.15.4)',
    files: ['isis_poi.pcap', 'juniper_header-heapoverflow.pcap', 'bacnet-arcnet.cap', 'netlink-conntrack.pcap', 'rpl-dio-mc-nsa-optional-tlv-dissector-sample.pcap.gz'] },
  { reason: 'an ethertype that is not followed (Centrino, a vendor\'s tag)',
    files: ['nDPI/ajp.pcap', 'icmp-rfc8335-missing-bytes.pcap', 'dns-remoteshell.pcap', 'HSR-simple-supervision-and-1vdan-appearing.pcap'] },
  { reason: 'one more header behind a cut VN-Tag: tshark counts the conversation of a packet it could not read to its end nowhere', files: ['vntag_vlan_sandwich_clean.pcap'] },
  { reason: 'a packet inside an application protocol (sFlow samples, CAPWAP, L2TP, ZEP, OpenFlow, GTP signalling, VXLAN-GPE)',
    files: ['data-qinq.pcap', 'sflow.pcap', 'sflow_expanded.pcap', 'sflow-print-v6.pcap', 'data-1140.pcap', 'data-icmpv4.pcap', 'data-sflow-raw-ipv4.pcap',
      'filestore-5408__input.pcap', 'examples__tcp-reassembly.pcap', 'capwap_data.pcapng', 'nb6-startup.pcap', '__6LoWPAN.pcap.gz', 'anoop.pcap',
      'pdp_ctx_messages.pcapng', 'of13_ericsson.pcapng', 'openflow_v1.3_messages.pcapng.gz', 'icmp6-redirect-hdr-opt.pcap', 'nsh-over-vxlan-gpe.pcap',
      'gtp-iphone.pcap', 'gtp9_unknown_or_too_short_payload.pcap'] },
  { reason: 'a GRE payload that is not followed (WCCP, Aruba 802.11)', files: ['wccp_redirect_gre.pcap', 'gre-aruba-amsdu.pcap'] },
  { reason: 'tshark has no VXLAN on port 8472, and stops at BIG TCP lengths inside tunnels',
    files: ['vxlan_port_8472.pcap', 'bigtcp-ipv4-geneve-ipv4.pcap', 'bigtcp-ipv4-vxlan-ipv4.pcap', 'bigtcp-ipv6-geneve-ipv6.pcap', 'bigtcp-ipv6-vxlan-ipv6.pcap'] },
  { reason: 'one tag of 802.1ad, which tshark calls by another name', files: ['arp-too-long-tha.pcap'] },
  { reason: 'HDLC in a PPP capture, and an ethertype for an address family: tshark guesses', files: ['BGP_Cisco_hdlc_slarp.pcap', 'NullLoopback.pcap'] },
  { reason: 'aggregated 802.11 frames', files: ['SampleCaptures__mesh.pcap'] },
  { reason: 'Ethernet without a control word under MPLS that looks like IPv4', files: ['mpls-eompls-cw.pcap'] },
  { reason: 'headers that contradict themselves, at which tshark stops a layer earlier or later',
    files: ['bad-ipv4-version-pgm-heapoverflow.pcap', 'decode-too-small__test.pcap', 'tcp-session-decode-malformed-ipv4__input.pcap', 'fuzz-2006-09-29-28586.pcap',
      'beep-oobr.pcap', 'tcp-auth-heapoverflow.pcap', 'udp-hlen-invalid-strict__input.pcap'] },
  { reason: 'IPv4 source routes: tshark files the conversation under the last hop', files: ['detect-ipopts__input.pcap'] },
  { reason: "GTP' and GTPv2, by the first byte", figures: ['gtp'], files: ['gtp_c.pcap', 'gtp_false_positive.pcapng'] },
  { reason: 'tshark goes by the port: another protocol owns it, or HTTP does and the bytes say SSH or JSON', figures: HTTP, comparable: false,
    files: ['http-single-conn-22.pcap', 'gnutella.pcap', 'ssh-on-port-80.pcap', 'jsonrpc.pcap'] },
  { reason: 'a method that tshark does not know (QUERY, RFC 10008)', figures: HTTP, comparable: false, files: ['query-method-non-standard-port.pcap', 'query-method.pcap'] },
  { reason: "after an upgrade (HTTP/2's preface, WebSocket, CONNECT) tshark counts some segments and not others", figures: HTTP,
    files: ['http2-nghttp2.pcap', 'http2-continuation__input.pcap', 'websocket.pcap', 'wstunnel-https.pcap', 'wstunnel-ssh.pcap'] },
  { reason: 'no sane HTTP after the first line: tshark ends the stream, the engine counts on', figures: HTTP, files: ['redis__oss-fuzz-473580107.pcap', 'bug-76__input.pcap', 'KakaoTalk_chat.pcap', 'methods.pcap'] },
  { reason: 'urgent data, segments repeated that the peer had acknowledged: tshark decides by the last acknowledgment seen', figures: ['http', 'tls'],
    files: ['tcp-urgent1.pcap', 'tcp-urgent-2byte-XY.pcap', 'one_tcp_stream.pcap', 'nDPI/KakaoTalk_chat.pcap', 'tls-appdata.pcap', 'ultrasurf.pcap', 'tls_with_huge_ch.pcapng',
      'tls_multiple_synack_different_seq.pcapng', 'tcp-opt.pcap', 'urgent11_cve_2019_12260.pcap'] },
  { reason: 'TLS inside the framing of another protocol over UDP (DTLS heartbeat, OpenVPN, RDP-UDP, STUN), which is none of the protocols named', figures: TLS, comparable: false,
    files: ['dtls_certificate_fragments.pcap', 'openvpn-tlscrypt.pcap', 'stun_zoom.pcapng', 'OpenVPN_UDP_tls-auth.pcapng', 'rdpeudp-handshake-success.pcap'] },
  { reason: 'TLS records on a port of another protocol, which tshark goes by', figures: TLS, comparable: false, files: ['irc-starttls.pcap', 'ssl-to-http-server.pcap', 'rdp-ssl.pcap.gz'] },
  { reason: 'QUIC Initial packets of acknowledgments alone look like those with a hello until they are decrypted', figures: TLS,
    files: [  'quic-mvfst-27.pcapng', 'quic_interop_V.pcapng', 'quic-frag-unordered__input.pcap', 'quic-frag-wait__input.pcap',
      'quic-initial-not-first__input.pcap', 'quic-39264-rand.pcap', 'quic-decrypt-fail-google-de-51833.pcap', 'quic-33.pcapng'] },
  { reason: 'tshark could not decrypt the Initial packet, or took the port for DTLS: what it says is not of the bytes', figures: ['tls', 'quic'], comparable: false,
    files: ['quic_decry.pcap', 'quic-mvfst-22_decryption_error.pcap', 'quicdoq.pcap'] },
  { reason: 'quoted in an ICMP error: its connection is not followed there', figures: TLS, files: ['pcap__latest.pcapng'] },
  { reason: 'records of length 0, and SSL 2.0 records after the hello', figures: TLS, files: ['http-connect-tls__input.pcap', 'x509-with-logo.cap'] },
  { reason: 'tshark finds DNS by its shape on any port', figures: DNS, comparable: false,
    files: ['SomeIpSd.pcapng', 'avast_securedns.pcapng', 'custom_rules_ipv6.pcapng', 'app-layer-protocol-exact__input.pcap', 'someip1.pcap', 'dns_port.pcap'] },
  { reason: 'DNS over TCP cut over segments', figures: DNS, files: ['dns_axfr.pcapng', 'dns_tcp.pcapng', 'dns-inverse-query.pcap'] },
  { reason: 'tshark knows the connection by a handshake the capture lacks, or by a port', figures: ['quic'], files: ['quic-33.pcapng', 'quic_interop_V.pcapng'] },
];

/** Why `figure` differs in `file`, null when nobody has said. */
export function differenceOf(figure: string, file: string): Difference | null {
  const about = ({ figures, files }: Difference): boolean =>
    (!figures || figures.includes(figure)) && files.some((name) => file.endsWith(name));
  return DIFFERENCES.find(about) ?? null;
}
