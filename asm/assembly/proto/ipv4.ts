// IPv4 (RFC 791). Fragments are not put together: the first one's transport header is read, later
// ones end here.

import { be16, byte, lack, least, MALFORMED, OK, worse } from '../cursor';
import * as F from '../fields';
import { mark, network, SEEN_IP } from '../state';
import { close, isTree, leaf, leaf8, leaf16, open } from '../tree';
import { ipProtocol, laterFragment } from './dispatch';
import { ipv6 } from './ipv6';

const HEADER_MIN: usize = 20;

export function ipv4<M>(p: usize, cap: usize, wire: usize): u32 {
  mark(SEEN_IP);
  let status = lack(p, HEADER_MIN, cap, wire);
  if (status) return status;
  const header: usize = (byte(p) & 15) << 2;
  const total: usize = be16(p + 2);
  if (byte(p) >> 4 == 6) return ipv6<M>(p, cap, wire); // a wrong ethertype: the version decides
  if (byte(p) >> 4 != 4 || header < HEADER_MIN) return MALFORMED;
  if (isTree<M>()) fields(p, header, cap);
  if (total != 0 && total < header) return MALFORMED;
  status = lack(p, header, cap, wire);
  if (status) return status;
  // Total length 0 is TCP segmentation offload caught on its way to the card: the frame's end counts.
  if (total != 0) {
    if (wire - p < total) status = MALFORMED;
    wire = least(wire, p + total);
    cap = least(cap, wire);
  }
  network(4, p + 12, wire - p);
  const fragment = be16(p + 6);
  const protocol = byte(p + 9);
  p += header;
  if (fragment & 0x1fff) return laterFragment<M>(protocol, p, cap, wire);
  const inner = ipProtocol<M>(protocol, p, cap, wire);
  return fragment & 0x2000 && inner == MALFORMED ? OK : worse(status, inner);
}

function fields(p: usize, header: usize, cap: usize): void {
  open(F.IP, p, header);
  leaf8(F.IP_VERSION, p);
  leaf8(F.IP_HDR_LEN, p);
  open(F.IP_DSFIELD, p + 1, 1, byte(p + 1));
  leaf8(F.IP_DSFIELD_DSCP, p + 1);
  leaf8(F.IP_DSFIELD_ECN, p + 1);
  close();
  leaf16(F.IP_LEN, p + 2);
  leaf16(F.IP_ID, p + 4);
  open(F.IP_FLAGS, p + 6, 1, byte(p + 6));
  leaf8(F.IP_FLAGS_RB, p + 6);
  leaf8(F.IP_FLAGS_DF, p + 6);
  leaf8(F.IP_FLAGS_MF, p + 6);
  close();
  leaf16(F.IP_FRAG_OFFSET, p + 6);
  leaf8(F.IP_TTL, p + 8);
  leaf8(F.IP_PROTO, p + 9);
  leaf16(F.IP_CHECKSUM, p + 10);
  leaf(F.IP_SRC, p + 12, 4, 0);
  leaf(F.IP_DST, p + 16, 4, 0);
  if (header > HEADER_MIN && cap - p > HEADER_MIN) leaf(F.IP_OPTIONS, p + HEADER_MIN, header - HEADER_MIN, 0);
  close();
}
