/** How one field of the packet tree is shown. The table of all fields is generated from asm/fields.json. */
import type { NamesTable } from './values.js';

export type FieldType =
  | 'proto'
  | 'none'
  | 'uint'
  | 'words'
  | 'octets8'
  | 'flag'
  | 'ether'
  | 'ipv4'
  | 'ipv6'
  | 'bytes'
  | 'text'
  | 'textz'
  | 'apn'
  | 'dnsname'
  | 'hexbytes'
  | 'ntptime'
  | 'fixed16'
  | 'seconds256'
  | 'int8'
  | 'plusone'
  | 'high'
  | `hex${2 | 3 | 4 | 5 | 6 | 8}`;

export interface Field {
  /** Wireshark's name for it. */
  name: string;
  label: string;
  /**
   * words: counts of 32 bits; octets8: counts of 8 octets; hexN: N digits; textz: ends at a NUL; apn: text or
   * DNS labels; hexbytes: a number wider than 32 bits; ntptime: seconds since 1900 and a fraction; fixed16: 16
   * bits after the point; seconds256: in 1/256 s; int8: signed; plusone: one less than meant; high: bits that
   * stay in place.
   */
  type: FieldType;
  /** Which bits of the raw value are the field's. */
  mask?: number;
  /** Width of the raw value when the mask is drawn before the label. */
  bits?: number;
  /** Table in values.ts that names the values. */
  names?: NamesTable;
}
