/**
 * What the page knows of one run of one probe: who it is, its ledgers, the accounts of its batches,
 * and what the worker made of them. A plain object that the store updates and elements read.
 */
import { count, nanoseconds, optionalCount } from '../../proto/frame.js';
import type { ringtap } from '../../proto/gen/messages.js';
import type { EngineStats } from '../worker/messages.js';
import { type SequenceAccounts, SequenceTracker } from './sequence.js';
import { Throughput, type ThroughputPoint } from './throughput.js';

export interface ProbeIdentity {
  runId: string;
  name: string;
  interfaceName: string;
  source: string;
  synthetic: boolean;
  linktype: number;
  filter: string;
  /** Bytes of each packet on the uplink; 0 for whole packets. */
  uplinkSnaplen: number;
  startedMs: number;
}

/** The recorder's accounts as plain numbers; null is unknown. Names as in proto/ringtap.proto. */
export interface LedgerView {
  tsMs: number;
  ringReceived: number;
  /** Nobody asked to record them. */
  unrecorded: number;
  /** Removed by --flow-cutoff and --dedup; bytes cut off kept packets. */
  cutoff: number;
  duplicates: number;
  slicedBytes: number;
  filtered: number | null;
  ringDrops: number | null;
  ifDrops: number | null;
  ringStarved: number | null;
  poolDrops: number;
  stored: number;
  storeDrops: number;
  inFlight: number;
  unaccounted: number;
  receivedBytes: number;
  storedBytes: number;
  offered: number;
  sent: number;
  sampledOut: number;
  uplinkDrops: number;
  uplinkPending: number;
  segment: string;
  segments: number;
  final: boolean;
  alarms: string[];
  poolBlocksFree: number;
  poolBlocks: number;
}

/** The gateway's own parse of the same batches. */
export interface GatewayView {
  packets: number;
  flows: number;
  malformed: number;
  viewers: number;
}

export interface ProbeRun {
  /** The page's key, never reused. */
  readonly key: number;
  identity: ProbeIdentity;
  connected: boolean;
  /** Why the probe left, null while connected or when no reason was given. */
  downReason: string | null;
  ledger: LedgerView | null;
  /** Local time of the last ledger, and of the last frame of any kind; null before one. */
  ledgerAtMs: number | null;
  dataAtMs: number | null;
  readonly throughput: Throughput;
  readonly sequence: SequenceTracker;
  gateway: GatewayView | null;
  stats: EngineStats | null;
  parsed: number;
  damagedBatches: number;
  /** Received but not parsed because the worker could not keep up. */
  shedPackets: number;
  /** Batch.sampled_out_total of the first and of the last batch received here. */
  sampledOutFirst: number | null;
  sampledOutLast: number | null;
  /** Marks on the chart: probe-clock times at which packets went missing here. */
  gapMarksMs: number[];
}

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** Text from a probe: bounded, and free of control and direction-changing characters. */
export function cleanText(text: string, limit = 200): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '\u{fffd}').slice(0, limit);
}

export function identityOf(hello: ringtap.Hello.$Shape | ringtap.Hello): ProbeIdentity {
  return {
    runId: hex(hello.runId ?? new Uint8Array()),
    name: cleanText(hello.probeName || 'unnamed probe', 64),
    interfaceName: cleanText(hello.interfaceName || 'unknown', 64),
    source: cleanText(hello.source || 'unknown', 32),
    synthetic: hello.synthetic ?? false,
    linktype: hello.linktype ?? 0,
    filter: cleanText(hello.filter ?? '', 500),
    uplinkSnaplen: hello.uplinkSnaplen ?? 0,
    startedMs: Number(nanoseconds(hello.startedTsNs) / 1_000_000n),
  };
}

export function newRun(key: number, identity: ProbeIdentity): ProbeRun {
  return {
    key,
    identity,
    connected: false,
    downReason: null,
    ledger: null,
    ledgerAtMs: null,
    dataAtMs: null,
    throughput: new Throughput(),
    sequence: new SequenceTracker(),
    gateway: null,
    stats: null,
    parsed: 0,
    damagedBatches: 0,
    shedPackets: 0,
    sampledOutFirst: null,
    sampledOutLast: null,
    gapMarksMs: [],
  };
}

const ALARMS_SHOWN = 8;

export function ledgerView(ledger: ringtap.Ledger): LedgerView {
  return {
    tsMs: Number(nanoseconds(ledger.tsNs) / 1_000_000n),
    ringReceived: count(ledger.ringReceived),
    unrecorded: count(ledger.unrecorded),
    cutoff: count(ledger.cutoff),
    duplicates: count(ledger.duplicates),
    slicedBytes: count(ledger.slicedBytes),
    filtered: optionalCount(ledger.filtered),
    ringDrops: optionalCount(ledger.ringDrops),
    ifDrops: optionalCount(ledger.ifDrops),
    ringStarved: optionalCount(ledger.ringStarved),
    poolDrops: count(ledger.poolDrops),
    stored: count(ledger.stored),
    storeDrops: count(ledger.storeDrops),
    inFlight: count(ledger.inFlight),
    unaccounted: count(ledger.unaccounted),
    receivedBytes: count(ledger.receivedBytes),
    storedBytes: count(ledger.storedBytes),
    offered: count(ledger.offered),
    sent: count(ledger.sent),
    sampledOut: count(ledger.sampledOut),
    uplinkDrops: count(ledger.uplinkDrops),
    uplinkPending: count(ledger.uplinkPending),
    segment: cleanText(ledger.segment ?? '', 300),
    segments: count(ledger.segments),
    final: ledger.final ?? false,
    alarms: (ledger.alarms ?? []).slice(0, ALARMS_SHOWN).map((alarm) => cleanText(alarm, 300)),
    poolBlocksFree: count(ledger.poolBlocksFree),
    poolBlocks: count(ledger.poolBlocks),
  };
}

/** Take one ledger frame. */
export function applyLedger(run: ProbeRun, ledger: ringtap.Ledger, nowMs: number): void {
  run.ledger = ledgerView(ledger);
  run.ledgerAtMs = nowMs;
  run.throughput.add({
    tsNs: nanoseconds(ledger.tsNs),
    packets: run.ledger.ringReceived,
    bytes: run.ledger.receivedBytes,
  });
}

/** Remember what the uplink had sampled out by the time of this batch. */
export function applyUplinkTotals(run: ProbeRun, batch: ringtap.Batch): void {
  run.sampledOutLast = count(batch.sampledOutTotal);
  run.sampledOutFirst ??= run.sampledOutLast;
}

/**
 * How much of the recorded traffic this page was shown since it opened: packets seen and packets
 * that existed. Batches the uplink dropped are numbered, so they are among the missed. Null before
 * the first batch.
 */
function sampleOf(run: ProbeRun): { seen: number; of: number } | null {
  if (run.sampledOutFirst === null || run.sampledOutLast === null) return null;
  const sampledOut = Math.max(0, run.sampledOutLast - run.sampledOutFirst);
  const { received, missed } = run.sequence;
  return { seen: received - run.shedPackets, of: received + missed + sampledOut };
}

/** A run at one moment: plain data that does not change any more. */
export interface ProbeView extends Readonly<Omit<ProbeRun, 'throughput' | 'sequence'>> {
  readonly points: readonly ThroughputPoint[];
  readonly sequence: SequenceAccounts;
  readonly sample: { seen: number; of: number } | null;
}

export function viewOf(run: ProbeRun): ProbeView {
  const { throughput, sequence, ...plain } = run;
  return { ...plain, points: throughput.points, sequence: sequence.accounts, sample: sampleOf(run) };
}
