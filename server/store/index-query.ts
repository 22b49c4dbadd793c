/**
 * Asks an index which extents may hold a packet that a filter passes. The keys and hashes are those of
 * asm/assembly/blockindex.ts. A wrong yes costs a scan; a wrong no never happens.
 */
import type { IndexCondition } from '../../asm/host/filter/explain.js';
import { indexConditionOf } from '../../asm/host/filter/explain.js';

/** Rows of the fixed part: protocols, ethertypes, then two of their own. */
const ETHERTYPES = 256;
const OPAQUE = 512;
const LLC = 513;
/** Ports below are services, above ephemeral; as many are told apart. */
const SERVICE_PORTS = 1 << 15;
const EPHEMERAL_PORTS = 1 << 13;
const POSITIONS = 4;
const ETHERTYPE_MIN = 1536;
const [ADDRESS, FLOW, SERVICE, EPHEMERAL, FIXED] = [0, 1, 2, 3, 4] as const;

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

function mix(value: bigint): bigint {
  let key = value ^ (value >> 33n);
  key = u64(key * 0xff51afd7ed558ccdn);
  key ^= key >> 33n;
  key = u64(key * 0xc4ceb9fe1a85ec53n);
  return key ^ (key >> 33n);
}

const hash4 = (address: number, prefix: number): bigint =>
  mix((BigInt(prefix) << 32n) | BigInt(address >>> 0));
const hash6 = (high: bigint, low: bigint, prefix: number): bigint =>
  mix(mix(u64(high ^ (BigInt(prefix) << 56n))) ^ low);

/** A test of extents: rows that must all be set, or tests joined. */
export type IndexTest =
  | { kind: 'any' }
  | { kind: 'all' | 'one'; of: IndexTest[] }
  /** Positions by section, to be folded to its size. */
  | { kind: 'rows'; section: number; positions: number[] };

const ANY: IndexTest = { kind: 'any' };
const fixed = (row: number): IndexTest => ({ kind: 'rows', section: FIXED, positions: [row] });

function bloom(section: number, hash: bigint): IndexTest {
  const low = Number(hash & 0xffff_ffffn);
  const step = Number(hash >> 32n) | 1;
  const positions = Array.from({ length: POSITIONS }, (_, i) => (low + Math.imul(i, step)) >>> 0);
  return { kind: 'rows', section, positions };
}

function port(number: number): IndexTest {
  return number < SERVICE_PORTS
    ? { kind: 'rows', section: SERVICE, positions: [number] }
    : { kind: 'rows', section: EPHEMERAL, positions: [number % EPHEMERAL_PORTS] };
}

/** Length of a contiguous mask, or null. */
function prefixOf(mask: number): number | null {
  const ones = Math.clz32(~mask >>> 0);
  return ones === 32 || mask << ones === 0 ? ones : null;
}

function network4(address: number, mask: number): IndexTest {
  const prefix = prefixOf(mask);
  if (prefix === null || prefix < 16) return ANY;
  const kept = prefix === 32 ? 32 : prefix >= 24 ? 24 : 16;
  return bloom(ADDRESS, hash4(kept === 32 ? address : address & (-1 << (32 - kept)), kept));
}

function halves(words: readonly number[]): [high: bigint, low: bigint] {
  const word = (i: number) => BigInt((words[i] ?? 0) >>> 0);
  return [(word(0) << 32n) | word(1), (word(2) << 32n) | word(3)];
}

function network6(words: readonly number[], prefix: number): IndexTest {
  const [high, low] = halves(words);
  if (prefix === 128) return bloom(ADDRESS, hash6(high, low, 128));
  if (prefix >= 64) return bloom(ADDRESS, hash6(high, 0n, 64));
  return prefix >= 48 ? bloom(ADDRESS, hash6(high & ~0xffffn, 0n, 48)) : ANY;
}

