// What decoders know about the packet at hand: one mutable context, since the module has one thread
// and handles one packet at a time. Reset by packet.ts and decode() before each packet.
// Bits of `seen`, in the order of PROTOCOLS in the host's types.ts.
export const SEEN_ETH: u32 = 1 << 0;
export const SEEN_VLAN: u32 = 1 << 1;
export const SEEN_MPLS: u32 = 1 << 2;
export const SEEN_ARP: u32 = 1 << 3;
export const SEEN_IP: u32 = 1 << 4;
export const SEEN_IPV6: u32 = 1 << 5;
export const SEEN_ICMP: u32 = 1 << 6;
export const SEEN_ICMPV6: u32 = 1 << 7;
export const SEEN_TCP: u32 = 1 << 8;
export const SEEN_UDP: u32 = 1 << 9;
export const SEEN_SCTP: u32 = 1 << 10;
export const SEEN_GRE: u32 = 1 << 11;
export const SEEN_VXLAN: u32 = 1 << 12;
export const SEEN_GTP: u32 = 1 << 13;
export const SEEN_DNS: u32 = 1 << 14;
export const SEEN_HTTP: u32 = 1 << 15;
export const SEEN_TLS: u32 = 1 << 16;
export const SEEN_QUIC: u32 = 1 << 17;

// Bits of `above` beside SEEN_HTTP, SEEN_TLS and SEEN_QUIC, which say that a message or connection starts here.
export const ABOVE_DATA: u32 = 1;
/** Starts with four printable characters. */
export const ABOVE_PRINTABLE: u32 = 2;
/** With SEEN_HTTP: a status line. */
export const ABOVE_RESPONSE: u32 = 4;

/** Deepest nesting of headers followed, so that a packet of nothing but tunnels ends. */
export const NEST_MAX: u32 = 64;

/** Protocols in this frame, each once however often it occurs. */
export let seen: u32 = 0;
/** Above 0 inside the packet an ICMP error quotes: counted as protocols, but no flow of its own. */
export let quoted: u32 = 0;
export let nest: u32 = 0;
/** What TCP or UDP carries, 0 when that is nothing to tcpstream.ts, which counts it when the flow is known. */
export let above: u32 = 0;
/** Of the packet: time (nanoseconds), length on the wire. */
export let ts: i64 = 0;
export let wirelen: u32 = 0;
/** Innermost IP header: version, where its addresses lie (destination follows source), length with payload. */
export let ipVersion: u32 = 0;
export let ipAddrs: usize = 0;
export let ipLength: u32 = 0;
/** The frame's first two VLAN tags, the outer in the low half, each with VLAN_PRESENT. */
export let vlans: u32 = 0;
export const VLAN_PRESENT: u32 = 0x1000;

export function begin(time: i64, length: u32): void {
  seen = 0;
  quoted = 0;
  above = 0;
  nest = 0;
  ts = time;
  wirelen = length;
  vlans = 0;
}

@inline
export function mark(bit: u32): void {
  seen |= bit;
}

/** `bit`: what starts in the payload of TCP or UDP; in a quoted packet it counts at once, as it has no connection. */
export function announce(bit: u32): void {
  if (quoted) seen |= bit & (SEEN_HTTP | SEEN_TLS | SEEN_QUIC);
  else above |= bit;
}

/** TCP carries `size` captured bytes at p. */
@inline
export function carries(p: usize, size: usize): void {
  if (size >= 4 && isPrintable(load<u32>(p))) above |= ABOVE_DATA | ABOVE_PRINTABLE;
  else above |= ABOVE_DATA;
}

/** UDP carries what may go on with a connection of QUIC's. */
@inline
export function mayGoOn(): void {
  above |= ABOVE_DATA;
}

/** All four bytes from 0x20 to 0x7e. */
@inline
function isPrintable(word: u32): bool {
  return ((word | (word - 0x20202020) | (word + 0x01010101)) & 0x80808080) == 0;
}

@inline
export function network(version: u32, addrs: usize, length: usize): void {
  ipVersion = version;
  ipAddrs = addrs;
  ipLength = <u32>length;
}

@inline
export function tag(id: u32): void {
  if (!vlans) vlans = id | VLAN_PRESENT;
  else if (!(vlans >> 16)) vlans |= (id | VLAN_PRESENT) << 16;
}

/** False when the packet nests deeper than NEST_MAX. */
@inline
export function descend(): bool {
  return ++nest <= NEST_MAX;
}

@inline
export function quote(change: i32): void {
  quoted += change;
}
