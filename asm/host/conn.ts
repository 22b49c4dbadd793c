/** Zeek's view of a flow: conn_state, history, and a record with the field names of conn.log. */
import type { ConnState, Flow } from './types.js';

// States of an end, TCP_* of the module.
const INACTIVE = 0;
const SYN_SENT = 1;
const SYN_ACK_SENT = 2;
const PARTIAL = 3;
const ESTABLISHED = 4;
const CLOSED = 5;
const RESET = 6;

type Counts = Pick<Flow, 'origPackets' | 'respPackets' | 'origPayloadBytes' | 'respPayloadBytes'>;

/** The rules of Zeek's conn/main.zeek over the states of originator and responder. */
export function connState(
  proto: Flow['proto'],
  [orig, resp]: readonly [number, number],
  history: string,
  counts: Counts,
): ConnState {
  if (proto === 'udp') return counts.origPackets ? (counts.respPackets ? 'SF' : 'S0') : 'SHR';
  if (proto !== 'tcp') return 'OTH';
  const inactive = (state: number) => state === INACTIVE || state === PARTIAL;
  if (resp === RESET) {
    const silent = orig === RESET && counts.origPayloadBytes === 0 && counts.respPayloadBytes === 0;
    if (orig === SYN_SENT || orig === SYN_ACK_SENT || silent) return 'REJ';
    return inactive(orig) ? 'RSTRH' : 'RSTR';
  }
  if (orig === RESET) {
    if (!inactive(resp)) return 'RSTO';
    return /^\^?S[^HAFGIQ]*R/.test(history) ? 'RSTOS0' : 'OTH';
  }
  if (orig === CLOSED && resp === CLOSED) return 'SF';
  if (orig === CLOSED) return inactive(resp) ? 'SH' : 'S2';
  if (resp === CLOSED) return inactive(orig) ? 'SHR' : 'S3';
  if (orig === SYN_SENT && resp === INACTIVE) return 'S0';
  return orig === ESTABLISHED && resp === ESTABLISHED ? 'S1' : 'OTH';
}

/** HISTORY_* of the module, from 1 on. */
const LETTERS = '^SHADFRTWIQ';

/** TCP: twelve letters of five bits a word. UDP: who sent, the first sender first. */
export function historyText(
  proto: Flow['proto'],
  words: readonly bigint[],
  flipped: boolean,
  counts: Counts,
): string {
  if (proto === 'udp') {
    const [orig, resp] = [counts.origPackets ? 'D' : '', counts.respPackets ? 'd' : ''];
    return flipped ? `^${resp}${orig}` : `${orig}${resp}`;
  }
  if (proto !== 'tcp') return '';
  let text = '';
  for (const word of words)
    for (let rest = word; rest; rest >>= 5n) {
      const letter = LETTERS[(Number(rest & 15n) || 1) - 1]!;
      text += rest & 16n ? letter.toLowerCase() : letter;
    }
  return text;
}

/** A row of conn.log. Unset is null; ts and duration are nanoseconds, to be written as seconds. */
export interface ConnRecord {
  ts: bigint;
  uid: string;
  'id.orig_h': string;
  'id.orig_p': number;
  'id.resp_h': string;
  'id.resp_p': number;
  proto: 'tcp' | 'udp' | 'icmp' | 'unknown_transport';
  service: string | null;
  duration: bigint | null;
  orig_bytes: number | null;
  resp_bytes: number | null;
  conn_state: ConnState;
  local_orig: null;
  local_resp: null;
  missed_bytes: number;
  history: string | null;
  orig_pkts: number;
  orig_ip_bytes: number;
  resp_pkts: number;
  resp_ip_bytes: number;
  tunnel_parents: string[] | null;
  ip_proto: number;
  vlan: number | null;
  inner_vlan: number | null;
  community_id: string;
}

/** Zeek's names, order and habits: duration and payload bytes are unset when there is no duration. */
export function connRecord(flow: Flow): ConnRecord {
  const lasted = flow.durationNs > 0n;
  return {
    ts: flow.firstTsNs,
    uid: flow.uid,
    'id.orig_h': flow.origAddr,
    'id.orig_p': flow.origPort,
    'id.resp_h': flow.respAddr,
    'id.resp_p': flow.respPort,
    proto: zeekProto(flow.proto),
    service: flow.service,
    duration: lasted ? flow.durationNs : null,
    orig_bytes: lasted ? flow.origPayloadBytes : null,
    resp_bytes: lasted ? flow.respPayloadBytes : null,
    conn_state: flow.connState,
    local_orig: null,
    local_resp: null,
    missed_bytes: flow.missedBytes,
    history: flow.history || null,
    orig_pkts: flow.origPackets,
    orig_ip_bytes: flow.origIpBytes,
    resp_pkts: flow.respPackets,
    resp_ip_bytes: flow.respIpBytes,
    tunnel_parents: flow.tunnelParents.length > 0 ? flow.tunnelParents : null,
    ip_proto: flow.ipProto,
    vlan: flow.vlan,
    inner_vlan: flow.innerVlan,
    community_id: flow.communityId,
  };
}

function zeekProto(proto: Flow['proto']): ConnRecord['proto'] {
  if (proto === 'icmpv6') return 'icmp';
  return proto === 'tcp' || proto === 'udp' || proto === 'icmp' ? proto : 'unknown_transport';
}