/** Hash of a single address, null for anything else. */
function wholeAddress(condition: IndexCondition): bigint | null {
  if (condition.kind === 'ipv4' && condition.mask >>> 0 === 0xffff_ffff) return hash4(condition.address, 32);
  if (condition.kind === 'ipv6' && condition.prefix === 128) return hash6(...halves(condition.words), 128);
  return null;
}

/** Two addresses asked for together are a pair; with two ports, a flow. */
function together(of: readonly IndexCondition[]): IndexTest[] {
  const addresses = [...new Set(of.map(wholeAddress).filter((hash) => hash !== null))];
  const ports = [...new Set(of.map((one) => (one.kind === 'port' ? BigInt(one.port) : null)).filter((one) => one !== null))]; // biome-ignore format: one list
  const [a, b] = addresses;
  if (addresses.length !== 2 || a === undefined || b === undefined) return [];
  const pair = bloom(FLOW, mix(u64(a + b)));
  const [x, y] = ports;
  if (ports.length !== 2 || x === undefined || y === undefined) return [pair];
  const flow = (p: bigint, q: bigint) => bloom(FLOW, mix(u64(mix(a ^ p) + mix(b ^ q))));
  return [pair, { kind: 'one', of: [flow(x, y), flow(y, x)] }];
}

function testOf(condition: IndexCondition, pairs: boolean): IndexTest {
  switch (condition.kind) {
    case 'any':
      return ANY;
    case 'all':
      return { kind: 'all', of: [...(pairs ? together(condition.of) : []), ...condition.of.map((one) => testOf(one, pairs))] }; // biome-ignore format: one record
    case 'one':
      return { kind: 'one', of: condition.of.map((one) => testOf(one, pairs)) };
    case 'ipv4':
      return network4(condition.address, condition.mask);
    case 'ipv6':
      return network6(condition.words, condition.prefix);
    case 'port':
      return port(condition.port);
    case 'ip-protocol':
      return condition.number < 256 ? fixed(condition.number) : ANY;
    case 'ethertype': {
      const { number } = condition;
      if (number < ETHERTYPE_MIN || number > 0xffff) return ANY; // a link-layer SAP
      return { kind: 'one', of: [fixed(ETHERTYPES + ((number + (number >> 8)) & 0xff)), fixed(LLC)] };
    }
  }
}

/** What an index can say of a filter; null when nothing. Throws FilterError. */
export function indexTest(filter: string): IndexTest | null {
  if (!filter.trim()) return null;
  const { condition, shifts } = indexConditionOf(filter);
  // Tags are looked through; what lies in other tunnels is not indexed.
  if (shifts.some((shift) => shift !== 'vlan')) return null;
  const test = testOf(condition, shifts.length === 0);
  return rulesOut(test) ? test : null;
}

/** Whether a test can fail at all. */
function rulesOut(test: IndexTest): boolean {
  if (test.kind === 'all') return test.of.some(rulesOut);
  if (test.kind === 'one') return test.of.every(rulesOut);
  return test.kind === 'rows';
}

/** Extents, one bit each, that may pass. `row` gives the bits of a row; sections are as large as `rows` says. */
export function evaluate(test: IndexTest, rows: readonly number[], row: (number: number) => bigint): bigint {
  const all = (1n << 64n) - 1n;
  const starts = [0, ...rows].map((_, i) => rows.slice(0, i).reduce((sum, count) => sum + count, 0));
  const fixedAt = starts[FIXED]!;
  const ask = (one: IndexTest): bigint => {
    let bits = all;
    switch (one.kind) {
      case 'any':
        return all;
      case 'all':
        for (const part of one.of) {
          bits &= ask(part);
          if (bits === 0n) break;
        }
        return bits;
      case 'one':
        return one.of.reduce((sum, part) => sum | ask(part), 0n);
      case 'rows':
        for (const position of one.positions) {
          const folded = one.section === FIXED ? position : position & (rows[one.section]! - 1);
          bits &= row(starts[one.section]! + folded);
          if (bits === 0n) break;
        }
        return bits;
    }
  };
  const found = ask(test);
  return found | row(fixedAt + OPAQUE);
}
