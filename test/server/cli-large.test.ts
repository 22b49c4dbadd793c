/** Files larger than what 32 bits count, and more flows than the table holds: nothing is lost, memory is bounded. */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { paths } from '../../server/paths.js';
import { epb, section, temporaryDirectory, udpPacket, withoutEngine } from './helpers.js';

const FLOWS_KEPT = 262_144;
const missing = withoutEngine();
if (missing) console.log(`SKIP large files: ${missing}`);
else withEngine(temporaryDirectory());

/** The command with little memory for JavaScript: what is kept for each packet or flow would not fit. */
function lean(...args: string[]) {
  const options = { encoding: 'utf8', maxBuffer: 1 << 28, timeout: 120_000 } as const;
  return spawnSync(process.execPath, ['--max-old-space-size=96', paths.cli, ...args], options);
}

/** A pcapng file with holes: a packet, then 16 MiB of a block that readers pass over, again and again. */
function sparse(name: string, rounds: number): { packets: number; bytes: number } {
  const block_bytes = 16 << 20;
  const frame = Buffer.alloc(8);
  frame.writeUInt32LE(0x80000001, 0);
  frame.writeUInt32LE(block_bytes, 4);
  const fd = openSync(name, 'w');
  let at = writeSync(fd, section());
  for (let i = 0; i < rounds; i++) {
    at += writeSync(fd, epb(udpPacket(1000 + i), BigInt(i) * 1_000_000_000n), 0, undefined, at);
    writeSync(fd, frame, 0, 8, at);
    at += block_bytes;
    writeSync(fd, frame, 4, 4, at - 4);
  }
  ftruncateSync(fd, at);
  closeSync(fd);
  return { packets: rounds, bytes: at };
}

function withEngine(directory: string): void {
  test('a file of more than 4 GiB is read to its end, and damage behind that is told', () => {
    const name = join(directory, 'sparse.pcapng');
    const { packets, bytes } = sparse(name, 260);
    assert.ok(bytes > 2 ** 32);
    for (const threads of ['1', '2']) {
      const { stdout, stderr } = lean('count', '--threads', threads, '-f', 'udp', name);
      assert.equal([stdout, stderr], [`${packets}\n`, '']);
    }
    assert.is(lean('count', '-f', 'src port 1259', name).stdout, '1\n', 'the last packet, behind 4 GiB');
    const summary = JSON.parse(lean('summary', '--json', name).stdout);
    assert.equal([summary.packets, summary.lastTs, summary.error], [packets, '259.000000000', null]);
    truncateSync(name, bytes - 100);
    const cut = lean('count', '-f', 'udp', name);
    assert.equal([cut.status, cut.stdout], [1, `${packets}\n`]);
    assert.match(cut.stderr, /cut short/);
  });

  test('more flows than the table holds: each is printed once', () => {
    const name = join(directory, 'flows.pcap');
    const head = Buffer.alloc(24);
    head.writeUInt32LE(0xa1b2c3d4, 0);
    head.writeUInt16LE(2, 4);
    head.writeUInt16LE(4, 6);
    head.writeUInt32LE(262144, 16);
    head.writeUInt32LE(1, 20);
    const flows = FLOWS_KEPT + 20_000;
    const packet = udpPacket(1000);
    const records = Buffer.alloc(flows * (16 + packet.length));
    for (let i = 0, at = 0; i < flows; i++, at += 16 + packet.length) {
      records.writeUInt32LE(1_700_000_000 + Math.floor(i / 1000), at);
      records.writeUInt32LE(packet.length, at + 8);
      records.writeUInt32LE(packet.length, at + 12);
      packet.copy(records, at + 16);
      records.writeUInt32BE(0x0b000000 + i, at + 16 + 26); // the source address
    }
    writeFileSync(name, Buffer.concat([head, records]));
    const { stdout, stderr, status } = lean('flows', '--format', 'csv', name);
    assert.is(status, 0, stderr);
    const addresses = new Set<string>();
    let packets = 0;
    for (const line of stdout.trim().split('\n').slice(1)) {
      const cells = line.split(',');
      addresses.add(cells[1] as string);
      packets += Number(cells[7]) + Number(cells[8]);
    }
    assert.equal([addresses.size, packets], [flows, flows]);
    assert.match(stderr, /20000 flows were ended early/);
  });
}

test.run();
