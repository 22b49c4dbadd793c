/** Top talkers and distinct counts: reads the module's counters, and merges those of several engines. */
import { addressText } from './flows.js';
import type { Module } from './module.js';
import type { Distinct, Talker, TalkerKind, TopTalkers } from './types.js';
import { TALKER_KINDS } from './types.js';

const PROTOCOLS: Record<number, string> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6', 132: 'sctp' };

export function readTalkers(module: Module, by: TalkerKind, k: number): TopTalkers {
  const { fn } = module;
  const base = fn.talkers(TALKER_KINDS.indexOf(by));
  const stride = module.constant('TALKER_STRIDE');
  const found: [address: number, bytes: number][] = [];
  for (let i = 0; i < module.constant('TALKER_SLOTS'); i++) {
    const bytes = module.count(base + i * stride + module.constant('TALKER_BYTES'));
    if (bytes) found.push([base + i * stride, bytes]);
  }
  found.sort((a, b) => b[1] - a[1]);
  const talkers = found.slice(0, k).map(([at, bytes]) => ({ key: keyText(module, by, at), bytes }));
  const errorBytes = (fn.talkers_error_low() >>> 0) + (fn.talkers_error_high() >>> 0) * 2 ** 32;
  return { by, talkers, errorBytes };
}

function keyText(module: Module, by: TalkerKind, at: number): string {
  const { view, bytes } = module;
  const kind = view.getUint32(at + module.constant('TALKER_KIND'), true);
  const ports = at + module.constant('TALKER_PORTS');
  const protocol = PROTOCOLS[kind & 0xff] ?? `ip-${kind & 0xff}`;
  if (by === 'port') return `${protocol}/${view.getUint16(ports, false)}`;
  const size = ((kind >> 8) & 15) === 4 ? 4 : 16;
  const address = (name: string) => {
    const start = at + module.constant(`TALKER_${name}`);
    return addressText(bytes.subarray(start, start + size));
  };
  if (by !== 'flow') return address('K0');
  const end = (name: string, port: number) =>
    size === 4 ? `${address(name)}:${port}` : `[${address(name)}]:${port}`;
  const [a, b] = [end('K0', view.getUint16(ports, false)), end('K2', view.getUint16(ports + 2, false))];
  return `${a} - ${b} ${protocol}`;
}

/**
 * Adds up answers of several engines over different packets, which must have been asked for without `k`.
 * A key that an engine does not list may have had up to that engine's errorBytes there, so errors add up.
 */
export function mergeTopTalkers(answers: readonly TopTalkers[], k = Number.POSITIVE_INFINITY): TopTalkers {
  const [first] = answers;
  if (!first) throw new RangeError('mergeTopTalkers needs at least one answer');
  if (answers.some(({ by }) => by !== first.by))
    throw new RangeError('mergeTopTalkers needs answers of one kind: call topTalkers with the same `by`');
  const sums = new Map<string, number>();
  for (const { talkers } of answers)
    for (const { key, bytes } of talkers) sums.set(key, (sums.get(key) ?? 0) + bytes);
  const talkers = [...sums].map(([key, bytes]): Talker => ({ key, bytes }));
  talkers.sort((a, b) => b.bytes - a.bytes);
  const errorBytes = answers.reduce((sum, answer) => sum + answer.errorBytes, 0);
  return { by: first.by, talkers: talkers.slice(0, k), errorBytes };
}

/** The registers behind distinct(), to be merged or kept. */
export function readSketch(module: Module): Uint8Array {
  const base = module.constant('DISTINCT_BASE');
  const size = module.constant('DISTINCT_KINDS') << module.constant('DISTINCT_BITS');
  return module.bytes.slice(base, base + size);
}

/** The larger of each register: as if one engine had seen all packets. */
export function mergeSketches(sketches: readonly Uint8Array[]): Uint8Array {
  const [first] = sketches;
  if (!first) throw new RangeError('mergeSketches needs at least one sketch');
  const merged = first.slice();
  for (const sketch of sketches) {
    if (sketch.length !== merged.length) throw new RangeError('sketches of different sizes cannot be merged');
    for (let i = 0; i < merged.length; i++) merged[i] = Math.max(merged[i]!, sketch[i]!);
  }
  return merged;
}

const KINDS = 5;

/** Estimates of a sketch. */
export function distinctOf(sketch: Uint8Array): Distinct {
  const size = sketch.length / KINDS;
  const estimate = (kind: number) => estimateOf(sketch.subarray(kind * size, (kind + 1) * size));
  return {
    originators: estimate(0),
    responders: estimate(1),
    originatorPorts: estimate(2),
    responderPorts: estimate(3),
    flows: estimate(4),
    standardError: 1.04 / Math.sqrt(size),
  };
}

/** HyperLogLog's harmonic mean, linear counting below 2.5 registers. */
function estimateOf(registers: Uint8Array): number {
  const m = registers.length;
  let sum = 0;
  let empty = 0;
  for (const rank of registers) {
    sum += 2 ** -rank;
    if (!rank) empty++;
  }
  const raw = ((0.7213 / (1 + 1.079 / m)) * m * m) / sum;
  return Math.round(raw <= 2.5 * m && empty ? m * Math.log(m / empty) : raw);
}
