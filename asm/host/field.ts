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
  | 'dnsname'
  | `hex${2 | 3 | 4 | 5 | 6 | 8}`;

export interface Field {
  /** Wireshark's name for it. */
  name: string;
  label: string;
  /** words: counts of 32 bits; octets8: counts of 8 octets; hexN: N digits. */
  type: FieldType;
  /** Which bits of the raw value are the field's. */
  mask?: number;
  /** Width of the raw value when the mask is drawn before the label. */
  bits?: number;
  /** Table in values.ts that names the values. */
  names?: NamesTable;
}
