/** The parsed filter. `at` is a position in the expression, for errors. */

export type Direction = 'src' | 'dst' | 'or' | 'and' | 'addr1' | 'addr2' | 'addr3' | 'addr4' | 'ra' | 'ta';
export type IdType = 'host' | 'net' | 'port' | 'portrange' | 'proto' | 'protochain' | 'gateway';

/** What stands before an identifier; `port 80 or 443` passes it on to 443. */
export interface Qualifiers {
  protocol?: string;
  direction?: Direction;
  type?: IdType;
}

export type Id =
  | { kind: 'number'; value: number }
  /** `text` as written, since DECnet's `area.node` looks the same. */
  | { kind: 'ipv4'; text: string; address: number; mask: number; masked: boolean }
  | { kind: 'ipv6'; words: readonly number[]; prefix: number; masked: boolean }
  | { kind: 'mac'; bytes: readonly number[] }
  /** ARCnet's one-byte address, `$1f`. */
  | { kind: 'arcnet'; byte: number }
  | { kind: 'name'; text: string };

export type Shift = 'vlan' | 'mpls' | 'pppoed' | 'pppoes' | 'geneve';
/** Fields of the OpenBSD packet filter's log header. */
export type PflogField = 'ifname' | 'ruleset' | 'rulenr' | 'subrulenr' | 'reason' | 'action';
export type Relation = '=' | '!=' | '<' | '<=' | '>' | '>=';

export type Primitive =
  | { kind: 'id'; at: number; qualifiers: Qualifiers; id: Id }
  | { kind: 'protocol'; at: number; name: string }
  | { kind: 'cast'; at: number; protocol: string | undefined; which: 'broadcast' | 'multicast' }
  | { kind: 'shift'; at: number; which: Shift; number: number | undefined }
  | { kind: 'way'; at: number; inbound: boolean }
  | { kind: 'relation'; at: number; operator: Relation; left: Arith; right: Arith }
  | { kind: 'byte'; at: number; index: number; operator: '=' | '<' | '>' | '&' | '|'; value: number }
  | { kind: 'ifindex'; at: number; value: number }
  | { kind: 'pflog'; at: number; field: PflogField; value: number | string }
  /** Frame control byte 0 under a mask (type, subtype), or byte 1's direction. */
  | { kind: 'wlan'; at: number; byte: 0 | 1; value: number; mask: number }
  /** Any LLC frame, or those whose control byte has this value under this mask. */
  | { kind: 'llc'; at: number; control: { value: number; mask: number } | undefined }
  | { kind: 'atm'; at: number; name: string }
  | { kind: 'signal'; at: number; name: string }
  /** ATM's vpi and vci, SS7's sio, opc, dpc, sls and their high-speed forms. */
  | { kind: 'field'; at: number; name: string; operator: Relation; value: number };

export type Expr =
  | { kind: 'and' | 'or'; left: Expr; right: Expr }
  | { kind: 'not'; operand: Expr }
  | Primitive;

export type Arith =
  | { kind: 'constant'; at: number; value: number }
  | { kind: 'length'; at: number }
  | { kind: 'load'; at: number; protocol: string; index: Arith; size: 1 | 2 | 4 }
  | { kind: 'negate'; at: number; operand: Arith }
  | { kind: 'binary'; at: number; operator: BinaryOperator; left: Arith; right: Arith };

export type BinaryOperator = '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '<<' | '>>';

/** Whether a primitive somewhere in the expression passes the test. */
export function mentions(expr: Expr, test: (one: Primitive) => boolean): boolean {
  switch (expr.kind) {
    case 'and':
    case 'or':
      return mentions(expr.left, test) || mentions(expr.right, test);
    case 'not':
      return mentions(expr.operand, test);
    default:
      return test(expr);
  }
}
