/** The frames the gateway itself writes for viewers. Encoded once, sent to all. */
import { encodeFrame, GapCause, long } from '../../proto/frame.js';
import { PROTOCOL_VERSION } from '../../proto/gen/constants.js';
import type { Probe, ProbeSummary } from '../probes/registry.js';
import type { GapRange } from './queue.js';

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
      lastSeq: long(run.lastSeq),
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
      firstSeq: long(gap.firstSeq),
      lastSeq: long(gap.lastSeq),
      packets: gap.packets === null ? null : long(gap.packets),
      cause: cause === 'uplink' ? GapCause.UPLINK : GapCause.VIEWER_SLOW,
    },
  });
}

export function summaryFrame(probe: number, summary: ProbeSummary, viewers: number): Uint8Array {
  return encodeFrame({
    summary: {
      probe,
      tsNs: long(BigInt(Date.now()) * 1_000_000n),
      packets: long(summary.packets),
      wireBytes: long(summary.wireBytes),
      malformed: long(summary.malformed),
      flows: long(summary.flows),
      protocols: Object.entries(summary.protocols).map(([name, packets]) => ({
        name,
        packets: long(packets),
      })),
      batches: long(summary.batches),
      viewers: long(viewers),
    },
  });
}
