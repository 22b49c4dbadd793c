// The authentication header (RFC 4302) over IPv4; over IPv6 it is one of the extension headers.
import * as F from '../fields';
import { byte, lack } from '../cursor';
import { close, isTree, leaf32, leaf8, open } from '../tree';
import { ipProtocol } from './dispatch';

export function authenticated<M>(p: usize, cap: usize, wire: usize): u32 {
  let status = lack(p, 12, cap, wire);
  if (status) return status;
  const size: usize = (byte(p + 1) + 2) << 2;
  if (isTree<M>()) {
    open(F.AH, p, size);
    leaf8(F.IPV6_EXT_NXT, p);
    leaf8(F.IPV6_EXT_LEN, p + 1);
    leaf32(F.AH_SPI, p + 4);
    close();
  }
  status = lack(p, size, cap, wire);
  return status ? status : ipProtocol<M>(byte(p), p + size, cap, wire);
}
