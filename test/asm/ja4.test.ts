/**
 * JA4 of the specification's own captures, when they are at hand ($RINGTAP_CAPTURES or ../shared/captures),
 * against the values its authors publish with them: how many ClientHellos have which.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newEngine } from './captures.js';

const root = join(process.env.RINGTAP_CAPTURES ?? '../shared/captures', 'captures/ja4');

const PUBLISHED: Record<string, Record<string, number>> = {
  'pcap__tls12.pcap': { t13d1715h2_5b57614c22b0_3d5424432f57: 1 },
  'pcap__macos_tcp_flags.pcap': { t13d2613h2_2802a3db6c62_845d286b0d67: 1 },
  'pcap__quic-tls-handshake.pcapng': { q13d0310h3_55b375c5d22e_cd85d2d88918: 1 },
  'pcap__latest.pcapng': {
    t12d190800_d83cc789557e_7af1ed941c26: 1,
    t13d1516h2_8daaf6152771_9b887d9acb53: 1,
    t13d1516h2_8daaf6152771_e5627efa2ab1: 3,
  },
  'pcap__tls-sni.pcapng': {
    q13d0310h3_55b375c5d22e_cd85d2d88918: 20,
    t13d151400_8daaf6152771_de4a06bb82e3: 1,
    t13d1515h2_8daaf6152771_f37e75b10bcc: 5,
    t13d1516h1_8daaf6152771_e5627efa2ab1: 3,
    t13d1516h2_8daaf6152771_e5627efa2ab1: 54,
    t13d1517h1_8daaf6152771_6cdcb247c39b: 1,
  },
  // Published as …1699, from before the text says to write such a value (0xba 0xad) as hex: `bd`.
  'pcap__tls-non-ascii-alpn.pcapng': { t13d1516bd_8daaf6152771_e5627efa2ab1: 1 },
};

if (!existsSync(root)) console.log(`SKIP published JA4 values: no captures in ${root}`);

for (const [name, published] of Object.entries(PUBLISHED))
  test(`JA4 of ${name}`, async () => {
    if (!existsSync(root)) return;
    const engine = await newEngine();
    const found: Record<string, number> = {};
    engine.push(readFileSync(join(root, name)), (rows) => {
      for (let i = 0; i < rows.length; i++) {
        const { tls, quic } = engine.keyFields(rows.linktype(i), rows.bytes(i), rows.wirelen(i));
        const value = (tls?.client ?? quic?.client)?.ja4;
        if (value) found[value] = (found[value] ?? 0) + 1;
      }
    });
    assert.equal(found, published);
  });

test.run();
