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

/** One row of the flow table: one bidirectional five-tuple (Zeek conn terms: orig sent first). */
export interface Flow {
  id: number;
  proto: 'tcp' | 'udp' | 'icmp' | 'icmpv6' | 'sctp' | 'other';
  ipProto: number;
  origAddr: string;
  origPort: number;
  respAddr: string;
  respPort: number;
  firstTsNs: bigint;
  lastTsNs: bigint;
  origPackets: number;
  respPackets: number;
  /** Wire lengths of the frames. */
  origBytes: number;
  respBytes: number;
  /** OR of all TCP flags seen, each way. */
  origTcpFlags: number;
  respTcpFlags: number;
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
