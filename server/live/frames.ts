/** The frames the gateway itself writes for viewers. Encoded once, sent to all. */
import Long from 'long';
import { encodeFrame, GapCause, long } from '../../proto/frame.js';
import { PROTOCOL_VERSION } from '../../proto/gen/constants.js';
import type { Probe, ProbeSummary } from '../probes/registry.js';
import type { GapRange } from './queue.js';

const u64 = (value: number) => Long.fromNumber(value, true);

export function probeUpFrame({ number, hello, link, run }: Probe): Uint8Array {
  return encodeFrame({
    probeUp: {
      probe: number,
      hello: {
        protocol: PROTOCOL_VERSION,
        runId: Buffer.from(run.id, 'hex'),
        probeName: hello.name,
        interfaceName: hello.interfaceName,
        linktype: hello.linktype,
        source: hello.source,
        synthetic: hello.synthetic,
        filter: hello.filter,
        uplinkSnaplen: hello.uplinkSnaplen,
        section: hello.section,
        startedTsNs: long(hello.startedTsNs),
      },
      connected: link !== null,
      lastSeq: u64(run.lastSeq),
    },
  });
}

export function probeDownFrame(probe: number, reason: string): Uint8Array {
  return encodeFrame({ probeDown: { probe, reason } });
}

export function gapFrame(gap: GapRange, cause: 'viewer-slow' | 'uplink'): Uint8Array {
  return encodeFrame({
    gap: {
      probe: gap.probe,
      firstSeq: u64(gap.firstSeq),
      lastSeq: u64(gap.lastSeq),
      packets: gap.packets === null ? null : u64(gap.packets),
      cause: cause === 'uplink' ? GapCause.UPLINK : GapCause.VIEWER_SLOW,
    },
  });
}

export function summaryFrame(probe: number, summary: ProbeSummary, viewers: number): Uint8Array {
  return encodeFrame({
    summary: {
      probe,
      tsNs: long(BigInt(Date.now()) * 1_000_000n),
      packets: u64(summary.packets),
      wireBytes: u64(summary.wireBytes),
      malformed: u64(summary.malformed),
      flows: u64(summary.flows),
      protocols: Object.entries(summary.protocols).map(([name, packets]) => ({
        name,
        packets: u64(packets),
      })),
      batches: u64(summary.batches),
      viewers: u64(viewers),
    },
  });
}
