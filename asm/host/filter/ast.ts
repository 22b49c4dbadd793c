/** The parsed filter. `at` is a position in the expression, for errors. */

export type Direction = 'src' | 'dst' | 'or' | 'and';
export type IdType = 'host' | 'net' | 'port' | 'portrange' | 'proto';

/** What stands before an identifier; `port 80 or 443` passes it on to 443. */
export interface Qualifiers {
  protocol?: string;
  direction?: Direction;
  type?: IdType;
}

export type Id =
  | { kind: 'number'; value: number }
  | { kind: 'range'; low: number; high: number }
  | { kind: 'ipv4'; address: number; mask: number; masked: boolean }
  | { kind: 'ipv6'; words: readonly number[]; prefix: number; masked: boolean }
  | { kind: 'mac'; bytes: readonly number[] }
  | { kind: 'name'; text: string };

export type Expr =
  | { kind: 'and' | 'or'; left: Expr; right: Expr }
  | { kind: 'not'; operand: Expr }
  | { kind: 'id'; at: number; qualifiers: Qualifiers; id: Id }
  | { kind: 'protocol'; at: number; name: string }
  | { kind: 'cast'; at: number; protocol: string | undefined; which: 'broadcast' | 'multicast' }
  | { kind: 'shift'; at: number; which: 'vlan' | 'mpls' | 'pppoed' | 'pppoes'; number: number | undefined }
  | { kind: 'way'; at: number; inbound: boolean }
  | { kind: 'relation'; at: number; operator: Relation; left: Arith; right: Arith };

export type Relation = '=' | '!=' | '<' | '<=' | '>' | '>=';

export type Arith =
  | { kind: 'constant'; at: number; value: number }
  | { kind: 'length'; at: number }
  | { kind: 'load'; at: number; protocol: string; index: Arith; size: 1 | 2 | 4 }
  | { kind: 'negate'; at: number; operand: Arith }
  | { kind: 'binary'; at: number; operator: BinaryOperator; left: Arith; right: Arith };

export type BinaryOperator = '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '<<' | '>>';
