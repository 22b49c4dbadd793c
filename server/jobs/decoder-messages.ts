/** What passes between the gateway and its decoding thread. Plain data. */
import type { Distinct, PacketLine, TopTalkers, Totals, TreeNode } from '../../asm/host/index.js';
import type { Segment } from './transport.js';

/** A flow wanted: packets of this Community ID between these times, both included. */
export interface WantedFlow {
  community: string;
  fromNs: bigint;
  toNs: bigint;
}

/** What is wanted of each packet fed. */
export type Want =
  /** Only counted. */
  | 'nothing'
  /** One line for people. */
  | 'lines'
  /** The Community ID of its innermost flow. */
  | 'communities'
  /** Numbers of the packets that belong to the session's wanted flows. */
  | 'matches'
  /** Transport header and payload, of those that belong to the wanted flows (all when none are). */
  | 'segments';

export interface SummaryParts {
  totals: Totals;
  talkers: TopTalkers[];
  distinct: Distinct;
}

export type Ask =
  | { op: 'open'; session: number; wanted: WantedFlow[] | null }
  | { op: 'feed'; session: number; bytes: Uint8Array; want: Want }
  | { op: 'summary'; session: number; talkers: number }
  | { op: 'close'; session: number }
  | { op: 'tree'; linktype: number; bytes: Uint8Array; wirelen: number };

export interface Answers {
  nothing: null;
  lines: PacketLine[];
  communities: (string | null)[];
  matches: number[];
  segments: (Segment | null)[];
}

export type ToDecoder = Ask & { id: number };
export type FromDecoder =
  | { id: number; answer: Answers[Want] | SummaryParts | TreeNode[] | null }
  | { id: number; failure: string };
export interface DecoderData {
  wasmFile: string;
}
