// HTTP/1 and TLS over TCP, counted in frames: the segments that start a message or record (the decoders say
// so, state.ts), and those that go on with one, which only their flow can tell. As tshark without reassembly:
// - After a start every segment of the connection counts, HTTP's only until TLS is spoken.
// - On TLS's own ports segments count before a start too: captures begin in the middle of connections.
// - A segment of TLS that starts with four printable characters is none.
// - A segment that begins before what its sender has sent so far (again, or late) is not counted once more.
// Called once per TCP segment with captured payload, by flows.ts when its flow is known.
import { FlowMore, Sighting, COUNTS_BASE } from './layout';
import { ABOVE_PRINTABLE, SEEN_HTTP, SEEN_TLS } from './state';
import { TCP_INACTIVE } from './tcpstate';

// Bits of FlowMore.letters that histories leave free.
const SPOKE_HTTP: u32 = 1 << 14;
const SPOKE_TLS: u32 = 1 << 15;

const NEXT: usize = offsetof<FlowMore>('nextA');
const STATE: usize = offsetof<FlowMore>('stateA');

/** Whether the segment begins below the highest sequence number `b` has sent; before tcpSegment() moves it. */
@inline
export function isRepeated(more: FlowMore, b: u32, s: Sighting): bool {
  const base = changetype<usize>(more);
  if ((load<u8>(base + b, STATE) & 15) == TCP_INACTIVE) return false;
  return <i32>(s.seq - load<u32>(base + (<usize>b << 2), NEXT)) < 0;
}

/** Counts the segment, and remembers what its connection speaks. */
export function countStream(more: FlowMore, s: Sighting): void {
  const above = s.above;
  let spoken = more.letters & (SPOKE_HTTP | SPOKE_TLS);
  if (above & SEEN_HTTP || spoken == SPOKE_HTTP) bump(SEEN_HTTP);
  else if (above & SEEN_TLS) bump(SEEN_TLS);
  else if (!(above & ABOVE_PRINTABLE) && (spoken & SPOKE_TLS || onTlsPort(s.ports))) bump(SEEN_TLS);
  if (!(above & (SEEN_HTTP | SEEN_TLS))) return;
  if (above & SEEN_HTTP) spoken |= SPOKE_HTTP;
  if (above & SEEN_TLS) spoken |= SPOKE_TLS;
  more.letters |= spoken;
}

@inline
function bump(bit: u32): void {
  const at = COUNTS_BASE + (<usize>ctz(bit) << 3);
  store<u64>(at, load<u64>(at) + 1);
}

function onTlsPort(ports: u32): bool {
  return isTls(bswap<u16>(<u16>ports)) || isTls(bswap<u16>(<u16>(ports >> 16)));
}

/** https, smtps, ldaps, dns, ftps-data, ftps, imaps, pop3s and sips (IANA). */
@inline
function isTls(port: u32): bool {
  return port == 443 || port == 465 || port == 636 || port == 853 || (port >= 989 && port <= 995 && port != 991) || port == 5061;
}
