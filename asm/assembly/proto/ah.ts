// The authentication header (RFC 4302) over IPv4; over IPv6 it is one of the extension headers.
import * as F from '../fields';
import { byte, lack } from '../cursor';
import { bytes, close, isTree, leaf32, leaf8, open } from '../tree';
import { ipProtocol } from './dispatch';

export function authenticated<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 12, cap, wire);
  if (status) return status;
  const size: usize = (byte(p + 1) + 2) << 2;
  if (isTree<M>()) {
    fields(p, size);
  }
  status = lack(p, size, cap, wire);
  return status ? status : ipProtocol<M>(byte(p), p + size, cap, wire);
}

/** The caller has seen 12 bytes. */
export function fields(p: usize, size: usize): void {
  open(F.AH, p, size < 12 ? 12 : size);
  leaf8(F.AH_NEXT_HEADER, p);
  leaf8(F.AH_LENGTH, p + 1);
  leaf32(F.AH_SPI, p + 4);
  leaf32(F.AH_SEQUENCE, p + 8);
  if (size > 12) bytes(F.AH_ICV, p + 12, size - 12);
  close();
}
