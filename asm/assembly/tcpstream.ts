// HTTP/1, TLS and QUIC, counted in frames: those that start a message, record or connection (the decoders say
// so, state.ts), and those that go on with one, which only their flow can tell. As tshark without reassembly:
// - After a start every segment of the connection counts; both, when TLS runs through HTTP's CONNECT.
// - On TLS's own ports segments count before a start too: captures begin in the middle of connections.
// - A segment of TLS that starts with four printable characters is none.
// - A segment that begins before what its sender has sent so far (again, or late) is not counted once more,
//   unless the peer had acknowledged all of it already.
// - Urgent data is a channel of its own: such segments do not count.
// - What runs TLS inside its own framing (RDP) does not count; the flow's service names it all the same.
// - After a long header every datagram of the flow that has QUIC's fixed bit counts: short headers say nothing.
// Called once per segment or datagram with such payload, by flows.ts when its flow is known.
import { FlowMore, Sighting, COUNTS_BASE } from './layout';
import { ABOVE_PRINTABLE, ABOVE_RESPONSE, SEEN_HTTP, SEEN_QUIC, SEEN_TLS } from './state';
import { TCP_INACTIVE } from './tcpstate';

// Bits of FlowMore.letters that histories leave free.
const SAID_HELLO: u32 = 1 << 12; // of B 16 bits higher
const BOTH_HELLOS: u32 = SAID_HELLO | (SAID_HELLO << 16);
const SPOKE_QUIC: u32 = 1 << 13;
const SPOKE_HTTP: u32 = 1 << 14;
const SPOKE_TLS: u32 = 1 << 15;

const NEXT: usize = offsetof<FlowMore>('nextA');
const ACKED: usize = offsetof<FlowMore>('ackedA');
const URG: u32 = 0x20;
const PORT_RDP: u32 = 3389;
const STATE: usize = offsetof<FlowMore>('stateA');

/** Whether the segment begins below the highest sequence number `b` has sent; before tcpSegment() moves it. */
@inline
export function isRepeated(more: FlowMore, b: u32, s: Sighting): bool {
  const base = changetype<usize>(more);
  if ((load<u8>(base + b, STATE) & 15) == TCP_INACTIVE) return false;
  const mine = base + (<usize>b << 2);
  return <i32>(s.seq - load<u32>(mine, NEXT)) < 0 && <i32>(s.seq + s.payload - load<u32>(mine, ACKED)) > 0;
}

/** Counts the segment, and remembers what its connection speaks. */
export function countStream(more: FlowMore, s: Sighting): void {
  const above = s.above;
  if (isOn(s.ports, PORT_RDP) || s.tcpFlags & URG) return;
  let spoken = more.letters & (SPOKE_HTTP | SPOKE_TLS);
  const isHttp = (above & SEEN_HTTP) != 0 || (spoken & SPOKE_HTTP) != 0;
  if (isHttp) bump(SEEN_HTTP);
  if (above & SEEN_TLS) bump(SEEN_TLS);
  else if (spoken & SPOKE_TLS || (!isHttp && onTlsPort(s.ports))) {
    if (!(above & (ABOVE_PRINTABLE | SEEN_HTTP))) bump(SEEN_TLS);
  }
  if (!(above & (SEEN_HTTP | SEEN_TLS))) return;
  if (above & SEEN_HTTP && !(above & ABOVE_RESPONSE)) spoken |= SPOKE_HTTP;
  if (above & SEEN_TLS) spoken |= SPOKE_TLS;
  more.letters |= spoken;
}

/** The same for a UDP datagram. After both hellos the client's Initial packets only acknowledge. */
export function countDatagram(more: FlowMore, b: u32, s: Sighting): void {
  if (s.above & SEEN_TLS && !(b == 0 && (more.letters & BOTH_HELLOS) == BOTH_HELLOS)) {
    more.letters |= SAID_HELLO << (b << 4);
    bump(SEEN_TLS);
  }
  if (s.above & SEEN_QUIC) more.letters |= SPOKE_QUIC;
  if (more.letters & SPOKE_QUIC) bump(SEEN_QUIC);
}

@inline
function bump(bit: u32): void {
  const at = COUNTS_BASE + (<usize>ctz(bit) << 3);
  store<u64>(at, load<u64>(at) + 1);
}

@inline
function isOn(ports: u32, port: u32): bool {
  return bswap<u16>(<u16>ports) == port || bswap<u16>(<u16>(ports >> 16)) == port;
}

function onTlsPort(ports: u32): bool {
  return isTls(bswap<u16>(<u16>ports)) || isTls(bswap<u16>(<u16>(ports >> 16)));
}

/** https, smtps, ldaps, dns, ftps-data, ftps, imaps, pop3s and sips (IANA). */
@inline
function isTls(port: u32): bool {
  return port == 443 || port == 465 || port == 636 || port == 853 || (port >= 989 && port <= 995 && port != 991) || port == 5061;
}
