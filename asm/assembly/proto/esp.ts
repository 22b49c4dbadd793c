// ESP (RFC 4303), over IP and in UDP (RFC 3948): what is in it is encrypted. For the tree only.

import { OK } from '../cursor';
import * as F from '../fields';
import { close, leaf32, open } from '../tree';
import { unknown } from './dispatch';

const HEADER: usize = 8;

export function esp(p: usize, cap: usize): u32 {
  if (cap - p < HEADER) return unknown<u16>(p, cap, OK);
  open(F.ESP, p, HEADER);
  leaf32(F.ESP_SPI, p);
  leaf32(F.ESP_SEQUENCE, p + 4);
  close();
  return unknown<u16>(p + HEADER, cap, OK);
}

/** Port 4500: an SPI of 0 marks IKE; keepalives are shorter. */
export function espUdp(p: usize, cap: usize): u32 {
  if (cap - p < HEADER || load<u32>(p) == 0) return unknown<u16>(p, cap, OK);
  return esp(p, cap);
}
