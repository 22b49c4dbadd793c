/** Names of values for the packet tree: looked up in the tables of numbers, or spelled bit by bit. */
import { APPLICATION_NAMES } from './names-application.js';
import { NETWORK_NAMES } from './names-network.js';

export const NAMES = { ...NETWORK_NAMES, ...APPLICATION_NAMES };
export type NamesTable = keyof typeof NAMES;

/** The value's name, or undefined. */
export function nameOf(table: NamesTable, value: number): string | undefined {
  return (NAMES[table] as Record<number, string>)[value];
}

/** Names of the TCP flags, lowest bit first. */
const TCP_FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR', 'AE'] as const;

/** TCP flags as Wireshark's Info column lists them. */
export function tcpFlagNames(flags: number): string {
  return TCP_FLAGS.filter((_, bit) => flags & (1 << bit)).join(', ') || '<None>';
}
