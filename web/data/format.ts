/**
 * Numbers, times and names as text. Pure functions, no locale surprises: the same text on every
 * machine except the time of day, which is local. Unknown (null) is always "unknown" or an en dash,
 * never 0, and a share is "100 %" only when it is exactly that.
 */

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** An exact integer with thousands separators. */
export function formatCount(value: number | null): string {
  return value === null ? 'unknown' : grouped.format(value);
}

/** "1 packet", "2 packets". */
export function plural(value: number, noun: string): string {
  return `${grouped.format(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** Three significant digits and an SI prefix: `[12.3, 'k']`. */
export function scaled(value: number): [string, string] {
  const prefixes = ['', 'k', 'M', 'G', 'T', 'P'];
  let magnitude = 0;
  let rest = value;
  while (Math.abs(rest) >= 999.5 && magnitude < prefixes.length - 1) {
    rest /= 1000;
    magnitude++;
  }
  const digits = magnitude === 0 && Number.isInteger(rest) ? 0 : rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return [rest.toFixed(digits), prefixes[magnitude]!];
}

/** `12.3 k`, `850`. */
export function formatScaled(value: number | null): string {
  if (value === null) return '–';
  const [digits, prefix] = scaled(value);
  return prefix ? `${digits} ${prefix}` : digits;
}

/** `1.21 Gbit/s` from bits per second. */
export function formatBitRate(bitsPerSecond: number | null): string {
  if (bitsPerSecond === null) return '–';
  const [digits, prefix] = scaled(bitsPerSecond);
  return `${digits} ${prefix}bit/s`;
}

/** `1.21 MB`, decimal as drives and links count. */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return '–';
  const [digits, prefix] = scaled(bytes);
  return `${digits} ${prefix}B`;
}

/** `part` of `whole`; "100 %" and "0 %" only when exact. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0) return '–';
  if (part === whole) return '100 %';
  if (part === 0) return '0 %';
  const percent = (part / whole) * 100;
  if (percent >= 99.995) return '> 99.99 %';
  if (percent < 0.01) return '< 0.01 %';
  return `${percent.toFixed(percent >= 99 || percent < 1 ? 2 : 1)} %`;
}

const two = (value: number) => String(value).padStart(2, '0');

/** `01:02:03`, or `2 d 01:02:03`. */
export function formatElapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const days = Math.floor(seconds / 86_400);
  const clock = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return days ? `${days} d ${clock}` : clock;
}

/** `6.2 s`, `3 min 20 s`, `2 h 5 min`: how long something lasted. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Local time of day, `14:03:22`. */
export function formatClock(epochMs: number): string {
  const date = new Date(epochMs);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Local time of day to the microsecond, `14:03:22.123456`; an en dash for a packet without a time. */
export function formatPacketTime(tsNs: bigint | null): string {
  if (tsNs === null) return '–';
  const micros = String((tsNs / 1000n) % 1_000_000n).padStart(6, '0');
  return `${formatClock(Number(tsNs / 1_000_000n))}.${micros}`;
}

/** Date and time in UTC to the nanosecond, `2026-01-31 13:03:22.123456789 UTC`. */
export function formatTimestamp(tsNs: bigint | null): string {
  if (tsNs === null) return 'no timestamp';
  const iso = new Date(Number(tsNs / 1_000_000n)).toISOString();
  const nanos = String(tsNs % 1_000_000_000n).padStart(9, '0');
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}.${nanos} UTC`;
}

/** Address and port as people write them: `10.0.0.1:80`, `[fe80::1]:53`, no port when there is none. */
export function formatEndpoint(address: string, port: number): string {
  if (!port) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

const protocolNames: Record<string, string> = {
  eth: 'Ethernet',
  vlan: 'VLAN',
  mpls: 'MPLS',
  arp: 'ARP',
  ip: 'IPv4',
  ipv6: 'IPv6',
  icmp: 'ICMP',
  icmpv6: 'ICMPv6',
  tcp: 'TCP',
  udp: 'UDP',
  sctp: 'SCTP',
  gre: 'GRE',
  vxlan: 'VXLAN',
  gtp: 'GTP',
  dns: 'DNS',
  http: 'HTTP',
  tls: 'TLS',
  quic: 'QUIC',
};

/** The engine's short protocol name as people write it. */
export function protocolLabel(name: string): string {
  return protocolNames[name] ?? name.toUpperCase();
}
