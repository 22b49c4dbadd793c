/**
 * TCP figures of real captures against tshark, where both are at hand: initial round trip, segments sent
 * again or out of order, zero windows, per TCP stream. Definitions differ in detail (tshark's heuristics use
 * duplicate acknowledgments and 20 ms; ours see holes), so streams are compared one by one and a share must
 * agree; the bounds below are what was measured, rounded down.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Flow } from '../../asm/host/index.js';
import { newEngine } from './captures.js';

const root = join(process.env.RINGTAP_CAPTURES ?? '../shared/captures', 'captures', 'zeek');
const tshark = spawnSync('tshark', ['--version']).status === 0;
/** The largest: they have most to compare. */
const FILES_MAX = 25;
const MARKS = ['retransmission', 'out_of_order', 'zero_window'] as const;
const FIELDS = ['tcp.stream', 'tcp.analysis.initial_rtt', ...MARKS.map((mark) => `tcp.analysis.${mark}`)];

interface Stream {
  rtt: number | null;
  /** Retransmitted and out of order together: which of the two is a matter of timing. */
  again: number;
  zeroWindows: number;
}

/** Streams in the order of their first packet. */
function truthOf(file: string): Stream[] {
  const args = ['-n', '-r', file, '-Y', 'tcp', '-T', 'fields', ...FIELDS.flatMap((field) => ['-e', field])];
  const quiet = ['-o', 'tcp.desegment_tcp_streams:FALSE', '-o', 'tcp.check_checksum:FALSE'];
  const { stdout } = spawnSync('tshark', [...args, ...quiet], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const streams: Stream[] = [];
  for (const line of stdout.split('\n').filter(Boolean)) {
    const [number = '', rtt = '', retransmission, disorder, zero] = line.split('\t');
    if (!/^\d+$/.test(number)) continue; // tunnels: several streams in a frame
    const stream = streams[Number(number)] ?? { rtt: null, again: 0, zeroWindows: 0 };
    streams[Number(number)] = stream;
    if (rtt) stream.rtt = Number(rtt);
    if (retransmission || disorder) stream.again++;
    if (zero) stream.zeroWindows++;
  }
  return streams;
}

const rttOf = ({ handshakeRttNs }: Flow): number | null =>
  handshakeRttNs === null ? null : Number(handshakeRttNs) / 1e9;

if (!tshark || !existsSync(root)) {
  console.log(
    `SKIP TCP figures against tshark: ${tshark ? `there is no ${root}` : 'tshark is not installed'}`,
  );
  test('nothing to compare with', () => {});
} else
  test('round trips, repeats and zero windows of TCP streams', async () => {
    const engine = await newEngine();
    const score = { streams: 0, rtt: 0, again: 0, zeroWindows: 0, flows: 0 };
    const rtts = { ours: 0, theirs: 0 };
    const differ: string[] = [];
    const size = (name: string): number => statSync(join(root, name)).size;
    const captures = readdirSync(root).filter((name) => /\.(pcap|pcapng|trace|cap)$/.test(name));
    for (const name of captures.sort((a, b) => size(b) - size(a)).slice(0, FILES_MAX)) {
      engine.reset();
      engine.push(readFileSync(join(root, name)));
      if (engine.error || engine.flowsEvicted) continue;
      const flows = engine
        .flows()
        .filter(({ proto }) => proto === 'tcp')
        .sort((a, b) => a.id - b.id);
      const streams = truthOf(join(root, name));
      if (flows.length !== streams.length) continue;
      score.flows++;
      for (const [i, stream] of streams.entries()) {
        if (!stream) continue;
        const flow = flows[i]!;
        const again =
          flow.origRetransmits! + flow.origOutOfOrder! + flow.respRetransmits! + flow.respOutOfOrder!;
        const zero = flow.origZeroWindows! + flow.respZeroWindows!;
        const rtt = rttOf(flow);
        score.streams++;
        if (rtt !== null) rtts.ours++;
        if (stream.rtt !== null) rtts.theirs++;
        // Seen from one side only, tshark takes the originator's next ACK for the handshake's: no round trip.
        const same =
          flow.respPackets === 0 ||
          ((rtt === null) === (stream.rtt === null) && Math.abs((rtt ?? 0) - (stream.rtt ?? 0)) < 2e-6);
        if (same) score.rtt++;
        if (again === stream.again) score.again++;
        if (zero === stream.zeroWindows) score.zeroWindows++;
        if (!same || again !== stream.again || zero !== stream.zeroWindows)
          differ.push(
            `${name} ${i}: rtt ${rtt}/${stream.rtt} again ${again}/${stream.again} zero ${zero}/${stream.zeroWindows} ${flow.history}`,
          );
      }
    }
    console.log(
      `  ${score.flows} files, ${score.streams} streams; the same round trip ${score.rtt} (known to us ${rtts.ours}, to tshark ${rtts.theirs}), repeats ${score.again}, zero windows ${score.zeroWindows}`,
    );
    for (const line of differ.slice(0, Number(process.env.RINGTAP_VERBOSE ?? 0))) console.log(`    ${line}`);
    assert.ok(score.streams > 100);
    assert.ok(score.rtt >= score.streams * 0.97, 'round trips');
    assert.ok(score.again >= score.streams * 0.97, 'repeats');
    assert.ok(score.zeroWindows >= score.streams * 0.99, 'zero windows');
  });

test.run();
