/** Zeek's view of a flow: conn_state and history. */
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

/** TCP: words of twelve letters of five bits, each as its low and high half. UDP: who sent, the first sender first. */
export function historyText(
  proto: Flow['proto'],
  halves: readonly number[],
  flipped: boolean,
  counts: Counts,
): string {
  if (proto === 'udp') {
    const [orig, resp] = [counts.origPackets ? 'D' : '', counts.respPackets ? 'd' : ''];
    return flipped ? `^${resp}${orig}` : `${orig}${resp}`;
  }
  if (proto !== 'tcp') return '';
  let text = '';
  for (let i = 0; i < halves.length * 6; i++) {
    const word = i < 12 ? 0 : 2;
    const bit = (i % 12) * 5;
    const [low, high] = [halves[word]!, halves[word + 1]!];
    const code = (bit < 32 ? (low >>> bit) | (bit > 27 ? high << (32 - bit) : 0) : high >>> (bit - 32)) & 31;
    if (!code) break;
    const letter = LETTERS[(code & 15 || 1) - 1]!;
    text += code & 16 ? letter.toLowerCase() : letter;
  }
  return text;
}
