/**
 * What the engine gives its callers: plain data, the same in Node, a worker and the browser.
 * Timestamps are bigint nanoseconds since the UNIX epoch; addresses and names are text.
 */

/** Protocols counted once per frame that contains them anywhere (tunnels included). */
export const PROTOCOLS = [
  'eth', 'vlan', 'mpls', 'arp', 'ip', 'ipv6', 'icmp', 'icmpv6', 'tcp', 'udp', 'sctp', 'gre', 'vxlan', 'gtp',
  'dns', 'http', 'tls', 'quic',
] as const; // biome-ignore format: one table, in wire order
export type ProtocolName = (typeof PROTOCOLS)[number];

/** Where and why reading stopped. What was read before it is still counted. */
export interface StreamError {
  kind: 'truncated' | 'damaged' | 'unsupported' | 'not-a-capture';
  /** One sentence: what is wrong. */
  message: string;
  /** Byte offset in the stream of the block or record that could not be read. */
  offset: number;
}

export type CaptureFormat =
  | 'pcap'
  | 'pcap-swapped'
  | 'pcap-nanosecond'
  | 'pcap-nanosecond-swapped'
  | 'pcap-modified'
  | 'pcapng'
  | 'pcapng-swapped'
  | 'pcapng-mixed-endian'
  | 'unknown';

export interface Totals {
  packets: number;
  /** Sum of caplen. */
  capturedBytes: number;
  /** Sum of wirelen. */
  originalBytes: number;
  /** First and last packet in file order; null when no packet had a time. */
  firstTsNs: bigint | null;
  lastTsNs: bigint | null;
  protocolCounts: Record<ProtocolName, number>;
  tcpConversations: number;
  udpConversations: number;
  /** Packets whose caplen is below their wirelen. */
  truncated: number;
  /** Packets in which a header contradicts itself or runs past the wire length. */
  malformed: number;
  /** Packets of a linktype or ethertype the engine does not decode past layer 2. */
  unsupported: number;
  /** Linktypes seen, in order of first interface. */
  linkTypes: number[];
}

/** Zeek's conn_state. */
export type ConnState =
  | 'S0' | 'S1' | 'SF' | 'REJ' | 'S2' | 'S3' | 'RSTO' | 'RSTR' | 'RSTOS0' | 'RSTRH' | 'SH' | 'SHR' | 'OTH'; // biome-ignore format: one table

/**
 * One flow in Zeek's terms: a connection of TCP, else a bidirectional five-tuple. `orig` opened it as far
 * as can be told (a SYN decides, else known ports, else who sent first).
 */
export interface Flow {
  /** Counts up within an engine; PacketRows.flowId. */
  id: number;
  /** Unique name in Zeek's style, the same for the same engine seed and id. */
  uid: string;
  /** Community ID v1; for later fragments without ports. */
  communityId: string;
  proto: 'tcp' | 'udp' | 'icmp' | 'icmpv6' | 'sctp' | 'other';
  ipProto: number;
  origAddr: string;
  /** ICMP: type, and respPort its answer's type or its code. 0 without ports. */
  origPort: number;
  respAddr: string;
  respPort: number;
  firstTsNs: bigint;
  lastTsNs: bigint;
  /** Zeek's duration: a closed TCP connection's ends when both sides had closed. */
  durationNs: bigint;
  /** Recognised protocols above TCP or UDP by Zeek's names, several joined by commas; null when none was. */
  service: string | null;
  origPackets: number;
  respPackets: number;
  /** Wire lengths of the frames. Zeek's orig_bytes is origPayloadBytes. */
  origBytes: number;
  respBytes: number;
  /** Lengths of the IP packets. */
  origIpBytes: number;
  respIpBytes: number;
  /** Above the transport header; TCP: by sequence numbers, each byte once, also what was not captured. */
  origPayloadBytes: number;
  respPayloadBytes: number;
  /** OR of all TCP flags seen, each way. */
  origTcpFlags: number;
  respTcpFlags: number;
  connState: ConnState;
  /** Zeek's letters S h A D F R T W I Q ^ (no C, G, X), of TCP at most 24; empty for other than TCP and UDP. */
  history: string;
  /** TCP bytes the peer acknowledged but the capture does not have. */
  missedBytes: number;
  /** Tags of the first packet, null when untagged. */
  vlan: number | null;
  innerVlan: number | null;
  /** Uid of the flow that carried the first packet, when it came in a tunnel. */
  tunnelParents: string[];
  /** From the newest SYN to the SYN-ACK: what lies behind the capture; null when not seen. */
  synAckRttNs: bigint | null;
  /** From the SYN-ACK to the first ACK: what lies before the capture; null when not seen. */
  ackRttNs: bigint | null;
  /** Their sum, Wireshark's initial round trip. */
  handshakeRttNs: bigint | null;
  /** TCP segments of sequence space already seen, or of a hole and late (asm/assembly/tcpstate.ts); else null. */
  origRetransmits: number | null;
  respRetransmits: number | null;
  /** Segments that filled a hole within a round trip. */
  origOutOfOrder: number | null;
  respOutOfOrder: number | null;
  /** Segments without SYN, FIN and RST that advertised no window. */
  origZeroWindows: number | null;
  respZeroWindows: number | null;
  /** Why the flow ended: null while it goes on. */
  ended: 'evicted' | 'idle' | 'reused' | 'drained' | null;
}

/** One of the top talkers. Its true bytes lie between `bytes` and `bytes` + the answer's errorBytes. */
export interface Talker {
  /** An address; `tcp/443`; or `10.0.0.1:1000 - 10.0.0.2:80 tcp`. */
  key: string;
  bytes: number;
}
export interface TopTalkers {
  by: TalkerKind;
  /** Most bytes first. */
  talkers: Talker[];
  /** What any key, also one not listed, may have more than is said; 0: exact. */
  errorBytes: number;
}
/** Bytes sent by an address, received by one, of a responder's port, of a flow (both ways). Frames' wire lengths. */
export const TALKER_KINDS = ['source', 'destination', 'port', 'flow'] as const;
export type TalkerKind = (typeof TALKER_KINDS)[number];

/** Estimates of how many different there were. */
export interface Distinct {
  originators: number;
  responders: number;
  /** Ports with their protocol (TCP, UDP, SCTP). */
  originatorPorts: number;
  responderPorts: number;
  flows: number;
  /** Relative standard error of each: two in three lie within it, 19 in 20 within twice. */
  standardError: number;
}

/** One second of traffic. */
export interface SeriesPoint {
  sec: number;
  packets: number;
  bytes: number;
}

/** One line of the packet tree. `offset`/`length` say which bytes of the frame it came from. */
export interface TreeNode {
  /** Wireshark's field name, for example `ip.src`. */
  field: string;
  /** Text for people, for example `Source Address: 10.0.0.1`. */
  label: string;
  value: string;
  offset: number;
  length: number;
  children: TreeNode[];
}

/** One line of a packet list. */
export interface PacketLine {
  tsNs: bigint | null;
  ifindex: number;
  caplen: number;
  wirelen: number;
  source: string;
  destination: string;
  /** Highest protocol decoded, upper case: `TCP`, `ARP`. */
  protocol: string;
  /** One line about the packet, for example `443 → 51234 [SYN, ACK] Seq=… Len=0`. */
  info: string;
}
