/**
 * /api/v1/status: what the gateway knows now, and the schema that serialises it. Numbers nobody knows
 * are null. The schema's keys and the types' keys are the same list: a test compares them.
 */
import type { Ledger } from '../proto/frame.js';
import { count, nanoseconds, optionalCount } from '../proto/frame.js';
import { PROTOCOL_VERSION } from '../proto/gen/constants.js';
import type { AnalysisCounters } from './analysis/analysis.js';
import type { Gateway } from './gateway.js';
import { VERSION } from './paths.js';
import type { Probe, ProbeSummary } from './probes/registry.js';

const integer = { type: 'integer' } as const;
const integerOrNull = { type: ['integer', 'null'] } as const;
const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const numberOrNull = { type: ['number', 'null'] } as const;

function object<P extends object>(properties: P) {
  return { type: 'object', required: Object.keys(properties), properties } as const;
}
function nullable<P extends object>(properties: P) {
  return { ...object(properties), nullable: true } as const;
}

const LEDGER_COUNTS = [
  ['ring_received', 'ringReceived'],
  ['pool_drops', 'poolDrops'],
  ['stored', 'stored'],
  ['store_drops', 'storeDrops'],
  ['in_flight', 'inFlight'],
  ['unaccounted', 'unaccounted'],
  ['received_bytes', 'receivedBytes'],
  ['stored_bytes', 'storedBytes'],
  ['offered', 'offered'],
  ['sent', 'sent'],
  ['sampled_out', 'sampledOut'],
  ['uplink_drops', 'uplinkDrops'],
  ['uplink_pending', 'uplinkPending'],
  ['segments', 'segments'],
  ['pool_blocks_free', 'poolBlocksFree'],
  ['pool_blocks', 'poolBlocks'],
  ['unrecorded', 'unrecorded'],
  ['cutoff', 'cutoff'],
  ['duplicates', 'duplicates'],
  ['sliced_bytes', 'slicedBytes'],
] as const;
/** Absent means the source cannot tell. */
const LEDGER_OPTIONAL = [
  ['filtered', 'filtered'],
  ['ring_drops', 'ringDrops'],
  ['if_drops', 'ifDrops'],
  ['ring_starved', 'ringStarved'],
] as const;

const ledgerSchema = nullable({
  ts_ns: text,
  ...Object.fromEntries(LEDGER_COUNTS.map(([name]) => [name, integer])),
  ...Object.fromEntries(LEDGER_OPTIONAL.map(([name]) => [name, integerOrNull])),
  segment: text,
  final: flag,
  alarms: { type: 'array', items: text },
});

const summarySchema = nullable({
  packets: integer,
  wire_bytes: integer,
  malformed: integer,
  flows: integer,
  protocols: { type: 'object', additionalProperties: integer },
});

const probeSchema = object({
  probe: integer,
  name: text,
  interface: text,
  source: text,
  synthetic: flag,
  connected: flag,
  filter: text,
  uplink_snaplen: integer,
  linktype: integer,
  started_ts_ns: text,
  last_seq: integer,
  ledger: ledgerSchema,
  ledger_age_seconds: numberOrNull,
  summary: summarySchema,
  gaps: object({ batches: integer, packets: integerOrNull }),
  before: object({ batches: integer, packets: integer }),
});

export const statusSchema = object({
  version: text,
  started: text,
  protocol: integer,
  probes: { type: 'array', items: probeSchema },
  viewers: integer,
  gateway: object({
    batches: integer,
    packets: integer,
    bytes: integer,
    duplicates: integer,
    viewer_dropped_batches: integer,
    viewer_dropped_packets: integer,
    analysis: object({
      batches: integer,
      shed_batches: integer,
      shed_packets: integer,
      damaged: integer,
      restarts: integer,
    }),
  }),
});

function ledgerStatus(ledger: Ledger) {
  return {
    ts_ns: nanoseconds(ledger.tsNs).toString(),
    ...Object.fromEntries(LEDGER_COUNTS.map(([name, field]) => [name, count(ledger[field])])),
    ...Object.fromEntries(LEDGER_OPTIONAL.map(([name, field]) => [name, optionalCount(ledger[field])])),
    segment: ledger.segment,
    final: ledger.final,
    alarms: ledger.alarms,
  };
}

function summaryStatus({ packets, wireBytes, malformed, flows, protocols }: ProbeSummary) {
  return { packets, wire_bytes: wireBytes, malformed, flows, protocols };
}

function probeStatus({ number, hello, run, link, ledger, summary }: Probe) {
  return {
    probe: number,
    name: hello.name,
    interface: hello.interfaceName,
    source: hello.source,
    synthetic: hello.synthetic,
    connected: link !== null,
    filter: hello.filter,
    uplink_snaplen: hello.uplinkSnaplen,
    linktype: hello.linktype,
    started_ts_ns: hello.startedTsNs.toString(),
    last_seq: run.lastSeq,
    ledger: ledger && ledgerStatus(ledger.ledger),
    ledger_age_seconds: ledger && Math.round(performance.now() - ledger.at_ms) / 1000,
    summary: summary && summaryStatus(summary),
    gaps: { batches: run.gapBatches, packets: run.gapPackets },
    before: { batches: run.beforeBatches, packets: run.beforePackets },
  };
}

function analysisStatus({ batches, shedBatches, shedPackets, damaged, restarts }: AnalysisCounters) {
  return { batches, shed_batches: shedBatches, shed_packets: shedPackets, damaged, restarts };
}

export function gatewayStatus({ registry, viewers, started, counters, analysis }: Gateway) {
  const { batches, packets, bytes, duplicates, droppedBatches, droppedPackets } = counters;
  const dropped = { batches: droppedBatches, packets: droppedPackets };
  for (const { queue } of viewers) {
    dropped.batches += queue.droppedBatches;
    dropped.packets += queue.droppedPackets;
  }
  return {
    version: VERSION,
    started: started.toISOString(),
    protocol: PROTOCOL_VERSION,
    probes: [...registry.all()].map(probeStatus),
    viewers: viewers.size,
    gateway: {
      batches,
      packets,
      bytes,
      duplicates,
      viewer_dropped_batches: dropped.batches,
      viewer_dropped_packets: dropped.packets,
      analysis: analysisStatus(analysis.counters),
    },
  };
}
