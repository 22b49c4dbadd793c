// Links without a header: the first nibble is the IP version.
import { byte, lack, UNSUPPORTED } from '../cursor';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, etherType, unknown } from './dispatch';

export function raw<M>(p: usize, cap: usize, wire: usize): u32 {
  const status = lack(p, 1, cap, wire);
  if (status) return status;
  const version = byte(p) >> 4;
  if (version == 4) return etherType<M>(ETHERTYPE_IPV4, p, cap, wire);
  if (version == 6) return etherType<M>(ETHERTYPE_IPV6, p, cap, wire);
  return unknown<M>(p, cap, UNSUPPORTED);
}
