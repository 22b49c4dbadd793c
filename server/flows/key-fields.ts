/**
 * What the application layer says of a flow: names asked for, hosts, fingerprints, gathered from its first
 * packets. A filter picks the few packets worth decoding, so that the others cost next to nothing. Bounded.
 */
import type { Engine, KeyFields } from '../../asm/host/index.js';

/** Packets decoded per flow; of DNS, which may ask for much on one pair of ports, more. */
const PACKETS_MAX = 16;
const DNS_PACKETS_MAX = 256;
const DNS_NAMES_MAX = 32;
const TEXT_CHARS_MAX = 512;

const METHODS = ['GET ', 'POST', 'PUT ', 'HEAD', 'DELE', 'OPTI', 'PATC', 'CONN'];
const word = (text: string) => `0x${Buffer.from(text).toString('hex')}`;
/** RFC 9000, RFC 9369, drafts. */
const quic = (load: string) => `(${load} = 1 or ${load} = 0x6b3343cf or ${load} & 0xffffff00 = 0xff000000)`;

/** `payload(size)` loads so many bytes at the start of the TCP payload, `byte(n)` the nth. */
function tcpStart(payload: (size: number) => string, byte: (n: number) => string): string {
  const http = METHODS.map((method) => `${payload(4)} = ${word(method)}`).join(' or ');
  return `(${payload(2)} = 0x1603 and ${byte(5)} = 1) or ${http}`;
}

const V4 = '((tcp[12] & 0xf0) >> 2)';
const V6 = '(40 + ((ip6[52] & 0xf0) >> 2))';
const DNS = 'port 53 or udp port 5353 or udp port 5355';
const PLAIN = [
  DNS,
  `(ip and tcp and (${tcpStart(
    (size) => `tcp[${V4}:${size}]`,
    (n) => `tcp[${V4} + ${n}]`,
  )}))`,
  `(ip6[6] = 6 and (${tcpStart(
    (size) => `ip6[${V6}:${size}]`,
    (n) => `ip6[${V6} + ${n}]`,
  )}))`,
  `(ip and udp and udp[8] & 0xc0 = 0xc0 and ${quic('udp[9:4]')})`,
  `(ip6[6] = 17 and ip6[48] & 0xc0 = 0xc0 and ${quic('ip6[49:4]')})`,
].join(' or ');
/** Tunnels hide what they carry from such a filter: their first packets are all looked at. */
const TUNNELS = 'udp port 4789 or udp port 6081 or udp port 2152 or proto 47 or proto 4 or proto 41';

/** Packets that may say something; `vlan` shifts what follows it, so it comes last. */
export const KEY_FILTER = `${PLAIN} or ${TUNNELS} or (vlan and (${PLAIN}))`;

const cut = (text: string | null | undefined) => text?.slice(0, TEXT_CHARS_MAX) ?? null;

export class FlowKeys {
  sni: string | null = null;
  alpn: string | null = null;
  ja4: string | null = null;
  httpHost: string | null = null;
  userAgent: string | null = null;
  readonly dnsNames = new Set<string>();
  #packets = 0;
  #dns = false;

  get wanted(): boolean {
    return this.#packets < (this.#dns ? DNS_PACKETS_MAX : PACKETS_MAX) && this.dnsNames.size < DNS_NAMES_MAX;
  }

  /** Looks at one packet of the flow. */
  add(engine: Engine, linktype: number, bytes: Uint8Array, wirelen: number): void {
    this.#packets++;
    this.#take(engine.keyFields(linktype, bytes, wirelen));
  }

  #take({ dns, tls, quic: quicFields, http }: KeyFields): void {
    const hello = tls?.client ?? quicFields?.client;
    if (hello) {
      this.sni ??= cut(hello.sni);
      this.ja4 ??= hello.ja4;
      if (hello.alpn.length > 0) this.alpn ??= cut(hello.alpn.join(' '));
    }
    this.httpHost ??= cut(http?.host);
    this.userAgent ??= cut(http?.userAgent);
    if (!dns) return;
    this.#dns = true;
    for (const { name } of dns.questions)
      if (name && this.dnsNames.size < DNS_NAMES_MAX)
        this.dnsNames.add(cut(name.replaceAll(' ', '\\032')) as string);
  }
}
